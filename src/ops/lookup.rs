//! Functions of one quantised integer, by a table of all its values: LOGISTIC, TANH, HARD_SWISH, GELU, ELU, EXP,
//! LOG, SQRT, RSQRT, ABS, the RELU family and LEAKY_RELU of int8, uint8 and int16, as far as TFLite has them.
//!
//! The host makes the table as TFLite's kernels compute each element, so results are the same bits. Operand and
//! result have one scale each; zero points of int16 are 0. What TFLite refuses to compute (SQRT, RSQRT of
//! negative numbers) gives what stands for 0.

mod mapping;
mod narrow;
mod rsqrt;
mod wide;

use super::affine::Affine;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Scalar, Shape};
use crate::kernel::table::lookup::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;
pub use mapping::{Function, Mapping};
pub use narrow::is_of_xnnpack;

/// A table entry for a function without parameters.
macro_rules! def {
    ($name:literal, $code:ident, $function:expr, $($dtype:ident $version:literal),+) => {
        Def {
            name: $name,
            builtin: Some(sys::$code),
            typed_by: 0,
            takes: &[$((DType::$dtype, $version)),+],
            parse: |n| parse(n, $function),
        }
    };
}

pub(super) const DEFS: &[Def] = &[
    def!("RELU", kTfLiteBuiltinRelu, clamp(0.0, f32::INFINITY), I16 3, I8 3, U8 3),
    def!("RELU6", kTfLiteBuiltinRelu6, clamp(0.0, 6.0), I16 3, I8 3, U8 3),
    def!("RELU_N1_TO_1", kTfLiteBuiltinReluN1To1, clamp(-1.0, 1.0), I8 1, U8 1),
    def!("RELU_0_TO_1", kTfLiteBuiltinRelu0To1, clamp(0.0, 1.0), I8 1, U8 1),
    def!("LOGISTIC", kTfLiteBuiltinLogistic, Function::Logistic, I16 3, I8 3, U8 3),
    def!("TANH", kTfLiteBuiltinTanh, Function::Tanh, I16 3, I8 3, U8 3),
    def!("HARD_SWISH", kTfLiteBuiltinHardSwish, Function::HardSwish, I8 1, U8 1),
    def!("ELU", kTfLiteBuiltinElu, Function::Elu, I8 1),
    def!("EXP", kTfLiteBuiltinExp, Function::Exp, I16 2, I8 2),
    def!("LOG", kTfLiteBuiltinLog, Function::Log, I16 2, I8 2),
    def!("SQRT", kTfLiteBuiltinSqrt, Function::Sqrt, I16 2, I8 2),
    def!("RSQRT", kTfLiteBuiltinRsqrt, Function::Rsqrt, I16 3, I8 3),
    def!("ABS", kTfLiteBuiltinAbs, Function::Abs, I16 5, I8 5),
    Def {
        name: "LEAKY_RELU",
        builtin: Some(sys::kTfLiteBuiltinLeakyRelu),
        typed_by: 0,
        takes: &[(DType::I16, 2), (DType::I8, 2), (DType::U8, 2)],
        parse: parse_leaky_relu,
    },
    Def {
        name: "GELU",
        builtin: Some(sys::kTfLiteBuiltinGelu),
        typed_by: 0,
        takes: &[(DType::I16, 2), (DType::I8, 2), (DType::U8, 2)],
        parse: parse_gelu,
    },
];

const fn clamp(low: f32, high: f32) -> Function {
    Function::Clamp { low, high }
}

/// Looks up each integer's result in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// One of TFLite's functions.
    Function(Mapping),
    /// Any: the results of 0 and more, then of negative integers, in order.
    Numbers {
        /// The element type, of 8 bits.
        dtype: DType,
        /// 256 of them.
        numbers: Vec<i32>,
    },
}

fn parse_leaky_relu(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    parse(node, Function::LeakyRelu { alpha: node.required_params::<sys::TfLiteLeakyReluParams>()?.alpha })
}

fn parse_gelu(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let approximate = node.required_params::<sys::TfLiteGeluParams>()?.approximate;
    parse(node, Function::Gelu { approximate })
}

fn parse(node: &NodeView<'_>, function: Function) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let (x, y) = (node.input_type(0)?, node.output_type(0)?);
    if x.dtype != y.dtype {
        unsupported!("from {} to {}", x.dtype, y.dtype);
    }
    let affine = if x.dtype == DType::I16 { Affine::symmetric } else { Affine::of };
    let (from, to) = (affine(&x)?, affine(&y)?);
    let kernels = match node.integers() {
        Integers::Xnnpack if x.dtype != DType::I16 && is_of_xnnpack(function, from, to) => Integers::Xnnpack,
        Integers::Reference214 if matches!(function, Function::Elu | Function::Exp) => Integers::Reference214,
        _ => Integers::Reference,
    };
    let op = Mapping { function, dtype: x.dtype, from, to, kernels };
    table(&op)?;
    Ok(Parsed::new(Lookup::Function(op)))
}

