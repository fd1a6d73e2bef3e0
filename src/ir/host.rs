//! Tensors on the host, for reference implementations.

use half::f16;

use super::bounded::collected;
use super::{DType, MAX_RANK, Scalar, Shape, TensorType};
use crate::error::Unsupported;
use crate::unsupported;

/// The elements of a tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the element types")]
pub enum Data {
    F32(Vec<f32>),
    F16(Vec<f16>),
    I64(Vec<i64>),
    I32(Vec<i32>),
    I16(Vec<i16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

/// Runs `$body` with `$data` bound to the elements, whatever their type.
macro_rules! each {
    ($of:expr, $data:ident => $body:expr) => {
        match $of {
            Data::F32($data) => $body,
            Data::F16($data) => $body,
            Data::I64($data) => $body,
            Data::I32($data) => $body,
            Data::I16($data) => $body,
            Data::I8($data) => $body,
            Data::U8($data) => $body,
            Data::Bool($data) => $body,
        }
    };
}

impl Data {
    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::F16(_) => DType::F16,
            Self::I64(_) => DType::I64,
            Self::I32(_) => DType::I32,
            Self::I16(_) => DType::I16,
            Self::I8(_) => DType::I8,
            Self::U8(_) => DType::U8,
            Self::Bool(_) => DType::Bool,
        }
    }

    /// Reads `len` elements of type `dtype`; `next` gives the bits of each, without sign extension.
    fn from_bits(
        dtype: DType,
        len: u64,
        what: &Shape,
        next: impl FnMut(u64) -> u64,
    ) -> Result<Self, Unsupported> {
        let bits = (0..len).map(next);
        let what = &format_args!("{dtype}{what}");
        Ok(match dtype {
            DType::F32 => Self::F32(collected(len, bits.map(|b| f32::from_bits(b as u32)), what)?),
            DType::F16 => Self::F16(collected(len, bits.map(|b| f16::from_bits(b as u16)), what)?),
            DType::I64 => Self::I64(collected(len, bits.map(u64::cast_signed), what)?),
            DType::I32 => Self::I32(collected(len, bits.map(|b| b as i32), what)?),
            DType::I16 => Self::I16(collected(len, bits.map(|b| b as i16), what)?),
            DType::I8 => Self::I8(collected(len, bits.map(|b| b as i8), what)?),
            DType::U8 => Self::U8(collected(len, bits.map(|b| b as u8), what)?),
            DType::Bool => Self::Bool(collected(len, bits.map(|b| b as u8 != 0), what)?),
        })
    }

    fn bits(&self, place: usize) -> u64 {
        match self {
            Self::F32(x) => x[place].to_bits().into(),
            Self::F16(x) => x[place].to_bits().into(),
            Self::I64(x) => x[place].cast_unsigned(),
            Self::I32(x) => x[place].cast_unsigned().into(),
            Self::I16(x) => x[place].cast_unsigned().into(),
            Self::I8(x) => x[place].cast_unsigned().into(),
            Self::U8(x) => x[place].into(),
            Self::Bool(x) => x[place].into(),
        }
    }

    fn len(&self) -> usize {
        each!(self, data => data.len())
    }
}

/// A tensor on the host, for reference implementations.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    /// Its dimensions.
    pub shape: Shape,
    /// Its elements.
    pub data: Data,
}

impl HostTensor {
    /// A float32 tensor.
    pub fn f32(shape: impl Into<Shape>, data: Vec<f32>) -> Self {
        Self { shape: shape.into(), data: Data::F32(data) }
    }

    /// The tensor of this type whose elements TFLite has in `bytes`.
    ///
    /// # Errors
    /// If it is too large for the host, or `bytes` are fewer.
    pub fn from_bytes(ty: &TensorType, bytes: &[u8]) -> Result<Self, Unsupported> {
        let size = ty.dtype.bytes() as usize;
        let len = ty.shape.elements().min((bytes.len() / size) as u64);
        let element = |place: u64| {
            let mut all = [0; 8];
            all[..size].copy_from_slice(&bytes[place as usize * size..][..size]);
            u64::from_le_bytes(all)
        };
        let data = Data::from_bits(ty.dtype, len, &ty.shape, element)?;
        if data.len() as u64 != ty.shape.elements() {
            return Err(Unsupported(format!("{ty} in {} bytes", bytes.len())));
        }
        Ok(Self { shape: ty.shape, data })
    }

