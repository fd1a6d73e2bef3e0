//! Functions of numbers in fixed point, as TFLite's kernels have them (gemmlowp). `Qm.n` is an integer that stands for
//! `x / 2ⁿ` and has `m` bits in front of the point. `kernels/lib/fixed_functions.glsl` computes the same.

use super::{high_product, rounding_right};

/// `x · 2ⁿ` between the ends of 32 bits.
fn left(x: i32, n: i32) -> i32 {
    let most = ((1_i64 << (31 - n)) - 1) as i32;
    if x > most {
        i32::MAX
    } else if x < -most {
        i32::MIN
    } else {
        x << n
    }
}

/// The exponential, in Q0.31, of a Q5.26 that is not positive.
pub fn exp(a: i32) -> i32 {
    const QUARTER: i32 = 1 << 24;
    /// exp(-1/4), exp(-1/2) and so on to exp(-16).
    const FACTORS: [i32; 7] =
        [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    if a == 0 {
        return i32::MAX;
    }
    let part = (a & (QUARTER - 1)) - QUARTER;
    let rest = part.wrapping_sub(a);
    let bits = FACTORS.iter().enumerate().filter(|(n, _)| rest >> (24 + n) & 1 == 1);
    bits.fold(exp_of_quarter(left(part, 5)), |y, (_, factor)| high_product(y, *factor))
}

/// The exponential of a Q0.31 from -1/4 to 0, by a polynomial around -1/8.
fn exp_of_quarter(a: i32) -> i32 {
    const EXP_OF_EIGHTH: i32 = 1_895_147_668;
    const THIRD: i32 = 715_827_883;
    let x = a + (1 << 28);
    let x2 = high_product(x, x);
    let x3 = high_product(x2, x);
    let x4 = rounding_right(high_product(x2, x2), 2);
    let rest = rounding_right(high_product(x4 + x3, THIRD) + x2, 1);
    EXP_OF_EIGHTH + high_product(EXP_OF_EIGHTH, x + rest)
}

/// `1 / (1 + a)` of a Q0.31 that is not negative.
pub fn one_over_one_plus(a: i32) -> i32 {
    let half = ((i64::from(a) + (1 << 31)) >> 1) as i32;
    let mut x = 1_515_870_810_i32.wrapping_add(high_product(half, -1_010_580_540));
    for _ in 0..3 {
        let rest = (1_i32 << 29).wrapping_sub(high_product(half, x));
        x = x.wrapping_add(left(high_product(x, rest), 2));
    }
    left(x, 1)
}

/// The reciprocal of a positive Q12.19: a Q0.31, and by how many bits it is to be moved right.
pub fn reciprocal(x: i32) -> (i32, i32) {
    let room = x.leading_zeros().min(31);
    let fraction = (x.cast_unsigned() << room).wrapping_sub(1 << 31).cast_signed();
    (one_over_one_plus(fraction), 12 - room.cast_signed())
}

/// The logarithm, in Q5.26, of a Q12.19 that is 1 or more.
pub fn log(x: i32) -> i32 {
    const LOG_2: i32 = 1_488_522_236;
    const ROOT_OF_HALF: i32 = 1_518_500_250;
    const FOURTH_ROOT_OF_HALF: i32 = 1_805_811_301;
    const QUARTER: i32 = 1 << 23;
    let room = |x: i32| x.leading_zeros().cast_signed();
    let power = |n: i32| left(n, 25);
    let a_room = room(x).max(1);
    let a = left(high_product(left(x, a_room - 1), ROOT_OF_HALF), 1);
    let a_power = power(12 - a_room).saturating_add(QUARTER);
    let b_room = (room(high_product(x, ROOT_OF_HALF)) - 1).max(0);
    let b = left(x, b_room);
    let b_power = power(12 - b_room).saturating_sub(QUARTER);
    let r = a.min(b);
    let mean = ((i64::from(r) + i64::from(FOURTH_ROOT_OF_HALF) + 1) >> 1) as i32;
    let q = r.wrapping_sub(FOURTH_ROOT_OF_HALF).wrapping_mul(2);
    let square = high_product(q, q);
    let numerator = high_product(q, r).wrapping_add(high_product(high_product(q, square), 117_049_297));
    let inner = 1_057_819_769_i32.wrapping_add(q).wrapping_add(high_product(127_690_142, square));
    let denominator = high_product(mean, inner).wrapping_add(high_product(638_450_708, q));
    let quotient = high_product(rounding_right(numerator, 6), one_over_one_plus(denominator));
    left(high_product(a_power.max(b_power), LOG_2).wrapping_add(quotient), 1)
}

/// `1 / √x` of an integer that is not negative: a multiplier and a power of two, as
/// [`FixedPoint`](super::FixedPoint) has them. 0 counts as 1.
pub fn inverse_root(x: i32) -> (i32, i32) {
    const ROOT_OF_HALF: i32 = 1_518_500_250;
    if x <= 1 {
        return (i32::MAX, 0);
    }
    let (mut input, mut shift) = (x, 11);
    while input >= 1 << 29 {
        (input, shift) = (input / 4, shift + 1);
    }
    let pairs = (input.leading_zeros().cast_signed() - 1) / 2 - 1;
    shift -= pairs;
    input <<= 2 * pairs;
    let half = rounding_right(input >> 1, 1);
    let mut y = 1_i32 << 28;
    for _ in 0..5 {
        let cube = left(high_product(high_product(y, y), y), 6);
        let next = high_product((1 << 28) + (1 << 27), y).wrapping_sub(high_product(half, cube));
        y = left(next, 3);
    }
    y = high_product(y, ROOT_OF_HALF);
    if shift < 0 { (y << -shift, 0) } else { (y, -shift) }
}

/// A table of a function of 16-bit integers: 512 numbers and the one behind the last, between which is interpolated.
/// Operands are `scale · (i − zero_point)`, results have the scale 2 / 65535.
pub fn table_16(scale: f64, zero_point: i32, f: impl Fn(f64) -> f64) -> Vec<i16> {
    const STEPS: i32 = 512;
    let end = |n: i32| scale * f64::from(n - zero_point);
    let (first, last) = (end(-32_768), end(32_767));
    let step = (last - first) / f64::from(STEPS);
    let y_scale = 2.0 / 65_535.0;
    let inverse = 65_536.0 / (y_scale * 32_767.0 - y_scale * -32_768.0);
    let cut = |x: f64| x.clamp(-32_768.0, 32_767.0) as i16;
    let sample = |i: i32| {
        let at = first + f64::from(i) * step;
        let value = (f(at) * inverse).round();
        let between = ((f(first + f64::from(i + 1) * step) * inverse + value) / 2.0).round();
        let middle = (f(at + step / 2.0) * inverse).round();
        cut(value - ((between - middle) / 2.0).round())
    };
    (0..STEPS).map(sample).chain([cut((f(last) * inverse).round())]).collect()
}

/// The function whose table this is.
pub fn look_up_16(table: &[i16], x: i32) -> i32 {
    let i = (256 + (x >> 7)) as usize;
    let [base, next] = [table[i], table[i + 1]].map(i32::from);
    base + (((next - base) * (x & 127) + 64) >> 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64, error: f64, what: &str) {
        assert!((got - want).abs() <= error, "{what}: {got} instead of {want}");
    }

    #[test]
    fn functions_are_those_of_real_numbers() {
        let unit = f64::from(1 << 30) * 2.0;
        for i in 0..2000 {
            let x = -f64::from(i) / 64.0;
            near(f64::from(exp((x * f64::from(1 << 26)) as i32)) / unit, x.exp(), 4e-7, "exp");
            let a = f64::from(i) / 2000.0;
            near(
                f64::from(one_over_one_plus((a * unit) as i32)) / unit,
                1.0 / (1.0 + a),
                1e-8,
                "1 / (1 + a)",
            );
            let x = 1.0 + f64::from(i) * 2.0;
            let raw = (x * f64::from(1 << 19)) as i32;
            near(f64::from(log(raw)) / f64::from(1 << 26), x.ln(), 1e-6, "log");
            let (y, shift) = reciprocal(raw);
            near(f64::from(y) / unit * x / f64::from(shift).exp2(), 1.0, 1e-8, "reciprocal");
            let (y, shift) = inverse_root(i * 1_000_003 + 2);
            let root = f64::from(i * 1_000_003 + 2).sqrt();
            near(f64::from(y) / unit * f64::from(shift).exp2() * root, 1.0, 1e-5, "1 / √x");
        }
        assert_eq!((inverse_root(0), inverse_root(1)), ((i32::MAX, 0), (i32::MAX, 0)));
        assert_eq!(exp(i32::MIN), 0);
    }

    #[test]
    fn tables_interpolate() {
        let table = table_16(10.0 / 65_535.0, 32_767, f64::exp);
        for x in (-32_768..32_768).step_by(97) {
            let want = (f64::from(x - 32_767) * 10.0 / 65_535.0).exp() * 32_767.5;
            near(f64::from(look_up_16(&table, x)), want, 5.0, "exp");
        }
    }
}
