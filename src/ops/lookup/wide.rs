//! Functions of 16-bit integers as TFLite's kernels compute them: LOGISTIC and TANH from one table of the sigmoid,
//! others from a table of 513 values that are the function's at every 128th integer.

use super::super::affine::power_of_two;
use super::mapping::{Function, Mapping};
use super::narrow::{float, root, scaled};
use crate::error::Unsupported;
use crate::unsupported;

/// Results by integer.
pub fn function(op: &Mapping) -> Result<Box<dyn Fn(i32) -> i32 + '_>, Unsupported> {
    Ok(match op.function {
        Function::Clamp { .. } | Function::LeakyRelu { .. } | Function::Abs => scaled(op)?,
        Function::Sqrt => Box::new(|q| op.saturated(root(op, q))),
        Function::Logistic => Box::new(logistic(operand(op, 0)?)),
        Function::Tanh => Box::new(tanh(operand(op, 1)?)),
        _ => {
            let table = table(op);
            Box::new(move |q| interpolated(&table, q))
        }
    })
}

/// How the operand becomes three 4096ths: a product, shifted to the right.
#[derive(Clone, Copy)]
struct Scaling {
    multiplier: i32,
    right: u32,
}

impl Scaling {
    fn apply(self, q: i32) -> i32 {
        let half = if self.right > 0 { 1 << (self.right - 1) } else { 0 };
        (q * self.multiplier + half) >> self.right
    }
}

/// The scaling of the operand. Powers of two from 2⁻¹² up to `largest` higher ones take no product.
fn operand(op: &Mapping, largest: i32) -> Result<Scaling, Unsupported> {
    if op.to.scale != 1.0 / 32768.0 {
        unsupported!("a result of scale {}, 1/32768 is supported", op.to.scale);
    }
    if let Some(shift) =
        power_of_two(op.from.scale).map(|power| power + 12).filter(|n| (0..=largest).contains(n))
    {
        return Ok(Scaling { multiplier: 3 << shift, right: 0 });
    }
    let (mut product, mut right) = (f64::from(op.from.scale) * 4096.0 * 3.0, 0);
    while product <= 32767.0 / 2.0 && right <= 30 {
        (product, right) = (2.0 * product, right + 1);
    }
    // Larger products leave 32 bits.
    if !(1.0..32768.0).contains(&product) {
        unsupported!("an operand of scale {}", op.from.scale);
    }
    Ok(Scaling { multiplier: product as i32, right })
}

/// `2¹⁶ σ(i / 24)` between entries of the table, with `digits` more bits.
fn sigmoid(x: u32, digits: u32) -> Option<u32> {
    let i = (x >> digits) as usize;
    let [a, b] = [*SIGMOID.get(i)?, *SIGMOID.get(i + 1)?].map(u32::from);
    Some((a << digits) + (x & ((1 << digits) - 1)) * (b - a))
}

fn logistic(scaling: Scaling) -> impl Fn(i32) -> i32 {
    move |q| {
        let x = scaling.apply(q);
        let y = sigmoid(x.unsigned_abs(), 9).unwrap_or(0x7fff << 10);
        let y = if x >= 0 { y + (1 << 9) } else { (1 << 25) - y + (1 << 9) - 1 };
        ((y >> 10) as i16).into()
    }
}

fn tanh(scaling: Scaling) -> impl Fn(i32) -> i32 {
    move |q| {
        let x = scaling.apply(q);
        let y = sigmoid(x.unsigned_abs(), 8).unwrap_or(0xffff << 8) as i32;
        let y = if x >= 0 { y - (1 << 23) + (1 << 7) } else { (1 << 23) - y + (1 << 7) - 1 };
        ((y >> 8) as i16).into()
    }
}

