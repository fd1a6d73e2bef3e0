//! Puts the values of specialisation constants into a module.
//!
//! Vulkan can do that too, but not every driver folds what follows from the values: SwiftShader runs
//! the code of branches that they rule out, lane by lane and masked.
//!
//! What the values leave of a loop's body is often small. A shader writes `[[dont_unroll]]` where the
//! build's optimiser should not copy the whole body; here the mark becomes its opposite, a hint to the
//! driver.

use std::collections::HashMap;

use ::spirv::{Decoration, LoopControl, Op};

use super::instruction::{HEADER, first_word, op};
use crate::program::SpecConstant;

const SPEC_ID: u32 = Decoration::SpecId as u32;
const UNROLL: u32 = LoopControl::UNROLL.bits();
const DONT_UNROLL: u32 = LoopControl::DONT_UNROLL.bits();

/// `spirv` with `values`, one for each of `constants`, as ordinary constants.
pub fn specialize(spirv: &[u32], constants: &[SpecConstant], values: &[u32]) -> Vec<u32> {
    let given: HashMap<u32, u32> = constants.iter().map(|c| c.id).zip(values.iter().copied()).collect();
    let mut specialized = Vec::with_capacity(spirv.len());
    specialized.extend_from_slice(&spirv[..HEADER]);
    // By result id: the value that was given for it, and the values of all scalars of 32 bits.
    let (mut named, mut known) = (HashMap::new(), HashMap::new());
    let mut boolean = 0;
    let mut rest = &spirv[HEADER..];
    while let Some(&first) = rest.first() {
        let length = (first >> 16) as usize;
        let (words, behind) = rest.split_at(length.clamp(1, rest.len()));
        rest = behind;
        // A constant that this instruction turns out to be: type, result and value.
        let mut constant = None;
        match (op(first), words) {
            (Op::Decorate, &[_, target, SPEC_ID, id]) => {
                if let Some(value) = given.get(&id) {
                    named.insert(target, *value);
                }
            }
            (Op::SpecConstantTrue | Op::SpecConstantFalse, &[_, kind, result]) => {
                let default = u32::from(op(first) == Op::SpecConstantTrue);
                constant = Some((kind, result, named.get(&result).copied().unwrap_or(default)));
            }
            (Op::SpecConstant, &[_, kind, result, default]) => {
                constant = Some((kind, result, named.get(&result).copied().unwrap_or(default)));
            }
            (Op::SpecConstantOp, &[_, kind, result, operation, ref operands @ ..]) => {
                let operands: Option<Vec<u32>> = operands.iter().map(|id| known.get(id).copied()).collect();
                match operands.and_then(|operands| evaluate(op(operation), &operands)) {
                    Some(value) => constant = Some((kind, result, value)),
                    None => specialized.extend_from_slice(words),
                }
            }
            (Op::SpecConstantComposite, [_, parts @ ..]) => {
                specialized.push(first_word(Op::ConstantComposite, length));
                specialized.extend_from_slice(parts);
            }
            (Op::LoopMerge, &[_, merge, next, DONT_UNROLL]) => {
                specialized.extend([first, merge, next, UNROLL]);
            }
            (Op::TypeBool, &[_, result]) => {
                boolean = result;
                specialized.extend_from_slice(words);
            }
            (Op::ConstantTrue | Op::ConstantFalse, &[_, _, result]) => {
                known.insert(result, u32::from(op(first) == Op::ConstantTrue));
                specialized.extend_from_slice(words);
            }
            (Op::Constant, &[_, _, result, value]) => {
                known.insert(result, value);
                specialized.extend_from_slice(words);
            }
            _ => specialized.extend_from_slice(words),
        }
        if let Some((kind, result, value)) = constant {
            known.insert(result, value);
            match (kind == boolean, value) {
                (true, 0) => specialized.extend([first_word(Op::ConstantFalse, 3), kind, result]),
                (true, _) => specialized.extend([first_word(Op::ConstantTrue, 3), kind, result]),
                (false, _) => specialized.extend([first_word(Op::Constant, 4), kind, result, value]),
            }
        }
    }
    specialized
}

/// The operations on scalars that a shader may apply to its constants; `None` leaves one to the driver.
pub(super) fn evaluate(operation: Op, operands: &[u32]) -> Option<u32> {
    let value = match (operation, operands) {
        (Op::IAdd, [a, b]) => a.wrapping_add(*b),
        (Op::ISub, [a, b]) => a.wrapping_sub(*b),
        (Op::IMul, [a, b]) => a.wrapping_mul(*b),
        (Op::UDiv, [a, b]) => a.checked_div(*b)?,
        (Op::UMod, [a, b]) => a.checked_rem(*b)?,
        (Op::LogicalEqual | Op::IEqual, [a, b]) => u32::from(a == b),
        (Op::LogicalNotEqual | Op::INotEqual, [a, b]) => u32::from(a != b),
        (Op::LogicalOr, [a, b]) => a | b,
        (Op::LogicalAnd, [a, b]) => a & b,
        (Op::LogicalNot, [a]) => u32::from(*a == 0),
        (Op::Select, [condition, a, b]) => {
            if *condition != 0 {
                *a
            } else {
                *b
            }
        }
        (Op::UGreaterThan, [a, b]) => u32::from(a > b),
        (Op::UGreaterThanEqual, [a, b]) => u32::from(a >= b),
        (Op::ULessThan, [a, b]) => u32::from(a < b),
        (Op::ULessThanEqual, [a, b]) => u32::from(a <= b),
        (Op::ShiftRightLogical, [a, b]) if *b < 32 => a >> b,
        (Op::ShiftLeftLogical, [a, b]) if *b < 32 => a << b,
        (Op::BitwiseOr, [a, b]) => a | b,
        (Op::BitwiseXor, [a, b]) => a ^ b,
        (Op::BitwiseAnd, [a, b]) => a & b,
        _ => return None,
    };
    Some(value)
}
