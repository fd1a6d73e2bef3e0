//! What an operator is: one trait and one table entry.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::{
    Activation, Constant, DType, HostTensor, Magnitude, Scalar, Shape, SpatialPadding, Step, StepOp,
    TensorType, Term,
};
use crate::lower::Lower;
use crate::tflite::NodeView;
use crate::unsupported;

mod findings;

pub use findings::Findings;

/// An entry of the operator table. An operator may have several, for different element types, with one `typed_by`.
#[derive(Debug)]
pub struct Def {
    /// TFLite's name, as `CONV_2D`; for a custom operator the custom name.
    pub name: &'static str,
    /// TFLite's builtin code; `None` for a custom operator.
    pub builtin: Option<u32>,
    /// The operand whose element type tells the node's.
    pub typed_by: usize,
    /// The element types that `parse` takes, each with the largest operator version that it understands.
    pub takes: &'static [(DType, i32)],
    /// Says whether the node can be taken, and builds its operator.
    pub parse: fn(&NodeView<'_>) -> Result<Parsed, Unsupported>,
}

/// For operators of every element type that TFLite computes with, in one version.
pub const fn every(version: i32) -> [(DType, i32); 7] {
    of([DType::F32, DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool], version)
}

/// For operators of these element types, in one version.
pub const fn of<const N: usize>(dtypes: [DType; N], version: i32) -> [(DType, i32); N] {
    let mut takes = [(DType::F32, version); N];
    let mut i = 0;
    while i < N {
        takes[i].0 = dtypes[i];
        i += 1;
    }
    takes
}

/// What `parse` returns: the operator, and the steps behind it (bias, fused activation).
#[derive(Debug)]
pub struct Parsed {
    /// The operator.
    pub op: Arc<dyn Operator>,
    /// Applied to its first result in order; operands are input numbers of the node.
    pub steps: Vec<Step>,
    /// The element type of the results; `None` for that of the operand that tells the node's.
    pub results: Option<DType>,
    /// The operand whose integers stand for floats, if any: the graph sees these.
    pub dequantized: Option<usize>,
}

impl Parsed {
    /// The operator without steps.
    pub fn new(op: impl Operator) -> Self {
        Self { op: Arc::new(op), steps: Vec::new(), results: None, dequantized: None }
    }

    /// Gives results of this element type.
    #[must_use]
    pub fn gives(self, dtype: DType) -> Self {
        Self { results: Some(dtype), ..self }
    }

    /// Takes the integers of constant operand `i` of type `ty`, if it has such, for the floats that they stand for.
    #[must_use]
    pub fn dequantizing(self, i: usize, ty: &TensorType) -> Self {
        Self { dequantized: (ty.dtype == DType::I8).then_some(i), ..self }
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

/// How the results of a convolution depend on its weights, operand 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightLayout {
    /// The weights of an output channel lie side by side, input channels innermost.
    PerResult {
        /// Whether no window crosses the border, so that every sum has all its products.
        inside: bool,
    },
    /// Each channel has its own weights, channels lie innermost.
    PerChannel,
}

/// How an operator takes part in the fusion of elementwise steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// Its kernel has no epilogue.
    None,
    /// Its kernel has an epilogue with the steps that follow convolutions in practice ([`StepOp::is_common`]).
    Common,
    /// It is such a step itself, applied to operand 0 (or 1, for a swapped binary one), and may be fused behind
    /// whatever computes that. Its own kernel has an epilogue with all steps.
    Elementwise(StepOp),
}

impl Fusion {
    /// The step, if the operator is one.
    pub fn elementwise(self) -> Option<StepOp> {
        match self {
            Self::Elementwise(op) => Some(op),
            _ => None,
        }
    }
}

/// A function of another operator's result, element by element.
#[derive(Clone, Copy, Debug)]
pub struct Follower<'a> {
    /// Computes it.
    pub op: &'a dyn Operator,
    /// The element type of operands and result.
    pub dtype: DType,
    /// The number that its other operand has among those of the operator that takes it in; `None` if there is none.
    pub operand: Option<usize>,
    /// Whether that is its first.
    pub swapped: bool,
}

