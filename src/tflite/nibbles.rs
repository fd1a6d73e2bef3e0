//! Constants of 4-bit integers, which operators see as int8.

use std::sync::OnceLock;

use crate::ir::Bytes;

/// Two integers in each byte, the first one in its lower half. Unpacked when they are first read.
pub(super) struct Nibbles {
    packed: Bytes,
    elements: usize,
    unpacked: OnceLock<Vec<u8>>,
}

impl Nibbles {
    /// `elements` integers in so many halves of bytes.
    pub fn new(packed: Bytes, elements: usize) -> Self {
        Self { packed, elements, unpacked: OnceLock::new() }
    }
}

impl AsRef<[u8]> for Nibbles {
    fn as_ref(&self) -> &[u8] {
        self.unpacked.get_or_init(|| {
            let both = |byte: &u8| [byte << 4, *byte].map(|half| (half.cast_signed() >> 4).cast_unsigned());
            (*self.packed).as_ref().iter().flat_map(both).take(self.elements).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn halves_of_bytes_have_a_sign() {
        let nibbles = Nibbles::new(Arc::new(vec![0x80, 0x7f, 0xf3]), 5);
        let signed: Vec<i8> = nibbles.as_ref().iter().map(|byte| byte.cast_signed()).collect();
        assert_eq!(signed, [0, -8, -1, 7, 3]);
    }
}
