//! One number of any element type.

use std::fmt;

use super::DType;

/// A number of an element type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scalar {
    /// Its type.
    pub dtype: DType,
    /// Its bits, without sign extension.
    pub bits: u64,
}

impl Scalar {
    /// A float32 number.
    pub const fn f32(x: f32) -> Self {
        Self { dtype: DType::F32, bits: x.to_bits() as u64 }
    }

    /// An integer of type `dtype`, or 0 and 1 for a boolean; what `dtype` cannot hold is cut off. Zero is
    /// zero in every type.
    pub fn int(dtype: DType, x: i64) -> Self {
        let bits = 8 * dtype.bytes();
        let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        Self { dtype, bits: x.cast_unsigned() & mask }
    }

    /// The number of an integer type, or 0 and 1 for a boolean.
    pub fn to_i64(self) -> i64 {
        match self.dtype {
            DType::I8 => (self.bits as i8).into(),
            DType::I16 => (self.bits as i16).into(),
            DType::I32 => (self.bits as i32).into(),
            _ => self.bits.cast_signed(),
        }
    }

    /// The number of a float type; `None` for integers.
    pub fn to_f32(self) -> Option<f32> {
        match self.dtype {
            DType::F32 => Some(f32::from_bits(self.bits as u32)),
            DType::F16 => Some(half::f16::from_bits(self.bits as u16).to_f32()),
            _ => None,
        }
    }

    /// Its bytes, as many as its type has, as TFLite has them.
    pub fn bytes(&self) -> Vec<u8> {
        self.bits.to_le_bytes()[..self.dtype.bytes() as usize].to_vec()
    }
}

/// The number: `0.5`, or `-3`.
impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype {
            DType::F32 => write!(f, "{:?}", f32::from_bits(self.bits as u32)),
            DType::F16 => write!(f, "{:?}", half::f16::from_bits(self.bits as u16)),
            DType::I64 => write!(f, "{}", self.bits.cast_signed()),
            DType::I32 => write!(f, "{}", self.bits as i32),
            DType::I16 => write!(f, "{}", self.bits as i16),
            DType::I8 => write!(f, "{}", self.bits as i8),
            DType::U8 | DType::Bool => write!(f, "{}", self.bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_numbers() {
        assert_eq!(Scalar::f32(1.0).bytes(), 1f32.to_le_bytes());
        assert_eq!(Scalar::int(DType::I8, -3).bytes(), [253]);
        assert_eq!(Scalar::int(DType::I64, -1).bytes(), [255; 8]);
        let text = [Scalar::f32(0.5), Scalar::int(DType::I8, -3), Scalar::int(DType::I64, -4)];
        assert_eq!(format!("{text:?}"), "[0.5, -3, -4]");
        assert_eq!(Scalar::int(DType::F16, 0).bytes(), [0; 2]);
    }

    #[test]
    fn numbers_of_every_type() {
        for dtype in [DType::I64, DType::I32, DType::I16, DType::I8] {
            assert_eq!(Scalar::int(dtype, -3).to_i64(), -3, "{dtype}");
        }
        assert_eq!([DType::U8, DType::Bool].map(|dtype| Scalar::int(dtype, 1).to_i64()), [1; 2]);
        assert_eq!(Scalar::int(DType::U8, 253).to_i64(), 253);
        let half = Scalar { dtype: DType::F16, bits: 0xc000 };
        assert_eq!(
            [Scalar::f32(0.5), half, Scalar::int(DType::I8, 1)].map(Scalar::to_f32),
            [Some(0.5), Some(-2.0), None]
        );
    }
}
