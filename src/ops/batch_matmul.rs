//! BATCH_MATMUL: `y[b,i,j] = Σ x[b,i,k] × w[b,k,j]`.
//!
//! TFLite swaps the inner dimensions of either operand by `adj_x` and `adj_y` and broadcasts the batch
//! dimensions. All of it is taken for float32 up to rank 6; either operand may be constant.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, MAX_RANK, Magnitude, Scalar, Shape, Term};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "BATCH_MATMUL",
    builtin: Some(sys::kTfLiteBuiltinBatchMatmul),
    typed_by: 0,
    takes: &[(DType::F32, 4)],
    parse,
}];

/// A product of two computed tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchMatmul {
    /// Whether each operand's inner dimensions are swapped.
    pub swapped: [bool; 2],
}

/// The dimensions of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batches {
    pub rows: u32,
    pub depth: u32,
    pub columns: u32,
    /// The result's batch dimensions.
    pub batch: [u32; BATCH_RANK],
    /// For each operand, matrices from one index of a batch dimension to the next.
    pub strides: [[u32; BATCH_RANK]; 2],
}

const BATCH_RANK: usize = MAX_RANK - 2;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let p = node.required_params::<sys::TfLiteBatchMatMulParams>()?;
    let op = BatchMatmul { swapped: [p.adj_x, p.adj_y] };
    op.geometry(&node.float(0)?.shape, &node.float(1)?.shape)?;
    Ok(Parsed::new(op))
}

impl BatchMatmul {
    /// The dimensions of the product of tensors of these shapes.
    pub(super) fn geometry(&self, x: &Shape, w: &Shape) -> Result<Batches, Unsupported> {
        let (Some([x_batch @ .., x_rows, x_columns]), Some([w_batch @ .., w_rows, w_columns])) =
            (x.padded::<MAX_RANK>(), w.padded::<MAX_RANK>())
        else {
            unreachable!("shapes have at most rank {MAX_RANK}");
        };
        let swap = |swapped: bool, (a, b): (u32, u32)| if swapped { (b, a) } else { (a, b) };
        let (rows, depth) = swap(self.swapped[0], (x_rows, x_columns));
        let (w_depth, columns) = swap(self.swapped[1], (w_rows, w_columns));
        let fits = |(a, b): (&u32, &u32)| a == b || *a == 1 || *b == 1;
        if x.len() < 2 || w.len() < 2 || depth != w_depth || !x_batch.iter().zip(&w_batch).all(fits) {
            unsupported!("{x} × {w}, swapped {:?}", self.swapped);
        }
        let batch = std::array::from_fn(|d| if x_batch[d] == 1 { w_batch[d] } else { x_batch[d] });
        let strides = [x_batch, w_batch].map(|own| {
            let mut strides = [0; BATCH_RANK];
            let mut stride = 1;
            for d in (0..BATCH_RANK).rev() {
                strides[d] = if own[d] == 1 { 0 } else { stride };
                stride = Shape::slice(&[stride, own[d]]);
            }
            strides
        });
        Ok(Batches { rows, depth, columns, batch, strides })
    }

    fn shape(&self, x: &Shape, w: &Shape) -> Result<Shape, Unsupported> {
        let g = self.geometry(x, w)?;
        let dims = [&g.batch[..], &[g.rows, g.columns]].concat();
        Ok(Shape::new(&dims[MAX_RANK - x.len().max(w.len())..]))
    }

    /// The result of type `dtype` whose elements `sum` makes of the pairs of elements that belong to them.
    pub(super) fn sums(
        &self,
        x: &HostTensor,
        w: &HostTensor,
        dtype: DType,
        sum: impl Fn(&mut dyn Iterator<Item = [Scalar; 2]>) -> Scalar,
    ) -> Result<Vec<HostTensor>, Unsupported> {
        let g = self.geometry(&x.shape, &w.shape)?;
        // An element of an operand: its batch indices are the last ones of the result, 0 where it has size 1.
        let at = |t: &HostTensor, swapped: bool, batch: &[usize], row: usize, column: usize| {
            let own = t.shape.len() - 2;
            let mut i: Vec<usize> = batch[batch.len() - own..].to_vec();
            i.iter_mut().zip(t.shape.iter()).for_each(|(i, n)| *i = if *n == 1 { 0 } else { *i });
            i.extend(if swapped { [column, row] } else { [row, column] });
            t.scalar(&i)
        };
        let y = HostTensor::moved(dtype, self.shape(&x.shape, &w.shape)?, |i| {
            let (batch, [row, column]) = (&i[..i.len() - 2], [i[i.len() - 2], i[i.len() - 1]]);
            let terms = (0..g.depth as usize)
                .map(|k| [at(x, self.swapped[0], batch, row, k), at(w, self.swapped[1], batch, k, column)]);
            sum(&mut { terms }).bits
        })?;
        Ok(vec![y])
    }
}