/// How an operator's result may share memory with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aliasing {
    /// Not at all: it has a buffer of its own.
    None,
    /// Its bytes are those of operand 0 under another shape.
    Operand,
    /// Its bytes are those of the operands, one behind the other: these may be computed in its buffer.
    Sequence,
}

/// Computes the constant result from constant operands.
pub type Fold = Arc<dyn Fn(&[Option<&Constant>]) -> Result<Constant, Unsupported>>;

/// One operator with its attributes. Immutable; shapes come from the graph.
pub trait Operator: Any + fmt::Debug + Send + Sync {
    /// Shapes of the results, from those of the operands (`None`: an optional one left out).
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported>;

    /// Emits the dispatches that compute the results, fused steps included.
    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported>;

    /// A plain CPU version without the fused steps: the reference of tests, and the fallback when the device
    /// is lost.
    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported>;

    /// How large and how small the results may become; by default as the elements of the operands.
    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        Magnitude::of_any(operands)
    }

    /// The operator with the attributes that its operands hold, once these are known: `numbers` gives the
    /// contents of an operand of integers. `None` if nothing is open. Before that, `infer` and `lower` refuse.
    fn settle(
        &self,
        _numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        Ok(None)
    }

    /// The results, where they depend on the operands' shapes alone.
    fn of_shapes(&self, _inputs: &[Option<Shape>]) -> Option<HostTensor> {
        None
    }

    /// The operands that hold state. Behind the node's results, `infer`, `lower` and `reference` give as many further
    /// ones: what these operands hold when the node runs next.
    fn states(&self) -> &'static [usize] {
        &[]
    }

    /// Computes the result, if the operator only unpacks constants; such a node never runs.
    fn fold(&self) -> Option<Fold> {
        None
    }

    /// Whether elementwise steps may be fused behind it (`lower` then applies the node's epilogue), or whether it
    /// is one itself.
    fn fusion(&self) -> Fusion {
        Fusion::None
    }

    /// The same operator with a function of its result, which it computes itself then. `None` if it does not.
    fn followed_by(&self, _follower: &Follower<'_>) -> Option<Arc<dyn Operator>> {
        None
    }

    /// What the operator makes of integers, element by element: `operands` gives as many of each as of the result.
    /// `None` if it does something else too.
    fn of_integers(&self, _operands: &[&[i32]]) -> Option<Vec<i32>> {
        None
    }

    /// The zeros that the operator puts before and behind each dimension of operand 0, if it does nothing else.
    fn zeros(&self) -> Option<Vec<[u32; 2]>> {
        None
    }

    /// The same for elements of any number, and that number.
    fn border(&self) -> Option<(Vec<[u32; 2]>, Scalar)> {
        Some((self.zeros()?, Scalar::f32(0.0)))
    }

    /// The same operator reading an operand without the zeros that a PAD had put around it.
    fn absorb_padding(&self, _padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        None
    }

    /// The same operator reading an operand without the elements `value` that a PAD had put around it.
    fn absorb_border(&self, padding: SpatialPadding, value: Scalar) -> Option<Arc<dyn Operator>> {
        (value == Scalar::f32(0.0)).then(|| self.absorb_padding(padding)).flatten()
    }

    /// How the results depend on operand 1, if they are sums of products with it.
    fn weights(&self, _inputs: &[Option<Shape>]) -> Option<WeightLayout> {
        None
    }

    /// How the result may share memory with the operands.
    fn aliasing(&self, _inputs: &[Option<Shape>]) -> Aliasing {
        Aliasing::None
    }
}

/// Operand `i`, which must be present.
pub fn operand<T: Copy>(inputs: &[Option<T>], i: usize) -> Result<T, Unsupported> {
    match inputs.get(i) {
        Some(Some(x)) => Ok(*x),
        _ => unsupported!("operand {i} is missing"),
    }
}
