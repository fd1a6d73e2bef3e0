//! GATHER_ND: the slices that rows of indices name, each index in a dimension of its own.
//!
//! `y[i…, n…] = x[index[i…, 0], index[i…, 1], …, n…]`. Taken for every element type up to rank 6, with indices in 16, 32
//! or 64 bits, constant or computed. What TFLite refuses to compute, an index outside its dimension, names the last
//! slice there.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, MAX_RANK, Shape};
use crate::kernel::table::gather_nd::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "GATHER_ND",
    builtin: Some(sys::kTfLiteBuiltinGatherNd),
    typed_by: 0,
    takes: &every(5),
    parse,
}];

/// Slices by rows of indices, the last dimension of operand 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatherNd;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let (x, indices) = (node.input_type(0)?, node.input_type(1)?);
    if !matches!(indices.dtype, DType::I64 | DType::I32 | DType::I16) {
        unsupported!("indices {indices}");
    }
    GatherNd.infer(&[Some(x.shape), Some(indices.shape)])?;
    if node.input(1).is_some_and(|indices| indices.is_constant()) {
        let depth = indices.shape.channels() as usize;
        let outside = |(i, at): (usize, &i64)| !(0..i64::from(x.shape[i % depth])).contains(at);
        if let Some((_, at)) = node.ints(1)?.iter().enumerate().find(|row| outside(*row)) {
            unsupported!("index {at} into {x}");
        }
    }
    Ok(Parsed::new(GatherNd))
}

impl Operator for GatherNd {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, indices) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let Some((&depth, rows)) = indices.split_last() else { unsupported!("a single index") };
        let Some(slice) = x.get(depth as usize..) else { unsupported!("rows of {depth} indices into {x}") };
        let dims = [rows, slice].concat();
        if dims.len() > MAX_RANK {
            unsupported!("rank {} ({MAX_RANK} at most)", dims.len());
        }
        let y = Shape::new(&dims);
        if x.elements() == 0 && y.elements() > 0 {
            unsupported!("indices {indices} into nothing");
        }
        Ok(vec![y])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
        let depth = cx.input(1).shape.channels();
        let (size, words) = cx.element().size();
        let (indexed, slice) = x_shape.split_at(depth as usize);
        let inner = Shape::slice(slice) * words;
        let wide = inner.is_multiple_of(4);
        let lanes = if wide { 4 } else { 1 };
        let items = y_shape.elements() * u64::from(words) / u64::from(lanes);
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let push = Push {
            items: items as u32,
            row_items,
            wide: wide.into(),
            depth,
            inner: inner / lanes,
            shape: std::array::from_fn(|d| indexed.get(d).copied().unwrap_or(1)),
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
        let rank = indices.shape.len() - 1;
        let shape = self.infer(&[Some(x.shape), Some(indices.shape)])?[0];
        let y = HostTensor::moved(x.dtype(), shape, |i| {
            let at = |d: usize| {
                let at = indices.bits(&[&i[..rank], &[d]].concat());
                at.min(u64::from(x.shape[d]) - 1) as usize
            };
            let row: Vec<usize> = (0..indices.shape[rank] as usize).map(at).collect();
            x.bits(&[&row, &i[rank..]].concat())
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn slices_by_rows_of_indices() {
        let x =
            HostTensor::from_fn(Shape::from([2, 3, 2]), |i| (100 * i[0] + 10 * i[1] + i[2]) as f32).unwrap();
        let gather = |indices: &[i32], shape: &[u32]| {
            let indices = HostTensor { shape: Shape::new(shape), data: Data::I32(indices.to_vec()) };
            let y = GatherNd.reference(&[Some(&x), Some(&indices)]).ok()?;
            Some((y[0].shape.to_vec(), y[0].floats().to_vec()))
        };
        assert_eq!(gather(&[1, 2, 0, 1], &[2, 2]), Some((vec![2, 2], vec![120.0, 121.0, 10.0, 11.0])));
        assert_eq!(gather(&[1, 9, -1], &[3]), Some((vec![], vec![121.0])));
        assert_eq!(gather(&[0; 4], &[1, 4]), None);
    }
}
