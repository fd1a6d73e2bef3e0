//! How the elements of a value lie in device memory.

use super::kernel::{Size, Store};
use crate::caps::Features;
use crate::halves::{narrow, widen};
use crate::ir::{DType, Scalar};

/// How each element of a value lies in device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Element {
    F32,
    F16,
    /// Two words, the lower one first.
    I64,
    I32,
    I16,
    I8,
    /// Booleans too, as 0 and 1.
    U8,
}

impl Element {
    /// How a device with `features` keeps elements of type `dtype`, float32 ones as `store` says. What it
    /// cannot address in storage buffers is widened to 32 bits.
    pub fn of(dtype: DType, store: Store, features: Features) -> Self {
        let [has_16, has_8] = [Features::STORAGE_16, Features::STORAGE_8].map(|f| features.contains(f));
        match Self::native(dtype) {
            Self::F32 => store.into(),
            Self::F16 if !has_16 => Self::F32,
            Self::I16 if !has_16 => Self::I32,
            Self::I8 | Self::U8 if !has_8 => Self::I32,
            native => native,
        }
    }

    /// The form that elements of type `dtype` have for the host.
    pub const fn native(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Self::F32,
            DType::F16 => Self::F16,
            DType::I64 => Self::I64,
            DType::I32 => Self::I32,
            DType::I16 => Self::I16,
            DType::I8 => Self::I8,
            DType::U8 | DType::Bool => Self::U8,
        }
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::I16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }

    /// The storage of floats; `None` for integers.
    pub const fn store(self) -> Option<Store> {
        match self {
            Self::F32 => Some(Store::F32),
            Self::F16 => Some(Store::F16),
            _ => None,
        }
    }

    /// As what, and how many of it, kernels move one element that they do not look at.
    pub const fn size(self) -> (Size, u32) {
        match self {
            Self::I64 => (Size::N32, 2),
            Self::F32 | Self::I32 => (Size::N32, 1),
            Self::F16 | Self::I16 => (Size::N16, 1),
            Self::I8 | Self::U8 => (Size::N8, 1),
        }
    }

    /// A number in this form as two words; the same one twice where one element has no more than a word.
    pub fn words(self, x: Scalar) -> [u32; 2] {
        let mut bytes = [[0; 4]; 2];
        self.write(x.dtype, &x.bytes(), &mut bytes.as_flattened_mut()[..self.bytes() as usize]);
        let [low, high] = bytes.map(u32::from_le_bytes);
        if self.size().1 == 2 { [low, high] } else { [low; 2] }
    }

    /// Brings elements of type `dtype`, as the host has them, into this form; `to` may be longer.
    pub fn write(self, dtype: DType, from: &[u8], to: &mut [u8]) {
        match (dtype, self) {
            (DType::F32, Self::F16) => narrow(from.as_chunks().0, to.as_chunks_mut().0),
            (DType::F16, Self::F32) => widen(from.as_chunks().0, to.as_chunks_mut().0),
            (DType::I16, Self::I32) => {
                extend(from.as_chunks().0, to, |bytes| i16::from_le_bytes(bytes).into());
            }
            (DType::I8, Self::I32) => extend(from.as_chunks().0, to, |[byte]| byte.cast_signed().into()),
            (DType::U8 | DType::Bool, Self::I32) => extend(from.as_chunks().0, to, |[byte]| byte.into()),
            _ => to[..from.len()].copy_from_slice(from),
        }
    }

    /// Brings elements of this form to the host, which has them as `dtype`; `from` may be longer.
    pub fn read(self, dtype: DType, from: &[u8], to: &mut [u8]) {
        match (dtype, self) {
            (DType::F32, Self::F16) => widen(from.as_chunks().0, to.as_chunks_mut().0),
            (DType::F16, Self::F32) => narrow(from.as_chunks().0, to.as_chunks_mut().0),
            (DType::I16, Self::I32) => truncate::<2>(from, to),
            (DType::I8 | DType::U8 | DType::Bool, Self::I32) => truncate::<1>(from, to),
            _ => to.copy_from_slice(&from[..to.len()]),
        }
    }
}

/// Integers as 32-bit ones.
fn extend<const N: usize>(from: &[[u8; N]], to: &mut [u8], number: impl Fn([u8; N]) -> i32) {
    for (to, from) in to.as_chunks_mut().0.iter_mut().zip(from) {
        *to = number(*from).to_le_bytes();
    }
}

/// 32-bit integers without their upper bytes.
fn truncate<const N: usize>(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.as_chunks_mut::<N>().0.iter_mut().zip(from.as_chunks::<4>().0) {
        to.copy_from_slice(&from[..N]);
    }
}

impl From<Store> for Element {
    fn from(store: Store) -> Self {
        match store {
            Store::F32 => Self::F32,
            Store::F16 => Self::F16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_cannot_address_is_widened() {
        let all = Features::STORAGE_16.with(Features::STORAGE_8);
        let cases = [
            (DType::F32, Element::F16, Element::F16),
            (DType::F16, Element::F16, Element::F32),
            (DType::I64, Element::I64, Element::I64),
            (DType::I32, Element::I32, Element::I32),
            (DType::I16, Element::I16, Element::I32),
            (DType::I8, Element::I8, Element::I32),
            (DType::U8, Element::U8, Element::I32),
            (DType::Bool, Element::U8, Element::I32),
        ];
        for (dtype, with, without) in cases {
            let of = |features| Element::of(dtype, Store::F16, features);
            assert_eq!((of(all), of(Features::NONE)), (with, without), "{dtype}");
        }
    }

    #[test]
    fn elements_survive_in_every_form() {
        let none = Features::NONE;
        for dtype in [DType::F16, DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool] {
            for features in [none, Features::STORAGE_16.with(Features::STORAGE_8)] {
                let element = Element::of(dtype, Store::F32, features);
                let from: Vec<u8> = (0..48).map(|i| 37 * i + 5).collect();
                let mut device = vec![0; 48 / dtype.bytes() as usize * element.bytes() as usize];
                element.write(dtype, &from, &mut device);
                let mut to = vec![0; 48];
                element.read(dtype, &device, &mut to);
                assert_eq!(to, from, "{dtype} as {element:?}");
            }
        }
        let minus_two = Scalar::int(DType::I8, -2);
        assert_eq!(Element::I8.words(minus_two), [0xfe; 2]);
        assert_eq!(Element::I32.words(minus_two), [0xffff_fffe; 2]);
        assert_eq!(Element::I64.words(Scalar::int(DType::I64, 5 << 32 | 7)), [7, 5]);
        assert_eq!(Element::F16.words(Scalar::f32(1.0)), [0x3c00; 2]);
        let mut words = [0; 8];
        Element::I32.write(DType::I8, &[0xff, 0x7f], &mut words);
        assert_eq!(words, [0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0]);
        Element::I32.write(DType::U8, &[0xff, 0x7f], &mut words);
        assert_eq!(words, [0xff, 0, 0, 0, 0x7f, 0, 0, 0]);
    }
}
