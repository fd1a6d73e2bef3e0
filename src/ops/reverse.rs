//! REVERSE_V2: the operand with the order of some dimensions turned round.
//!
//! Taken for every element type up to rank 6 with constant dimensions.

use crate::error::Unsupported;
use crate::ir::{HostTensor, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "REVERSE_V2",
    builtin: Some(sys::kTfLiteBuiltinReverseV2),
    typed_by: 0,
    takes: &every(3),
    parse,
}];

/// Dimensions from their end to their start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reverse {
    /// For each dimension of the operand, whether it is reversed.
    pub reversed: Vec<bool>,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?.shape;
    let mut reversed = vec![false; x.len()];
    for axis in node.ints(1)? {
        if std::mem::replace(&mut reversed[x.axis(axis)?], true) {
            unsupported!("dimension {axis} is reversed twice");
        }
    }
    Ok(Parsed::new(Reverse { reversed }))
}

impl Operator for Reverse {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        if x.len() != self.reversed.len() {
            unsupported!("{} dimensions to reverse in {x}", self.reversed.len());
        }
        Ok(vec![x])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.input(0).shape;
        let turned = (0..x.len()).filter(|d| self.reversed[*d]);
        let view = turned.fold(View::dense(&x), |view, d| view.slice(d, i64::from(x[d]) - 1, -1, x[d]));
        cx.copy_out(0, &view)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let y = HostTensor::moved(x.dtype(), x.shape, |i| {
            let place = |(d, &i): (usize, &usize)| {
                if self.reversed[d] { x.shape[d] as usize - 1 - i } else { i }
            };
            x.bits(&i.iter().enumerate().map(place).collect::<Vec<_>>())
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dimension_or_all() {
        let x = HostTensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let reverse = |reversed: [bool; 2]| {
            let op = Reverse { reversed: reversed.to_vec() };
            op.reference(&[Some(&x)]).unwrap().remove(0).floats().to_vec()
        };
        assert_eq!(reverse([false, true]), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        assert_eq!(reverse([true, true]), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    }
}
