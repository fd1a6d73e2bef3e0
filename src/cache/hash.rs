//! XXH64, for checksums and identities: the same in every version and on every machine. Fast enough for all
//! weights of a model; not cryptographic.

use twox_hash::XxHash64;

/// The hash of some bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    continued(0, bytes)
}

/// The hash of a sequence of pieces: `start` is the hash of the pieces before, `bytes` the next piece. The
/// result depends on where pieces end.
pub fn continued(start: u64, bytes: &[u8]) -> u64 {
    XxHash64::oneshot(start, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Files of other builds must stay readable: the specification's own numbers.
    #[test]
    fn it_is_xxh64() {
        assert_eq!(hash(b""), 0xef46_db37_51d8_e999);
        assert_eq!(hash(b"abc"), 0x44bc_2cf5_ad77_0999);
    }

    #[test]
    fn every_bit_and_every_length_counts() {
        let bytes: Vec<u8> = (0..200).map(|i| i as u8).collect();
        for length in [0, 1, 7, 8, 31, 32, 33, 100, 200] {
            let mut seen = HashSet::from([hash(&bytes[..length])]);
            for bit in 0..length * 8 {
                let mut other = bytes[..length].to_vec();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(seen.insert(hash(&other)), "bit {bit} of {length} bytes");
            }
            assert!(seen.insert(hash(&[&bytes[..length], &[0]].concat())), "a zero behind {length} bytes");
            assert!(seen.insert(continued(hash(&bytes[..length]), &[])));
        }
    }
}
