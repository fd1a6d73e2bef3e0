//! FILL: a tensor of equal elements.
//!
//! Taken for every element type with a shape up to rank 6 that is constant, or follows from other shapes.

use std::sync::Arc;

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
    /// The result's shape; `None` if operand 0 holds it and is not known yet.
    pub shape: Option<Shape>,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(1)?;
    if !x.shape.is_empty() {
        unsupported!("input 1 is {}, a scalar expected", x.shape);
    }
    let shape = node.ints_or_open(0)?.as_deref().map(shape_of).transpose()?;
    Ok(Parsed::new(Fill { shape }))
}

fn shape_of(dims: &[i64]) -> Result<Shape, Unsupported> {
    let sizes: Result<Vec<u32>, _> = dims.iter().copied().map(u32::try_from).collect();
    match sizes {
        Ok(sizes) if sizes.len() <= MAX_RANK => Ok(Shape::new(&sizes)),
        _ => unsupported!("a shape {dims:?}"),
    }
}

impl Fill {
    fn known(&self) -> Result<Shape, Unsupported> {
        self.shape.ok_or_else(|| Unsupported("the shape, operand 0, is computed elsewhere".into()))
    }
}

impl Operator for Fill {
    fn infer(&self, _inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![self.known()?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        cx.copy_out(1, &View::dense(&cx.input(1).shape).broadcast(&self.known()?))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        Ok(vec![operand(inputs, 1)?.expand(&self.known()?)?])
    }

    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        match (self.shape, numbers(0)) {
            (None, Some(dims)) => Ok(Some(Arc::new(Self { shape: Some(shape_of(&dims)?) }))),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn one_element_everywhere() {
        let x = HostTensor { shape: Shape::from([]), data: Data::I8(vec![-3]) };
        let y = Fill { shape: Some(Shape::from([2, 3])) }.reference(&[None, Some(&x)]).unwrap().remove(0);
        assert_eq!(y, HostTensor { shape: Shape::from([2, 3]), data: Data::I8(vec![-3; 6]) });
    }
}
