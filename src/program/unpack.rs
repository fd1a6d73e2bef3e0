//! Modules as `kernels/compile/pack.rs` packs them, which describes the format.

/// Words in front of the first instruction.
const HEADER: usize = 5;

/// The words of a packed module.
pub fn unpack(packed: &[u8]) -> Vec<u32> {
    let mut words = Vec::with_capacity(packed.len());
    let (mut first, mut kinds, mut result) = (HEADER, [0; 512], 0_u32);
    let (mut op, mut place) = (0, 0);
    let (mut number, mut shift) = (0, 0);
    for byte in packed {
        number |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 != 0 {
            continue;
        }
        place += 1;
        let word = if words.len() < HEADER {
            number
        } else if words.len() == first {
            let (code, length) =
                (number & 0x1ff | (number >> 13 & 0x7f) << 9, number >> 9 & 0xf | number >> 20 << 4);
            first += length.max(1) as usize;
            (op, place) = (code as usize & 0x1ff, 0);
            length << 16 | code
        } else if place == 1 {
            kinds[op] = difference(number).wrapping_add(kinds[op]);
            kinds[op]
        } else if place == 2 {
            result = difference(number).wrapping_add(result);
            result
        } else {
            result.wrapping_sub(difference(number))
        };
        words.push(word);
        (number, shift) = (0, 0);
    }
    words
}

/// The difference whose sign is in the lowest bit.
fn difference(number: u32) -> u32 {
    number >> 1 ^ (number & 1).wrapping_neg()
}
