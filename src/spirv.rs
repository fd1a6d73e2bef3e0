//! What happens to a kernel's module before the driver sees it: constants take their values, and the code
//! that they rule out goes.

mod prune;
mod specialize;

use ::spirv::Op;
pub use prune::prune;
pub use specialize::specialize;

/// Words before the first instruction.
const HEADER: usize = 5;

/// The operation of an instruction, from its first word; one that is not known counts as `OpUndef`: it has a
/// result, of which nothing is known.
fn op(first: u32) -> Op {
    Op::from_u32(first & 0xffff).unwrap_or(Op::Undef)
}

/// The first word of an instruction of so many words.
fn first_word(op: Op, length: usize) -> u32 {
    (length as u32) << 16 | op as u32
}
