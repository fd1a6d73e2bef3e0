//! Multiplication by a real number in fixed point, as TFLite's kernels have it (gemmlowp): a multiplier of 31
//! bits and a power of two, with two roundings. `kernels/lib/fixed_point.glsl` computes the same.

/// A positive real number, `multiplier · 2^(shift - 31)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPoint {
    /// Not negative; from 2³⁰ on, unless it is 0.
    pub multiplier: i32,
    /// From -31 to 30.
    pub shift: i32,
}

impl FixedPoint {
    /// The nearest to a number; `None` if it is not positive or too large.
    pub fn new(x: f64) -> Option<Self> {
        if !(x > 0.0 && x < f64::from(1 << 30)) {
            return None;
        }
        // The exponent that leaves a fraction from 1/2 to 1, as frexp has it.
        let mut shift = (x.to_bits() >> 52) as i32 - 1022;
        if shift < -40 {
            return Some(Self { multiplier: 0, shift: 0 });
        }
        let mut multiplier = (x * f64::from(-shift).exp2() * f64::from(1_u32 << 31)).round() as i64;
        if multiplier == 1 << 31 {
            (multiplier, shift) = (1 << 30, shift + 1);
        }
        if shift < -31 {
            return Some(Self { multiplier: 0, shift: 0 });
        }
        Some(Self { multiplier: multiplier as i32, shift })
    }

    /// The product with `x`, rounded twice: to the multiplier's fraction, halves up, then to the power of two,
    /// halves away from zero.
    pub fn times(self, x: i32) -> i32 {
        let product = high_product(x.wrapping_shl(self.shift.max(0).cast_unsigned()), self.multiplier);
        rounding_right(product, (-self.shift).max(0))
    }
}

/// The upper half of twice the product, rounded, halves up; what 32 bits cannot hold saturates.
pub fn high_product(a: i32, b: i32) -> i32 {
    let product = i64::from(a) * i64::from(b);
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    ((product + nudge) / (1 << 31)).min(i32::MAX.into()) as i32
}

/// `x / 2ⁿ`, rounded, halves away from zero; `n` is from 0 to 31.
pub fn rounding_right(x: i32, n: i32) -> i32 {
    let mask = ((1_i64 << n) - 1) as i32;
    let threshold = (mask >> 1) + i32::from(x < 0);
    (x >> n) + i32::from(x & mask > threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_fixed_point() {
        let at = |x| FixedPoint::new(x).map(|f| (f.multiplier, f.shift));
        assert_eq!(at(1.0), Some((1 << 30, 1)));
        assert_eq!(at(0.75), Some((3 << 29, 0)));
        assert_eq!(at(0.1), Some((1_717_986_918, -3)));
        assert_eq!(at(1.0 - 1e-12), Some((1 << 30, 1)));
        assert_eq!(at(1e-30), Some((0, 0)));
        assert_eq!([at(0.0), at(-1.0), at(f64::NAN), at(2e9)], [None; 4]);
    }

    #[test]
    fn products_are_rounded_twice() {
        let half = FixedPoint::new(0.5).unwrap();
        assert_eq!([1, -1, 3, -3, 2].map(|x| half.times(x)), [1, 0, 2, -1, 1]);
        let tenth = FixedPoint::new(0.1).unwrap();
        assert_eq!([4, 5, -5, -4, 100].map(|x| tenth.times(x)), [0, 1, -1, 0, 10]);
        assert_eq!(FixedPoint::new(3.0).unwrap().times(-7), -21);
        assert_eq!(high_product(i32::MIN, i32::MIN), i32::MAX);
    }
}
