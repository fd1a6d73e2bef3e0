//! A subgraph with what is known of its tensors' contents.

use super::Context;
use crate::error::Unsupported;
use crate::ir::{Constant, Shape};
use crate::options::Integers;

/// What is known of tensors besides what the model says: first of all constants that are computed from those in
/// it.
pub trait Computed {
    /// Whether this tensor is such a constant.
    fn has(&self, tensor: i32) -> bool;

    /// The shape to take for that of this tensor, whose sizes are open.
    fn shape(&self, _tensor: i32) -> Option<Shape> {
        None
    }

    /// Whether the contents of this tensor follow from the shapes of others.
    fn follows_from_shapes(&self, _tensor: i32) -> bool {
        false
    }

    /// The contents of this tensor, if it is such a constant; `subgraph` has what it is computed from.
    fn constant(&self, subgraph: &Subgraph<'_>, tensor: i32) -> Option<Result<Constant, Unsupported>>;
}

/// The model's own constants are all there are.
impl Computed for () {
    fn has(&self, _tensor: i32) -> bool {
        false
    }

    fn constant(&self, _subgraph: &Subgraph<'_>, _tensor: i32) -> Option<Result<Constant, Unsupported>> {
        None
    }
}

/// A subgraph of the model, while the delegate looks at it.
pub struct Subgraph<'a> {
    context: &'a Context<'a>,
    computed: &'a dyn Computed,
    integers: Integers,
}

impl<'a> Subgraph<'a> {
    /// The subgraph of a context.
    pub fn new(context: &'a Context<'a>) -> Self {
        Self { context, computed: &(), integers: Integers::Reference }
    }

    /// The same subgraph with further constants.
    #[must_use]
    pub fn with(self, computed: &'a dyn Computed) -> Self {
        Self { computed, ..self }
    }

    /// The same subgraph, whose integer results have to equal those of these kernels.
    #[must_use]
    pub fn rounding_as(self, integers: Integers) -> Self {
        Self { integers, ..self }
    }

    /// Which of TFLite's kernels integer results equal.
    pub fn integers(&self) -> Integers {
        self.integers
    }

    /// Its context.
    pub fn context(&self) -> &'a Context<'a> {
        self.context
    }

    /// Its constants that are not in the model.
    pub(super) fn computed(&self) -> &'a dyn Computed {
        self.computed
    }
}
