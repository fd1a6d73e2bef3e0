//! Safe, borrowed views of TFLite's structures. The only reader of TFLite's memory.
#![allow(unsafe_code, reason = "reads the host's C structures")]

use std::marker::PhantomData;

use crate::error::Unsupported;
use crate::ir::{Constant, TensorType};

/// A node of the model.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a>(PhantomData<&'a ()>);

impl<'a> NodeView<'a> {
    /// The node's index in its subgraph.
    pub fn index(&self) -> i32 { todo!() }
    /// TFLite's builtin operator code.
    pub fn builtin(&self) -> u32 { todo!() }
    /// The custom operator's name.
    pub fn custom_name(&self) -> Option<&'a str> { todo!() }
    /// The operator's name: `CONV_2D`, or the custom name.
    pub fn name(&self) -> String { todo!() }
    /// The operator's version.
    pub fn version(&self) -> i32 { todo!() }
    /// Number of operands, absent ones included.
    pub fn input_count(&self) -> usize { todo!() }
    /// Number of results.
    pub fn output_count(&self) -> usize { todo!() }
    /// Operand `i`; `None` if it is left out.
    pub fn input(&self, _i: usize) -> Option<TensorView<'a>> { todo!() }
    /// Result `i`.
    pub fn output(&self, _i: usize) -> Option<TensorView<'a>> { todo!() }
    /// The builtin operator's parameters; `None` if the host gives none.
    pub fn params<T: BuiltinParams>(&self) -> Option<&'a T> { todo!() }
    /// The custom operator's options.
    pub fn custom_options(&self) -> &'a [u8] { todo!() }
}

/// Marks the generated parameter structs.
pub trait BuiltinParams {}

/// A tensor of the model.
#[derive(Clone, Copy, Debug)]
pub struct TensorView<'a>(PhantomData<&'a ()>);

impl TensorView<'_> {
    /// The tensor's index in its subgraph.
    pub fn index(&self) -> i32 { todo!() }
    /// Its name.
    pub fn name(&self) -> String { todo!() }
    /// Its type.
    pub fn ty(&self) -> Result<TensorType, Unsupported> { todo!() }
    /// Its contents, if it is constant or folded from constants.
    pub fn constant(&self) -> Result<Option<Constant>, Unsupported> { todo!() }
    /// Whether its contents are known now.
    pub fn is_constant(&self) -> bool { todo!() }
}

/// What the host gives the delegate to run.
#[derive(Clone, Copy, Debug)]
pub struct PartitionView<'a>(PhantomData<&'a ()>);

impl<'a> PartitionView<'a> {
    /// Its nodes in execution order.
    pub fn nodes(&self) -> Vec<NodeView<'a>> { todo!() }
    /// Its non-constant inputs.
    pub fn inputs(&self) -> Vec<TensorView<'a>> { todo!() }
    /// Its outputs.
    pub fn outputs(&self) -> Vec<TensorView<'a>> { todo!() }
}
