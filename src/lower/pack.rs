//! Brings constants into the order and the type in which kernels read them.

use std::borrow::Cow;

use crate::cache;
use crate::halves::{narrow, narrow_floats, widen};
use crate::ir::{Constant, DType, MAX_HOST_INTEGERS};
use crate::program::Store;

/// What tells the contents of a few integers apart, for the name of a packing: they may follow from shapes, and
/// differ with these. Empty for other constants, which never change.
pub fn identity(constant: &Constant) -> String {
    let bytes = (*constant.bytes).as_ref();
    match constant.stored {
        _ if constant.is_float() => String::new(),
        _ if constant.shape.elements() > MAX_HOST_INTEGERS => String::new(),
        _ => format!("/{:016x}", cache::hash(bytes)),
    }
}

/// Rows, and elements of a row, of the block that is moved at a time, so that it stays in the cache.
const NEAR: usize = 64;

/// Writes element `k` of each row `r` of `depth` elements to `place(r, k)` of `bytes`. The constant was
/// found to hold floats before.
pub fn rearrange(
    constant: &Constant,
    store: Store,
    bytes: &mut [u8],
    depth: usize,
    place: &impl Fn(usize, usize) -> usize,
) {
    let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
    let (all, stored) = if constant.quant.is_some() {
        let floats = constant.to_f32().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
        (Cow::Owned(floats.into_iter().flat_map(f32::to_le_bytes).collect()), DType::F32)
    } else {
        (all, constant.stored)
    };
    match (stored, store) {
        (DType::F32, Store::F32) => {
            scatter(all.as_chunks().0, bytes.as_chunks_mut::<4>().0, depth, place, |from, to| {
                to.copy_from_slice(from);
            });
        }
        (DType::F16, Store::F16) => {
            scatter(all.as_chunks().0, bytes.as_chunks_mut::<2>().0, depth, place, |from, to| {
                to.copy_from_slice(from);
            });
        }
        (DType::F32, Store::F16) => {
            scatter(all.as_chunks().0, bytes.as_chunks_mut().0, depth, place, narrow);
        }
        (DType::F16, Store::F32) => scatter(all.as_chunks().0, bytes.as_chunks_mut().0, depth, place, widen),
        (other, _) => unreachable!("parse takes no weights of type {other}"),
    }
}

/// Writes floats as they are stored.
pub fn write(floats: &[f32], store: Store, bytes: &mut [u8]) {
    match store {
        Store::F32 => {
            for (to, x) in bytes.as_chunks_mut().0.iter_mut().zip(floats) {
                *to = x.to_le_bytes();
            }
        }
        Store::F16 => {
            narrow_floats(floats, bytes.as_chunks_mut().0);
        }
    }
}

fn scatter<const FROM: usize, const TO: usize>(
    from: &[[u8; FROM]],
    to: &mut [[u8; TO]],
    depth: usize,
    place: &impl Fn(usize, usize) -> usize,
    convert: impl Fn(&[[u8; FROM]], &mut [[u8; TO]]),
) {
    let depth = depth.max(1);
    let mut near = [[0; TO]; NEAR];
    for (tile, rows) in from.chunks(NEAR * depth).enumerate() {
        for start in (0..depth).step_by(NEAR) {
            for (r, row) in (tile * NEAR..).zip(rows.chunks_exact(depth)) {
                let row = &row[start..depth.min(start + NEAR)];
                let near = &mut near[..row.len()];
                convert(row, near);
                for (k, x) in (start..).zip(near) {
                    to[place(r, k)] = *x;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use half::f16;

    use super::*;

    #[test]
    fn elements_find_their_place_in_every_type() {
        for (rows, depth) in [(1, 1), (3, 5), (65, 2), (2, 129), (130, 70)] {
            let shape = [rows as u32, depth as u32];
            let value = |i: usize| i as f32 - 7.0;
            let floats: Vec<f32> = (0..rows * depth).map(value).collect();
            let wide = Constant::from_f32(shape, &floats);
            let bytes: Vec<u8> = floats.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
            let half = Constant { stored: DType::F16, bytes: Arc::new(bytes), ..wide.clone() };
            // Transposed, with a column of zeros.
            let place = |r: usize, k: usize| k * (rows + 1) + r;
            for (constant, store) in
                [(&wide, Store::F32), (&wide, Store::F16), (&half, Store::F32), (&half, Store::F16)]
            {
                let mut bytes = vec![0; (rows + 1) * depth * store.bytes() as usize];
                rearrange(constant, store, &mut bytes, depth, &place);
                let got: Vec<f32> = match store {
                    Store::F32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                    Store::F16 => {
                        bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
                    }
                };
                let rounded = |x: f32| if store == Store::F16 { f16::from_f32(x).to_f32() } else { x };
                let value = |r: usize, k: usize| {
                    if constant.stored == DType::F16 {
                        f16::from_f32(value(r * depth + k)).to_f32()
                    } else {
                        value(r * depth + k)
                    }
                };
                for k in 0..depth {
                    for r in 0..rows {
                        assert_eq!(
                            got[place(r, k)],
                            rounded(value(r, k)),
                            "{rows}x{depth} {store:?} [{r},{k}]"
                        );
                    }
                    assert_eq!(got[place(rows, k)], 0.0);
                }
            }
        }
    }

    #[test]
    fn floats_are_written_as_they_are_stored() {
        let floats: Vec<f32> = (0..100).map(|i| i as f32 * 0.5).collect();
        let (mut wide, mut half) = ([0; 400], [0; 208]);
        write(&floats, Store::F32, &mut wide);
        write(&floats, Store::F16, &mut half);
        for (i, x) in floats.iter().enumerate() {
            assert_eq!(wide[i * 4..][..4], x.to_le_bytes());
            assert_eq!(half[i * 2..][..2], f16::from_f32(*x).to_le_bytes());
        }
        assert_eq!(half[200..], [0; 8]);
    }
}
