//! GATHER: the slices of one dimension that a tensor of indices names.
//!
//! `y[b…, o…, i…, n…] = x[b…, o…, index[b…, i…], n…]` with `batch_dims` dimensions `b`. Taken for every element type up to
//! rank 6, with indices of any rank in 16, 32 or 64 bits, constant or computed. What TFLite refuses to compute, an
//! index outside the dimension, names its last slice.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, MAX_RANK, Shape};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] =
    &[Def { name: "GATHER", builtin: Some(sys::kTfLiteBuiltinGather), typed_by: 0, takes: &every(6), parse }];

/// Slices by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// The indexed dimension.
    pub axis: usize,
    /// Leading dimensions that operand and indices share.
    pub batch_dims: usize,
    /// The least size of the indexed dimension: constant indices are below.
    pub least: u32,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let (x, indices) = (node.input_type(0)?, node.input_type(1)?);
    if !matches!(indices.dtype, DType::I64 | DType::I32 | DType::I16) {
        unsupported!("indices {indices}");
    }
    let p = node.required_params::<sys::TfLiteGatherParams>()?;
    let least = if node.input(1).is_some_and(|indices| indices.is_constant()) {
        let all: Result<Vec<u32>, _> = node.ints(1)?.into_iter().map(u32::try_from).collect();
        let Ok(all) = all else { unsupported!("negative indices") };
        all.into_iter().max().map_or(0, |largest| largest.saturating_add(1))
    } else {
        0
    };
    let rank = indices.shape.len() as i64;
    let batch_dims = i64::from(p.batch_dims) + if p.batch_dims < 0 { rank } else { 0 };
    let Ok(batch_dims) = usize::try_from(batch_dims) else {
        unsupported!("{} batch dimensions", p.batch_dims)
    };
    let op = Gather { axis: x.shape.axis(p.axis.into())?, batch_dims, least };
    op.shape(&x.shape, &indices.shape)?;
    Ok(Parsed::new(op))
}

impl Gather {
    fn shape(&self, x: &Shape, indices: &Shape) -> Result<Shape, Unsupported> {
        let Self { axis, batch_dims, least } = *self;
        let leading = |n: usize| x.get(..n).is_some_and(|dims| Some(dims) == indices.get(..n));
        if axis >= x.len() || batch_dims > axis || !leading(batch_dims) {
            unsupported!("indices {indices} into dimension {axis} of {x}, {batch_dims} shared");
        }
        if x[axis] < least {
            unsupported!("index {} of {}", least - 1, x[axis]);
        }
        let dims = [&x[..axis], &indices[batch_dims..], &x[axis + 1..]].concat();
        if dims.len() > MAX_RANK {
            unsupported!("rank {} ({MAX_RANK} at most)", dims.len());
        }
        let y = Shape::new(&dims);
        if x[axis] == 0 && y.elements() > 0 {
            unsupported!("indices {indices} into nothing");
        }
        Ok(y)
    }
}

impl Operator for Gather {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![self.shape(&operand(inputs, 0)?, &operand(inputs, 1)?)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::gather::{Bind, Push, Spec, dispatch, kernel};
        let (x_shape, indices, y_shape) = (cx.input(0).shape, cx.input(1).shape, cx.output(0).shape);
        let (size, words) = cx.element().size();
        let inner = Shape::slice(&x_shape[self.axis + 1..]).saturating_mul(words);
        let wide = inner % 4 == 0;
        let lanes = if wide { 4 } else { 1 };
        let items = y_shape.elements() * u64::from(words) / u64::from(lanes);
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let push = Push {
            items: items as u32,
            row_items,
            wide: wide.into(),
            outer: Shape::slice(&x_shape[self.batch_dims..self.axis]),
            axis: x_shape[self.axis],
            indices: Shape::slice(&indices[self.batch_dims..]),
            inner: inner / lanes,
        };
        let index_bits = 8 * cx.element_of(1).bytes() as u32;
        let bind = Bind { x: cx.x(0)?, index: cx.x(1)?, y: cx.y(0) };
        cx.dispatch(
            dispatch(kernel(size), Spec { wg_x, index_bits, ..Default::default() }, push, bind, grid),
            0,
        )
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, indices) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let (axis, rank) = (self.axis, indices.shape.len() - self.batch_dims);
        let y = HostTensor::moved(x.dtype(), self.shape(&x.shape, &indices.shape)?, |i| {
            let which = [&i[..self.batch_dims], &i[axis..axis + rank]].concat();
            let at = indices.bits(&which).min(u64::from(x.shape[axis]) - 1) as usize;
            x.bits(&[&i[..axis], &[at], &i[axis + rank..]].concat())
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn rows_by_number() {
        let x = HostTensor::from_fn(Shape::from([2, 3]), |i| (10 * i[0] + i[1]) as f32).unwrap();
        let gather = |axis, batch_dims, indices: &[i32], shape: &[u32]| {
            let indices = HostTensor { shape: Shape::new(shape), data: Data::I32(indices.to_vec()) };
            let y = Gather { axis, batch_dims, least: 0 }.reference(&[Some(&x), Some(&indices)]).ok()?;
            Some((y[0].shape.to_vec(), y[0].floats().to_vec()))
        };
        assert_eq!(gather(1, 0, &[2, 0], &[2]), Some((vec![2, 2], vec![2.0, 0.0, 12.0, 10.0])));
        assert_eq!(gather(0, 0, &[1], &[]), Some((vec![3], vec![10.0, 11.0, 12.0])));
        assert_eq!(gather(1, 1, &[2, 0], &[2, 1]), Some((vec![2, 1], vec![2.0, 10.0])));
        assert_eq!(gather(1, 0, &[7, -1], &[2]), Some((vec![2, 2], vec![2.0, 2.0, 12.0, 12.0])));
    }

    #[test]
    fn known_indices_lie_inside() {
        let shape = |least, x: [u32; 2]| {
            let op = Gather { axis: 0, batch_dims: 0, least };
            op.infer(&[Some(Shape::from(x)), Some(Shape::from([3]))]).is_ok()
        };
        assert!(shape(2, [2, 3]) && shape(0, [1, 3]) && shape(0, [0, 0]));
        assert!(!shape(3, [2, 3]) && !shape(0, [0, 3]));
    }
}
