//! BROADCAST_TO: the operand spread over a larger shape by NumPy's rule.
//!
//! Taken for every element type up to rank 6 with a constant shape.

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
    /// The result's shape.
    pub shape: Shape,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    let dims: Result<Vec<u32>, _> = node.ints(1)?.into_iter().map(u32::try_from).collect();
    let op = match dims {
        Ok(dims) if dims.len() <= MAX_RANK => BroadcastTo { shape: Shape::new(&dims) },
        Ok(dims) => unsupported!("rank {} ({MAX_RANK} at most)", dims.len()),
        Err(_) => unsupported!("a shape with negative dimensions"),
    };
    op.infer(&[Some(x.shape)])?;
    Ok(Parsed::new(op))
}

impl Operator for BroadcastTo {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let mut pairs = x.iter().rev().zip(self.shape.iter().rev());
        if x.len() > self.shape.len() || !pairs.all(|(n, to)| n == to || *n == 1) {
            unsupported!("{x} does not spread over {}", self.shape);
        }
        Ok(vec![self.shape])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let from = View::dense(&cx.input(0).shape).broadcast(&self.shape);
        cx.copy_out(0, &from)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![x.expand(&self.shape)?])
    }
}
