//! 32-bit floats as halves and back, as they lie in memory.

use half::f16;
use half::slice::{HalfBitsSliceExt as _, HalfFloatSliceExt as _};
use zerocopy::FromBytes as _;

/// How many are converted at a time where they lie at no multiple of their size.
const PIECE: usize = 64;

/// Rounds floats to the nearest halves, as many as both slices hold.
pub fn narrow(from: &[[u8; 4]], to: &mut [[u8; 2]]) {
    if let Ok(floats) = <[f32]>::ref_from_bytes(from.as_flattened()) {
        return narrow_floats(floats, to);
    }
    let mut floats = [0.0; PIECE];
    for (to, from) in to.chunks_mut(PIECE).zip(from.chunks(PIECE)) {
        floats.iter_mut().zip(from).for_each(|(x, bytes)| *x = f32::from_le_bytes(*bytes));
        narrow_floats(&floats[..from.len()], to);
    }
}

/// The same for floats that are numbers already.
pub fn narrow_floats(from: &[f32], to: &mut [[u8; 2]]) {
    let n = from.len().min(to.len());
    let (from, to) = (&from[..n], &mut to[..n]);
    if let Ok(bits) = <[u16]>::mut_from_bytes(to.as_flattened_mut()) {
        return bits.reinterpret_cast_mut::<f16>().convert_from_f32_slice(from);
    }
    let mut halves = [f16::ZERO; PIECE];
    for (to, from) in to.chunks_mut(PIECE).zip(from.chunks(PIECE)) {
        halves[..from.len()].convert_from_f32_slice(from);
        to.iter_mut().zip(&halves).for_each(|(bytes, x)| *bytes = x.to_le_bytes());
    }
}

/// Halves as floats, as many as both slices hold.
pub fn widen(from: &[[u8; 2]], to: &mut [[u8; 4]]) {
    let n = from.len().min(to.len());
    let (from, to) = (&from[..n], &mut to[..n]);
    if let (Ok(bits), Ok(floats)) =
        (<[u16]>::ref_from_bytes(from.as_flattened()), <[f32]>::mut_from_bytes(to.as_flattened_mut()))
    {
        return bits.reinterpret_cast::<f16>().convert_to_f32_slice(floats);
    }
    let (mut halves, mut floats) = ([f16::ZERO; PIECE], [0.0; PIECE]);
    for (to, from) in to.chunks_mut(PIECE).zip(from.chunks(PIECE)) {
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
    fn places_do_not_matter() {
        let floats: Vec<u8> = (0..=300).flat_map(|i| (i as f32 / 7.0).to_le_bytes()).collect();
        let mut want = vec![[0; 2]; 300];
        narrow(floats[..1200].as_chunks().0, &mut want);
        for shift in 1..4 {
            let mut from = vec![0; shift];
            from.extend(&floats[..1200]);
            let mut halves = vec![0; 600 + shift];
            narrow(from[shift..].as_chunks().0, halves[shift..].as_chunks_mut().0);
            assert_eq!(halves[shift..], *want.as_flattened(), "{shift}");
            let (mut near, mut far) = (vec![0; 1200], vec![0; 1200 + shift]);
            widen(&want, near.as_chunks_mut().0);
            widen(halves[shift..].as_chunks().0, far[shift..].as_chunks_mut().0);
            assert_eq!(near, far[shift..], "{shift}");
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
