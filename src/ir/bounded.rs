//! Allocations whose size a model gives. Such a size may be anything: it is an error, never an abort.

use std::fmt;

use crate::error::Unsupported;
use crate::unsupported;

/// The most bytes of such an allocation: a device binds no larger tensor, since
/// `maxStorageBufferRange` has 32 bits.
const MOST_BYTES: u64 = 1 << 32;

/// Requires that `bytes` may be allocated for `what` at all.
///
/// # Errors
/// If they are more than any device could bind.
pub fn check(bytes: u64, what: &dyn fmt::Display) -> Result<(), Unsupported> {
    if bytes > MOST_BYTES {
        unsupported!("{what} takes {bytes} bytes: too large");
    }
    Ok(())
}

/// An empty vector with room for `len` elements of `what`.
///
/// # Errors
/// If they would take more than [`MOST_BYTES`], or memory does not suffice.
fn reserved<T>(len: u64, what: &dyn fmt::Display) -> Result<Vec<T>, Unsupported> {
    let bytes = len.saturating_mul(size_of::<T>() as u64);
    check(bytes, what)?;
    let mut all = Vec::new();
    match usize::try_from(len) {
        Ok(len) if all.try_reserve_exact(len).is_ok() => Ok(all),
        _ => unsupported!("{what} takes {bytes} bytes: out of memory"),
    }
}

/// `len` times `value`.
///
/// # Errors
/// If memory does not suffice, or they are more than any device could bind; `what` is named.
pub fn filled<T: Clone>(len: u64, value: T, what: &dyn fmt::Display) -> Result<Vec<T>, Unsupported> {
    let mut all = reserved(len, what)?;
    all.resize(len as usize, value);
    Ok(all)
}

/// The items, of which there are `len`.
///
/// # Errors
/// As for [`filled`].
pub fn collected<T>(
    len: u64,
    items: impl Iterator<Item = T>,
    what: &dyn fmt::Display,
) -> Result<Vec<T>, Unsupported> {
    let mut all = reserved(len, what)?;
    all.extend(items.take(len as usize));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_a_model_never_abort() {
        assert_eq!(filled(3, 7u8, &"x"), Ok(vec![7; 3]));
        assert_eq!(collected(2, 0..5, &"x"), Ok(vec![0, 1]));
        for len in [(1 << 30) + 1, 1 << 38, 1 << 62, u64::MAX] {
            let error = filled(len, 0f32, &"f32[4]").unwrap_err().0;
            assert!(error.starts_with("f32[4] takes ") && error.ends_with(" bytes: too large"), "{error}");
            assert!(collected(len, std::iter::repeat(0f32), &"x").is_err());
        }
    }
}
