//! BATCH_MATMUL of integers: `y[b,i,j]` is the element of the sum `Σ (x[b,i,k] - x₀) · (w[b,k,j] - w₀)`.
//!
//! Taken as for floats, for int8 operands and results with one scale each. Sums have 32 bits, and are scaled in fixed
//! point with two roundings, whichever kernels results have to equal: XNNPACK takes no such node.

use super::affine::scaling;
use super::batch_matmul::BatchMatmul;
use super::scaled_sum::zero_point;
use crate::error::Unsupported;
use crate::ir::requantize::{self, Scaling, Target};
use crate::ir::{DType, HostTensor, Scalar, Shape};
use crate::kernel::table::batch_matmul_integers::{Bind, Dot, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::program::{BufferId, Element};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "BATCH_MATMUL",
    builtin: Some(sys::kTfLiteBuiltinBatchMatmul),
    typed_by: 0,
    takes: &[(DType::I8, 4)],
    parse,
}];

/// A product of two tensors of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchMatmulIntegers {
    /// The shapes.
    pub matmul: BatchMatmul,
    /// Those of both operands.
    pub zero_points: [i32; 2],
    /// From sums to the result.
    pub scaling: Scaling,
    /// The result.
    pub target: Target,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let p = node.required_params::<sys::TfLiteBatchMatMulParams>()?;
    let matmul = BatchMatmul { swapped: [p.adj_x, p.adj_y] };
    let (x, w, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
    if (w.dtype, y.dtype) != (DType::I8, DType::I8) {
        unsupported!("{} × {} becomes {}", x.dtype, w.dtype, y.dtype);
    }
    matmul.infer(&[Some(x.shape), Some(w.shape)])?;
    let [x_scale, w_scale, y_scale] = [scaling(&x)?.0, scaling(&w)?.0, scaling(&y)?.0];
    let target = Target { zero_point: zero_point(&y)?, bounds: [-128, 127] };
    let Some(scaling) = Scaling::fixed_for_all(x_scale, w_scale, y_scale) else {
        unsupported!("scales {x_scale} and {w_scale} become {y_scale}");
    };
    Ok(Parsed::new(BatchMatmulIntegers {
        matmul,
        zero_points: [zero_point(&x)?, zero_point(&w)?],
        scaling,
        target,
    }))
}

impl Operator for BatchMatmulIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.matmul.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let g = self.matmul.geometry(&cx.input(0).shape, &cx.input(1).shape)?;
        let quad = [self.scaling; 4].map(|scaling| Some((0, scaling)));
        let scales = cx.belonging("scales", requantize::packed_bytes(4), move |bytes| {
            requantize::pack(quad.into_iter(), bytes);
        })?;
        let product = Product {
            rows: g.rows,
            depth: g.depth,
            columns: g.columns,
            batch: g.batch,
            strides: g.strides,
            swapped: self.matmul.swapped,
            zero_points: self.zero_points,
            scales,
            per_column: false,
            rounding: self.scaling.code(),
            target: self.target,
        };
        product.emit(cx)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let dtype = x.dtype();
        let [x_zero_point, w_zero_point] = self.zero_points.map(i64::from);
        self.matmul.sums(x, w, dtype, |terms| {
            let sum: i64 =
                terms.map(|[a, b]| (a.to_i64() - x_zero_point) * (b.to_i64() - w_zero_point)).sum();
            Scalar::int(dtype, self.target.element(sum as i32, self.scaling).into())
        })
    }
}

/// Products of matrices of 8-bit integers, operands 0 and 1.
pub(super) struct Product {
    /// Of the result.
    pub rows: u32,
    /// Of the sums.
    pub depth: u32,
    /// Of the result.
    pub columns: u32,
    /// The result's batch dimensions.
    pub batch: [u32; 4],
    /// For each operand, matrices from one index of a batch dimension to the next.
    pub strides: [[u32; 4]; 2],
    /// Whether each operand's inner dimensions are swapped.
    pub swapped: [bool; 2],
    /// Of signed operands.
    pub zero_points: [i32; 2],
    /// What [`requantize::pack`] has written, for each column or for all.
    pub scales: BufferId,
    /// Whether for each column.
    pub per_column: bool,
    /// The kernels' number of the rounding.
    pub rounding: u32,
    /// The result.
    pub target: Target,
}

