//! 32-bit floats as halves and back, as they lie in memory.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

/// How many are converted at a time: a conversion by itself first asks what the processor can do.
const NEAR: usize = 64;

/// Rounds floats to the nearest halves, as many as both slices hold.
pub fn narrow(from: &[[u8; 4]], to: &mut [[u8; 2]]) {
    let mut floats = [0.0; NEAR];
    for (to, from) in to.chunks_mut(NEAR).zip(from.chunks(NEAR)) {
        floats.iter_mut().zip(from).for_each(|(x, bytes)| *x = f32::from_le_bytes(*bytes));
        narrow_floats(&floats[..from.len()], to);
    }
}

/// The same for floats that are numbers already.
pub fn narrow_floats(from: &[f32], to: &mut [[u8; 2]]) {
    let mut halves = [f16::ZERO; NEAR];
    for (to, from) in to.chunks_mut(NEAR).zip(from.chunks(NEAR)) {
        halves[..from.len()].convert_from_f32_slice(from);
        to.iter_mut().zip(&halves[..from.len()]).for_each(|(bytes, x)| *bytes = x.to_le_bytes());
    }
}

/// Halves as floats, as many as both slices hold.
pub fn widen(from: &[[u8; 2]], to: &mut [[u8; 4]]) {
    let (mut halves, mut floats) = ([f16::ZERO; NEAR], [0.0; NEAR]);
    for (to, from) in to.chunks_mut(NEAR).zip(from.chunks(NEAR)) {
        halves.iter_mut().zip(from).for_each(|(x, bytes)| *x = f16::from_le_bytes(*bytes));
        halves[..from.len()].convert_to_f32_slice(&mut floats[..from.len()]);
        to.iter_mut().zip(&floats[..from.len()]).for_each(|(bytes, x)| *bytes = x.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_survives() {
        let halves: Vec<[u8; 2]> = (0..=u16::MAX).map(u16::to_le_bytes).collect();
        let (mut floats, mut again) = (vec![[0; 4]; halves.len()], vec![[0; 2]; halves.len()]);
        widen(&halves, &mut floats);
        narrow(&floats, &mut again);
        for ((half, float), again) in halves.iter().zip(&floats).zip(&again) {
            let (x, y) = (f16::from_le_bytes(*half), f16::from_le_bytes(*again));
            assert_eq!(f32::from_le_bytes(*float).to_bits(), x.to_f32().to_bits());
            assert!(x == y || x.is_nan() && y.is_nan(), "{x} became {y}");
        }
    }

    #[test]
    fn rounds_to_the_nearest_half_and_ties_to_even() {
        let cases =
            [(1.0, 0x3c00), (1.0 + 2e-4, 0x3c00), (1.0 + 1.0 / 2048.0, 0x3c00), (1.0 + 3.0 / 2048.0, 0x3c02)];
        let extremes = [(1e-9, 0), (-1e-9, 0x8000), (65519.0, 0x7bff), (65520.0, 0x7c00), (-1e9, 0xfc00)];
        for (x, bits) in cases.into_iter().chain(extremes) {
            let mut half = [[0; 2]];
            narrow(&[f32::to_le_bytes(x)], &mut half);
            assert_eq!(u16::from_le_bytes(half[0]), bits, "{x}");
        }
    }
}
