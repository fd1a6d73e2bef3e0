//! Where temporary buffers lie in the arena, between which dispatches barriers stand, and where long programs
//! are split into submissions.

mod barriers;
mod memory;
mod submissions;

pub use barriers::{Barrier, Barriers, Hazard, HazardKind, barriers};
pub use memory::{MemoryPlan, Placement, UsageRecord, memory};
pub use submissions::{expected_seconds, submissions};
