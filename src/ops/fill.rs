//! FILL: a tensor of equal elements.
//!
//! Taken for every element type with a constant shape up to rank 6.

use crate::error::Unsupported;
use crate::ir::{HostTensor, MAX_RANK, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] =
    &[Def { name: "FILL", builtin: Some(sys::kTfLiteBuiltinFill), typed_by: 1, takes: &every(4), parse }];

/// Operand 1, a single element, spread over `shape`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The result's shape.
    pub shape: Shape,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(1)?;
    if !x.shape.is_empty() {
        unsupported!("input 1 is {}, a scalar expected", x.shape);
    }
    let dims: Result<Vec<u32>, _> = node.ints(0)?.into_iter().map(u32::try_from).collect();
    match dims {
        Ok(dims) if dims.len() <= MAX_RANK => Ok(Parsed::new(Fill { shape: Shape::new(&dims) })),
        Ok(dims) => unsupported!("rank {} ({MAX_RANK} at most)", dims.len()),
        Err(_) => unsupported!("a shape with negative dimensions"),
    }
}

impl Operator for Fill {
    fn infer(&self, _inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![self.shape])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        cx.copy_out(1, &View::dense(&cx.input(1).shape).broadcast(&self.shape))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        Ok(vec![operand(inputs, 1)?.expand(&self.shape)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn one_element_everywhere() {
        let x = HostTensor { shape: Shape::from([]), data: Data::I8(vec![-3]) };
        let y = Fill { shape: Shape::from([2, 3]) }.reference(&[None, Some(&x)]).unwrap().remove(0);
        assert_eq!(y, HostTensor { shape: Shape::from([2, 3]), data: Data::I8(vec![-3; 6]) });
    }
}
