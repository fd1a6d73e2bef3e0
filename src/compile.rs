//! From a graph to a program: import, passes, lower, plan. Pure functions of data.

mod import;
mod lower;
mod place;

pub use import::{import, reshape};
pub use lower::lower;

use crate::caps::Caps;
use crate::error::Result;
use crate::graph::{Graph, Mix, Storage};
use crate::lower::Tactics;
use crate::passes::{self, Outcome};
use crate::plan::{self, Barriers, MemoryPlan};
use crate::program::Program;

/// A program with its memory and its barriers, and the graph that it came from.
#[derive(Debug)]
pub struct Compiled {
    /// The graph after the passes.
    pub graph: Graph,
    /// How its values are stored.
    pub storage: Storage,
    /// What each pass did and declined.
    pub outcomes: Vec<Outcome>,
    /// The dispatches.
    pub program: Program,
    /// Arena offsets of the temporaries.
    pub memory: MemoryPlan,
    /// The barriers between dispatches.
    pub barriers: Barriers,
}

/// Compiles a graph, as imported, for a device; `tactics` picks a candidate for each choice.
pub fn compile(mut graph: Graph, caps: &Caps, mix: &Mix, tactics: &dyn Tactics) -> Result<Compiled> {
    let storage = Storage::assign(&graph, caps, mix);
    let outcomes = passes::run(&mut graph, caps, &storage)?;
    let program = lower(&graph, &storage, caps, tactics)?;
    let memory = plan::memory(&program, caps.buffer_alignment);
    let barriers = plan::barriers(&program, &memory);
    Ok(Compiled { graph, storage, outcomes, program, memory, barriers })
}
