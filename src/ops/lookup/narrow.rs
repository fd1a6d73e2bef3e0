//! Functions of 8-bit integers as TFLite's kernels and XNNPACK compute them.

use super::super::affine::{Affine, multiplier};
use super::mapping::{Function, Mapping};
use super::rsqrt;
use crate::error::Unsupported;
use crate::ir::{FixedPoint, rounding_right};
use crate::options::Integers;
use crate::tflite::erfc;
use crate::unsupported;

/// Whether XNNPACK takes a function of 8-bit integers.
pub fn is_of_xnnpack(function: Function, from: Affine, to: Affine) -> bool {
    let quotient = from.scale / to.scale;
    match function {
        Function::Logistic | Function::Tanh | Function::Elu => true,
        Function::Identity => (1.0 / 256.0..=128.0).contains(&quotient),
        Function::LeakyRelu { alpha } => {
            let below = quotient * alpha;
            (1.0 / 256.0..=128.0).contains(&quotient)
                && (-127.996_09..=128.0).contains(&below)
                && below.abs() >= 1.0 / 256.0
        }
        _ => false,
    }
}

/// Results by integer.
pub fn function(op: &Mapping) -> Result<Box<dyn Fn(i32) -> i32 + '_>, Unsupported> {
    let Mapping { function, from, to, kernels, .. } = *op;
    Ok(match (function, kernels) {
        (Function::LeakyRelu { .. } | Function::Identity, Integers::Xnnpack) => {
            let alpha = if let Function::LeakyRelu { alpha } = function { alpha } else { 1.0 };
            let above = 256.0 * (from.scale / to.scale);
            let below = 256.0 * (from.scale / to.scale * alpha);
            let [above, below] = [above, below].map(|x| x.round_ties_even() as i32);
            Box::new(move |q| {
                let x = q - from.zero_point;
                op.saturated((x * if x >= 0 { above } else { below } + 128 + (to.zero_point << 8)) >> 8)
            })
        }
        (Function::Logistic | Function::Tanh | Function::Elu, Integers::Xnnpack) => Box::new(move |q| {
            let x = (q as f32 - from.zero_point as f32) * from.scale;
            op.saturated(to.stored_by_xnnpack(xnnpack(function, x)))
        }),
        (Function::Clamp { .. } | Function::LeakyRelu { .. } | Function::Abs, _) => scaled(op)?,
        (Function::HardSwish, _) => Box::new(hard_swish(op)?),
        (Function::Rsqrt, _) => Box::new(rsqrt::function(op)?),
        (Function::Identity, _) => {
            // As CONCATENATION has it.
            let scale = from.scale * (1.0 / to.scale);
            let bias = -from.zero_point as f32 * scale;
            Box::new(move |q| {
                op.saturated(((q as f32 * scale + bias).round() as i32).wrapping_add(to.zero_point))
            })
        }
        (Function::Sqrt, _) => Box::new(move |q| op.saturated(root(op, q))),
        _ => {
            if function == Function::Logistic && to.scale != 1.0 / 256.0 {
                unsupported!("a result of scale {}, 1/256 is supported", to.scale);
            }
            let inverse = 1.0 / to.scale;
            Box::new(move |q| {
                let x = from.scale * (q - from.zero_point) as f32;
                let y = (float(op, x) * inverse).round() + to.zero_point as f32;
                op.saturated(if kernels == Integers::Reference214 { to_int(y) } else { y as i32 })
            })
        }
    })
}

/// Functions of floats as TFLite has them for its tables.
pub fn float(op: &Mapping, x: f32) -> f32 {
    match op.function {
        Function::Logistic => 1.0 / (1.0 + (-x).exp()),
        Function::Tanh => x.tanh(),
        Function::Gelu { approximate: false } => 0.5 * x * erfc(x * -std::f32::consts::FRAC_1_SQRT_2),
        Function::Gelu { approximate: true } => {
            0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x * x * x)).tanh())
        }
        Function::Elu if x >= 0.0 => x,
        Function::Elu if op.kernels == Integers::Reference214 => x.exp() - 1.0,
        Function::Elu => x.exp_m1(),
        Function::Exp => x.exp(),
        Function::Log if x <= 0.0 => op.to.scale * (op.range()[0] - op.to.zero_point) as f32,
        Function::Log => x.ln(),
        // Of 16-bit integers alone.
        Function::Rsqrt if x <= 0.0 => op.range()[1] as f32 * op.to.scale,
        Function::Rsqrt => 1.0 / x.sqrt(),
        other => unreachable!("{other:?} has no table of floats"),
    }
}

