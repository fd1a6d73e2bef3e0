//! Sums of products as elements of a result of another scale, with the rounding of one of TFLite's sets of
//! kernels. `kernels/lib/requantize.glsl` computes the same.

use super::FixedPoint;
use crate::codes::requantize as code;

/// The product of a sum and the quotient of scales, as an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// In fixed point, rounded twice.
    Fixed(FixedPoint),
    /// In floats: the sum becomes one, the product is one, and that is rounded, ties to even.
    Float(f32),
    /// In doubles, halves away from zero.
    Double(f64),
}

impl Scaling {
    /// For sums of products of elements of scales `x` and `w`, in fixed point; `None` where TFLite has none.
    pub fn fixed(x: f32, w: f32, y: f32) -> Option<Self> {
        FixedPoint::new(f64::from(x) * f64::from(w) / f64::from(y)).map(Self::Fixed)
    }

    /// The same where all sums have one scale in TFLite: it multiplies both as floats then.
    pub fn fixed_for_all(x: f32, w: f32, y: f32) -> Option<Self> {
        FixedPoint::new(f64::from(x * w) / f64::from(y)).map(Self::Fixed)
    }

    /// The same in floats.
    pub fn float(x: f32, w: f32, y: f32) -> Option<Self> {
        let factor = x * w / y;
        (factor > 0.0 && factor < Self::LARGEST).then_some(Self::Float(factor))
    }

    /// The same in doubles.
    pub fn double(x: f32, w: f32, y: f32) -> Option<Self> {
        let factor = f64::from(x) * f64::from(w) / f64::from(y);
        (factor > 0.0 && factor < f64::from(Self::LARGEST)).then_some(Self::Double(factor))
    }

    /// The number that kernels have for its rounding.
    pub fn code(self) -> u32 {
        match self {
            Self::Fixed(_) => code::ROUNDING_TWICE,
            Self::Float(_) => code::ROUNDING_FLOAT,
            Self::Double(_) => code::ROUNDING_DOUBLE,
        }
    }

    /// The product with `sum`.
    pub fn times(self, sum: i32) -> i32 {
        match self {
            Self::Fixed(factor) => factor.times(sum),
            Self::Float(factor) => {
                (sum as f32 * factor).round_ties_even().clamp(-Self::LARGEST, Self::LARGEST) as i32
            }
            Self::Double(factor) => {
                (f64::from(sum) * factor).round().clamp(-f64::from(Self::LARGEST), f64::from(Self::LARGEST))
                    as i32
            }
        }
    }

    /// Larger products of floats become this.
    const LARGEST: f32 = (1 << 30) as f32;

    /// Multiplier and shift, as kernels read them.
    pub fn words(self) -> [i32; 2] {
        match self {
            Self::Fixed(FixedPoint { multiplier, shift }) => [multiplier, shift],
            Self::Float(factor) => [factor.to_bits().cast_signed(), 0],
            Self::Double(factor) => double_words(factor),
        }
    }
}

/// The 53 bits of a positive double below 2³⁰, and the power of two by which they are divided: what is too small to
/// make a difference has no bits.
pub(super) fn double_words(factor: f64) -> [i32; 2] {
    let bits = factor.to_bits();
    let (mantissa, shift) = ((bits & ((1 << 52) - 1)) | 1 << 52, 1075 - (bits >> 52) as i64);
    match shift {
        22..=127 => [mantissa as i32, ((mantissa >> 32) as u32 | (shift as u32) << 21).cast_signed()],
        _ => [0, 22 << 21],
    }
}

/// How sums become elements of a result, apart from their scales.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The result's zero point.
    pub zero_point: i32,
    /// Its least and its largest element.
    pub bounds: [i32; 2],
}

impl Target {
    /// The element that `sum` becomes.
    pub fn element(self, sum: i32, scaling: Scaling) -> i32 {
        let [least, most] = self.bounds;
        scaling.times(sum).wrapping_add(self.zero_point).clamp(least, most)
    }
}

/// What kernels read of each channel: what sums begin with, and the scaling. `places` lists the channels in the order
/// of the kernel, four by four, with `None` where there is none.
pub fn pack(places: impl Iterator<Item = Option<(i32, Scaling)>>, bytes: &mut [u8]) {
    let (words, _) = bytes.as_chunks_mut::<4>();
    for (i, place) in places.enumerate() {
        let (start, scaling) = place.unwrap_or((0, Scaling::Float(0.0)));
        let [multiplier, shift] = scaling.words();
        for (k, word) in [start, multiplier, shift].into_iter().enumerate() {
            words[12 * (i / 4) + 4 * k + i % 4] = word.to_le_bytes();
        }
    }
}

