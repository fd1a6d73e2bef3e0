//! TRANSPOSE: dimension `i` of the result is dimension `order[i]` of the operand.
//!
//! Taken for every element type up to rank 6 with a constant order.

use crate::error::Unsupported;
use crate::ir::{HostTensor, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "TRANSPOSE",
    builtin: Some(sys::kTfLiteBuiltinTranspose),
    typed_by: 0,
    takes: &every(6),
    parse,
}];

/// Dimensions in another order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transpose {
    /// For each dimension of the result, the operand's.
    pub order: Vec<usize>,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    let order = node.ints(1)?.into_iter().map(|d| x.shape.axis(d)).collect::<Result<Vec<_>, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.shape.len()) {
        unsupported!("{order:?} is no order of the dimensions of {}", x.shape);
    }
    Ok(Parsed::new(Transpose { order }))
}

impl Transpose {
    fn shape(&self, x: Shape) -> Shape {
        Shape::new(&self.order.iter().map(|&d| x[d]).collect::<Vec<_>>())
    }
}

impl Operator for Transpose {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        if x.len() != self.order.len() {
            unsupported!("{:?} is no order of the dimensions of {}", self.order, x);
        }
        Ok(vec![self.shape(x)])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let from = View::dense(&cx.input(0).shape).permute(&self.order);
        cx.copy_out(0, &from)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let y = HostTensor::moved(x.dtype(), self.shape(x.shape), |i| {
            let mut at = vec![0; i.len()];
            for (&d, &i) in self.order.iter().zip(i) {
                at[d] = i;
            }
            x.bits(&at)
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_go_first() {
        let x = HostTensor::from_fn(Shape::from([1, 2, 3, 2]), |i| (100 * i[3] + 10 * i[1] + i[2]) as f32)
            .unwrap();
        let y = Transpose { order: vec![0, 3, 1, 2] }.reference(&[Some(&x)]).unwrap().remove(0);
        assert_eq!(y.shape, Shape::from([1, 2, 2, 3]));
        assert_eq!(y.floats(), [0., 1., 2., 10., 11., 12., 100., 101., 102., 110., 111., 112.]);
    }
}
