//! What is recorded for a program, apart from what moves its inputs and outputs: kept so that it can be recorded again
//! when one of these lies elsewhere.

use std::sync::Arc;

use crate::error::Result;
use crate::vk::{Pipeline, PipelineKey, Recorder, Region, Slot, Stage};

/// One step of a recording.
pub(super) enum Step {
    /// What follows is a submission of its own.
    Split,
    /// What follows waits for what was dispatched before.
    Barrier,
    /// The time is taken.
    Timestamp,
    /// A kernel runs.
    Dispatch { pipeline: Arc<Pipeline>, regions: Vec<Region>, push: Vec<u8>, grid: [u32; 3] },
}

impl Step {
    /// The key of the pipeline, but of one whose buffers may be exchanged, if it is a dispatch that names one of the slots.
    pub fn late_key(&self, slots: &[Slot]) -> Option<PipelineKey> {
        let Self::Dispatch { pipeline, regions, .. } = self else { return None };
        let named = regions.iter().any(|region| slots.contains(&region.slot));
        named.then(|| PipelineKey { update_after_bind: true, ..pipeline.key().clone() })
    }
}

/// Records the steps in their order.
pub(super) fn play(steps: &[Step], recorder: &mut Recorder) -> Result<()> {
    for step in steps {
        match step {
            Step::Split => recorder.split()?,
            Step::Barrier => recorder.barrier(Stage::Compute, Stage::Compute),
            Step::Timestamp => recorder.timestamp(),
            Step::Dispatch { pipeline, regions, push, grid } => {
                recorder.dispatch(pipeline, regions, push, *grid)?;
            }
        }
    }
    Ok(())
}
