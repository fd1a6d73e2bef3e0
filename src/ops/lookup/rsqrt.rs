//! RSQRT of 8-bit integers, in fixed point as TFLite has it (gemmlowp).

use super::super::affine::multiplier;
use super::mapping::Mapping;
use crate::error::Unsupported;
use crate::ir::{FixedPoint, high_product, rounding_right};
use crate::unsupported;

/// Bits that reciprocals are shifted by, to keep their digits.
const SHIFT: i32 = 20;

/// Results by integer.
pub fn function(op: &Mapping) -> Result<impl Fn(i32) -> i32, Unsupported> {
    let scale = 1.0 / f64::from(op.from.scale.sqrt() * op.to.scale);
    let FixedPoint { multiplier, shift } = multiplier(scale)?;
    if shift < SHIFT - 31 {
        unsupported!("from scale {} to {}", op.from.scale, op.to.scale);
    }
    let (op, factor) = (op.clone(), FixedPoint { multiplier, shift: shift - SHIFT });
    Ok(move |q: i32| match q - op.from.zero_point {
        0 => op.range()[1],
        ..0 => op.saturated(op.to.zero_point),
        x => {
            let inverse = inverse_root(x);
            let data = FixedPoint { shift: inverse.shift + SHIFT, ..inverse }.times(1);
            op.saturated(factor.times(data).wrapping_add(op.to.zero_point))
        }
    })
}

/// `1 / √x` for a positive `x` below 2²⁷, by Newton's method: numbers have three bits before the point.
fn inverse_root(x: i32) -> FixedPoint {
    if x <= 1 {
        return FixedPoint { multiplier: i32::MAX, shift: 0 };
    }
    let pairs = (x.leading_zeros().cast_signed() - 1) / 2 - 1;
    let half = rounding_right((x << (2 * pairs)) >> 1, 1);
    let left = |x: i32, n: u32| (i64::from(x) << n).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    let mut y = 1 << 28;
    for _ in 0..5 {
        let cube = left(high_product(high_product(y, y), y), 6);
        let three_halves = high_product((1 << 28) + (1 << 27), y);
        y = left(three_halves.wrapping_sub(high_product(half, cube)), 3);
    }
    // √½, without bits before the point.
    let y = high_product(y, 1_518_500_250);
    match 11 - pairs {
        right @ 0.. => FixedPoint { multiplier: y, shift: -right },
        left => FixedPoint { multiplier: y << -left, shift: 0 },
    }
}
