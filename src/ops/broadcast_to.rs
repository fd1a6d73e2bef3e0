//! BROADCAST_TO: the operand spread over a larger shape by NumPy's rule.
//!
//! Taken for every element type up to rank 6 with a shape that is constant or follows from other shapes.

use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::{HostTensor, MAX_RANK, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "BROADCAST_TO",
    builtin: Some(sys::kTfLiteBuiltinBroadcastTo),
    typed_by: 0,
    takes: &every(3),
    parse,
}];

/// The operand spread over `shape`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastTo {
    /// The result's shape; `None` if operand 1 holds it, which is not known yet.
    pub shape: Option<Shape>,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    let op = BroadcastTo { shape: node.ints_or_open(1)?.map(|dims| given(&dims)).transpose()? };
    if op.shape.is_some() {
        op.infer(&[Some(x.shape)])?;
    }
    Ok(Parsed::new(op))
}

fn given(dims: &[i64]) -> Result<Shape, Unsupported> {
    let dims: Result<Vec<u32>, _> = dims.iter().map(|n| u32::try_from(*n)).collect();
    match dims {
        Ok(dims) if dims.len() <= MAX_RANK => Ok(Shape::new(&dims)),
        Ok(dims) => unsupported!("rank {} ({MAX_RANK} at most)", dims.len()),
        Err(_) => unsupported!("a shape with negative dimensions"),
    }
}

impl Operator for BroadcastTo {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let Some(shape) = self.shape else { unsupported!("the shape, operand 1, is computed elsewhere") };
        let mut pairs = x.iter().rev().zip(shape.iter().rev());
        if x.len() > shape.len() || !pairs.all(|(n, to)| n == to || *n == 1) {
            unsupported!("{x} does not spread over {shape}");
        }
        Ok(vec![shape])
    }

    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        match (self.shape, numbers(1)) {
            (None, Some(dims)) => Ok(Some(Arc::new(Self { shape: Some(given(&dims)?) }))),
            _ => Ok(None),
        }
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let from = View::dense(&cx.input(0).shape).broadcast(&cx.output(0).shape);
        cx.copy_out(0, &from)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let shape = self.infer(&[Some(x.shape)])?.remove(0);
        Ok(vec![x.expand(&shape)?])
    }
}
