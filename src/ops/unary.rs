//! Elementwise functions of one operand: activations and arithmetic.
//!
//! Taken for float32 of any shape; behind another node the function becomes a step of its epilogue. Integers
//! are the module `arithmetic`'s.

use super::arithmetic::{Arithmetic, Function};
use crate::codes::epilogue as codes;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Magnitude, Shape, Step, StepOp, Term};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed};
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

/// A table entry for a function without parameters.
macro_rules! def {
    ($name:literal, $code:ident, $version:literal, $op:expr $(, $integer:ident $integers:literal)*) => {
        Def {
            name: $name,
            builtin: Some(sys::$code),
            typed_by: 0,
            takes: &[(DType::F32, $version) $(, (DType::$integer, $integers))*],
            parse: |n| parse(n, $op),
        }
    };
}

pub(super) const DEFS: &[Def] = &[
    def!("RELU", kTfLiteBuiltinRelu, 1, StepOp::Clamp { lo: 0.0, hi: f32::INFINITY }),
    def!("RELU6", kTfLiteBuiltinRelu6, 1, StepOp::Clamp { lo: 0.0, hi: 6.0 }),
    def!("RELU_N1_TO_1", kTfLiteBuiltinReluN1To1, 1, StepOp::Clamp { lo: -1.0, hi: 1.0 }),
    def!("RELU_0_TO_1", kTfLiteBuiltinRelu0To1, 1, StepOp::Clamp { lo: 0.0, hi: 1.0 }),
    def!("LOGISTIC", kTfLiteBuiltinLogistic, 1, StepOp::Logistic),
    def!("TANH", kTfLiteBuiltinTanh, 1, StepOp::Tanh),
    def!("HARD_SWISH", kTfLiteBuiltinHardSwish, 1, StepOp::HardSwish),
    def!("ELU", kTfLiteBuiltinElu, 1, StepOp::Elu),
    def!("ABS", kTfLiteBuiltinAbs, 1, StepOp::Abs, I32 5),
    def!("NEG", kTfLiteBuiltinNeg, 1, StepOp::Neg, I64 1, I32 1, I16 1, I8 1),
    def!("EXP", kTfLiteBuiltinExp, 1, StepOp::Exp),
    def!("LOG", kTfLiteBuiltinLog, 1, StepOp::Log),
    def!("SQRT", kTfLiteBuiltinSqrt, 1, StepOp::Sqrt),
    def!("RSQRT", kTfLiteBuiltinRsqrt, 1, StepOp::Rsqrt),
    def!("SQUARE", kTfLiteBuiltinSquare, 1, StepOp::Square),
    def!("SIN", kTfLiteBuiltinSin, 1, StepOp::Sin),
    def!("COS", kTfLiteBuiltinCos, 1, StepOp::Cos),
    def!("FLOOR", kTfLiteBuiltinFloor, 1, StepOp::Floor),
    def!("CEIL", kTfLiteBuiltinCeil, 1, StepOp::Ceil),
    def!("ROUND", kTfLiteBuiltinRound, 1, StepOp::Round),
    def!("SIGN", kTfLiteBuiltinSign, 1, StepOp::Sign, I32 2),
    Def {
        name: "LEAKY_RELU",
        builtin: Some(sys::kTfLiteBuiltinLeakyRelu),
        typed_by: 0,
        takes: &[(DType::F32, 1)],
        parse: parse_leaky_relu,
    },
    Def {
        name: "GELU",
        builtin: Some(sys::kTfLiteBuiltinGelu),
        typed_by: 0,
        takes: &[(DType::F32, 1)],
        parse: parse_gelu,
    },
];

/// Applies a step without operand.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary(pub StepOp);

fn parse(node: &NodeView<'_>, op: StepOp) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    if node.input_type(0)?.dtype != DType::F32 {
        return Ok(Parsed::new(Arithmetic::new(Function::of(op)?)));
    }
    Ok(Parsed::new(Unary(op)))
}

fn parse_leaky_relu(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, StepOp::LeakyRelu { alpha: node.required_params::<sys::TfLiteLeakyReluParams>()?.alpha })
}

fn parse_gelu(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let approximate = node.required_params::<sys::TfLiteGeluParams>()?.approximate;
    parse(node, if approximate { StepOp::GeluApproximate } else { StepOp::Gelu })
}

impl Operator for Unary {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let Some(x) = inputs[0] else { unsupported!("the operand is missing") };
        Ok(vec![x])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.either(0)?;
        elementwise(cx, x, &[Step::unary(self.0)])
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let Some(x) = inputs[0] else { unsupported!("the operand is missing") };
        let data = x.floats().iter().map(|v| self.0.apply(*v, 0.0)).collect();
        Ok(vec![HostTensor::f32(x.shape, data)])
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        operands[0].map_or(Magnitude::RANGE, |x| self.0.magnitude(x, None))
    }

    fn fusion(&self) -> Fusion {
        Fusion::Elementwise(self.0)
    }
}

/// Result 0 = `x`, of the same shape, through `first` and the node's epilogue; `is_wide` as
/// [`Lower::either`] tells it.
pub(super) fn elementwise(
    cx: &mut Lower<'_>,
    (x, is_wide): (BufferId, bool),
    first: &[Step],
) -> Result<(), Unsupported> {
    use table::elementwise::{Bind, Push, Spec, dispatch, kernel};
    let shape = cx.output(0).shape;
    let vec4 = shape.channels().is_multiple_of(4);
    let items = shape.elements() / if vec4 { 4 } else { 1 };
    let (grid, row_items, wg_x) = cx.linear_grid(items)?;
    let mut epilogue = cx.epilogue(first, x)?;
    epilogue.op[1] |= u32::from(is_wide) << codes::EPI_RESULT_F32_AT;
    let spec =
        Spec { wg_x, vec4, epi_op: epilogue.op, epi_a: epilogue.a, epi_b: epilogue.b, ..Default::default() };
    let push = Push {
        items: items as u32,
        row_items,
        channels: shape.channels(),
        rows_per_batch: epilogue.rows_per_batch,
    };
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, y: cx.y(0), e0, e1, e2 };
    cx.dispatch(dispatch(kernel(cx.store), spec, push, bind, grid), shape.elements() * first.len() as u64)
}
