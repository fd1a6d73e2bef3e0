//! A part of a subgraph that becomes one kernel.

use super::array::ints;
use super::sys;

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