fn table(op: &Mapping) -> Result<Vec<i32>, Unsupported> {
    let f = match op.dtype {
        DType::I16 => wide::function(op)?,
        _ => narrow::function(op)?,
    };
    let count = 1_u32 << (8 * op.dtype.bytes());
    let number = |bits: u32| Scalar { dtype: op.dtype, bits: bits.into() }.to_i64() as i32;
    Ok((0..count).map(|bits| f(number(bits))).collect())
}

/// Dispatches table `number` of the node, for elements of the type of result 0.
pub fn emit(
    cx: &mut Lower<'_>,
    op: &Lookup,
    number: usize,
    x: BufferId,
    y: BufferId,
    elements: u64,
) -> Result<(), Unsupported> {
    let element = cx.element();
    let items = elements.div_ceil((4 / element.bytes()).max(1));
    let (grid, row_items, wg_x) = cx.linear_grid(items)?;
    let bits = 8 * op.dtype().bytes() as u32;
    let spec = Spec { wg_x, form: form(element), bits, ..Default::default() };
    let op = op.clone();
    let table = cx.table(number, 1 << bits, move || op.table().unwrap_or_default())?;
    let push = Push { items: items as u32, row_items };
    cx.dispatch(dispatch(kernel(), spec, push, Bind { x, table, y }, grid), elements)
}

impl Lookup {
    fn dtype(&self) -> DType {
        match self {
            Self::Function(Mapping { dtype, .. }) | Self::Numbers { dtype, .. } => *dtype,
        }
    }

    /// The results of 0 and more, then of negative integers, in order.
    pub fn table(&self) -> Result<Vec<i32>, Unsupported> {
        match self {
            Self::Function(op) => table(op),
            Self::Numbers { numbers, .. } => Ok(numbers.clone()),
        }
    }
}

impl Operator for Lookup {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, y, elements) = (cx.x(0)?, cx.y(0), cx.output(0).shape.elements());
        emit(cx, self, 0, x, y, elements)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, table, dtype) = (operand(inputs, 0)?, self.table()?, self.dtype());
        let number = |[x]: [Scalar; 1]| Scalar::int(dtype, table[x.bits as usize].into());
        Ok(vec![HostTensor::mapped(dtype, x.shape, [x], number)?])
    }

    fn of_integers(&self, operands: &[&[i32]]) -> Option<Vec<i32>> {
        let table = self.table().ok()?;
        let place = |q: i32| Scalar::int(self.dtype(), q.into()).bits as usize;
        operands.first().map(|x| x.iter().map(|q| table[place(*q)]).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(function: Function, dtype: DType, from: (f32, i32), to: (f32, i32), numbers: &[i64]) -> Vec<i64> {
        let affine = |(scale, zero_point)| Affine { scale, zero_point };
        let (from, to) = (affine(from), affine(to));
        let table = table(&Mapping { function, dtype, from, to, kernels: Integers::Reference }).unwrap();
        numbers.iter().map(|n| table[Scalar::int(dtype, *n).bits as usize].into()).collect()
    }

    #[test]
    fn numbers() {
        let all = [-128, -1, 0, 1, 127];
        let i8 = |function, from, to| at(function, DType::I8, from, to, &all);
        assert_eq!(i8(Function::Logistic, (0.1, 0), (1.0 / 256.0, -128)), [-128, -6, 0, 6, 127]);
        assert_eq!(i8(clamp(0.0, 6.0), (0.1, 0), (0.1, 0)), [0, 0, 0, 1, 60]);
        assert_eq!(i8(clamp(0.0, f32::INFINITY), (0.1, -1), (0.05, 3)), [3, 3, 5, 7, 127]);
        assert_eq!(i8(Function::LeakyRelu { alpha: 0.5 }, (0.1, 0), (0.1, 0)), [-64, 0, 0, 1, 127]);
        assert_eq!(i8(Function::Abs, (0.1, 0), (0.1, 0)), [127, 1, 0, 1, 127]);
        assert_eq!(i8(Function::Sqrt, (1.0, -1), (0.1, 0)), [0, 0, 10, 14, 113]);
        assert_eq!(i8(Function::Rsqrt, (1.0, -1), (0.01, 0)), [0, 127, 100, 71, 9]);
        assert_eq!(i8(Function::HardSwish, (0.1, 0), (0.1, 0)), [0, 0, 0, 1, 127]);
        let wide =
            at(Function::Tanh, DType::I16, (1.0 / 4096.0, 0), (1.0 / 32768.0, 0), &[-32768, 0, 4096, 32767]);
        assert_eq!(wide, [-32767, 0, 24956, 32767]);
    }

    #[test]
    fn what_tflite_refuses_is_refused() {
        let affine = |scale| Affine { scale, zero_point: 0 };
        let refused = |function, dtype, from, to| {
            let op =
                Mapping { function, dtype, from: affine(from), to: affine(to), kernels: Integers::Reference };
            table(&op).is_err()
        };
        assert!(refused(Function::Logistic, DType::I8, 0.1, 0.1));
        assert!(refused(Function::Logistic, DType::I16, 0.1, 0.1));
        assert!(refused(Function::HardSwish, DType::I8, 200.0, 1.0));
        assert!(refused(Function::LeakyRelu { alpha: -0.1 }, DType::I8, 1.0, 1.0));
        assert!(refused(Function::LeakyRelu { alpha: f32::NAN }, DType::I8, 1.0, 1.0));
    }
}
