//! The passes over the graph, in order.

mod fold_constants;
mod fold_padding;
mod fold_scale;
mod fold_tables;
mod fuse_depthwise;
mod fuse_elementwise;
mod fuse_followers;
mod fuse_residuals;
mod outcome;

pub use outcome::Outcome;

use crate::caps::Caps;
use crate::error::Result;
use crate::graph::{Graph, Storage};

/// Runs every pass, for a device and a storage of the values.
pub fn run(graph: &mut Graph, caps: &Caps, storage: &Storage) -> Result<Vec<Outcome>> {
    Ok(vec![
        fold_constants::run(graph)?,
        fold_scale::run(graph),
        fold_padding::run(graph),
        fold_tables::run(graph),
        fuse_followers::run(graph),
        fuse_residuals::run(graph, caps),
        fuse_elementwise::run(graph, storage),
        fuse_depthwise::run(graph, caps, storage),
    ])
}
