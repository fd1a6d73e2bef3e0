//! Puts the values of specialisation constants into a module.
//!
//! Vulkan can do that too, but not every driver folds what follows from the values: SwiftShader runs
//! the code of branches that they rule out, lane by lane and masked.
//!
//! What the values leave of a loop's body is often small. A shader writes `[[dont_unroll]]` where the
//! build's optimiser should not copy the whole body; here the mark becomes its opposite, a hint to the
//! driver.

use std::collections::HashMap;

use crate::program::SpecConstant;

const HEADER: usize = 5;
const TYPE_BOOL: u32 = 20;
const CONSTANT_TRUE: u32 = 41;
const CONSTANT_FALSE: u32 = 42;
const CONSTANT: u32 = 43;
const CONSTANT_COMPOSITE: u32 = 44;
const SPEC_CONSTANT_TRUE: u32 = 48;
const SPEC_CONSTANT_FALSE: u32 = 49;
const SPEC_CONSTANT: u32 = 50;
const SPEC_CONSTANT_COMPOSITE: u32 = 51;
const SPEC_CONSTANT_OP: u32 = 52;
const DECORATE: u32 = 71;
const LOOP_MERGE: u32 = 246;
const SPEC_ID: u32 = 1;
const UNROLL: u32 = 1;
const DONT_UNROLL: u32 = 2;

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
        let (op, length) = (first & 0xffff, (first >> 16) as usize);
        let (words, behind) = rest.split_at(length.clamp(1, rest.len()));
        rest = behind;
        // A constant that this instruction turns out to be: type, result and value.
        let mut constant = None;
        match (op, words) {
            (DECORATE, &[_, target, SPEC_ID, id]) => {
                if let Some(value) = given.get(&id) {
                    named.insert(target, *value);
                }
            }
            (SPEC_CONSTANT_TRUE | SPEC_CONSTANT_FALSE, &[_, kind, result]) => {
                let default = u32::from(op == SPEC_CONSTANT_TRUE);
                constant = Some((kind, result, named.get(&result).copied().unwrap_or(default)));
            }
            (SPEC_CONSTANT, &[_, kind, result, default]) => {
                constant = Some((kind, result, named.get(&result).copied().unwrap_or(default)));
            }
            (SPEC_CONSTANT_OP, &[_, kind, result, operation, ref operands @ ..]) => {
                let operands: Option<Vec<u32>> = operands.iter().map(|id| known.get(id).copied()).collect();
                match operands.and_then(|operands| evaluate(operation, &operands)) {
                    Some(value) => constant = Some((kind, result, value)),
                    None => specialized.extend_from_slice(words),
                }
            }
            (SPEC_CONSTANT_COMPOSITE, [_, parts @ ..]) => {
                specialized.push((length as u32) << 16 | CONSTANT_COMPOSITE);
                specialized.extend_from_slice(parts);
            }
            (LOOP_MERGE, &[_, merge, next, DONT_UNROLL]) => {
                specialized.extend([first, merge, next, UNROLL]);
            }
            (TYPE_BOOL, &[_, result]) => {
                boolean = result;
                specialized.extend_from_slice(words);
            }
            (CONSTANT_TRUE | CONSTANT_FALSE, &[_, _, result]) => {
                known.insert(result, u32::from(op == CONSTANT_TRUE));
                specialized.extend_from_slice(words);
            }
            (CONSTANT, &[_, _, result, value]) => {
                known.insert(result, value);
                specialized.extend_from_slice(words);
            }
            _ => specialized.extend_from_slice(words),
        }
        if let Some((kind, result, value)) = constant {
            known.insert(result, value);
            match (kind == boolean, value) {
                (true, 0) => specialized.extend([3 << 16 | CONSTANT_FALSE, kind, result]),
                (true, _) => specialized.extend([3 << 16 | CONSTANT_TRUE, kind, result]),
                (false, _) => specialized.extend([4 << 16 | CONSTANT, kind, result, value]),
            }
        }
    }
    specialized
}

/// The operations on scalars that a shader may apply to its constants; `None` leaves one to the driver.
pub(super) fn evaluate(operation: u32, operands: &[u32]) -> Option<u32> {
    let value = match (operation, operands) {
        (128, [a, b]) => a.wrapping_add(*b),
        (130, [a, b]) => a.wrapping_sub(*b),
        (132, [a, b]) => a.wrapping_mul(*b),
        (134, [a, b]) => a.checked_div(*b)?,
        (137, [a, b]) => a.checked_rem(*b)?,
        (164 | 170, [a, b]) => u32::from(a == b),
        (165 | 171, [a, b]) => u32::from(a != b),
        (166, [a, b]) => a | b,
        (167, [a, b]) => a & b,
        (168, [a]) => u32::from(*a == 0),
        (169, [condition, a, b]) => {
            if *condition != 0 {
                *a
            } else {
                *b
            }
        }
        (172, [a, b]) => u32::from(a > b),
        (174, [a, b]) => u32::from(a >= b),
        (176, [a, b]) => u32::from(a < b),
        (178, [a, b]) => u32::from(a <= b),
        (194, [a, b]) if *b < 32 => a >> b,
        (196, [a, b]) if *b < 32 => a << b,
        (197, [a, b]) => a | b,
        (198, [a, b]) => a ^ b,
        (199, [a, b]) => a & b,
        _ => return None,
    };
    Some(value)
}