/// What makes unsigned integers of a type signed ones.
pub(super) fn flip(dtype: DType) -> u32 {
    if dtype == DType::U8 { 0x8080_8080 } else { 0 }
}

impl Product {
    /// Emits the dispatch.
    pub fn emit(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (a, b) = (cx.x(0)?, cx.x(1)?);
        let (element, b_element, dtype) = (cx.element(), cx.element_of(1), cx.input(0).dtype);
        let packed = element.bytes() == 1;
        let words = |element: Element, swapped: bool, [line, column]: [u32; 2]| {
            element.bytes() == 1 && (if swapped { column } else { line }).is_multiple_of(4)
        };
        let tiled = self.columns.is_multiple_of(4);
        let elements = cx.output(0).shape.elements();
        let matrices = self.batch.iter().map(|n| u64::from(*n)).product::<u64>();
        let items = match (tiled, packed) {
            (true, _) => matrices * u64::from(self.rows.div_ceil(4)) * u64::from(self.columns / 4),
            (false, true) => elements.div_ceil(4),
            (false, false) => elements,
        };
        let per_round = if !tiled && packed { 4 } else { 1 };
        cx.expect_rounds(per_round * u64::from(self.depth.div_ceil(4)))?;
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let [a_zero_point, b_zero_point] = self.zero_points;
        let [swap_a, swap_b] = self.swapped;
        let push = Push {
            items: items as u32,
            row_items,
            elements: elements as u32,
            rows: self.rows,
            columns: self.columns,
            depth: self.depth,
            start: a_zero_point.wrapping_mul(b_zero_point).wrapping_mul(self.depth.cast_signed()),
            a_zero_point,
            b_zero_point,
            y_zero_point: self.target.zero_point,
            least: self.target.bounds[0],
            most: self.target.bounds[1],
            batch: self.batch,
            a_stride: self.strides[0],
            b_stride: self.strides[1],
        };
        let spec = Spec {
            wg_x,
            form: form(element),
            b_form: form(b_element),
            flip: flip(dtype),
            b_flip: flip(cx.input(1).dtype),
            swap_a,
            swap_b,
            a_words: words(element, swap_a, [self.depth, self.rows]),
            b_words: words(b_element, swap_b, [self.columns, self.depth]),
            tiled,
            per_column: self.per_column,
            sum_a: b_zero_point != 0,
            sum_b: a_zero_point != 0,
            rounding: self.rounding,
            ..Default::default()
        };
        let bind = Bind { a, b, y: cx.y(0), scales: self.scales };
        let ops = 2 * elements * u64::from(self.depth);
        let dot = if cx.caps.dot_8() { Dot::Packed } else { Dot::Plain };
        cx.dispatch(dispatch(kernel(dot), spec, push, bind, grid), ops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, FixedPoint};

    #[test]
    fn sums_become_elements() {
        let op = BatchMatmulIntegers {
            matmul: BatchMatmul { swapped: [false, true] },
            zero_points: [1, -1],
            scaling: Scaling::Fixed(FixedPoint::new(0.5).unwrap()),
            target: Target { zero_point: 2, bounds: [-128, 127] },
        };
        let tensor = |shape: &[u32], data| HostTensor { shape: Shape::new(shape), data };
        let x = tensor(&[1, 2], Data::I8(vec![3, 5]));
        let w = tensor(&[2, 2, 2], Data::I8(vec![1, 0, 126, 127, -1, -2, -1, -1]));
        let y = op.reference(&[Some(&x), Some(&w)]).unwrap().remove(0);
        assert_eq!(y, tensor(&[2, 1, 2], Data::I8(vec![6, 127, 0, 2])));
    }
}
