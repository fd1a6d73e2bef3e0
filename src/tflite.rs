//! Safe, borrowed views of TFLite's structures. The only reader of TFLite's memory.
//!
//! A [`Context`] stands for the pointer that a callback was given. A [`Subgraph`] borrows it and adds
//! what is constant beyond the model's own constants; [`NodeView`], [`TensorView`] and
//! [`PartitionView`] borrow from the subgraph. No index, length or pointer of the host is trusted
//! where it can be checked: what does not fit is [`Unsupported`](crate::error::Unsupported).
#![allow(unsafe_code, reason = "reads and calls the host through its C structures")]

mod array;
mod checks;
mod context;
mod erfc;
mod host_version;
#[cfg(test)]
pub(crate) mod mock;
mod names;
mod nibbles;
mod node;
mod params;
mod partition;
mod partition_view;
mod subgraph;
pub mod sys;
mod tensor;
mod tensor_type;

pub use array::ints;
pub use context::{Buffers, Context};
pub use erfc::erfc;
pub use node::NodeView;
pub use params::BuiltinParams;
pub use partition::Partition;
pub use partition_view::PartitionView;
pub use subgraph::{Computed, Subgraph};
pub use tensor::TensorView;
