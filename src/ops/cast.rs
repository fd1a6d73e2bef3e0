//! CAST: the numbers of a tensor in another element type.
//!
//! As C does: floats lose their fraction, integers the bits that do not fit, and a boolean tells whether the
//! number is not 0. float32 numbers beyond int32, int16 and uint8 become the nearest of these, as in TFLite;
//! beyond other types, and NaN, TFLite's result depends on its compiler. Taken between all element types.

use crate::codes::cast as code;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Magnitude, Scalar, Shape, Term};
use crate::kernel::table::cast::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::program::Element;
use crate::tflite::{NodeView, sys};

pub(super) const DEFS: &[Def] = &[Def {
    name: "CAST",
    builtin: Some(sys::kTfLiteBuiltinCast),
    typed_by: 0,
    takes: &[
        (DType::F32, 9),
        (DType::F16, 9),
        (DType::I64, 9),
        (DType::I32, 9),
        (DType::I16, 9),
        (DType::I8, 9),
        (DType::U8, 9),
        (DType::Bool, 9),
    ],
    parse,
}];

/// Converts numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cast {
    /// The element type of the operand.
    pub from: DType,
    /// The element type of the result.
    pub to: DType,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let (from, to) = (node.input_type(0)?.dtype, node.output_type(0)?.dtype);
    Ok(Parsed::new(Cast { from, to }).gives(to))
}

impl Cast {
    fn saturates(&self) -> bool {
        self.from == DType::F32 && matches!(self.to, DType::I32 | DType::I16 | DType::U8)
    }

    fn apply(&self, x: Scalar) -> Scalar {
        let to = self.to;
        match (to, x.to_f32()) {
            (DType::F32, Some(x)) => Scalar::f32(x),
            (DType::F32, None) => Scalar::f32(x.to_i64() as f32),
            (DType::F16, number) => half(number.unwrap_or(x.to_i64() as f32)),
            (DType::Bool, Some(x)) => Scalar::int(to, (x != 0.0).into()),
            (DType::Bool, None) => Scalar::int(to, (x.bits != 0).into()),
            (_, None) => Scalar::int(to, x.to_i64()),
            (_, Some(x)) if self.saturates() => Scalar::int(to, saturated(x, to)),
            (_, Some(x)) => Scalar::int(to, if x.abs() < 2f32.powi(63) { x as i64 } else { i64::MIN }),
        }
    }
}

fn half(x: f32) -> Scalar {
    let bits = if x.is_nan() {
        (x.to_bits() >> 16 & 0x8000) as u16 | 0x7e00
    } else {
        half::f16::from_f32(x).to_bits()
    };
    Scalar { dtype: DType::F16, bits: bits.into() }
}

/// TFLite finds NaN above every int32.
fn saturated(x: f32, to: DType) -> i64 {
    match to {
        DType::I32 if x.is_nan() => i32::MAX.into(),
        DType::I32 => (x as i32).into(),
        DType::I16 => (x as i16).into(),
        _ => (x as u8).into(),
    }
}

impl Operator for Cast {
    fn magnitude(&self, _operands: &[Option<Term>]) -> Magnitude {
        match self.from {
            DType::I16 | DType::I32 | DType::I64 => Magnitude::UNBOUNDED,
            _ => Magnitude::RANGE,
        }
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let result_type =
            if self.to == DType::Bool { code::TYPE_BOOL } else { form(Element::native(self.to)) };
        let spec = Spec {
            function: code::FUNCTION_CAST,
            result_type,
            saturates: self.saturates(),
            ..Default::default()
        };
        launch(cx, spec, Push::default())
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![HostTensor::mapped(self.to, x.shape, [x], |[x]| self.apply(x))?])
    }
}

/// Result 0 by the kernel `cast`, from operand 0.
pub(super) fn launch(cx: &mut Lower<'_>, spec: Spec, push: Push) -> Result<(), Unsupported> {
    let words = cx.word_grid()?;
    let spec = Spec { wg_x: words.wg_x, operand: form(cx.element_of(0)), result: form(cx.element()), ..spec };
    let push = Push { items: words.items, row_items: words.row_items, elements: words.elements, ..push };
    let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
    cx.dispatch(dispatch(kernel(), spec, push, bind, words.grid), u64::from(words.elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_another_type() {
        let cast = |x: Scalar, to| format!("{:?}", Cast { from: x.dtype, to }.apply(x));
        let float = |x, to| cast(Scalar::f32(x), to);
        assert_eq!(
            [float(-2.9, DType::I32), float(3e9, DType::I32), float(f32::NAN, DType::I32)],
            ["-2", "2147483647", "2147483647"]
        );
        assert_eq!(
            [float(-3.0, DType::U8), float(4e4, DType::I16), float(-5.7, DType::I8)],
            ["0", "32767", "-5"]
        );
        assert_eq!(
            [float(-0.0, DType::Bool), float(1e-40, DType::Bool), float(f32::NAN, DType::Bool)],
            ["0", "1", "1"]
        );
        assert_eq!([float(5e9, DType::I64), float(1e30, DType::I64)], ["5000000000", "-9223372036854775808"]);
        let int = |x, to| cast(Scalar::int(DType::I64, x), to);
        assert_eq!([int(300, DType::U8), int(200, DType::I8), int(-1, DType::Bool)], ["44", "-56", "1"]);
        assert_eq!(
            [int(16_777_217, DType::F32), int(-65_519, DType::F16), int(65_520, DType::F16)],
            ["16777216.0", "-65504.0", "inf"]
        );
    }
}
