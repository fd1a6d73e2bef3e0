//! DENSIFY: a sparse constant with its zeros.
//!
//! Taken for float constants.

use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Shape};
use crate::lower::Lower;
use crate::op::{Def, Fold, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "DENSIFY",
    builtin: Some(sys::kTfLiteBuiltinDensify),
    typed_by: 0,
    takes: &[(DType::F32, 1), (DType::F16, 1)],
    parse,
}];

/// Makes a sparse constant dense; it stays sparse in the model's memory until it is packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Densify;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.constant(0)?;
    if !matches!(x.stored, DType::F32 | DType::F16) {
        unsupported!("input 0 is {}, only float32 and float16 are supported", x.stored);
    }
    if x.sparsity.is_none() {
        unsupported!("input 0 is not sparse");
    }
    x.check()?;
    Ok(Parsed::new(Densify))
}

impl Operator for Densify {
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
        Some(Arc::new(|inputs| operand(inputs, 0).cloned()))
    }
}
