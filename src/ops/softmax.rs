//! SOFTMAX and LOG_SOFTMAX over the last dimension:
//! `y[c] = exp(beta × x[c]) / Σ exp(beta × x[k])`, and its logarithm (with beta = 1).
//!
//! Taken for float32 up to rank 6; computed in 32 bits whatever the storage.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Magnitude, Shape, Term};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "SOFTMAX",
        builtin: Some(sys::kTfLiteBuiltinSoftmax),
        typed_by: 0,
        takes: &[(DType::F32, 3)],
        parse: parse_softmax,
    },
    Def {
        name: "LOG_SOFTMAX",
        builtin: Some(sys::kTfLiteBuiltinLogSoftmax),
        typed_by: 0,
        takes: &[(DType::F32, 2)],
        parse: |n| parse(n, Softmax { beta: 1.0, logarithm: true }),
    },
];

/// A softmax over the last dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Softmax {
    /// Scales the operand.
    pub beta: f32,
    /// The result's logarithm instead.
    pub logarithm: bool,
}

fn parse_softmax(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let beta = node.required_params::<sys::TfLiteSoftmaxParams>()?.beta;
    parse(node, Softmax { beta, logarithm: false })
}

fn parse(node: &NodeView<'_>, op: Softmax) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    if node.float(0)?.shape.is_empty() {
        unsupported!("input 0 is a scalar");
    }
    Ok(Parsed::new(op))
}

impl Operator for Softmax {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::softmax::{Bind, Push, Spec, dispatch, kernel};
        let shape = cx.output(0).shape;
        let [wg_x, wg_y] = cx.row_workgroup(shape.channels(), 3)?;
        let (grid, row_groups) = cx.group_grid(u64::from(shape.rows().div_ceil(wg_y)))?;
        let push = Push { rows: shape.rows(), row_groups, channels: shape.channels(), beta: self.beta };
        let spec = Spec { wg_x, wg_y, logarithm: self.logarithm, ..Default::default() };
        let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(cx.store, cx.join(wg_y)), spec, push, bind, grid), shape.elements() * 5)
    }

    fn magnitude(&self, _operands: &[Option<Term>]) -> Magnitude {
        Magnitude::BOUNDED
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let row = |row: &[f32]| {
            let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let scaled: Vec<f32> = row.iter().map(|x| self.beta * (x - most)).collect();
            let sum: f32 = scaled.iter().map(|x| x.exp()).sum();
            let last = |x: f32| if self.logarithm { x - sum.ln() } else { x.exp() / sum };
            scaled.into_iter().map(last).collect::<Vec<_>>()
        };
        let data = x.floats().chunks(x.shape.channels().max(1) as usize).flat_map(row).collect();
        Ok(vec![HostTensor::f32(x.shape, data)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_do_not_overflow() {
        let x = HostTensor::f32([2, 2], vec![1000.0, 1000.0, -1000.0, 0.0]);
        let run = |logarithm| {
            Softmax { beta: 1.0, logarithm }.reference(&[Some(&x)]).unwrap().remove(0).floats().to_vec()
        };
        assert_eq!(run(false), [0.5, 0.5, 0.0, 1.0]);
        assert_eq!(run(true)[2], -1000.0);
    }
}