impl Operator for BatchMatmul {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        Ok(vec![self.shape(&x, &w)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::batch_matmul::{Bind, Push, Spec, dispatch, kernel};
        let g = self.geometry(&cx.input(0).shape, &cx.input(1).shape)?;
        cx.expect_rounds(g.depth.div_ceil(4).into())?;
        let blocks = u64::from(g.rows.div_ceil(4)) * u64::from(g.columns.div_ceil(4));
        let items = blocks * g.batch.iter().map(|&n| u64::from(n)).product::<u64>();
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let (a, b) = (cx.x(0)?, cx.x(1)?);
        let epilogue = cx.epilogue(&[], a)?;
        let contiguous = [cx.input(0).shape.channels(), cx.input(1).shape.channels()].map(|n| n % 4 == 0);
        let push = Push {
            items: items as u32,
            row_items,
            rows_per_batch: epilogue.rows_per_batch,
            rows: g.rows,
            columns: g.columns,
            depth: g.depth,
            wide_a: contiguous[0].into(),
            wide_b: contiguous[1].into(),
            batch: g.batch,
            a_stride: g.strides[0],
            b_stride: g.strides[1],
        };
        let spec = Spec {
            wg_x,
            swap_a: self.swapped[0],
            swap_b: self.swapped[1],
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Default::default()
        };
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { a, b, y: cx.y(0), e0, e1, e2 };
        let ops = 2 * cx.output(0).shape.elements() * u64::from(g.depth);
        cx.dispatch(dispatch(kernel(cx.store), spec, push, bind, grid), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let float = |x: Scalar| x.to_f32().unwrap_or(0.0);
        self.sums(x, w, DType::F32, |terms| Scalar::f32(terms.map(|[a, b]| float(a) * float(b)).sum()))
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        Magnitude::of_weighted(operands)
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_operands_give_the_same() {
        let x = HostTensor::from_fn(Shape::from([2, 3]), |i| (3 * i[0] + i[1]) as f32).unwrap();
        let w = HostTensor::from_fn(Shape::from([3, 1]), |i| i[0] as f32).unwrap();
        let flip = |t: &HostTensor| {
            HostTensor::from_fn(Shape::from([t.shape[1], t.shape[0]]), |i| t.at(&[i[1], i[0]])).unwrap()
        };
        for swapped in [[false, false], [true, false], [false, true], [true, true]] {
            let a = if swapped[0] { flip(&x) } else { x.clone() };
            let b = if swapped[1] { flip(&w) } else { w.clone() };
            let y = BatchMatmul { swapped }.reference(&[Some(&a), Some(&b)]).unwrap().remove(0);
            assert_eq!((y.shape, y.floats()), (Shape::from([2, 1]), &[5.0, 14.0][..]), "{swapped:?}");
        }
    }

    #[test]
    fn shapes() {
        let shape = |x: &[u32], w: &[u32]| {
            BatchMatmul { swapped: [false, true] }
                .shape(&Shape::new(x), &Shape::new(w))
                .ok()
                .map(|s| s.to_vec())
        };
        assert_eq!(shape(&[2, 3, 4], &[5, 4]), Some(vec![2, 3, 5]));
        assert_eq!(shape(&[1, 2, 3, 4], &[7, 1, 5, 4]), Some(vec![7, 2, 3, 5]));
        assert_eq!(shape(&[2, 3, 4], &[3, 5, 4]), None);
        assert_eq!(shape(&[3, 4], &[5, 3]), None);
        assert_eq!(shape(&[4], &[5, 4]), None);
    }
}
