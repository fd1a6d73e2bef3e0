//! ARG_MAX and ARG_MIN: where along a dimension the largest or smallest element is, the first of several.
//!
//! As TFLite compares: a NaN in front is found, any other one is passed over. Taken for floats, booleans and integers
//! of 8 and 32 bits up to rank 6 with a constant dimension; gives 32 or 64 bits.

use super::reduce_integers::part;
use crate::error::Unsupported;
use crate::ir::DType::{Bool, F32, I8, I32, I64, U8};
use crate::ir::{HostTensor, Shape};
use crate::kernel::table::arg_max::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "ARG_MAX",
        builtin: Some(sys::kTfLiteBuiltinArgMax),
        typed_by: 0,
        takes: &of([F32, I32, I8, U8, Bool], 3),
        parse: |n| parse(n, true),
    },
    Def {
        name: "ARG_MIN",
        builtin: Some(sys::kTfLiteBuiltinArgMin),
        typed_by: 0,
        takes: &of([F32, I32, I8, U8, Bool], 3),
        parse: |n| parse(n, false),
    },
];

/// The index of an extreme element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgMax {
    /// The dimension, which disappears; a negative one counts from the end.
    pub axis: i64,
    /// Of the largest element; else the smallest.
    pub largest: bool,
    /// Whether indices have 64 bits; else 32.
    pub wide: bool,
}

fn parse(node: &NodeView<'_>, largest: bool) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let axis = match node.ints(1)?[..] {
        [axis] => axis,
        ref axes => unsupported!("{} axes, 1 expected", axes.len()),
    };
    let dtype = node.output_type(0)?.dtype;
    // TFLite gives the tensor the type that the parameters name.
    let named = match node.builtin() {
        sys::kTfLiteBuiltinArgMin => node.required_params::<sys::TfLiteArgMinParams>()?.output_type,
        _ => node.required_params::<sys::TfLiteArgMaxParams>()?.output_type,
    };
    match (dtype, named) {
        (I32, sys::kTfLiteInt32) | (I64, sys::kTfLiteInt64) => {}
        _ => unsupported!("indices of type {dtype}, or {named} by the parameters"),
    }
    let op = ArgMax { axis, largest, wide: dtype == I64 };
    op.infer(&[Some(node.input_type(0)?.shape)])?;
    Ok(Parsed::new(op).gives(dtype))
}

impl Operator for ArgMax {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let axis = x.axis(self.axis)?;
        let y = Shape::new(&[&x[..axis], &x[axis + 1..]].concat());
        if x[axis] == 0 && y.elements() > 0 {
            unsupported!("{x} has no elements along dimension {axis}");
        }
        Ok(vec![y])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, results) = (cx.input(0).shape, cx.output(0).shape.elements());
        if results == 0 {
            return Ok(());
        }
        let axis = x_shape.axis(self.axis)?;
        let mut x = cx.x(0)?;
        let (mut terms, mut from_parts) = (x_shape[axis], false);
        loop {
            let part = part(terms);
            let parts = terms.div_ceil(part);
            let items = results * u64::from(parts);
            let (y, index_words) = match parts {
                1 => (cx.y(0), if self.wide { 2 } else { 1 }),
                // A key and an index for each.
                _ => (cx.scratch(items * 8), 0),
            };
            let (grid, row_items, wg_x) = cx.linear_grid(items)?;
            let push = Push {
                items: items as u32,
                row_items,
                results: results as u32,
                terms,
                part,
                inner: Shape::slice(&x_shape[axis + 1..]),
            };
            let (form, largest) = (form(cx.element_of(0)), self.largest);
            let spec = Spec { wg_x, form, largest, from_parts, index_words, ..Default::default() };
            cx.dispatch(dispatch(kernel(), spec, push, Bind { x, y }, grid), items * u64::from(part))?;
            if parts == 1 {
                return Ok(());
            }
            (x, terms, from_parts) = (y, parts, true);
        }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let axis = x.shape.axis(self.axis)?;
        let number = |at: &[usize]| {
            let x = x.scalar(at);
            x.to_f32().map_or(x.to_i64() as f64, f64::from)
        };
        let dtype = if self.wide { I64 } else { I32 };
        let y = HostTensor::moved(dtype, self.infer(&[Some(x.shape)])?[0], |i| {
            let at = |place: usize| number(&[&i[..axis], &[place], &i[axis..]].concat());
            let mut best = 0;
            for place in 1..x.shape[axis] as usize {
                let (now, before) = (at(place), at(best));
                if if self.largest { now > before } else { now < before } {
                    best = place;
                }
            }
            best as u64
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn the_first_of_the_best() {
        let index = |largest, axis, shape: [u32; 2], data: Data| {
            let op = ArgMax { axis, largest, wide: false };
            op.reference(&[Some(&HostTensor { shape: Shape::from(shape), data })]).unwrap().remove(0).data
        };
        let x = || Data::I8(vec![3, 7, 7, -128, 7, -128]);
        assert_eq!(index(true, -1, [2, 3], x()), Data::I32(vec![1, 1]));
        assert_eq!(index(false, 1, [2, 3], x()), Data::I32(vec![0, 0]));
        assert_eq!(index(true, 0, [2, 3], x()), Data::I32(vec![0, 0, 0]));
        let nan = f32::NAN;
        assert_eq!(index(true, 1, [2, 2], Data::F32(vec![nan, 1.0, 1.0, nan])), Data::I32(vec![0, 0]));
        assert_eq!(index(true, 1, [1, 3], Data::F32(vec![-0.0, 0.0, -0.0])), Data::I32(vec![0]));
    }
}