/// Bytes that [`pack`] writes for so many places, a multiple of four.
pub fn packed_bytes(places: u64) -> u64 {
    12 * places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_round_ties_to_even() {
        let half = Scaling::Float(0.5);
        assert_eq!([1, 3, -1, -3, 5, 4].map(|x| half.times(x)), [0, 2, 0, -2, 2, 2]);
        assert_eq!([i32::MAX, i32::MIN].map(|x| Scaling::Float(4.0).times(x)), [1 << 30, -1 << 30]);
        assert_eq!(Scaling::Float(f32::MIN_POSITIVE).times(i32::MAX), 0);
    }

    /// What `double_product` of `kernels/lib/requantize.glsl` computes from the words.
    fn in_integers(x: i32, [low, high]: [i32; 2]) -> i32 {
        let (low, high) = (u128::from(low.cast_unsigned()), high.cast_unsigned());
        let (mantissa, shift) = (u128::from(high & 0x1f_ffff) << 32 | low, high >> 21);
        let mut product = u128::from(x.unsigned_abs()) * mantissa;
        if product == 0 {
            return 0;
        }
        let top = 127 - product.leading_zeros();
        product += (1 << top) >> 53;
        product = (product + (1 << (shift - 1))) >> shift;
        let product = i32::try_from(product).unwrap_or(i32::MAX);
        let product = if x < 0 { -product } else { product };
        product.clamp(-1 << 30, 1 << 30)
    }

    #[test]
    fn doubles_round_in_integers_as_they_do_themselves() {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 11
        };
        let scales = [0.1_f32, 0.3, 0.003_921_569, 1.0, 0.7, 3.0, 0.05, 1e-3, 7.0];
        let quotients = scales.iter().flat_map(|a| {
            scales.iter().flat_map(move |b| scales.map(|c| f64::from(*a) * f64::from(*b) / f64::from(c)))
        });
        // Quotients of whole numbers put sums next to a half, where the double's own rounding matters.
        let near = (1..40).flat_map(|p| (1..40).map(move |q| f64::from(p) / f64::from(q)));
        let wild =
            (0..2000).map(|_| (next() as f64 / 2f64.powi(53) + 0.5) * 2f64.powi((next() % 80) as i32 - 60));
        let factors: Vec<f64> = quotients.chain(near).chain(wild.collect::<Vec<_>>()).collect();
        let mut differs = 0;
        for factor in factors.into_iter().filter(|f| *f < f64::from(1 << 30)) {
            let scaling = Scaling::Double(factor);
            let some = (0..200).map(|i| if i < 100 { i } else { next() as i32 >> (next() % 31) });
            for x in some.chain([i32::MIN, i32::MAX]) {
                assert_eq!(in_integers(x, scaling.words()), scaling.times(x), "{x} · {factor:e}");
                if x > 0 && factor < 1.0 {
                    let exact = (i128::from(x) * (factor * 2f64.powi(80)) as i128 + (1 << 79)) >> 80;
                    differs += i32::from(factor > 1e-6 && exact as i32 != scaling.times(x));
                }
            }
        }
        assert!(differs > 0, "no case shows that the product is rounded to a double first");
    }

    #[test]
    fn one_scale_for_all_is_a_product_of_floats() {
        let (x, w) = (0.0371_f32, 0.0519_f32);
        let factor = FixedPoint::new(1.0 / 256.0).unwrap();
        assert_eq!(Scaling::fixed_for_all(x, w, x * w * 256.0), Some(Scaling::Fixed(factor)));
        assert_ne!(Scaling::fixed(x, w, x * w * 256.0), Some(Scaling::Fixed(factor)));
    }

    #[test]
    fn elements_keep_within_bounds() {
        let target = Target { zero_point: -3, bounds: [-3, 100] };
        let scaling = Scaling::Fixed(FixedPoint::new(0.5).unwrap());
        assert_eq!([7, -7, 1000].map(|x| target.element(x, scaling)), [1, -3, 100]);
    }

    #[test]
    fn quads_of_channels_lie_side_by_side() {
        let mut bytes = [0; 96];
        let one =
            |start: i32| Some((start, Scaling::Fixed(FixedPoint { multiplier: 10 + start, shift: -start })));
        pack([one(1), one(2), one(3), None, one(5), None, None, None].into_iter(), &mut bytes);
        let words: Vec<i32> = bytes.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
        assert_eq!(words[..12], [1, 2, 3, 0, 11, 12, 13, 0, -1, -2, -3, 0]);
        assert_eq!(words[12..], [5, 0, 0, 0, 15, 0, 0, 0, -5, 0, 0, 0]);
    }
}
