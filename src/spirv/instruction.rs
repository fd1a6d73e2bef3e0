//! The words that instructions of a module begin with.

use ::spirv::Op;

/// Words before the first instruction.
pub const HEADER: usize = 5;

/// The operation of an instruction, from its first word; one that is not known counts as `OpUndef`: it has a
/// result, of which nothing is known.
pub fn op(first: u32) -> Op {
    Op::from_u32(first & 0xffff).unwrap_or(Op::Undef)
}

/// The first word of an instruction of so many words.
pub fn first_word(op: Op, length: usize) -> u32 {
    (length as u32) << 16 | op as u32
}
