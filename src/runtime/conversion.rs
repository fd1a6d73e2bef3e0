//! Conversion between the floats of a caller's buffer and those that kernels see, by a dispatch.

use super::pipelines::{Pipelines, key};
use crate::caps::{Caps, Features};
use crate::error::Result;
use crate::ir::DType;
use crate::kernel::table::convert;
use crate::lower::grid;
use crate::program::{BufferId, Cost, Dispatch, Element, HostForm, Store};
use crate::vk::PipelineKey;
use crate::vk::Region;

use super::script::Step;

/// What converts the elements of one input or output.
pub(super) struct Conversion {
    dispatch: Dispatch,
    /// Bytes of the caller's elements.
    bytes: u64,
}

impl Conversion {
    /// To the form of kernels, or back from it. `None` if no kernel does that, or none is needed.
    pub fn new(host: HostForm, caps: &Caps, to_kernels: bool) -> Option<Self> {
        let is_float = (host.dtype, host.element) == (DType::F32, Element::F16);
        if !is_float || !caps.features.contains(Features::STORAGE_16) || host.elements == 0 {
            return None;
        }
        let (grid, row_items, wg_x) = grid::linear(caps, host.elements.div_ceil(4)).ok()?;
        let spec = convert::Spec { wg_x, ..Default::default() };
        let push = convert::Push { elements: u32::try_from(host.elements).ok()?, row_items };
        let kernel = convert::kernel(if to_kernels { Store::F16 } else { Store::F32 });
        let bind = convert::Bind { x: BufferId(0), y: BufferId(1) };
        let launch = convert::dispatch(kernel, spec, push, bind, grid);
        let dispatch = Dispatch::new(launch, "convert", [], Cost::default());
        Some(Self { dispatch, bytes: host.elements * host.dtype.bytes() })
    }

    /// The key of its pipeline; `late` if the caller's buffer may be exchanged after recording.
    pub fn key(&self, late: bool) -> PipelineKey {
        PipelineKey { update_after_bind: late, ..key(&self.dispatch) }
    }

    /// Bytes of the caller's elements.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The dispatch from one region to the other.
    ///
    /// # Errors
    /// If the driver refused the pipeline.
    pub fn step(&self, pipelines: &Pipelines, late: bool, from: Region, to: Region) -> Result<Step> {
        Ok(Step::Dispatch {
            pipeline: pipelines.get(&self.key(late))?.clone(),
            regions: vec![from, to],
            push: self.dispatch.push.clone(),
            grid: self.dispatch.grid,
        })
    }
}
