//! L2_NORMALIZATION over the last dimension: `y[c] = x[c] / max(√(Σ x[k]²), 10⁻⁶)`.
//!
//! Taken for float32 up to rank 6 without a fused activation, which TFLite ignores; computed in 32
//! bits whatever the storage.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Magnitude, Shape, Term};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "L2_NORMALIZATION",
    builtin: Some(sys::kTfLiteBuiltinL2Normalization),
    typed_by: 0,
    takes: &[(DType::F32, 2)],
    parse,
}];

/// Rows of length 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L2Normalization;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let activation = node.params::<sys::TfLiteL2NormParams>().map_or(0, |p| p.activation);
    if activation != 0 {
        unsupported!("fused activation {activation}");
    }
    if node.float(0)?.shape.is_empty() {
        unsupported!("input 0 is a scalar");
    }
    Ok(Parsed::new(L2Normalization))
}

impl Operator for L2Normalization {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::l2_normalization::{Bind, Push, Spec, dispatch, kernel};
        let shape = cx.output(0).shape;
        let [wg_x, wg_y] = cx.row_workgroup(shape.channels(), 2)?;
        let (grid, row_groups) = cx.group_grid(u64::from(shape.rows().div_ceil(wg_y)))?;
        let push = Push { rows: shape.rows(), row_groups, channels: shape.channels() };
        let spec = Spec { wg_x, wg_y, ..Default::default() };
        let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(cx.store, cx.join(wg_y)), spec, push, bind, grid), shape.elements() * 3)
    }

    fn magnitude(&self, _operands: &[Option<Term>]) -> Magnitude {
        Magnitude::BOUNDED
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let row = |row: &[f32]| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            let length = if length < 1e-6 { 1e-6 } else { length };
            row.iter().map(|x| x / length).collect::<Vec<_>>()
        };
        let data = x.floats().chunks(x.shape.channels().max(1) as usize).flat_map(row).collect();
        Ok(vec![HostTensor::f32(x.shape, data)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_zeros_stays() {
        let x = HostTensor::f32([2, 2], vec![3.0, 4.0, 0.0, 0.0]);
        assert_eq!(L2Normalization.reference(&[Some(&x)]).unwrap()[0].floats(), [0.6, 0.8, 0.0, 0.0]);
    }

    #[test]
    fn epsilon_bounds_the_length() {
        let data = vec![3e-5, 4e-5, 3e-7, 4e-7, f32::NAN, 1.0];
        let y = L2Normalization.reference(&[Some(&HostTensor::f32([3, 2], data))]).unwrap();
        let near = |got: f32, want: f32| assert!((got - want).abs() < 1e-6, "{got} instead of {want}");
        y[0].floats().iter().zip([0.6, 0.8, 0.3, 0.4]).for_each(|(&got, want)| near(got, want));
        assert!(y[0].floats()[4..].iter().all(|y| y.is_nan()));
    }
}
