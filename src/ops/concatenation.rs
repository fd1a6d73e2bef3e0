//! CONCATENATION: operands side by side along one dimension.
//!
//! TFLite takes any number of operands and no activation. Taken for every element type up to rank 6; operands
//! may be constant. Those of int8 have the result's scale; for uint8 see `concatenation_integers`.

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Shape, TensorType};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Aliasing, Def, Operator, Parsed, of, operand};
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "CONCATENATION",
    builtin: Some(sys::kTfLiteBuiltinConcatenation),
    typed_by: 0,
    takes: &of([DType::F32, DType::I64, DType::I32, DType::I16, DType::I8, DType::Bool], 4),
    parse,
}];

/// Matrices that one dispatch takes.
const MATRICES: usize = 4;

/// Operands side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concatenation {
    /// The dimension that grows.
    pub axis: usize,
    /// How many operands there are.
    pub count: usize,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    Ok(Parsed::new(attributes(node)?))
}

/// The operator without a look at the scales of uint8.
pub(super) fn attributes(node: &NodeView<'_>) -> Result<Concatenation, Unsupported> {
    let count = node.input_count();
    node.expect(1..=usize::MAX, 1)?;
    let types = (0..count).map(|i| node.input_type(i)).collect::<Result<Vec<_>, _>>()?;
    let result = node.output_type(0)?;
    let stays = |ty: &TensorType| ty.dtype != DType::I8 || ty.quant == result.quant;
    if let Some(other) = types.iter().find(|ty| ty.dtype != result.dtype || !stays(ty)) {
        unsupported!("{other} becomes a part of {result}");
    }
    let p = node.required_params::<sys::TfLiteConcatenationParams>()?;
    if p.activation != 0 {
        unsupported!("fused activation {} (TFLite allows none here)", p.activation);
    }
    let op = Concatenation { axis: types[0].shape.axis(p.axis.into())?, count };
    op.infer(&types.iter().map(|t| Some(t.shape)).collect::<Vec<_>>())?;
    Ok(op)
}

impl Concatenation {
    fn shape(&self, shapes: &[Shape]) -> Result<Shape, Unsupported> {
        let mut dims = shapes[0].to_vec();
        dims[self.axis] = 0;
        for shape in shapes {
            let fits = |d: usize| d == self.axis || shape[d] == dims[d];
            if shape.len() != dims.len() || !(0..dims.len()).all(fits) {
                unsupported!("{} and {shape} side by side in dimension {}", shapes[0], self.axis);
            }
            dims[self.axis] = dims[self.axis].saturating_add(shape[self.axis]);
        }
        Ok(Shape::new(&dims))
    }
}

impl Concatenation {
    /// Result 0 = these operands side by side.
    pub(super) fn join(&self, cx: &mut Lower<'_>, operands: &[BufferId]) -> Result<(), Unsupported> {
        let rows: u32 = Shape::slice(&cx.output(0).shape[..self.axis]);
        let widths: Vec<u32> =
            (0..self.count).map(|i| Shape::slice(&cx.input(i).shape[self.axis..])).collect();
        side_by_side(cx, rows, &widths, operands)
    }
}

impl Operator for Concatenation {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let shapes = (0..self.count).map(|i| operand(inputs, i)).collect::<Result<Vec<_>, _>>()?;
        Ok(vec![self.shape(&shapes)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let operands = (0..self.count).map(|i| cx.x(i)).collect::<Result<Vec<_>, _>>()?;
        self.join(cx, &operands)
    }

    fn aliasing(&self, inputs: &[Option<Shape>]) -> Aliasing {
        if in_one_row(inputs, self.axis) { Aliasing::Sequence } else { Aliasing::None }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let parts = (0..self.count).map(|i| operand(inputs, i)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<_> = parts.iter().map(|p| p.shape).collect();
        let y = HostTensor::moved(parts[0].dtype(), self.shape(&shapes)?, |i| {
            let mut i = i.to_vec();
            for part in &parts {
                let size = part.shape[self.axis] as usize;
                if i[self.axis] < size {
                    return part.bits(&i);
                }
                i[self.axis] -= size;
            }
            unreachable!("the parts fill the result")
        })?;
        Ok(vec![y])
    }
}

/// Whether operands that meet in dimension `axis` lie one behind the other in the result.
pub(super) fn in_one_row(inputs: &[Option<Shape>], axis: usize) -> bool {
    operand(inputs, 0).is_ok_and(|x| x[..axis].iter().all(|n| *n == 1))
}

/// Result 0 = the operands, which are matrices of so many rows and of these widths, side by side.
pub(super) fn side_by_side(
    cx: &mut Lower<'_>,
    rows: u32,
    widths: &[u32],
    operands: &[BufferId],
) -> Result<(), Unsupported> {
    use table::concatenation::{Bind, Push, Spec, dispatch, kernel};
    let (size, words) = cx.element().size();
    let widths: Vec<u32> = widths.iter().map(|n| n.saturating_mul(words)).collect();
    let wide = widths.iter().all(|n| n % 4 == 0);
    let lanes = if wide { 4 } else { 1 };
    let widths: Vec<u32> = widths.iter().map(|n| n / lanes).collect();
    let sum = |widths: &[u32]| widths.iter().fold(0u32, |sum, n| sum.saturating_add(*n));
    let y_width = sum(&widths);
    let mut y_start = 0;
    for (chunk, widths) in widths.chunks(MATRICES).enumerate() {
        let width = sum(widths);
        let items = u64::from(rows) * u64::from(width);
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let x = &operands[chunk * MATRICES..];
        let x = |i: usize| x[if i < widths.len() { i } else { 0 }];
        let push = Push {
            items: items as u32,
            row_items,
            wide: wide.into(),
            width,
            y_width,
            y_start,
            start: std::array::from_fn(|i| sum(&widths[..i.min(widths.len())])),
        };
        let bind = Bind { a: x(0), b: x(1), c: x(2), d: x(3), y: cx.y(0) };
        cx.dispatch(dispatch(kernel(size), Spec { wg_x, ..Default::default() }, push, bind, grid), 0)?;
        y_start = sum(&[y_start, width]);
    }
    Ok(())
}
