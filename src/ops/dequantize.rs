//! DEQUANTIZE of float16 constants: models with float16 weights store them so.
//!
//! The constant is used as it is, and its kernel's packing widens or keeps it. Anything but a
//! float16 constant is not taken.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Shape};
use crate::lower::Lower;
use crate::op::{Def, Fold, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "DEQUANTIZE",
    builtin: Some(sys::kTfLiteBuiltinDequantize),
    typed_by: 0,
    takes: &[(DType::F16, 3)],
    parse,
}];

/// Takes a float16 constant for float32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dequantize;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.input_type(0)?;
    if x.dtype != DType::F16 {
        unsupported!("input 0 is {}, only float16 is supported", x.dtype);
    }
    if !node.input(0).is_some_and(|t| t.is_constant()) {
        unsupported!("input 0 is not constant");
    }
    Ok(Parsed::new(Dequantize))
}

impl Operator for Dequantize {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, _cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        unsupported!("the operand is not constant")
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        Ok(vec![operand(inputs, 0)?.clone()])
    }

    fn fold(&self) -> Option<Fold> {
        Some(|inputs| operand(inputs, 0).cloned())
    }
}
