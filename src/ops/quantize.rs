//! QUANTIZE: floats as integers of a scale, or integers of another scale.
//!
//! `y = clamp(round(x / scale) + zero point)`, halves away from zero, and between integers TFLite's product in
//! fixed point; as XNNPACK has it, ties to even, and between integers a table. Taken for one scale per tensor, from float32 to int8, uint8 and int16, and between integers as
//! TFLite does. Quotients that TFLite's 32-bit integers cannot hold become the ends of the range, NaN the zero
//! point.

use super::affine::{Affine, scaling};
use super::lookup::{Function, Lookup, Mapping, is_of_xnnpack};
use crate::codes::cast as code;
use crate::error::Unsupported;
use crate::ir::{DType, FixedPoint, HostTensor, Scalar, Shape};
use crate::kernel::table::cast::{Push, Spec};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::program::Element;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "QUANTIZE",
    builtin: Some(sys::kTfLiteBuiltinQuantize),
    typed_by: 0,
    takes: &[(DType::F32, 6), (DType::I32, 6), (DType::I16, 6), (DType::I8, 6), (DType::U8, 6)],
    parse,
}];

/// Brings numbers to another scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantize {
    /// The operand's.
    pub from: Scale,
    /// The element type of the result.
    pub to: DType,
    /// The result's zero point.
    pub zero_point: i32,
}

/// How numbers become the result's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Floats are divided by this scale.
    Float(f32),
    /// Floats are multiplied by this, and ties become even, as XNNPACK does.
    Reciprocal(f32),
    /// Integers with this zero point are multiplied.
    Integer {
        /// What stands for 0.
        zero_point: i32,
        /// The quotient of both scales.
        factor: FixedPoint,
    },
}

/// The integer types that TFLite brings to each other.
const PAIRS: &[(DType, &[DType])] = &[
    (DType::F32, &[DType::I8, DType::U8, DType::I16]),
    (DType::I32, &[DType::I8, DType::I16]),
    (DType::I16, &[DType::I8, DType::I16, DType::I32]),
    (DType::I8, &[DType::I8, DType::U8, DType::I16]),
    (DType::U8, &[DType::I8, DType::U8, DType::I16]),
];

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let (x, y) = (node.input_type(0)?, node.output_type(0)?);
    if !PAIRS.iter().any(|(from, to)| *from == x.dtype && to.contains(&y.dtype)) {
        unsupported!("from {} to {}", x.dtype, y.dtype);
    }
    let (y_scale, zero_point) = scaling(&y)?;
    let xnnpack = node.integers() == Integers::Xnnpack;
    if xnnpack && x.dtype == y.dtype && matches!(x.dtype, DType::I8 | DType::U8) {
        let (from, to, function) = (Affine::of(&x)?, Affine::of(&y)?, Function::Identity);
        if is_of_xnnpack(function, from, to) {
            let op = Mapping { function, dtype: x.dtype, from, to, kernels: Integers::Xnnpack };
            return Ok(Parsed::new(Lookup::Function(op)));
        }
    }
    let from = if x.dtype == DType::F32 {
        let narrow = matches!(y.dtype, DType::I8 | DType::U8);
        if xnnpack && narrow { Scale::Reciprocal(1.0 / y_scale) } else { Scale::Float(y_scale) }
    } else {
        let (x_scale, zero_point) = scaling(&x)?;
        let Some(factor) = FixedPoint::new(f64::from(x_scale) / f64::from(y_scale)) else {
            unsupported!("from scale {x_scale} to {y_scale}");
        };
        Scale::Integer { zero_point, factor }
    };
    Ok(Parsed::new(Quantize { from, to: y.dtype, zero_point }).gives(y.dtype))
}

impl Quantize {
    fn apply(&self, x: Scalar) -> Scalar {
        let (low, high) = match self.to {
            DType::U8 => (0, 255),
            DType::I8 => (-128, 127),
            DType::I16 => (-32_768, 32_767),
            _ => (i32::MIN, i32::MAX),
        };
        let q = match self.from {
            // Sums do not overflow: far outside every range is enough.
            Scale::Float(scale) => (x.to_f32().unwrap_or(0.0) / scale).round().clamp(-1e9, 1e9) as i32,
            Scale::Reciprocal(factor) => {
                let x = x.to_f32().filter(|x| !x.is_nan()).unwrap_or(f32::INFINITY);
                (x * factor).round_ties_even().clamp(-1e9, 1e9) as i32
            }
            Scale::Integer { zero_point, factor } => {
                factor.times((x.to_i64() as i32).wrapping_sub(zero_point))
            }
        };
        Scalar::int(self.to, q.wrapping_add(self.zero_point).clamp(low, high).into())
    }
}

impl Operator for Quantize {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let push = Push { y_zero_point: self.zero_point, ..Default::default() };
        let (function, push) = match self.from {
            Scale::Float(scale) => (code::FUNCTION_QUANTIZE, Push { scale, ..push }),
            Scale::Reciprocal(scale) => (code::FUNCTION_QUANTIZE_TO_EVEN, Push { scale, ..push }),
            Scale::Integer { zero_point, factor: FixedPoint { multiplier, shift } } => {
                (code::FUNCTION_REQUANTIZE, Push { x_zero_point: zero_point, multiplier, shift, ..push })
            }
        };
        let spec = Spec { function, result_type: form(Element::native(self.to)), ..Default::default() };
        super::cast::launch(cx, spec, push)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![HostTensor::mapped(self.to, x.shape, [x], |[x]| self.apply(x))?])
    }

    fn of_integers(&self, operands: &[&[i32]]) -> Option<Vec<i32>> {
        let number = |q: &i32| self.apply(Scalar::int(DType::I32, (*q).into())).to_i64() as i32;
        match self.from {
            Scale::Integer { .. } => operands.first().map(|x| x.iter().map(number).collect()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_away_from_zero_and_ends_hold() {
        let op = Quantize { from: Scale::Float(0.5), to: DType::I8, zero_point: 3 };
        let at = |x| op.apply(Scalar::f32(x)).to_i64();
        assert_eq!([0.25, -0.25, 0.75, 1e30, f32::NEG_INFINITY, f32::NAN].map(at), [4, 2, 5, 127, -128, 3]);
        let op = Quantize { from: Scale::Reciprocal(2.0), ..op };
        let at = |x| op.apply(Scalar::f32(x)).to_i64();
        assert_eq!([0.25, -0.25, 0.75, 1e30, f32::NEG_INFINITY, f32::NAN].map(at), [3, 3, 5, 127, -128, 127]);
    }

    #[test]
    fn integers_change_their_scale() {
        let factor = FixedPoint::new(0.5).unwrap();
        let op = Quantize { from: Scale::Integer { zero_point: -1, factor }, to: DType::U8, zero_point: 128 };
        let at = |x| op.apply(Scalar::int(DType::I8, x)).to_i64();
        assert_eq!([-128, -2, -1, 0, 127].map(at), [65, 128, 128, 129, 192]);
    }
}
