//! LOGICAL_AND, LOGICAL_OR and LOGICAL_NOT of booleans.
//!
//! Both operands of the former spread over the result by NumPy's rule.

use super::arithmetic::{launch, same_types, spec};
use crate::codes::integer_binary as code;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Scalar, Shape};
use crate::kernel::table::integer_binary::Spec;
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};

/// A table entry.
macro_rules! def {
    ($name:literal, $code:ident, $op:expr) => {
        Def {
            name: $name,
            builtin: Some(sys::$code),
            typed_by: 0,
            takes: &[(DType::Bool, 1)],
            parse: |n| parse(n, $op),
        }
    };
}

pub(super) const DEFS: &[Def] = &[
    def!("LOGICAL_AND", kTfLiteBuiltinLogicalAnd, Logical::And),
    def!("LOGICAL_OR", kTfLiteBuiltinLogicalOr, Logical::Or),
    def!("LOGICAL_NOT", kTfLiteBuiltinLogicalNot, Logical::Not),
];

/// A function of booleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Logical {
    And,
    Or,
    Not,
}

fn parse(node: &NodeView<'_>, op: Logical) -> Result<Parsed, Unsupported> {
    if op == Logical::Not {
        node.expect(1..=1, 1)?;
    } else {
        node.expect(2..=2, 1)?;
        same_types(node, 0, 1)?;
        node.input_type(0)?.shape.joined(&node.input_type(1)?.shape)?;
    }
    Ok(Parsed::new(op))
}

impl Operator for Logical {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let a = operand(inputs, 0)?;
        Ok(vec![if *self == Self::Not { a } else { a.joined(&operand(inputs, 1)?)? }])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let function = match self {
            Self::And => code::FUNCTION_AND,
            Self::Or => code::FUNCTION_OR,
            Self::Not => code::FUNCTION_NOT,
        };
        launch(cx, Spec { function, ..spec() }, [[0; 3]; 2])
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let a = operand(inputs, 0)?;
        let b = if *self == Self::Not { a } else { operand(inputs, 1)? };
        let y = HostTensor::mapped(DType::Bool, a.shape.joined(&b.shape)?, [a, b], |[x, e]| {
            let (x, e) = (x.bits != 0, e.bits != 0);
            let holds = match self {
                Self::And => x && e,
                Self::Or => x || e,
                Self::Not => !x,
            };
            Scalar::int(DType::Bool, holds.into())
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn truth_tables() {
        let booleans = |dims: &[u32], data: &[bool]| HostTensor {
            shape: Shape::new(dims),
            data: Data::Bool(data.to_vec()),
        };
        let (a, b) = (booleans(&[2, 1], &[false, true]), booleans(&[2], &[false, true]));
        for (op, expected) in
            [(Logical::And, [false, false, false, true]), (Logical::Or, [false, true, true, true])]
        {
            assert_eq!(
                op.reference(&[Some(&a), Some(&b)]).unwrap()[0],
                booleans(&[2, 2], &expected),
                "{op:?}"
            );
        }
        assert_eq!(Logical::Not.reference(&[Some(&b)]).unwrap()[0], booleans(&[2], &[true, false]));
    }
}
