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
    /// Which; negative ones count from the end.
    pub axes: Vec<i64>,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let reverse = Reverse { axes: node.ints(1)? };
    reverse.reversed(&node.input_type(0)?.shape)?;
    Ok(Parsed::new(reverse))
}

impl Reverse {
    /// For each dimension of `x`, whether it is reversed.
    fn reversed(&self, x: &Shape) -> Result<Vec<bool>, Unsupported> {
        let mut reversed = vec![false; x.len()];
        for axis in &self.axes {
            if std::mem::replace(&mut reversed[x.axis(*axis)?], true) {
                unsupported!("dimension {axis} is reversed twice");
            }
        }
        Ok(reversed)
    }
}

impl Operator for Reverse {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        self.reversed(&x)?;
        Ok(vec![x])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.input(0).shape;
        let reversed = self.reversed(&x)?;
        let turned = (0..x.len()).filter(|d| reversed[*d]);
        let view = turned.fold(View::dense(&x), |view, d| view.slice(d, i64::from(x[d]) - 1, -1, x[d]));
        cx.copy_out(0, &view)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let reversed = self.reversed(&x.shape)?;
        let y = HostTensor::moved(x.dtype(), x.shape, |i| {
            let place = |(d, &i): (usize, &usize)| {
                if reversed[d] { x.shape[d] as usize - 1 - i } else { i }
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
        let reverse = |axes: &[i64]| {
            let op = Reverse { axes: axes.to_vec() };
            op.reference(&[Some(&x)]).unwrap().remove(0).floats().to_vec()
        };
        assert_eq!(reverse(&[-1]), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        assert_eq!(reverse(&[0, 1]), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    }

    #[test]
    fn a_resize_may_change_the_rank() {
        let reverse = Reverse { axes: vec![0] };
        assert_eq!(reverse.reversed(&Shape::from([3, 1])), Ok(vec![true, false]));
        assert!(reverse.reversed(&Shape::new(&[])).is_err());
    }
}
