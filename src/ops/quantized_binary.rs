//! ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE and PRELU of quantised integers: int8, uint8 and, as far as TFLite has
//! them, int16. ADD and MUL of int16 that is not quantised are the module `arithmetic`'s.
//!
//! Both operands spread over the result by NumPy's rule. Operands and result have one scale each; zero points of
//! int16 are 0, but for PRELU, whose slopes are int8 then. A fused activation is a pair of bounds. A divisor of 0, which TFLite leaves undefined, gives what
//! stands for 0.

mod function;

use super::arithmetic;
use crate::codes::quantized_binary as code;
use crate::error::Unsupported;
use crate::ir::{Activation, DType, HostTensor, Scalar, Shape};
use crate::kernel::table;
use crate::lower::Lower;
use crate::lower::elements::{Spread, form};
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::tflite::{NodeView, sys};
use crate::unsupported;
pub use function::{Function, QuantizedFunction, Rounding};

/// A table entry.
macro_rules! def {
    ($name:literal, $code:ident, $version:literal, $parse:expr, $($dtype:ident),+) => {
        Def {
            name: $name,
            builtin: Some(sys::$code),
            typed_by: 0,
            takes: &[$((DType::$dtype, $version)),+],
            parse: $parse,
        }
    };
}

pub(super) const DEFS: &[Def] = &[
    def!("ADD", kTfLiteBuiltinAdd, 5, parse_add, I16, I8, U8),
    def!("SUB", kTfLiteBuiltinSub, 5, parse_sub, I16, I8, U8),
    def!("MUL", kTfLiteBuiltinMul, 7, parse_mul, I16, I8, U8),
    def!("DIV", kTfLiteBuiltinDiv, 2, parse_div, I16, I8, U8),
    def!("SQUARED_DIFFERENCE", kTfLiteBuiltinSquaredDifference, 2, parse_squared_difference, I8),
    def!("PRELU", kTfLiteBuiltinPrelu, 1, parse_prelu, I16, I8, U8),
];

/// Applies a function to two operands, which are broadcast against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantizedBinary(pub QuantizedFunction);

fn parse_add(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.params::<sys::TfLiteAddParams>();
    parse(node, Function::Add, p.map_or((0, false), |p| (p.activation, p.pot_scale_int16)))
}

fn parse_sub(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.params::<sys::TfLiteSubParams>();
    parse(node, Function::Sub, p.map_or((0, false), |p| (p.activation, p.pot_scale_int16)))
}

fn parse_mul(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, Function::Mul, (node.params::<sys::TfLiteMulParams>().map_or(0, |p| p.activation), false))
}

fn parse_div(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, Function::Div, (node.params::<sys::TfLiteDivParams>().map_or(0, |p| p.activation), false))
}

fn parse_squared_difference(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, Function::SquaredDifference, (0, false))
}

fn parse_prelu(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, Function::Prelu, (0, false))
}

/// `activation` is TFLite's number; `powers` says whether scales of int16 that are powers of two are shifted by.
fn parse(
    node: &NodeView<'_>,
    function: Function,
    (activation, powers): (u32, bool),
) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let (a, b, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
    let activation = Activation::from_code(activation)?;
    let plain = match function {
        Function::Add => a.quant.is_none().then_some(arithmetic::Function::Add),
        Function::Mul => y.quant.is_none().then_some(arithmetic::Function::Mul),
        _ => None,
    };
    if let Some(function) = plain.filter(|_| a.dtype == DType::I16) {
        return arithmetic::parse(node, function, activation);
    }
    // Slopes of int16 operands have 8 bits.
    let other = if function == Function::Prelu && a.dtype == DType::I16 { DType::I8 } else { a.dtype };
    if b.dtype != other || a.dtype != y.dtype {
        unsupported!("from {} and {} to {}", a.dtype, b.dtype, y.dtype);
    }
    let shape = a.shape.joined(&b.shape)?;
    if function == Function::Prelu && shape != a.shape {
        unsupported!("{} by slopes of shape {}", a.shape, b.shape);
    }
    let op = QuantizedFunction::of(
        function,
        [&a, &b, &y],
        activation,
        node.integers() == Integers::Xnnpack,
        powers,
    )?;
    // TFLite's ADD of such numbers walks through both operands side by side.
    if op.rounding == Rounding::Powers && function == Function::Add && a.shape != b.shape {
        unsupported!("{} and {} of scales that are powers of two", a.shape, b.shape);
    }
    Ok(Parsed::new(QuantizedBinary(op)))
}

/// Two numbers of 16 bits as a word.
fn halves([low, high]: [i32; 2]) -> i32 {
    (low & 0xffff) | high << 16
}

impl Operator for QuantizedBinary {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?.joined(&operand(inputs, 1)?)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::quantized_binary::{Bind, Push, Spec, dispatch, kernel};
        let op = &self.0;
        let result = cx.output(0).shape;
        let mut spread = Spread::over(&result, [&cx.input(0).shape, &cx.input(1).shape]);
        let words = cx.word_grid()?;
        let lanes = 4 / cx.element().bytes() as u32;
        let last = &mut spread.shape[spread.rank as usize - 1];
        let alike = cx.element_of(1) == cx.element();
        let wide = alike && (spread.rank == 1 || *last % lanes == 0);
        if wide {
            *last = last.div_ceil(lanes);
        }
        let spec = Spec {
            wg_x: words.wg_x,
            form: form(cx.element()),
            b_form: form(cx.element_of(1)),
            function: op.function.code(),
            rounding: op.rounding.code(),
            wide,
            left: op.left(),
            ..Default::default()
        };
        let [a_zero, b_zero, y_zero_point] = op.zero_points;
        let shifts = op.factors.iter().rev().fold(0, |word, factor| word << 8 | (factor.shift & 0xff));
        let push = Push {
            items: words.items,
            row_items: words.row_items,
            elements: words.elements,
            rank: spread.rank,
            shape: spread.shape,
            a_stride: spread.strides[0],
            b_stride: spread.strides[1],
            zero_points: halves([a_zero, b_zero]),
            y_zero_point,
            bounds: halves(op.bounds),
            multipliers: op.factors.map(|factor| factor.multiplier),
            shifts,
        };
        let bind = Bind { a: cx.x(0)?, b: cx.x(1)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(), spec, push, bind, words.grid), u64::from(words.elements))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (a, b) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let (dtype, shape) = (a.dtype(), a.shape.joined(&b.shape)?);
        let y = HostTensor::mapped(dtype, shape, [a, b], |[x, e]| {
            Scalar::int(dtype, self.0.apply(x.to_i64() as i32, e.to_i64() as i32).into())
        })?;
        Ok(vec![y])
    }

    fn of_integers(&self, operands: &[&[i32]]) -> Option<Vec<i32>> {
        let [a, b] = operands else { return None };
        Some(a.iter().zip(*b).map(|(a, b)| self.0.apply(*a, *b)).collect())
    }
}

impl Function {
    fn code(self) -> u32 {
        match self {
            Self::Add => code::FUNCTION_ADD,
            Self::Sub => code::FUNCTION_SUB,
            Self::Mul => code::FUNCTION_MUL,
            Self::Div => code::FUNCTION_DIV,
            Self::SquaredDifference => code::FUNCTION_SQUARED_DIFFERENCE,
            Self::Prelu => code::FUNCTION_PRELU,
        }
    }
}

impl Rounding {
    fn code(self) -> u32 {
        match self {
            Self::Twice => code::ROUNDING_TWICE,
            Self::Powers => code::ROUNDING_POWERS,
            Self::Xnnpack => code::ROUNDING_XNNPACK,
        }
    }
}
