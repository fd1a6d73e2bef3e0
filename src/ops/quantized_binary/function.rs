//! Functions of two quantised integers as TFLite's kernels and XNNPACK compute them.

use super::super::affine::{Affine, bounds, multiplier, power_of_two};
use crate::error::Unsupported;
use crate::ir::{Activation, DType, FixedPoint, TensorType, high_product, rounding_right};
use crate::unsupported;

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are TFLite's")]
pub enum Function {
    Add,
    Sub,
    Mul,
    Div,
    SquaredDifference,
    Prelu,
}

/// How results are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// As products in fixed point.
    Twice,
    /// Operands are shifted to the result's scale, a power of two.
    Powers,
    /// As XNNPACK does: products in floats, sums by one shift.
    Xnnpack,
}

/// A function of the numbers that integers stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantizedFunction {
    /// Which.
    pub function: Function,
    /// The element type of the first operand and the result.
    pub dtype: DType,
    /// How.
    pub rounding: Rounding,
    /// Of both operands and the result.
    pub zero_points: [i32; 3],
    /// What operands and result are multiplied by. PRELU's first is that of positive operands, its second that of
    /// products with slopes. XNNPACK's sums have integers and a shift, its product the bits of a float.
    pub factors: [FixedPoint; 3],
    /// The least and the largest result.
    pub bounds: [i32; 2],
}

const NONE: FixedPoint = FixedPoint { multiplier: 0, shift: 0 };

impl QuantizedFunction {
    /// Of operands and result of these types. XNNPACK's, if `xnnpack` and it takes the node.
    pub fn of(
        function: Function,
        types: [&TensorType; 3],
        activation: Activation,
        xnnpack: bool,
        powers: bool,
    ) -> Result<Self, Unsupported> {
        let dtype = types[2].dtype;
        let symmetric = dtype == DType::I16 && function != Function::Prelu;
        let affine = if symmetric { Affine::symmetric } else { Affine::of };
        let affines = [affine(types[0])?, affine(types[1])?, affine(types[2])?];
        let scales = affines.map(|affine| affine.scale);
        let by_xnnpack = if xnnpack && dtype != DType::I16 { of_xnnpack(function, scales) } else { None };
        let by_powers = if powers && dtype == DType::I16 { of_powers(scales)? } else { None };
        let (rounding, factors) = match (by_xnnpack, by_powers) {
            (Some(factors), _) => (Rounding::Xnnpack, factors),
            (_, Some(factors)) => (Rounding::Powers, factors),
            _ => (Rounding::Twice, twice(function, dtype, scales)?),
        };
        let bounds = bounds(types[2], activation, rounding == Rounding::Xnnpack)?;
        let zero_points = affines.map(|affine| affine.zero_point);
        Ok(Self { function, dtype, rounding, zero_points, factors, bounds })
    }

    /// The bits that operands are shifted by before they are scaled.
    pub fn left(&self) -> i32 {
        left(self.function, self.dtype)
    }

    /// The result of two integers.
    pub fn apply(&self, a: i32, b: i32) -> i32 {
        let (a, b) = (a - self.zero_points[0], b - self.zero_points[1]);
        let y = match self.rounding {
            Rounding::Twice => self.rounded_twice(a, b),
            Rounding::Powers => {
                let [a, b] = [(a, 0), (b, 1)].map(|(x, n)| rounding_right(x, -self.factors[n].shift));
                if self.function == Function::Add { a + b } else { a - b }
            }
            Rounding::Xnnpack => self.by_xnnpack(a, b),
        };
        y.wrapping_add(self.zero_points[2]).max(self.bounds[0]).min(self.bounds[1])
    }

    fn rounded_twice(&self, a: i32, b: i32) -> i32 {
        let [first, second, last] = self.factors;
        let scaled = |factor: FixedPoint, x: i32| factor.times(x << self.left());
        match self.function {
            Function::Add => last.times(scaled(first, a) + scaled(second, b)),
            Function::Sub => last.times(scaled(first, a) - scaled(second, b)),
            Function::SquaredDifference => {
                let difference = scaled(first, a) - scaled(second, b);
                last.times(difference.wrapping_mul(difference))
            }
            Function::Mul => last.times(a * b),
            Function::Prelu if a >= 0 => first.times(a),
            Function::Prelu => second.times(a * b),
            Function::Div => quotient(a, b, last),
        }
    }

    fn by_xnnpack(&self, a: i32, b: i32) -> i32 {
        let [first, second, last] = self.factors;
        if self.function == Function::Mul {
            return ((a * b) as f32 * f32::from_bits(last.multiplier.cast_unsigned())).round_ties_even()
                as i32;
        }
        (a * first.multiplier + b * second.multiplier + (1 << (last.shift - 1))) >> last.shift
    }
}

