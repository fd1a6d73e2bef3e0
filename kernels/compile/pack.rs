//! Modules in the library: two fifths as large as their words, and easily compressed further. `src/program/unpack.rs` is the
//! inverse.

/// Words in front of the first instruction.
const HEADER: usize = 5;

/// `words` as numbers of seven bits per byte, the lowest first, all but the last with the eighth bit. These numbers are
///
/// * the words of the header,
/// * first words of instructions with the low bits of opcode and length below the others,
/// * other words as signed differences, lowest bit for the sign: an instruction's second word, as a rule the type of its
///   result, from the one of the last instruction with the same low bits of its opcode; the third word, as a rule the
///   result, from that of the last instruction; the others from the third word.
pub fn pack(words: &[u32]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(words.len() * 2);
    let (mut first, mut kinds, mut result) = (HEADER, [0; 512], 0_u32);
    let (mut op, mut place) = (0, 0);
    for (i, &word) in words.iter().enumerate() {
        place += 1;
        let mut number = if i < HEADER {
            word
        } else if i == first {
            first += (word >> 16).max(1) as usize;
            (op, place) = (word as usize & 0x1ff, 0);
            swizzled(word)
        } else if place == 1 {
            signed(word.wrapping_sub(std::mem::replace(&mut kinds[op], word)))
        } else if place == 2 {
            signed(word.wrapping_sub(std::mem::replace(&mut result, word)))
        } else {
            signed(result.wrapping_sub(word))
        };
        while number >= 0x80 {
            packed.push(number as u8 | 0x80);
            number >>= 7;
        }
        packed.push(number as u8);
    }
    packed
}

/// Nine bits of the opcode, four of the length, then the others of both.
fn swizzled(word: u32) -> u32 {
    let (op, length) = (word & 0xffff, word >> 16);
    op & 0x1ff | (length & 0xf) << 9 | op >> 9 << 13 | length >> 4 << 20
}

/// A difference with its sign in the lowest bit.
fn signed(difference: u32) -> u32 {
    difference << 1 ^ (difference.cast_signed() >> 31).cast_unsigned()
}