/// The function at every 128th integer, less half of what interpolation is off in the middle.
fn table(op: &Mapping) -> Vec<i16> {
    const STEPS: u16 = 512;
    let ends = |scale: f32| [scale * -32768.0, scale * 32767.0];
    let ([first, last], [least, most]) = (ends(op.from.scale), ends(op.to.scale));
    let step = (last - first) / f32::from(STEPS);
    let inverse = 65536.0 / (most - least);
    let at = |x: f32| float(op, x) * inverse;
    // Conversion of NaN gives 0 here and there.
    let clamped = |x: f32| x.clamp(-32768.0, 32767.0) as i16;
    let mut table: Vec<i16> = (0..STEPS)
        .map(|i| {
            let here = first + f32::from(i) * step;
            let sample = at(here).round();
            let middle = ((at(first + f32::from(i + 1) * step) + sample) / 2.0).round();
            let error = middle - at(here + step / 2.0).round();
            clamped(sample - (error / 2.0).round())
        })
        .collect();
    table.push(clamped(at(last).round()));
    table
}

fn interpolated(table: &[i16], q: i32) -> i32 {
    let i = (256 + (q >> 7)) as usize;
    let (base, slope) = (i32::from(table[i]), i32::from(table[i + 1].wrapping_sub(table[i])));
    ((base + ((slope * (q & 0x7f) + 64) >> 7)) as i16).into()
}

/// `2¹⁶ σ(i / 24)` as TFLite rounds it.
#[rustfmt::skip]
const SIGMOID: [u16; 256] = [
    32768, 33451, 34133, 34813, 35493, 36169, 36843, 37513, 38180, 38841, 39498, 40149, 40794, 41432, 42064,
    42688, 43304, 43912, 44511, 45102, 45683, 46255, 46817, 47369, 47911, 48443, 48964, 49475, 49975, 50464,
    50942, 51409, 51865, 52311, 52745, 53169, 53581, 53983, 54374, 54755, 55125, 55485, 55834, 56174, 56503,
    56823, 57133, 57433, 57724, 58007, 58280, 58544, 58800, 59048, 59288, 59519, 59743, 59959, 60168, 60370,
    60565, 60753, 60935, 61110, 61279, 61441, 61599, 61750, 61896, 62036, 62172, 62302, 62428, 62549, 62666,
    62778, 62886, 62990, 63090, 63186, 63279, 63368, 63454, 63536, 63615, 63691, 63765, 63835, 63903, 63968,
    64030, 64090, 64148, 64204, 64257, 64308, 64357, 64405, 64450, 64494, 64536, 64576, 64614, 64652, 64687,
    64721, 64754, 64786, 64816, 64845, 64873, 64900, 64926, 64950, 64974, 64997, 65019, 65039, 65060, 65079,
    65097, 65115, 65132, 65149, 65164, 65179, 65194, 65208, 65221, 65234, 65246, 65258, 65269, 65280, 65291,
    65301, 65310, 65319, 65328, 65337, 65345, 65352, 65360, 65367, 65374, 65381, 65387, 65393, 65399, 65404,
    65410, 65415, 65420, 65425, 65429, 65433, 65438, 65442, 65445, 65449, 65453, 65456, 65459, 65462, 65465,
    65468, 65471, 65474, 65476, 65479, 65481, 65483, 65485, 65488, 65489, 65491, 65493, 65495, 65497, 65498,
    65500, 65501, 65503, 65504, 65505, 65507, 65508, 65509, 65510, 65511, 65512, 65513, 65514, 65515, 65516,
    65517, 65517, 65518, 65519, 65520, 65520, 65521, 65522, 65522, 65523, 65523, 65524, 65524, 65525, 65525,
    65526, 65526, 65526, 65527, 65527, 65528, 65528, 65528, 65529, 65529, 65529, 65529, 65530, 65530, 65530,
    65530, 65531, 65531, 65531, 65531, 65531, 65532, 65532, 65532, 65532, 65532, 65532, 65533, 65533, 65533,
    65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534, 65534,
    65535,
];
