//! Scales and zero points of the tensors that quantised operators take.

use crate::error::Unsupported;
use crate::ir::{Activation, FixedPoint, StepOp, TensorType, is_scale};
use crate::unsupported;

/// What the integers of a tensor stand for: `scale · (q − zero point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// Positive, and so that products of two scales stay within float32.
    pub scale: f32,
    /// Within the range of the element type.
    pub zero_point: i32,
}

impl Affine {
    /// Of a tensor with one scale and one zero point for all.
    pub fn of(ty: &TensorType) -> Result<Self, Unsupported> {
        scaling(ty).map(|(scale, zero_point)| Self { scale, zero_point })
    }

    /// Of one whose zero point is 0, as that of 16-bit integers is.
    pub fn symmetric(ty: &TensorType) -> Result<Self, Unsupported> {
        let affine = Self::of(ty)?;
        if affine.zero_point != 0 {
            unsupported!("zero point {} of {}, 0 is supported", affine.zero_point, ty.dtype);
        }
        Ok(affine)
    }

    /// The integer that stands for `x`, halves away from zero.
    pub fn stored(self, x: f32) -> i32 {
        self.zero_point.saturating_add((x / self.scale).round() as i32)
    }

    /// The same as XNNPACK has it: a product with the reciprocal, ties to even.
    pub fn stored_by_xnnpack(self, x: f32) -> i32 {
        let rounded = (x * (1.0 / self.scale) + self.zero_point as f32).round_ties_even();
        rounded.clamp(-1e9, 1e9) as i32
    }
}

/// Scale and zero point of a tensor with one of each: the scale such that no device takes products for 0 or infinity,
/// the zero point within the range of the element type.
pub fn scaling(ty: &TensorType) -> Result<(f32, i32), Unsupported> {
    let (scale, zero_point) = ty.affine()?;
    if !is_scale(scale) {
        unsupported!("scale {scale}");
    }
    match ty.dtype.range() {
        Some([least, most]) if (least..=most).contains(&zero_point.into()) => Ok((scale, zero_point)),
        _ => unsupported!("zero point {zero_point} of {}", ty.dtype),
    }
}

/// A quotient of scales in fixed point, 0 included.
pub fn multiplier(x: f64) -> Result<FixedPoint, Unsupported> {
    match FixedPoint::new(x) {
        Some(factor) => Ok(factor),
        None if x == 0.0 => Ok(FixedPoint { multiplier: 0, shift: 0 }),
        None => unsupported!("a product with {x}"),
    }
}

/// The power of two that a number is, as TFLite rounds.
pub fn power_of_two(x: f32) -> Option<i32> {
    let power = x.ln() * (1.0 / 2_f32.ln());
    ((power - power.round()).abs() < 1e-3).then_some(power.round() as i32)
}

/// The bounds that a fused activation sets to a tensor of this type; XNNPACK's, if `xnnpack`.
pub fn bounds(ty: &TensorType, activation: Activation, xnnpack: bool) -> Result<[i32; 2], Unsupported> {
    let Some(range) = ty.dtype.range() else { unsupported!("{ty} is no tensor of integers") };
    let [least, most] = range.map(|n| n as i32);
    let Some(StepOp::Clamp { lo, hi }) = activation.step().map(|step| step.op) else {
        return Ok([least, most]);
    };
    let affine = Affine::of(ty)?;
    let stored = |x| if xnnpack { affine.stored_by_xnnpack(x) } else { affine.stored(x) };
    Ok([stored(lo).max(least), if hi == f32::INFINITY { most } else { stored(hi).min(most) }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{DType, Quantization};
    use std::sync::Arc;

    fn ty(dtype: DType, scale: f32, zero_point: i32) -> TensorType {
        let quant = Quantization { scale: vec![scale], zero_point: vec![zero_point], axis: 0 };
        TensorType { dtype, quant: Some(Arc::new(quant)), ..TensorType::f32([1]) }
    }

    #[test]
    fn malformed_quantisations_are_refused() {
        let ok = |dtype, scale, zero_point| Affine::of(&ty(dtype, scale, zero_point)).is_ok();
        assert!(ok(DType::I8, 0.1, -128) && ok(DType::U8, 0.1, 255) && ok(DType::I16, 1e-9, 0));
        for scale in [0.0, -0.1, f32::NAN, f32::INFINITY, 1e-40, 1e35] {
            assert!(!ok(DType::I8, scale, 0), "{scale}");
        }
        for (dtype, zero_point) in [(DType::I8, 128), (DType::I8, -129), (DType::U8, -1), (DType::U8, 256)] {
            assert!(!ok(dtype, 0.1, zero_point), "{dtype} {zero_point}");
        }
        assert!(Affine::of(&TensorType { dtype: DType::I8, ..TensorType::f32([1]) }).is_err());
        let mut two = ty(DType::I8, 0.1, 0);
        let quant = Quantization { scale: vec![0.1, 0.2], zero_point: vec![0, 0], axis: 0 };
        two.quant = Some(Arc::new(quant));
        assert!(Affine::of(&two).is_err());
        assert!(Affine::symmetric(&ty(DType::I16, 0.1, 1)).is_err());
    }

    #[test]
    fn ties_of_bounds() {
        let ty = ty(DType::I8, 0.4, 0);
        assert_eq!(bounds(&ty, Activation::ReluN1To1, false).unwrap(), [-3, 3]);
        assert_eq!(bounds(&ty, Activation::ReluN1To1, true).unwrap(), [-2, 2]);
        assert_eq!(bounds(&ty, Activation::Relu, true).unwrap(), [0, 127]);
    }

    #[test]
    fn bounds_of_activations() {
        let of =
            |scale, zero_point, activation| bounds(&ty(DType::I8, scale, zero_point), activation, false).ok();
        assert_eq!(of(0.1, -3, Activation::Relu), Some([-3, 127]));
        assert_eq!(of(0.1, -3, Activation::Relu6), Some([-3, 57]));
        assert_eq!(of(0.4, 3, Activation::ReluN1To1), Some([0, 6]));
        // Saturates, beyond the range of any type.
        assert_eq!(of(1e-30, 3, Activation::Relu6), Some([3, 127]));
        let plain = TensorType { quant: None, ..ty(DType::I8, 1.0, 0) };
        assert_eq!(bounds(&plain, Activation::None, false).ok(), Some([-128, 127]));
        assert_eq!(bounds(&plain, Activation::Relu, false).ok(), None);
    }
}
