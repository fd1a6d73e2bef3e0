//! Elementwise functions of two operands: ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM,
//! SQUARED_DIFFERENCE, POW, FLOOR_DIV, FLOOR_MOD and PRELU (`x > 0 ? x : alpha × x`).
//!
//! TFLite broadcasts both operands against each other by NumPy's rule. All of it is taken for
//! float32 up to rank 6; behind another node the function becomes a step of its epilogue. Integers are the
//! module `arithmetic`'s.

use super::arithmetic::{self, Function};
use crate::error::Unsupported;
use crate::ir::{Activation, Broadcast, DType, HostTensor, Magnitude, Operand, Shape, Step, StepOp, Term};
use crate::lower::{Lower, View};
use crate::op::{Def, Fusion, Operator, Parsed};
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

/// A table entry for a function without fused activation.
macro_rules! def {
    ($name:literal, $code:ident, $version:literal, $op:expr $(, $integer:ident)*) => {
        Def {
            name: $name,
            builtin: Some(sys::$code),
            typed_by: 0,
            takes: &[(DType::F32, $version) $(, (DType::$integer, $version))*],
            parse: |n| parse(n, $op, 0),
        }
    };
}

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "ADD",
        builtin: Some(sys::kTfLiteBuiltinAdd),
        typed_by: 0,
        takes: &[(DType::F32, 1), (DType::I32, 5), (DType::I64, 5)],
        parse: parse_add,
    },
    Def {
        name: "SUB",
        builtin: Some(sys::kTfLiteBuiltinSub),
        typed_by: 0,
        takes: &[(DType::F32, 2), (DType::I32, 5), (DType::I64, 5)],
        parse: parse_sub,
    },
    Def {
        name: "MUL",
        builtin: Some(sys::kTfLiteBuiltinMul),
        typed_by: 0,
        takes: &[(DType::F32, 1), (DType::I32, 7), (DType::I64, 7)],
        parse: parse_mul,
    },
    Def {
        name: "DIV",
        builtin: Some(sys::kTfLiteBuiltinDiv),
        typed_by: 0,
        takes: &[(DType::F32, 1), (DType::I32, 2)],
        parse: parse_div,
    },
    def!("PRELU", kTfLiteBuiltinPrelu, 1, StepOp::Prelu),
    def!("MAXIMUM", kTfLiteBuiltinMaximum, 4, StepOp::Maximum, I64, I32, I16, I8, U8),
    def!("MINIMUM", kTfLiteBuiltinMinimum, 4, StepOp::Minimum, I64, I32, I16, I8, U8),
    def!("SQUARED_DIFFERENCE", kTfLiteBuiltinSquaredDifference, 2, StepOp::SquaredDifference, I32),
    def!("POW", kTfLiteBuiltinPow, 1, StepOp::Pow, I32),
    def!("FLOOR_DIV", kTfLiteBuiltinFloorDiv, 3, StepOp::FloorDiv, I32, I16, I8),
    def!("FLOOR_MOD", kTfLiteBuiltinFloorMod, 2, StepOp::FloorMod, I64, I32, I16, I8),
];

/// Applies a binary step; both operands are broadcast against each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary(pub StepOp);

fn parse_add(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, StepOp::Add, node.params::<sys::TfLiteAddParams>().map_or(0, |p| p.activation))
}

fn parse_sub(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, StepOp::Sub, node.params::<sys::TfLiteSubParams>().map_or(0, |p| p.activation))
}

fn parse_mul(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, StepOp::Mul, node.params::<sys::TfLiteMulParams>().map_or(0, |p| p.activation))
}

fn parse_div(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, StepOp::Div, node.params::<sys::TfLiteDivParams>().map_or(0, |p| p.activation))
}

fn parse(node: &NodeView<'_>, op: StepOp, activation: u32) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let activation = Activation::from_code(activation)?;
    if node.input_type(0)?.dtype != DType::F32 {
        return arithmetic::parse(node, Function::of(op)?, activation);
    }
    let (a, b) = (node.float(0)?, node.float(1)?);
    a.shape.joined(&b.shape)?;
    Ok(Parsed::new(Binary(op)).activation(activation))
}

impl Operator for Binary {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let [Some(a), Some(b)] = inputs[..2] else { unsupported!("an operand is missing") };
        Ok(vec![a.joined(&b)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let result = cx.output(0).shape;
        let main = usize::from(cx.input(0).shape != result);
        let x = match cx.input(main).shape == result {
            true => cx.either(main)?,
            false => (expand(cx, main, result)?, false),
        };
        let other = cx.input(1 - main).shape;
        let swapped = main == 1 && !self.0.commutes();
        let step = |operand| Step { op: self.0, operand, swapped };
        match Broadcast::of(&other, &result) {
            Some(broadcast) => {
                let operand = Operand::Input { input: 1 - main, broadcast };
                super::unary::elementwise(cx, x, &[step(operand)])
            }
            None => {
                let expanded = expand(cx, 1 - main, result)?;
                let operand = Operand::Input { input: 1 - main, broadcast: Broadcast::Full };
                cx.with_operand(1 - main, expanded, |cx| super::unary::elementwise(cx, x, &[step(operand)]))
            }
        }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let [Some(a), Some(b)] = inputs[..2] else { unsupported!("an operand is missing") };
        let shape = a.shape.joined(&b.shape)?;
        let (a, b) = (a.expand(&shape)?, b.expand(&shape)?);
        let data = a.floats().iter().zip(b.floats()).map(|(a, b)| self.0.apply(*a, *b)).collect();
        Ok(vec![HostTensor::f32(shape, data)])
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        operands[0].map_or(Magnitude::RANGE, |x| self.0.magnitude(x, operands[1]))
    }

    fn fusion(&self) -> Fusion {
        Fusion::Elementwise(self.0)
    }
}

/// Operand `i` spread over `shape` in a scratch buffer.
fn expand(cx: &mut Lower<'_>, i: usize, shape: Shape) -> Result<BufferId, Unsupported> {
    let (x, from) = (cx.x(i)?, View::dense(&cx.input(i).shape).broadcast(&shape));
    let y = cx.scratch(shape.elements() * cx.element().bytes());
    cx.copy(x, &from, y, &View::dense(&shape))?;
    Ok(y)
}
