//! A node as lowering sees it.

use std::sync::Arc;

use crate::ir::{Constant, Step, TensorType};
use crate::program::{BufferId, Element, Store};

/// What a node reads.
#[derive(Clone, Debug)]
pub struct OperandSite<'a> {
    /// A number that tells values apart.
    pub value: u32,
    /// Its name in the model.
    pub name: &'a Arc<str>,
    /// Its type.
    pub ty: &'a TensorType,
    /// How it is stored; of no meaning for constants of floats.
    pub element: Element,
    /// Its contents, if known.
    pub constant: Option<&'a Constant>,
    /// Where it is, unless it is constant.
    pub buffer: Option<BufferId>,
}

/// What a node computes.
#[derive(Clone, Debug)]
pub struct ResultSite<'a> {
    /// A number that tells values apart.
    pub value: u32,
    /// Its type.
    pub ty: &'a TensorType,
    /// How it is stored.
    pub element: Element,
    /// Where it goes.
    pub buffer: BufferId,
}

/// A node with its surroundings.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    /// The operator and what was fused behind it, for people: `CONV_2D+RELU`.
    pub label: &'a Arc<str>,
    /// The TFLite nodes that it stands for.
    pub origin: &'a Arc<[u32]>,
    /// By TFLite's position, then those of the steps. `None`: an optional one left out.
    pub operands: Vec<Option<OperandSite<'a>>>,
    /// Its results.
    pub results: Vec<ResultSite<'a>>,
    /// How the node's kernels see floats. Operands and results that are stored otherwise are converted, as a rule.
    pub store: Store,
    /// Whether the node's kernels have an epilogue. Where `store` is `F16`, its operands and the first result may
    /// be `F32` all the same.
    pub has_epilogue: bool,
    /// Elementwise steps applied to the first result before it is stored.
    pub steps: &'a [Step],
}
