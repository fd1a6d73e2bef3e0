//! L2_NORMALIZATION of integers over the last dimension: `y[c] = x[c] / √(Σ x[k]²)` in steps of 1/128.
//!
//! Taken for int8 and uint8 up to rank 6, in fixed point as TFLite has it. A row of zeros stays one.

use super::affine::scaling;
use super::l2_normalization::L2Normalization;
use super::row_integers::RowFunction;
use crate::codes::row_integers as code;
use crate::error::Unsupported;
use crate::ir::fixed_functions::inverse_root;
use crate::ir::{DType, FixedPoint, HostTensor, Scalar, Shape};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "L2_NORMALIZATION",
    builtin: Some(sys::kTfLiteBuiltinL2Normalization),
    typed_by: 0,
    takes: &of([DType::I8, DType::U8], 2),
    parse,
}];

/// Rows of length 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L2NormalizationIntegers {
    /// The operand's.
    pub zero_point: i32,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let activation = node.params::<sys::TfLiteL2NormParams>().map_or(0, |p| p.activation);
    if activation != 0 {
        unsupported!("fused activation {activation}");
    }
    let (x, y) = (node.input_type(0)?, node.output_type(0)?);
    if x.shape.is_empty() {
        unsupported!("input 0 is a scalar");
    }
    let zero_point = if x.dtype == DType::U8 { 128 } else { 0 };
    if scaling(&y)? != (1.0 / 128.0, zero_point) {
        unsupported!("result {y}: scale 1/128 and zero point {zero_point} are supported");
    }
    Ok(Parsed::new(L2NormalizationIntegers { zero_point: scaling(&x)?.1 }))
}

impl Operator for L2NormalizationIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        L2Normalization.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let function = RowFunction::new(code::FUNCTION_L2_NORMALIZATION);
        RowFunction { zero_point: self.zero_point, ..function }.emit(cx, None)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (dtype, channels) = (x.dtype(), x.shape.channels().max(1) as usize);
        let numbers: Vec<i32> = x.to_i64()?.into_iter().map(|x| x as i32 - self.zero_point).collect();
        let row = |row: &[i32]| {
            let sum = row.iter().fold(0_i32, |sum, x| sum.wrapping_add(x * x));
            let (multiplier, shift) = inverse_root(sum);
            let y = |x: i32| match dtype {
                // TFLite rounds otherwise for either type.
                DType::U8 => (FixedPoint { multiplier, shift }.times(x * 128) + 128).clamp(0, 255),
                _ => FixedPoint { multiplier, shift: shift + 7 }.times(x).clamp(-128, 127),
            };
            row.iter().map(|x| y(*x)).collect::<Vec<i32>>()
        };
        let mut y = numbers.chunks(channels).flat_map(row);
        let next = |_: &[usize]| Scalar::int(dtype, y.next().unwrap_or(0).into()).bits;
        Ok(vec![HostTensor::moved(dtype, x.shape, next)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn rows_have_length_one_in_steps_of_a_128th() {
        let run = |zero_point, data| {
            let x = HostTensor { shape: Shape::from([2, 2]), data };
            L2NormalizationIntegers { zero_point }.reference(&[Some(&x)]).unwrap().remove(0).data
        };
        assert_eq!(run(1, Data::I8(vec![4, -3, 1, 1])), Data::I8(vec![77, -102, 0, 0]));
        assert_eq!(run(128, Data::U8(vec![131, 124, 128, 129])), Data::U8(vec![205, 26, 128, 255]));
    }
}
