//! Where temporary buffers lie in the arena, and between which dispatches barriers stand.

mod barriers;
mod memory;

pub use barriers::{Barrier, Barriers, Hazard, HazardKind, barriers};
pub use memory::{MemoryPlan, Placement, UsageRecord, memory};
