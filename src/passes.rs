//! The passes over the graph, in order.

mod fold_constants;
mod fold_padding;
mod fold_scale;
mod fuse_depthwise;
mod fuse_elementwise;

use std::fmt;

use crate::caps::Caps;
use crate::error::Result;
use crate::graph::Graph;
use crate::program::Store;

/// What a pass did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The pass.
    pub pass: &'static str,
    /// How often it applied.
    pub applied: usize,
    /// Where it could have applied but did not, with the reason.
    pub declined: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} applied", self.pass, self.applied)?;
        self.declined.iter().try_for_each(|why| write!(f, "\n  declined: {why}"))
    }
}

/// Runs every pass, for a device and a storage type.
pub fn run(graph: &mut Graph, caps: &Caps, store: Store) -> Result<Vec<Outcome>> {
    Ok(vec![
        fold_constants::run(graph)?,
        fold_scale::run(graph),
        fold_padding::run(graph),
        fuse_elementwise::run(graph),
        fuse_depthwise::run(graph, caps, store),
    ])
}