fn left(function: Function, dtype: DType) -> i32 {
    match (function, dtype) {
        (Function::SquaredDifference, _) => 7,
        (Function::Add | Function::Sub, DType::I16) => 15,
        (Function::Add | Function::Sub, _) => 20,
        _ => 0,
    }
}

/// The factors of products in fixed point.
fn twice(function: Function, dtype: DType, [a, b, y]: [f32; 3]) -> Result<[FixedPoint; 3], Unsupported> {
    let below_one = |x: f64| {
        let factor = multiplier(x)?;
        // TFLite ends the process.
        if x >= 1.0 || factor.shift > 0 {
            unsupported!("sums of scales {a} and {b} become {y}");
        }
        Ok(factor)
    };
    let unit = (1_i64 << left(function, dtype)) as f32;
    let largest = f64::from(2.0 * a.max(b));
    let operands = || Ok([below_one(f64::from(a) / largest)?, below_one(f64::from(b) / largest)?]);
    Ok(match function {
        Function::Add | Function::Sub => {
            let [first, second] = operands()?;
            [first, second, below_one(largest / f64::from(unit * y))?]
        }
        Function::SquaredDifference => {
            let [first, second] = operands()?;
            [first, second, below_one(largest * largest / f64::from(unit * unit * y))?]
        }
        Function::Mul => [NONE, NONE, multiplier(f64::from(a * b / y))?],
        Function::Prelu => [multiplier(f64::from(a / y))?, multiplier(f64::from(a * b / y))?, NONE],
        Function::Div => {
            let factor = multiplier(f64::from(a / (b * y)))?;
            // Further shifts leave 64 bits, and the other way are those of TFLite to the right by less than 0.
            if !(-16..=15).contains(&factor.shift) {
                unsupported!("scale {a} by {b} becomes {y}");
            }
            [NONE, NONE, factor]
        }
    })
}

/// XNNPACK's factors, if it takes the scales.
fn of_xnnpack(function: Function, [a, b, y]: [f32; 3]) -> Option<[FixedPoint; 3]> {
    match function {
        Function::Mul => {
            let scale = a * b / y;
            let multiplier = scale.to_bits().cast_signed();
            (1.0 / 65536.0..256.0).contains(&scale).then_some([
                NONE,
                NONE,
                FixedPoint { multiplier, shift: 0 },
            ])
        }
        Function::Add | Function::Sub => {
            let scales = [a / y, b / y];
            if !scales.iter().all(|scale| (1.0 / 1024.0..256.0).contains(scale)) {
                return None;
            }
            // The larger one gets 21 digits.
            let exponent = (scales[0].max(scales[1]).to_bits() >> 23).cast_signed() - 127;
            let shift = 20 - exponent;
            let [a, b] = scales.map(|scale| (scale * (shift as f32).exp2()).round_ties_even() as i32);
            let b = if function == Function::Sub { -b } else { b };
            Some([
                FixedPoint { multiplier: a, shift: 0 },
                FixedPoint { multiplier: b, shift: 0 },
                FixedPoint { multiplier: 0, shift },
            ])
        }
        _ => None,
    }
}

/// The shifts of 16-bit operands, if all scales are powers of two.
fn of_powers(scales: [f32; 3]) -> Result<Option<[FixedPoint; 3]>, Unsupported> {
    let [Some(a), Some(b), Some(y)] = scales.map(power_of_two) else { return Ok(None) };
    let [a, b] = [a - y, b - y];
    if !(-15..=0).contains(&a) || !(-15..=0).contains(&b) || (a != 0 && b != 0) {
        unsupported!("sums of scales {} and {} become {}", scales[0], scales[1], scales[2]);
    }
    let shift = |shift| FixedPoint { multiplier: 0, shift };
    Ok(Some([shift(a), shift(b), NONE]))
}

/// `a / b` times a factor, whose shift is from -16 to 15; 0 if `b` is.
fn quotient(a: i32, b: i32, factor: FixedPoint) -> i32 {
    let (a, b) = if b < 0 { (-a, -b) } else { (a, b) };
    if b == 0 {
        return 0;
    }
    let (inverse, integer_digits) = reciprocal(b);
    let headroom = (if a < 0 { !a } else { a }).leading_zeros().cast_signed() - 1;
    let y = high_product(high_product(a << headroom, inverse), factor.multiplier);
    match integer_digits + headroom - factor.shift {
        n @ 0..32 => rounding_right(y, n),
        // TFLite's shifts by 32 bits and more are those by n - 32.
        n => (y >> (n & 31)) + i32::from(y >= 0),
    }
}

