//! A hash for checksums and identities: fast enough for all weights of a model, no defence against
//! forgers.

/// An odd number with about as many ones as zeros: multiplying by it loses nothing.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of some bytes: any change within eight neighbouring ones changes it.
pub fn hash(bytes: &[u8]) -> u64 {
    continued(FACTOR, bytes)
}

/// The hash of what `start` is the hash of, and more bytes behind it.
pub fn continued(start: u64, bytes: &[u8]) -> u64 {
    let mut lanes = [0, 1, 2, 3].map(|lane| mix(start, lane));
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks().0) {
            *lane = mix(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut hash = lanes.into_iter().fold(bytes.len() as u64, mix);
    for piece in rest.chunks(8) {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        hash = mix(hash, u64::from_le_bytes(word));
    }
    // The high bits know of everything, the low ones do not yet.
    mix(hash, hash >> 32)
}

/// Reversible in each of its arguments, so that no difference gets lost.
fn mix(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(FACTOR).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

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
