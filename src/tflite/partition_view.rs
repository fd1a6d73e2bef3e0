//! The nodes and tensors of a partition.

use super::partition::Partition;
use super::{NodeView, Subgraph, TensorView};
use crate::error::Unsupported;

impl Subgraph<'_> {
    /// The nodes and tensors of a partition.
    pub fn partition(&self, partition: &Partition) -> Result<PartitionView<'_>, Unsupported> {
        let nodes = partition.nodes.iter().map(|i| self.node(*i)).collect::<Result<_, _>>()?;
        let not_constant = |indices: &[i32]| -> Vec<TensorView<'_>> {
            indices.iter().filter_map(|i| self.tensor(*i)).filter(|t| !t.is_constant()).collect()
        };
        let (inputs, outputs) = (not_constant(&partition.inputs), not_constant(&partition.outputs));
        Ok(PartitionView { nodes, inputs, outputs })
    }
}

/// What the delegate runs as one kernel.
#[derive(Clone, Debug)]
pub struct PartitionView<'a> {
    nodes: Vec<NodeView<'a>>,
    inputs: Vec<TensorView<'a>>,
    outputs: Vec<TensorView<'a>>,
}

impl<'a> PartitionView<'a> {
    /// Its nodes in execution order.
    pub fn nodes(&self) -> Vec<NodeView<'a>> {
        self.nodes.clone()
    }

    /// Its inputs without constants, in the host's order.
    pub fn inputs(&self) -> Vec<TensorView<'a>> {
        self.inputs.clone()
    }

    /// Its outputs without constants, in the host's order.
    pub fn outputs(&self) -> Vec<TensorView<'a>> {
        self.outputs.clone()
    }
}
