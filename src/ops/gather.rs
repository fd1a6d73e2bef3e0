//! GATHER: the slices of one dimension that a tensor of indices names.
//!
//! `y[b…, o…, i…, n…] = x[b…, o…, index[b…, i…], n…]` with `batch_dims` dimensions `b`. Taken for every element type up to
//! rank 6 with constant indices of any rank.

use crate::error::Unsupported;
use crate::ir::{HostTensor, MAX_RANK, Shape};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] =
    &[Def { name: "GATHER", builtin: Some(sys::kTfLiteBuiltinGather), typed_by: 0, takes: &every(4), parse }];

/// Slices by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gather {
    /// The indexed dimension.
    pub axis: usize,
    /// Leading dimensions that operand and indices share.
    pub batch_dims: usize,
    /// The indices, all of them inside the dimension.
    pub indices: Vec<u32>,
    /// Their shape.
    pub indices_shape: Shape,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    let p = node.required_params::<sys::TfLiteGatherParams>()?;
    let indices_shape = node.constant(1)?.shape;
    let indices: Result<Vec<u32>, _> = node.ints(1)?.into_iter().map(u32::try_from).collect();
    let Ok(indices) = indices else { unsupported!("negative indices") };
    let rank = indices_shape.len() as i64;
    let batch_dims = i64::from(p.batch_dims) + if p.batch_dims < 0 { rank } else { 0 };
    let Ok(batch_dims) = usize::try_from(batch_dims) else {
        unsupported!("{} batch dimensions", p.batch_dims)
    };
    let op = Gather { axis: x.shape.axis(p.axis.into())?, batch_dims, indices, indices_shape };
    op.shape(&x.shape)?;
    Ok(Parsed::new(op))
}

impl Gather {
    fn shape(&self, x: &Shape) -> Result<Shape, Unsupported> {
        let Self { axis, batch_dims, .. } = *self;
        let leading = |n: usize| x.get(..n).is_some_and(|dims| Some(dims) == self.indices_shape.get(..n));
        if axis >= x.len() || batch_dims > axis || !leading(batch_dims) {
            unsupported!("indices {} into dimension {axis} of {x}, {batch_dims} shared", self.indices_shape);
        }
        if let Some(i) = self.indices.iter().find(|i| **i >= x[axis]) {
            unsupported!("index {i} of {}", x[axis]);
        }
        let dims = [&x[..axis], &self.indices_shape[batch_dims..], &x[axis + 1..]].concat();
        if dims.len() > MAX_RANK {
            unsupported!("rank {} ({MAX_RANK} at most)", dims.len());
        }
        Ok(Shape::new(&dims))
    }
}

impl Operator for Gather {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.shape(&x)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::gather::{Bind, Push, Spec, dispatch, kernel};
        let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
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
            indices: Shape::slice(&self.indices_shape[self.batch_dims..]),
            inner: inner / lanes,
        };
        let indices = self.indices.clone();
        let fill = move |bytes: &mut [u8]| {
            for (to, i) in bytes.chunks_exact_mut(4).zip(&indices) {
                to.copy_from_slice(&i.to_le_bytes());
            }
        };
        let index = cx.weights(1, "indices", self.indices.len() as u64 * 4, fill)?;
        let bind = Bind { x: cx.x(0)?, index, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(size), Spec { wg_x, ..Default::default() }, push, bind, grid), 0)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (axis, rank) = (self.axis, self.indices_shape.len() - self.batch_dims);
        let y = HostTensor::moved(x.dtype(), self.shape(&x.shape)?, |i| {
            let which = [&i[..self.batch_dims], &i[axis..axis + rank]].concat();
            let place =
                which.iter().zip(self.indices_shape.iter()).fold(0, |at, (i, &n)| at * n as usize + i);
            x.bits(&[&i[..axis], &[self.indices[place] as usize], &i[axis + rank..]].concat())
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_by_number() {
        let x = HostTensor::from_fn(Shape::from([2, 3]), |i| (10 * i[0] + i[1]) as f32).unwrap();
        let gather = |axis, batch_dims, indices: &[u32], shape: &[u32]| {
            let op = Gather { axis, batch_dims, indices: indices.to_vec(), indices_shape: Shape::new(shape) };
            op.reference(&[Some(&x)]).ok().map(|y| (y[0].shape.to_vec(), y[0].floats().to_vec()))
        };
        assert_eq!(gather(1, 0, &[2, 0], &[2]), Some((vec![2, 2], vec![2.0, 0.0, 12.0, 10.0])));
        assert_eq!(gather(0, 0, &[1], &[]), Some((vec![3], vec![10.0, 11.0, 12.0])));
        assert_eq!(gather(1, 1, &[2, 0], &[2, 1]), Some((vec![2, 1], vec![2.0, 10.0])));
        assert_eq!(gather(0, 0, &[2], &[1]), None);
    }
}