/// Functions of floats as XNNPACK has them.
fn xnnpack(function: Function, x: f32) -> f32 {
    match function {
        Function::Logistic if x > 100.0 => 1.0,
        Function::Logistic if x < -100.0 => 0.0,
        Function::Logistic => {
            let e = f64::from(x).exp();
            (e / (1.0 + e)) as f32
        }
        Function::Tanh => x.tanh(),
        _ if x < 0.0 => x.exp_m1(),
        _ => x,
    }
}

/// A root, rounded down.
pub fn root(op: &Mapping, q: i32) -> i32 {
    let x = op.from.scale * (q - op.from.zero_point) as f32;
    to_int(x.max(0.0).sqrt() / op.to.scale).wrapping_add(op.to.zero_point)
}

/// As C's conversion of floats: what 32 bits cannot hold is what the host's processor makes of it.
fn to_int(x: f32) -> i32 {
    let beyond = !(-2_147_483_648.0..2_147_483_648.0).contains(&x);
    if cfg!(any(target_arch = "x86", target_arch = "x86_64")) && beyond { i32::MIN } else { x as i32 }
}

/// Functions that bring numbers to another scale in fixed point.
pub fn scaled(op: &Mapping) -> Result<Box<dyn Fn(i32) -> i32 + '_>, Unsupported> {
    let Mapping { function, from, to, .. } = *op;
    let [least, most] = op.range();
    let factor = multiplier(f64::from(from.scale / to.scale))?;
    let moved = move |factor: FixedPoint, x: i32| factor.times(x).wrapping_add(to.zero_point);
    Ok(match function {
        Function::Clamp { low, high } => {
            let low = to.stored(low).max(least);
            let high = if high == f32::INFINITY { most } else { to.stored(high).min(most) };
            Box::new(move |q| moved(factor, q - from.zero_point).max(low).min(high))
        }
        Function::Abs if from.scale == to.scale => {
            Box::new(move |q| op.saturated((q - from.zero_point).abs() + to.zero_point))
        }
        Function::Abs => Box::new(move |q| op.saturated(moved(factor, (q - from.zero_point).abs()))),
        Function::LeakyRelu { alpha } => {
            let below = multiplier(f64::from(from.scale * alpha / to.scale))?;
            Box::new(move |q| {
                let x = q - from.zero_point;
                op.saturated(moved(if x >= 0 { factor } else { below }, x))
            })
        }
        other => unreachable!("{other:?} is no change of scale"),
    })
}

/// HARD_SWISH in 16-bit fixed point.
fn hard_swish(op: &Mapping) -> Result<impl Fn(i32) -> i32, Unsupported> {
    let Mapping { from, to, .. } = *op;
    let op = op.clone();
    let fine = 1.0 / 128.0 * from.scale;
    let output = multiplier(f64::from(fine / to.scale))?;
    let reluish = multiplier(f64::from(fine / (3.0 / 32768.0)))?;
    if output.shift > 0 {
        unsupported!("from scale {} to {}", from.scale, to.scale);
    }
    Ok(move |q: i32| {
        let x = ((q - from.zero_point) * 128) as i16;
        let linear = high_product_16(x, upper(output));
        let mut gate = x;
        if reluish.shift > 0 {
            gate = saturating_left(gate, reluish.shift - 1);
        }
        gate = high_product_16(gate, upper(reluish));
        if reluish.shift > 0 {
            gate = saturating_left(gate, 1);
        }
        if reluish.shift < 0 {
            gate = rounding_right_16(gate, -reluish.shift);
        }
        let gate = (i32::from(gate) + (1 << 15)) >> 1;
        // Rounded toward zero.
        let product = (gate * i32::from(linear) / (1 << 15)) as i16;
        op.saturated((i32::from(rounding_right_16(product, -output.shift)) + to.zero_point) as i16 as i32)
    })
}

/// The upper half of a multiplier, rounded.
fn upper(factor: FixedPoint) -> i16 {
    if factor.multiplier >= i32::MAX - (1 << 15) {
        i16::MAX
    } else {
        ((factor.multiplier + (1 << 15)) >> 16) as i16
    }
}

fn saturating_left(x: i16, n: i32) -> i16 {
    (i64::from(x) << n).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// The upper half of twice the product, rounded, halves up; `b` is not negative.
fn high_product_16(a: i16, b: i16) -> i16 {
    let product = i32::from(a) * i32::from(b);
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    ((product + nudge) / (1 << 15)) as i16
}

/// `x / 2ⁿ` as gemmlowp has it for 16 bits: more than 15 shift out all but the sign.
fn rounding_right_16(x: i16, n: i32) -> i16 {
    if n <= 15 {
        return rounding_right(x.into(), n) as i16;
    }
    if x >= 0 { 1 } else { -1 }
}
