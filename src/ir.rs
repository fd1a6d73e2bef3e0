//! The graph that is compiled: values, nodes, constants. Knows nothing of TFLite's structs or Vulkan.

mod constant;
mod graph;
mod sparse;
mod types;

pub use constant::{Bytes, Constant, SparseDimension, Sparsity};
pub use graph::{Graph, Node, NodeId, Value, ValueId};
pub use types::{DType, HostTensor, MAX_RANK, Quantization, Shape, TensorType};
