//! A part of a subgraph that becomes one kernel.

use super::array::ints;
use super::{NodeView, Subgraph, TensorView, sys};
use crate::error::Unsupported;

/// A partition as the host describes it: indices of nodes and tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Partition {
    /// Its nodes in execution order.
    pub nodes: Vec<i32>,
    /// The tensors that it reads from outside, constants included.
    pub inputs: Vec<i32>,
    /// The tensors that are read outside.
    pub outputs: Vec<i32>,
}

impl Partition {
    /// Copies what the host tells.
    ///
    /// # Safety
    /// The arrays are NULL or alive.
    pub unsafe fn read(params: &sys::TfLiteDelegateParams) -> Self {
        // SAFETY: as the caller promises.
        unsafe {
            Self {
                nodes: ints(params.nodes_to_replace).to_vec(),
                inputs: ints(params.input_tensors).to_vec(),
                outputs: ints(params.output_tensors).to_vec(),
            }
        }
    }
}

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