/// The reciprocal of `d / 2ⁿ`, which is from 1 to 2, with 31 bits behind the point, and `n`; by Newton's method as
/// gemmlowp has it.
fn reciprocal(d: i32) -> (i32, i32) {
    let left = |x: i32, n: u32| (i64::from(x) << n).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    let digits = d.ilog2().cast_signed();
    let fraction = (d.cast_unsigned() << (31 - digits)) & 0x7fff_ffff;
    let denominator = ((fraction + 0x8000_0000) >> 1).cast_signed();
    // Two bits before the point: 48/17, -32/17.
    let mut x = 1_515_870_810 + high_product(denominator, -1_010_580_540);
    for _ in 0..3 {
        x += left(high_product(x, (1 << 29) - high_product(denominator, x)), 2);
    }
    (left(x, 1), digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Quantization;
    use std::sync::Arc;

    fn of(
        function: Function,
        dtype: DType,
        quant: [(f32, i32); 3],
        xnnpack: bool,
    ) -> Result<QuantizedFunction, Unsupported> {
        let types = quant.map(|(scale, zero_point)| {
            let quant = Quantization { scale: vec![scale], zero_point: vec![zero_point], axis: 0 };
            TensorType { dtype, quant: Some(Arc::new(quant)), ..TensorType::f32([1]) }
        });
        QuantizedFunction::of(function, [&types[0], &types[1], &types[2]], Activation::None, xnnpack, true)
    }

    #[test]
    fn numbers() {
        let at = |function, dtype, quant, a, b| of(function, dtype, quant, false).unwrap().apply(a, b);
        let even = [(0.1, 0), (0.1, 0), (0.1, 0)];
        assert_eq!(at(Function::Add, DType::I8, even, 100, 27), 127);
        assert_eq!(at(Function::Sub, DType::U8, [(0.1, 5), (0.2, 7), (0.1, 9)], 25, 17), 9);
        assert_eq!(at(Function::Mul, DType::I8, [(0.1, 1), (0.1, -1), (0.01, 3)], 11, 4), 53);
        assert_eq!(at(Function::SquaredDifference, DType::I8, even, 30, 10), 40);
        assert_eq!(at(Function::Prelu, DType::I8, even, 30, 10), 30);
        assert_eq!(at(Function::Prelu, DType::I8, even, -30, 10), -30);
        assert_eq!(at(Function::Div, DType::U8, [(0.1, 0), (0.1, 0), (0.01, 0)], 30, 20), 150);
        // A quotient of 1/128 shifts by 32 bits.
        assert_eq!(at(Function::Div, DType::U8, [(0.05, 0); 3], 1, 128), 255);
        let powers = [(1.0 / 32768.0, 0), (1.0 / 65536.0, 0), (1.0 / 32768.0, 0)];
        assert_eq!(at(Function::Add, DType::I16, powers, 32000, 3001), 32767);
        assert_eq!(at(Function::Sub, DType::I16, powers, 5, 3), 3);
    }

    #[test]
    fn xnnpack_rounds_once() {
        let op = of(Function::Mul, DType::I8, [(0.5, 0), (0.25, 0), (0.25, 0)], true).unwrap();
        assert_eq!((op.rounding, [1, 3, 5, -3].map(|a| op.apply(a, 1))), (Rounding::Xnnpack, [0, 2, 2, -2]));
        let op = of(Function::Add, DType::I8, [(0.1, 0), (0.1, 0), (0.2, 0)], true).unwrap();
        assert_eq!([1, 3, -1, -3].map(|a| op.apply(a, 0)), [1, 2, 0, -1]);
        // Scales that it leaves to TFLite.
        let op = of(Function::Add, DType::I8, [(0.1, 0), (0.1, 0), (1e-4, 0)], true).unwrap();
        assert_eq!(op.rounding, Rounding::Twice);
    }

    #[test]
    fn scales_that_tflite_dies_of_are_refused() {
        let refused =
            |function, scales: [f32; 3]| of(function, DType::I8, scales.map(|s| (s, 0)), false).is_err();
        assert!(refused(Function::Add, [1.0, 1.0, 1e-7]));
        assert!(refused(Function::SquaredDifference, [1.0, 1.0, 1e-5]));
        assert!(refused(Function::Div, [1.0, 1e-9, 1.0]));
        assert!(refused(Function::Mul, [1e5, 1e5, 1e-5]));
    }

    #[test]
    fn reciprocals() {
        for d in [1, 2, 3, 5, 127, 255, 65535] {
            let (inverse, digits) = reciprocal(d);
            let got = f64::from(inverse) / f64::from(1_u32 << 31) / f64::from(1 << digits);
            assert!((got * f64::from(d) - 1.0).abs() < 1e-8, "{d}: {got}");
        }
    }
}
