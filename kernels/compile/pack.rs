//! Modules in the library: half as large as their words, since most of these are small numbers.

/// Words in front of the first instruction.
const HEADER: usize = 5;

/// `words` as numbers of seven bits per byte, the lowest first, all but the last with the eighth bit. In the first word of
/// an instruction the low bits of opcode and length lie below the others. `Kernel::words` in the library is the inverse.
pub fn pack(words: &[u32]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(words.len() * 2);
    let mut next = HEADER;
    for (i, &word) in words.iter().enumerate() {
        let mut number = word;
        if i == next {
            next += (word >> 16).max(1) as usize;
            number = swizzled(word);
        }
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
