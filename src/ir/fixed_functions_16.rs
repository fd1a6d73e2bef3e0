//! Functions of 16-bit numbers in fixed point, as TFLite's recurrent kernels have them (gemmlowp). Their tables of all
//! numbers go to the device.

use super::rounding_right;

const ONE: i32 = i16::MAX as i32;

/// What 16 bits keep of a number.
fn cut(x: i32) -> i32 {
    (x as i16).into()
}

/// The upper half of twice the product, rounded, halves up.
fn high_product(a: i32, b: i32) -> i32 {
    if (a, b) == (-32_768, -32_768) {
        return ONE;
    }
    let product = a * b;
    (product + if product >= 0 { 1 << 14 } else { 1 - (1 << 14) }) / (1 << 15)
}

/// `x · 2ⁿ` between the ends of 16 bits.
fn left(x: i32, n: i32) -> i32 {
    let most = (1 << (15 - n)) - 1;
    if x > most {
        ONE
    } else if x < -most {
        -32_768
    } else {
        x << n
    }
}

/// A constant that is written in 32 bits.
fn constant(x: i32) -> i32 {
    rounding_right(x, 16)
}

/// The exponential, in Q0.15, of a number with `bits` in front of the point that is not positive.
fn exp(a: i32, bits: i32) -> i32 {
    const FACTORS: [i32; 7] =
        [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    if a == 0 {
        return ONE;
    }
    let fraction = 15 - bits;
    let quarter = 1 << (fraction - 2);
    let part = (a & (quarter - 1)) - quarter;
    let mut y = exp_of_quarter(left(part, bits));
    let rest = cut(part - a);
    for (exponent, factor) in (-2..5).zip(FACTORS) {
        if bits > exponent && rest >> (fraction + exponent) & 1 == 1 {
            y = high_product(y, constant(factor));
        }
    }
    // Behind -32 nothing is left.
    if bits > 5 && a < -(32 << fraction) { 0 } else { y }
}

/// The exponential of a Q0.15 from -1/4 to 0.
fn exp_of_quarter(a: i32) -> i32 {
    let (exp_of_eighth, third) = (constant(1_895_147_668), constant(715_827_883));
    let x = a + (1 << 12);
    let x2 = high_product(x, x);
    let x3 = high_product(x2, x);
    let x4 = rounding_right(high_product(x2, x2), 2);
    let rest = rounding_right(cut(high_product(cut(x4 + x3), third) + x2), 1);
    (exp_of_eighth + high_product(exp_of_eighth, cut(x + rest))).clamp(-32_768, ONE)
}

/// Twice the reciprocal of `1 + a`, a Q0.15 that is not negative, as Q2.13.
fn reciprocal(a: i32) -> i32 {
    let half = (a + ONE + 1) / 2;
    let mut x = cut(constant(1_515_870_810) + high_product(half, constant(-1_010_580_540)));
    for _ in 0..3 {
        let rest = cut((1 << 13) - high_product(half, x));
        x = cut(x + left(high_product(x, rest), 2));
    }
    x
}

/// `1 / (1 + e^-x)`, in Q0.15, of a Q3.12.
pub fn logistic(x: i16) -> i16 {
    let x = i32::from(x);
    let positive = || left(reciprocal(exp(cut(-x.abs()), 3)), 1);
    let y = match x {
        0 => 1 << 14,
        1.. => positive(),
        _ => ONE - positive(),
    };
    y as i16
}

/// The hyperbolic tangent, in Q0.15, of a number with `bits` in front of the point.
pub fn tanh(x: i16, bits: i32) -> i16 {
    let negative = i32::from(x).abs().wrapping_neg();
    // (1 - e) / (1 + e) is 2 / (1 + e) - 1; doubling moves the point.
    let y = || left(cut(reciprocal(exp(negative, bits + 1)) - (1 << 13)), 2);
    match x {
        0 => 0,
        1.. => y() as i16,
        _ => cut(-y()) as i16,
    }
}

/// A function of all 16-bit numbers, from the least on.
pub fn table(f: impl Fn(i16) -> i16) -> Vec<i16> {
    (i16::MIN..=i16::MAX).map(f).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_real_numbers() {
        let near = |got: i16, want: f64, what: &str| {
            assert!((f64::from(got) - want * 32_768.0).abs() < 16.0, "{what}: {got} instead of {want}");
        };
        for x in (i16::MIN..i16::MAX).step_by(7) {
            let real = |bits: i32| f64::from(x) / f64::from(15 - bits).exp2();
            near(logistic(x), 1.0 / (1.0 + (-real(3)).exp()), "logistic");
            for bits in 0..=6 {
                near(tanh(x, bits), real(bits).tanh(), "tanh");
            }
        }
        assert_eq!((logistic(0), tanh(0, 3)), (1 << 14, 0));
    }
}
