//! Shapes, element types and tensor types.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::Unsupported;
use crate::unsupported;

/// The largest rank that any operator takes.
pub const MAX_RANK: usize = 6;

/// Dimensions of a tensor, outermost first; rank 0 (a scalar) to [`MAX_RANK`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [u32; MAX_RANK],
    rank: u8,
}

impl Shape {
    /// A shape with these dimensions.
    ///
    /// # Panics
    /// If there are more than [`MAX_RANK`].
    pub fn new(dims: &[u32]) -> Self {
        let mut all = [1; MAX_RANK];
        all[..dims.len()].copy_from_slice(dims);
        Self { dims: all, rank: dims.len() as u8 }
    }

    /// Number of elements; `u64::MAX` if they are even more.
    pub fn elements(&self) -> u64 {
        self.iter().fold(1, |all: u64, &n| all.saturating_mul(n.into()))
    }

    /// Elements of a slice with these dimensions; `u32::MAX` if they are even more, which no kernel takes.
    pub fn slice(dims: &[u32]) -> u32 {
        dims.iter().fold(1, |all: u32, &n| all.saturating_mul(n))
    }

    /// The last dimension; 1 for a scalar. For NHWC tensors the channels.
    pub fn channels(&self) -> u32 {
        self.last().copied().unwrap_or(1)
    }

    /// Elements over [`channels`](Self::channels): the rows of the tensor seen as a matrix.
    pub fn rows(&self) -> u32 {
        Self::slice(&self[..self.len().saturating_sub(1)])
    }

    /// Strides in elements over the shape padded to [`MAX_RANK`]; 0 where it has size 1.
    pub fn broadcast_strides(&self) -> [u32; MAX_RANK] {
        let dims: [u32; MAX_RANK] = self.padded().unwrap_or([1; MAX_RANK]);
        let mut strides = [0; MAX_RANK];
        let mut stride = 1;
        for d in (0..MAX_RANK).rev() {
            strides[d] = if dims[d] == 1 { 0 } else { stride };
            stride = u32::saturating_mul(stride, dims[d]);
        }
        strides
    }

    /// The dimension that `axis` names, counted from the end if negative.
    pub fn axis(&self, axis: i64) -> Result<usize, Unsupported> {
        let rank = self.len() as i64;
        if !(-rank..rank).contains(&axis) {
            unsupported!("{self} has no dimension {axis}");
        }
        Ok(axis.rem_euclid(rank) as usize)
    }

    /// The dimensions with ones in front up to rank `N`; `None` if the rank is larger than `N`.
    pub fn padded<const N: usize>(&self) -> Option<[u32; N]> {
        let mut all = [1; N];
        let start = N.checked_sub(self.len())?;
        all[start..].copy_from_slice(self);
        Some(all)
    }
}

impl Deref for Shape {
    type Target = [u32];
    fn deref(&self) -> &[u32] {
        &self.dims[..self.rank as usize]
    }
}

impl From<&[u32]> for Shape {
    fn from(dims: &[u32]) -> Self {
        Self::new(dims)
    }
}

impl<const N: usize> From<[u32; N]> for Shape {
    fn from(dims: [u32; N]) -> Self {
        Self::new(&dims)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<_> = self.iter().map(u32::to_string).collect();
        write!(f, "[{}]", dims.join(","))
    }
}

/// Element types that operators may meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DType {
    F32,
    F16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl DType {
    /// Bytes of one element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// The smallest and the largest integer, 0 and 1 for booleans; `None` for floats.
    pub const fn range(self) -> Option<[i64; 2]> {
        match self {
            Self::F32 | Self::F16 => None,
            Self::I64 => Some([i64::MIN, i64::MAX]),
            Self::I32 => Some([i32::MIN as i64, i32::MAX as i64]),
            Self::I16 => Some([i16::MIN as i64, i16::MAX as i64]),
            Self::I8 => Some([i8::MIN as i64, i8::MAX as i64]),
            Self::U8 => Some([0, u8::MAX as i64]),
            Self::Bool => Some([0, 1]),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format!("{self:?}").to_lowercase())
    }
}

/// Affine quantisation: `real = scale × (stored − zero_point)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantization {
    /// One scale, or one per slice along `axis`.
    pub scale: Vec<f32>,
    /// As many zero points.
    pub zero_point: Vec<i32>,
    /// The dimension that several scales belong to.
    pub axis: usize,
}

/// Whether a number is a scale: positive, and such that no device takes products of two for 0 or infinity.
pub fn is_scale(scale: f32) -> bool {
    (1e-30..1e30).contains(&scale)
}

/// As `x 0.5 from 3`: scale and zero point, or lists of them with their dimension.
impl fmt::Display for Quantization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.scale[..], &self.zero_point[..]) {
            ([scale], [zero_point]) => write!(f, "x {scale} from {zero_point}"),
            (scales, zero_points) => write!(f, "x {scales:?} from {zero_points:?} along {}", self.axis),
        }
    }
}

/// What is known of a tensor's contents before it is computed.
#[derive(Clone, PartialEq)]
pub struct TensorType {
    /// Its dimensions.
    pub shape: Shape,
    /// Its element type, as TFLite has it.
    pub dtype: DType,
    /// Its quantisation.
    pub quant: Option<Arc<Quantization>>,
}

impl TensorType {
    /// A float32 tensor.
    pub fn f32(shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), dtype: DType::F32, quant: None }
    }

    /// The same type with another shape.
    #[must_use]
    pub fn with_shape(&self, shape: impl Into<Shape>) -> Self {
        Self { shape: shape.into(), ..self.clone() }
    }

    /// Scale and zero point of a tensor that has one of each.
    pub fn affine(&self) -> Result<(f32, i32), Unsupported> {
        match self.quant.as_deref() {
            Some(Quantization { scale, zero_point, .. }) if scale.len() == 1 && zero_point.len() == 1 => {
                Ok((scale[0], zero_point[0]))
            }
            Some(quant) => unsupported!("{} scales, one is supported", quant.scale.len()),
            None => unsupported!("{self} is not quantised"),
        }
    }

    /// Size of the tensor in TFLite's memory.
    pub fn bytes(&self) -> u64 {
        self.shape.elements().saturating_mul(self.dtype.bytes())
    }
}

/// As `f32[1,2]`, or `i8[1,2] x 0.5 from 3`. Cache keys are made of this text: types that differ differ in it.
impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)?;
        self.quant.as_deref().map_or(Ok(()), |quant| write!(f, " {quant}"))
    }
}

impl fmt::Debug for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_type_tells_quantisations_apart() {
        let ty = |scale: &[f32], zero_point: &[i32]| {
            let quant = Quantization { scale: scale.to_vec(), zero_point: zero_point.to_vec(), axis: 1 };
            TensorType { shape: Shape::from([1, 2]), dtype: DType::I8, quant: Some(Arc::new(quant)) }
                .to_string()
        };
        assert_eq!(TensorType::f32([1, 2]).to_string(), "f32[1,2]");
        assert_eq!(ty(&[0.5], &[3]), "i8[1,2] x 0.5 from 3");
        assert_eq!(ty(&[0.5, 1e-9], &[0, -3]), "i8[1,2] x [0.5, 1e-9] from [0, -3] along 1");
    }
}
