//! What an operator is: one trait, one table entry, and the elementwise steps that fuse into others.

use std::fmt;
use std::sync::Arc;

use crate::compile::Lower;
use crate::error::Unsupported;
use crate::ir::{Constant, HostTensor, TensorType};
use crate::tflite::NodeView;
use crate::unsupported;

mod gemm;
mod parse;
mod step;
mod view;
mod window;

pub use gemm::Tiling;
pub use step::{Activation, Broadcast, Operand, Step, StepOp};
pub use view::View;
pub use window::{Extent, Padding, Window};

/// An entry of the operator table.
#[derive(Debug)]
pub struct Def {
    /// TFLite's name, as `CONV_2D`; for a custom operator the custom name.
    pub name: &'static str,
    /// TFLite's builtin code; `None` for a custom operator.
    pub builtin: Option<u32>,
    /// The largest operator version that `parse` understands.
    pub max_version: i32,
    /// Says whether the node can be taken, and builds its operator.
    pub parse: fn(&NodeView<'_>) -> Result<Parsed, Unsupported>,
}

/// What `parse` makes of a node: the operator, and the steps behind it (bias, fused activation).
#[derive(Debug)]
pub struct Parsed {
    /// The operator.
    pub op: Arc<dyn Operator>,
    /// Applied to its first result in order; operands are input numbers of the node.
    pub steps: Vec<Step>,
}

impl Parsed {
    /// The operator without steps.
    pub fn new(op: impl Operator + 'static) -> Self {
        Self { op: Arc::new(op), steps: Vec::new() }
    }

    /// Adds a fused activation.
    #[must_use]
    pub fn activation(mut self, activation: Activation) -> Self {
        self.steps.extend(activation.step());
        self
    }

    /// Adds steps.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }
}

/// Zeros around the two spatial dimensions of an NHWC tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpatialPadding {
    /// Rows above and below.
    pub h: [u32; 2],
    /// Columns left and right.
    pub w: [u32; 2],
}

/// A depthwise convolution in front of an operator: `clamp(convolution + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Depthwise {
    /// How its filter moves.
    pub window: Window,
    /// The bounds of its activation.
    pub clamp: [f32; 2],
    /// Where its weights (`[1, height, width, channels]`) and its bias stand among the node's operands.
    pub inputs: [usize; 2],
}

/// A pointwise convolution in front of an operator: `clamp(convolution + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointwise {
    /// The bounds of its activation.
    pub clamp: [f32; 2],
    /// Where its weights (`[channels, 1, 1, input channels]`) and its bias stand among the node's operands.
    pub inputs: [usize; 2],
}

/// How the results of a convolution depend on its weights, operand 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// The weights of a channel of the result lie side by side, those of a channel of operand 0 innermost.
    PerResult {
        /// Whether every product of a sum is there: no window crosses the border.
        inside: bool,
    },
    /// Each channel has its own weights, channels lie innermost.
    PerChannel,
}

/// Which elementwise steps an operator's kernel can apply to its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fuses {
    /// None.
    No,
    /// Those that follow convolutions in practice ([`StepOp::is_common`]).
    Common,
    /// All.
    All,
}

/// One operator with its attributes. Immutable; shapes come from the graph.
pub trait Operator: fmt::Debug + Send + Sync {
    /// Types of the results, from those of the operands (`None`: an optional one left out).
    fn infer(&self, inputs: &[Option<&TensorType>]) -> Result<Vec<TensorType>, Unsupported>;

    /// Emits the dispatches that compute the results, fused steps included.
    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported>;

    /// A plain CPU version without the fused steps: the tests' and the lost device's twin of the kernel.
    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported>;

    /// The result, if the operands are all constant and the operator exists to be folded.
    fn fold(&self, _inputs: &[Option<&Constant>]) -> Option<Result<Constant, Unsupported>> {
        None
    }

    /// Whether [`fold`](Self::fold) makes a constant of constants; such a node never runs.
    fn folds(&self) -> bool {
        false
    }

    /// Which elementwise steps may be fused behind it; `lower` then applies the node's epilogue.
    fn fuses(&self) -> Fuses {
        Fuses::No
    }

    /// The operator as an elementwise step behind whatever computes operand 0 (or 1, for a swapped
    /// binary one). `None`: it is not elementwise.
    fn elementwise(&self) -> Option<StepOp> {
        None
    }

    /// The zeros that the operator puts around operand 0, if it is a spatial PAD.
    fn spatial_padding(&self) -> Option<SpatialPadding> {
        None
    }

    /// Whether the operator puts zeros behind the channels of operand 0 and does nothing else.
    fn pads_channels(&self) -> bool {
        false
    }

    /// The same operator reading an operand without the zeros that a PAD had put around it.
    fn absorb_padding(&self, _padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        None
    }

    /// How the results depend on operand 1, if they are sums of products with it.
    fn weights(&self, _inputs: &[Option<&TensorType>]) -> Option<Weights> {
        None
    }

    /// The window, if this is a depthwise convolution with as many channels behind as before.
    fn depthwise(&self, _inputs: &[Option<&TensorType>]) -> Option<Window> {
        None
    }

    /// The same operator reading the operand of the depthwise convolution that had made its own.
    fn absorb_depthwise(&self, _depthwise: Depthwise) -> Option<Arc<dyn Operator>> {
        None
    }

    /// Whether the operator is a pointwise convolution.
    fn pointwise(&self) -> bool {
        false
    }

    /// The same operator computing operand 0 by a pointwise convolution on the way.
    fn absorb_pointwise(&self, _pointwise: Pointwise) -> Option<Arc<dyn Operator>> {
        None
    }

    /// Whether the result is the bytes of the operands one behind the other: then these may be computed there.
    fn is_sequence(&self, _inputs: &[Option<&TensorType>]) -> bool {
        false
    }

    /// Whether the result is the bytes of operand 0 under another shape.
    fn is_alias(&self) -> bool {
        false
    }
}

/// Operand `i`, which must be present.
pub fn operand<T: Copy>(inputs: &[Option<T>], i: usize) -> Result<T, Unsupported> {
    match inputs.get(i) {
        Some(Some(x)) => Ok(*x),
        _ => unsupported!("operand {i} is missing"),
    }
}
