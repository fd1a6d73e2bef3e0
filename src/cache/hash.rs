//! A hash for checksums and identities: fast enough for all weights of a model, no defence against
//! forgers.

/// Odd numbers with about as many ones as zeros: multiplying by one loses nothing.
const FACTORS: [u64; 2] = [0x87c3_7b91_1142_53d5, 0x4cf5_ad43_2745_937f];

/// The hash of some bytes: any change within eight neighbouring ones changes it.
pub fn hash(bytes: &[u8]) -> u64 {
    continued(FACTORS[1], bytes)
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
    // Every bit of it is to depend on all others.
    let hash = (hash ^ hash >> 32).wrapping_mul(FACTORS[0]);
    hash ^ hash >> 29
}

/// Reversible in each of its arguments, so that no difference gets lost. The steps are those of
/// MurmurHash3 (Austin Appleby, public domain).
fn mix(hash: u64, word: u64) -> u64 {
    let word = word.wrapping_mul(FACTORS[0]).rotate_left(31).wrapping_mul(FACTORS[1]);
    (hash ^ word).rotate_left(27).wrapping_mul(5).wrapping_add(0x52dc_e729)
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
