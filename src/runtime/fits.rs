//! Whether a dispatch respects what the device declares; no driver is asked.

use crate::caps::Caps;
use crate::error::Unsupported;
use crate::program::Dispatch;
use crate::unsupported;

/// Checks features, workgroup, grid and number of buffers against the device.
///
/// # Errors
/// The first thing that the device lacks.
pub fn fits(dispatch: &Dispatch, caps: &Caps) -> Result<(), Unsupported> {
    let kernel = dispatch.kernel;
    let name = kernel.name;
    let missing = kernel.needs.without(caps.features);
    if missing.0 != 0 {
        unsupported!("{name} needs {missing}");
    }
    let buffers = kernel.bindings.len();
    if buffers > caps.max_storage_buffers as usize {
        unsupported!("{name} binds {buffers} buffers, the device allows {}", caps.max_storage_buffers);
    }
    let mut size = [1u32; 3];
    for (constant, value) in kernel.spec.iter().zip(&dispatch.spec) {
        if let Some(axis) = size.get_mut(constant.id as usize) {
            *axis = *value;
        }
    }
    let invocations = size.iter().map(|n| u64::from(*n)).product::<u64>();
    let too_wide = size.iter().zip(&caps.max_workgroup).any(|(n, max)| n > max);
    if invocations == 0 || too_wide || invocations > caps.max_invocations.into() {
        unsupported!(
            "{name} has workgroups of {size:?}, the device allows {:?} with {} together",
            caps.max_workgroup,
            caps.max_invocations
        );
    }
    let grid = dispatch.grid;
    if grid.iter().zip(&caps.max_grid).any(|(n, max)| *n == 0 || n > max) {
        unsupported!("{name} has a grid of {grid:?}, the device allows {:?}", caps.max_grid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Features;
    use crate::program::{Access, Binding, BufferId, Cost, Kernel, Launch, SpecConstant};

    const X: Binding = Binding { name: "x", access: Access::Read };

    static TILE: Kernel = Kernel {
        name: "tile",
        packed: &[],
        bindings: &[X, X, X],
        spec: &[SpecConstant { id: 7, name: "k" }, SpecConstant { id: 1, name: "wg_y" }],
        push_bytes: 0,
        needs: Features::FLOAT_16,
        hash: 0,
    };

    #[test]
    fn the_first_lack_is_named() {
        let caps = Caps { features: Features::FLOAT_16, max_storage_buffers: 4, ..Caps::minimum() };
        let cases = [
            (Caps { ..caps.clone() }, 64, [1, 2, 3], None),
            (Caps { features: Features::NONE, ..caps.clone() }, 64, [1; 3], Some("needs shaderFloat16")),
            (Caps { max_storage_buffers: 2, ..caps.clone() }, 64, [1; 3], Some("binds 3 buffers")),
            (caps.clone(), 129, [1; 3], Some("workgroups of [1, 129, 1]")),
            (caps.clone(), 0, [1; 3], Some("workgroups of [1, 0, 1]")),
            (caps.clone(), 8, [1, 65536, 1], Some("grid of [1, 65536, 1]")),
            (caps.clone(), 8, [1, 0, 1], Some("grid of [1, 0, 1]")),
        ];
        for (caps, wg_y, grid, expected) in cases {
            let launch = Launch::new(&TILE, vec![1000, wg_y], vec![], vec![BufferId(0); 3], grid);
            let dispatch = Dispatch::new(launch, "", [], Cost::default());
            let got = fits(&dispatch, &caps).err().map(|e| e.0);
            match expected {
                None => assert_eq!(got, None),
                Some(part) => assert!(got.as_ref().is_some_and(|e| e.contains(part)), "{got:?} lacks {part}"),
            }
        }
    }
}