    /// The elements as TFLite has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self.dtype().bytes() as usize;
        (0..self.data.len()).flat_map(|i| self.data.bits(i).to_le_bytes().into_iter().take(size)).collect()
    }

    /// Writes the elements as TFLite has them, as many as fit.
    pub fn write_bytes(&self, to: &mut [u8]) {
        let size = self.dtype().bytes() as usize;
        for (place, to) in to.chunks_exact_mut(size).enumerate().take(self.data.len()) {
            to.copy_from_slice(&self.data.bits(place).to_le_bytes()[..size]);
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// The elements of a float32 tensor.
    ///
    /// # Panics
    /// If it has another type: `parse` has asked for floats.
    pub fn floats(&self) -> &[f32] {
        match &self.data {
            Data::F32(data) => data,
            other => unreachable!("{} where parse has asked for floats", other.dtype()),
        }
    }

    /// The elements of a tensor of integers.
    ///
    /// # Errors
    /// If it holds floats.
    pub fn to_i64(&self) -> Result<Vec<i64>, Unsupported> {
        Ok(match &self.data {
            Data::I64(x) => x.clone(),
            Data::I32(x) => x.iter().map(|n| i64::from(*n)).collect(),
            Data::I16(x) => x.iter().map(|n| i64::from(*n)).collect(),
            Data::I8(x) => x.iter().map(|n| i64::from(*n)).collect(),
            Data::U8(x) => x.iter().map(|n| i64::from(*n)).collect(),
            Data::Bool(x) => x.iter().map(|n| i64::from(*n)).collect(),
            Data::F32(_) | Data::F16(_) => unsupported!("{} where integers are needed", self.dtype()),
        })
    }

    /// The elements of a float32 tensor, to be changed.
    ///
    /// # Panics
    /// As [`floats`](Self::floats).
    pub fn floats_mut(&mut self) -> &mut [f32] {
        match &mut self.data {
            Data::F32(data) => data,
            other => unreachable!("{} where parse has asked for floats", other.dtype()),
        }
    }

    /// The same elements under another shape, which has as many.
    #[must_use]
    pub fn reshaped(self, shape: Shape) -> Self {
        debug_assert_eq!(shape.elements(), self.data.len() as u64);
        Self { shape, ..self }
    }

    /// The elements spread over `shape` by NumPy's broadcasting rule.
    ///
    /// # Errors
    /// If they do not fit, or are too many for the host.
    pub fn expand(&self, shape: &Shape) -> Result<Self, Unsupported> {
        let unfit = || Unsupported(format!("{} does not spread over {shape}", self.shape));
        let (own, dims) = match (self.shape.padded::<MAX_RANK>(), shape.padded::<MAX_RANK>()) {
            (Some(own), Some(dims)) if self.shape.len() <= shape.len() => (own, dims),
            _ => return Err(unfit()),
        };
        if !own.iter().zip(dims).all(|(n, to)| *n == 1 || *n == to) {
            return Err(unfit());
        }
        let strides = self.shape.broadcast_strides();
        let place = |i: u64| {
            let mut rest = i;
            let along = |d: usize| {
                let n = rest % u64::from(dims[d]);
                rest /= u64::from(dims[d]);
                n as usize * strides[d] as usize
            };
            (0..MAX_RANK).rev().map(along).sum::<usize>()
        };
        let data = Data::from_bits(self.dtype(), shape.elements(), shape, |i| self.data.bits(place(i)))?;
        Ok(Self { shape: *shape, data })
    }

    /// The float32 tensor whose element at each index is `f` of that index.
    ///
    /// # Errors
    /// If it is too large for the host.
    pub fn from_fn(shape: Shape, mut f: impl FnMut(&[usize]) -> f32) -> Result<Self, Unsupported> {
        Self::moved(DType::F32, shape, |index| f(index).to_bits().into())
    }

    /// The tensor of type `dtype` whose element at each index has the bits that `f` gives: what
    /// [`bits`](Self::bits) of a tensor of the same type is.
    ///
    /// # Errors
    /// If it is too large for the host.
    pub fn moved(
        dtype: DType,
        shape: Shape,
        mut f: impl FnMut(&[usize]) -> u64,
    ) -> Result<Self, Unsupported> {
        let mut index = vec![0; shape.len()];
        let next = |_| {
            let x = f(&index);
            for (i, &n) in index.iter_mut().zip(shape.iter()).rev() {
                *i += 1;
                if *i < n as usize {
                    break;
                }
                *i = 0;
            }
            x
        };
        Ok(Self { shape, data: Data::from_bits(dtype, shape.elements(), &shape, next)? })
    }

    /// The element of a float32 tensor at an index, which has one number for each dimension.
    pub fn at(&self, index: &[usize]) -> f32 {
        self.floats()[self.place(index)]
    }

    /// The bits of the element at an index, for [`moved`](Self::moved).
    pub fn bits(&self, index: &[usize]) -> u64 {
        self.data.bits(self.place(index))
    }

    /// The element at an index.
    pub fn scalar(&self, index: &[usize]) -> Scalar {
        Scalar { dtype: self.dtype(), bits: self.bits(index) }
    }

    /// The tensor of type `dtype` whose elements are `f` of those of the operands, which spread over `shape` by
    /// NumPy's broadcasting rule.
    ///
    /// # Errors
    /// If it is too large for the host, or an operand does not fit.
    pub fn mapped<const N: usize>(
        dtype: DType,
        shape: Shape,
        operands: [&Self; N],
        f: impl Fn([Scalar; N]) -> Scalar,
    ) -> Result<Self, Unsupported> {
        let spread: Vec<Self> = operands.into_iter().map(|x| x.expand(&shape)).collect::<Result<_, _>>()?;
        Self::moved(dtype, shape, |index| f(std::array::from_fn(|n| spread[n].scalar(index))).bits)
    }

    fn place(&self, index: &[usize]) -> usize {
        index.iter().zip(self.shape.iter()).fold(0, |at, (i, &n)| at * n as usize + i)
    }
}

/// The sum of the products of two equally long rows, in an order that vector units suit.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a_lanes.remainder().iter().zip(b_lanes.remainder()).map(|(a, b)| a * b).sum::<f32>();
    for (a, b) in a_lanes.zip(b_lanes) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPES: [DType; 8] =
        [DType::F32, DType::F16, DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool];

    /// Every byte 0 or 1, so that booleans survive too.
    fn bytes(len: u64) -> Vec<u8> {
        (0..len).map(|i| u8::from(i % 3 == 1)).collect()
    }

    #[test]
    fn rows_of_any_length_have_a_product() {
        for length in [0, 1, 15, 16, 17, 50] {
            let row: Vec<f32> = (0..length).map(|i| i as f32).collect();
            assert_eq!(dot(&row, &row), (0..length).map(|i| i * i).sum::<i32>() as f32, "{length}");
        }
    }

    #[test]
    fn bytes_survive_in_every_type() {
        for dtype in TYPES {
            let ty = TensorType { dtype, ..TensorType::f32([2, 3]) };
            let from = bytes(ty.bytes());
            let x = HostTensor::from_bytes(&ty, &from).unwrap();
            assert_eq!(x.dtype(), dtype);
            let mut to = vec![9; from.len()];
            x.write_bytes(&mut to);
            assert_eq!(to, from, "{dtype}");
            assert!(HostTensor::from_bytes(&ty, &from[1..]).is_err());
        }
    }

    #[test]
    fn elements_move_in_every_type() {
        for dtype in TYPES {
            let ty = TensorType { dtype, ..TensorType::f32([2, 3]) };
            let x = HostTensor::from_bytes(&ty, &bytes(ty.bytes())).unwrap();
            let y = HostTensor::moved(dtype, Shape::from([3, 2]), |i| x.bits(&[i[1], i[0]])).unwrap();
            let again = HostTensor::moved(dtype, x.shape, |i| y.bits(&[i[1], i[0]])).unwrap();
            assert_eq!(again, x);
            let row = HostTensor::moved(dtype, Shape::from([3]), |i| x.bits(&[0, i[0]])).unwrap();
            let twice = row.expand(&Shape::from([2, 3])).unwrap();
            assert_eq!([twice.bits(&[0, 2]), twice.bits(&[1, 2])], [x.bits(&[0, 2]); 2]);
            assert!(x.expand(&Shape::from([2, 4])).is_err() && x.expand(&Shape::from([3])).is_err());
        }
    }
}
