//! BATCH_MATMUL of int16: `y[b,i,j]` is the element of the sum `Σ x[b,i,k] · w[b,k,j]`.
//!
//! Taken as for floats, for int16 operands and results, and a second operand of int16 or int8, all around 0. Sums have
//! 64 bits and are scaled by a multiplier of 15 bits with one rounding, whichever kernels results have to equal.

use super::affine::scaling;
use super::batch_matmul::BatchMatmul;
use crate::error::Unsupported;
use crate::ir::requantize::Target;
use crate::ir::wide_product::{self, WideScaling};
use crate::ir::{DType, HostTensor, Scalar, Shape, TensorType};
use crate::kernel::table::batch_matmul_int16::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "BATCH_MATMUL",
    builtin: Some(sys::kTfLiteBuiltinBatchMatmul),
    typed_by: 0,
    takes: &[(DType::I16, 4)],
    parse,
}];

/// A product of two tensors of integers in sums of 64 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchMatmulInt16 {
    /// The shapes.
    pub matmul: BatchMatmul,
    /// From sums to the result.
    pub scaling: WideScaling,
    /// The result.
    pub target: Target,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let p = node.required_params::<sys::TfLiteBatchMatMulParams>()?;
    let matmul = BatchMatmul { swapped: [p.adj_x, p.adj_y] };
    let (x, w, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
    if !matches!(w.dtype, DType::I16 | DType::I8) || y.dtype != DType::I16 {
        unsupported!("{} × {} becomes {}", x.dtype, w.dtype, y.dtype);
    }
    matmul.infer(&[Some(x.shape), Some(w.shape)])?;
    let [x_scale, w_scale, y_scale] = [around_zero(&x)?, around_zero(&w)?, around_zero(&y)?];
    Ok(Parsed::new(BatchMatmulInt16 {
        matmul,
        scaling: one_scale(x_scale, w_scale, y_scale)?,
        target: Target { zero_point: 0, bounds: [-32_768, 32_767] },
    }))
}

/// The scale of a tensor whose zero point is 0.
pub(super) fn around_zero(ty: &TensorType) -> Result<f32, Unsupported> {
    match scaling(ty)? {
        (scale, 0) => Ok(scale),
        _ => unsupported!("{ty}: taken around 0"),
    }
}

/// The scaling where all sums have one: TFLite multiplies both scales as floats then.
pub(super) fn one_scale(x: f32, w: f32, y: f32) -> Result<WideScaling, Unsupported> {
    match WideScaling::once(f64::from(x * w) / f64::from(y)) {
        Some(scaling) => Ok(scaling),
        None => unsupported!("scales {x} and {w} become {y}"),
    }
}

impl Operator for BatchMatmulInt16 {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.matmul.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let g = self.matmul.geometry(&cx.input(0).shape, &cx.input(1).shape)?;
        let scaling = self.scaling;
        let scales = cx.belonging("scales", wide_product::BYTES, move |bytes| {
            wide_product::pack([(0, scaling)].into_iter(), bytes);
        })?;
        let product = WideProduct {
            rows: g.rows,
            depth: g.depth,
            columns: g.columns,
            batch: g.batch,
            strides: g.strides,
            swapped: self.matmul.swapped,
            zero_point: 0,
            scales,
            per_column: false,
            narrow: false,
            rounding: self.scaling.code(),
            target: self.target,
        };
        product.emit(cx)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        self.matmul.sums(x, w, DType::I16, |terms| {
            let sum = terms.map(|[a, b]| a.to_i64() * b.to_i64()).sum();
            Scalar::int(DType::I16, self.scaling.element(self.target, sum).into())
        })
    }
}

/// Products of matrices, operands 0 and 1, in sums of 64 bits.
pub(super) struct WideProduct {
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
    /// The second operand's.
    pub zero_point: i32,
    /// What [`wide_product::pack`] has written, for each column or for all.
    pub scales: BufferId,
    /// Whether for each column.
    pub per_column: bool,
    /// Whether sums wrap at 32 bits.
    pub narrow: bool,
    /// The kernels' number of the rounding.
    pub rounding: u32,
    /// The result.
    pub target: Target,
}

impl WideProduct {
    /// Emits the dispatch.
    pub fn emit(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (a, b) = (cx.x(0)?, cx.x(1)?);
        let (element, b_element) = (cx.element(), cx.element_of(1));
        let grid = cx.word_grid()?;
        cx.expect_rounds(u64::from(self.depth) * (4 / element.bytes()))?;
        let push = Push {
            items: grid.items,
            row_items: grid.row_items,
            elements: grid.elements,
            rows: self.rows,
            columns: self.columns,
            depth: self.depth,
            b_zero_point: self.zero_point,
            y_zero_point: self.target.zero_point,
            least: self.target.bounds[0],
            most: self.target.bounds[1],
            batch: self.batch,
            a_stride: self.strides[0],
            b_stride: self.strides[1],
        };
        let spec = Spec {
            wg_x: grid.wg_x,
            form: form(element),
            b_form: form(b_element),
            swap_a: self.swapped[0],
            swap_b: self.swapped[1],
            per_column: self.per_column,
            narrow: self.narrow,
            rounding: self.rounding,
            ..Default::default()
        };
        let bind = Bind { a, b, y: cx.y(0), scales: self.scales };
        let ops = 2 * u64::from(grid.elements) * u64::from(self.depth);
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid.grid), ops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn sums_have_64_bits() {
        let op = BatchMatmulInt16 {
            matmul: BatchMatmul { swapped: [false, false] },
            scaling: WideScaling::once(2f64.powi(-20)).unwrap(),
            target: Target { zero_point: 0, bounds: [-32_768, 32_767] },
        };
        let tensor = |shape: [u32; 2], data| HostTensor { shape: Shape::from(shape), data };
        let x = tensor([1, 3], Data::I16(vec![-32_768, -32_768, -32_768]));
        let w = tensor([3, 2], Data::I16(vec![-32_768, 16, -32_768, 16, -32_768, 0]));
        let y = op.reference(&[Some(&x), Some(&w)]).unwrap().remove(0);
        assert_eq!(y.data, Data::I16(vec![3072, -1]));
    }
}
