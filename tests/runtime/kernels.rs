//! Two tiny kernels of these tests' own, so that they do not depend on any operator's.

#[path = "../../kernels/compile/mod.rs"]
#[expect(dead_code, reason = "the build step, of which these tests use a part")]
mod compile;

use std::path::Path;
use std::sync::LazyLock;

use tflite_vulkan::caps::Features;
use tflite_vulkan::program::{Access, Binding, Kernel, SpecConstant};

const X: Binding = Binding { name: "x", access: Access::Read };
const Y: Binding = Binding { name: "y", access: Access::Read };
const Z: Binding = Binding { name: "z", access: Access::Write };
const WG: SpecConstant = SpecConstant { id: 0, name: "wg_x" };
const SCALE: SpecConstant = SpecConstant { id: 3, name: "scale" };

/// `z[i] = x[i] * scale + bias`; push `{ n: u32, bias: f32 }`, spec `[wg_x, scale]`.
pub fn affine() -> &'static Kernel {
    static KERNEL: LazyLock<Kernel> = LazyLock::new(|| kernel("affine", &[X, Z]));
    &KERNEL
}

/// `z[i] = x[i] + y[i]`; push and spec as [`affine`].
pub fn add() -> &'static Kernel {
    static KERNEL: LazyLock<Kernel> = LazyLock::new(|| kernel("add", &[X, Y, Z]));
    &KERNEL
}

/// Needs a feature that no device has.
pub fn impossible() -> &'static Kernel {
    static KERNEL: LazyLock<Kernel> = LazyLock::new(|| Kernel {
        needs: Features(1 << 31),
        name: "impossible",
        ..kernel("affine", &[X, Z])
    });
    &KERNEL
}

/// The kernel of `tests/runtime/kernels` with this name.
fn kernel(name: &'static str, bindings: &'static [Binding]) -> Kernel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runtime/kernels");
    let kernels = compile::read(&folder).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let kernel = kernels.iter().find(|kernel| kernel.name == name).expect("there is a file of this name");
    Kernel {
        name,
        packed: compile::pack::pack(&kernel.variants[0].words).leak(),
        bindings,
        spec: &[WG, SCALE],
        push_bytes: 8,
        needs: Features::NONE,
        hash: 0,
    }
}
