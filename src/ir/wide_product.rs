//! Sums of 64 bits as elements of a result of another scale, with the rounding of one of TFLite's sets of kernels.
//! `kernels/lib/wide_product.glsl` computes the same.

use super::FixedPoint;
use super::requantize::{Scaling, Target, double_words};
use crate::codes::wide_product as code;

/// The product of a sum of 64 bits and the quotient of scales, as an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WideScaling {
    /// `multiplier · 2^-shift` with a multiplier of 15 bits, rounded once, halves up.
    Once {
        /// Up to 0x7fff.
        multiplier: u32,
        /// From 8 to 46.
        shift: u32,
    },
    /// In doubles, halves away from zero.
    Double(f64),
    /// Of the lower 32 bits, in fixed point, rounded twice.
    Twice(FixedPoint),
}

impl From<Scaling> for WideScaling {
    /// That of sums of 32 bits. The float of a scaling in floats becomes a double.
    fn from(scaling: Scaling) -> Self {
        match scaling {
            Scaling::Fixed(factor) => Self::Twice(factor),
            Scaling::Double(factor) => Self::Double(factor),
            Scaling::Float(factor) => Self::Double(factor.into()),
        }
    }
}

impl WideScaling {
    /// In fixed point; `None` if it is not positive or too large.
    pub fn once(factor: f64) -> Option<Self> {
        Self::of(FixedPoint::new(factor)?)
    }

    /// The same of a factor in fixed point; `None` if it is too large.
    pub fn of(FixedPoint { multiplier, shift }: FixedPoint) -> Option<Self> {
        let multiplier = ((i64::from(multiplier) + (1 << 15)) >> 16).min(0x7fff) as u32;
        (shift < 8).then(|| Self::Once { multiplier, shift: (15 - shift).cast_unsigned() })
    }

    /// For sums of products of elements of scales `x` and `w`, of the lower 32 bits in fixed point.
    pub fn twice(x: f32, w: f32, y: f32) -> Option<Self> {
        FixedPoint::new(f64::from(x) * f64::from(w) / f64::from(y)).map(Self::Twice)
    }

    /// For sums of products of elements of scales `x` and `w`, in doubles; `None` if it is not positive or too large.
    pub fn double(x: f32, w: f32, y: f32) -> Option<Self> {
        let factor = f64::from(x) * f64::from(w) / f64::from(y);
        (factor > 0.0 && factor < f64::from(1 << 30)).then_some(Self::Double(factor))
    }

    /// The product with `sum`, of less than 54 bits.
    pub fn times(self, sum: i64) -> i32 {
        match self {
            Self::Once { multiplier, shift } => {
                let product = sum.wrapping_mul(multiplier.into()).wrapping_add(1 << (shift - 1));
                (product >> shift) as i32
            }
            Self::Double(factor) => {
                let largest = f64::from(1 << 30);
                (sum as f64 * factor).round().clamp(-largest, largest) as i32
            }
            Self::Twice(factor) => factor.times(sum as i32),
        }
    }

    /// The element of the result that `sum` becomes.
    pub fn element(self, target: Target, sum: i64) -> i32 {
        let [least, most] = target.bounds;
        self.times(sum).wrapping_add(target.zero_point).clamp(least, most)
    }

    /// The number that kernels have for its rounding.
    pub fn code(self) -> u32 {
        match self {
            Self::Once { .. } => code::ROUNDING_ONCE,
            Self::Double(_) => code::ROUNDING_WIDE_DOUBLE,
            Self::Twice(_) => code::ROUNDING_NARROW_TWICE,
        }
    }

    fn words(self) -> [u32; 2] {
        match self {
            Self::Once { multiplier, shift } => [multiplier, shift],
            Self::Double(factor) => double_words(factor).map(i32::cast_unsigned),
            Self::Twice(FixedPoint { multiplier, shift }) => [multiplier, shift].map(i32::cast_unsigned),
        }
    }
}

/// What kernels read of each channel: what its sums begin with, and the scaling.
pub fn pack(channels: impl Iterator<Item = (i64, WideScaling)>, bytes: &mut [u8]) {
    for (to, (start, scaling)) in bytes.chunks_exact_mut(BYTES as usize).zip(channels) {
        let [low, high] = scaling.words();
        to[..8].copy_from_slice(&start.to_le_bytes());
        to[8..12].copy_from_slice(&low.to_le_bytes());
        to[12..].copy_from_slice(&high.to_le_bytes());
    }
}

/// Bytes that [`pack`] writes for a channel.
pub const BYTES: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_have_fifteen_bits() {
        let at = |x| WideScaling::once(x);
        assert_eq!(at(0.5), Some(WideScaling::Once { multiplier: 1 << 14, shift: 15 }));
        assert_eq!(at(0.999_999_9), Some(WideScaling::Once { multiplier: 0x7fff, shift: 15 }));
        assert_eq!(at(1e-30), Some(WideScaling::Once { multiplier: 0, shift: 15 }));
        assert_eq!([at(0.0), at(f64::NAN), at(300.0)], [None; 3]);
        assert!(at(127.0).is_some());
    }

    #[test]
    fn halves_go_up_or_away_from_zero() {
        let once = WideScaling::once(0.5).unwrap();
        assert_eq!([1, -1, 3, -3, 1 << 30].map(|x| once.times(x)), [1, 0, 2, -1, 1 << 29]);
        let double = WideScaling::double(0.5, 1.0, 1.0).unwrap();
        assert_eq!([1, -1, 3, -3, 1 << 40].map(|x| double.times(x)), [1, -1, 2, -2, 1 << 30]);
    }

    #[test]
    fn channels_lie_one_behind_the_other() {
        let mut bytes = [0; 32];
        pack([(-2, WideScaling::once(0.5).unwrap()); 2].into_iter(), &mut bytes);
        let words: Vec<u32> = bytes.as_chunks().0.iter().map(|b| u32::from_le_bytes(*b)).collect();
        assert_eq!(words, [0xffff_fffe, 0xffff_ffff, 1 << 14, 15, 0xffff_fffe, 0xffff_ffff, 1 << 14, 15]);
    }
}
