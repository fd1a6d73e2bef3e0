//! Scale and zero point of a quantised tensor.

use crate::error::Unsupported;
use crate::ir::TensorType;
use crate::unsupported;

/// Scale and zero point of a tensor with one of each for all: the scale positive, and so that no device takes products
/// for 0 or infinity, the zero point within the range of the element type.
pub(super) fn affine(ty: &TensorType) -> Result<(f32, i32), Unsupported> {
    let (scale, zero_point) = ty.affine()?;
    if !(1e-30..1e30).contains(&scale) {
        unsupported!("scale {scale}");
    }
    match ty.dtype.range() {
        Some([least, most]) if (least..=most).contains(&zero_point.into()) => Ok((scale, zero_point)),
        _ => unsupported!("zero point {zero_point} of {}", ty.dtype),
    }
}
