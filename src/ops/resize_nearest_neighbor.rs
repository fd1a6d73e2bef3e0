//! RESIZE_NEAREST_NEIGHBOR of an NHWC tensor: pixels are moved.
//!
//! Taken for floats, booleans and integers of up to 32 bits with a constant size. Floats are moved as in `resize.rs`,
//! by a kernel with an epilogue.

use super::resize::{self, Resize};
use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::DType::{Bool, F32, I8, I16, I32, U8};
use crate::ir::{HostTensor, Shape};
use crate::kernel::table::resize_nearest_neighbor::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};

pub(super) const DEFS: &[Def] = &[Def {
    name: "RESIZE_NEAREST_NEIGHBOR",
    builtin: Some(sys::kTfLiteBuiltinResizeNearestNeighbor),
    typed_by: 0,
    takes: &of([F32, I32, I16, I8, U8, Bool], 4),
    parse,
}];

/// An image of integers in another size, each pixel the nearest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizeNearestNeighbor(pub Resize);

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.required_params::<sys::TfLiteResizeNearestNeighborParams>()?;
    let op = resize::parse(node, true, p.align_corners, p.half_pixel_centers)?;
    Ok(match node.input_type(0)?.dtype {
        F32 => Parsed::new(op),
        _ => Parsed::new(ResizeNearestNeighbor(op)),
    })
}

impl Operator for ResizeNearestNeighbor {
    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        Ok(self.0.settled(numbers)?.map(|op| Arc::new(Self(op)) as Arc<dyn Operator>))
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.0.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
        let (size, words) = cx.element().size();
        let channels = y_shape.channels() * words;
        let wide = channels % 4 == 0;
        let lanes = if wide { 4 } else { 1 };
        let items = y_shape.elements() * u64::from(words) / lanes;
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let (from, to) = ([x_shape[1], x_shape[2]], self.0.size()?);
        let push = Push {
            items: items as u32,
            row_items,
            wide: wide.into(),
            channels: channels / lanes as u32,
            x_size: from,
            y_size: to,
            scale: [0, 1].map(|d| self.0.scale(from[d], to[d])),
        };
        let Resize { align_corners, half_pixel_centers, .. } = self.0;
        let spec = Spec { wg_x, align_corners, half_pixel_centers, ..Default::default() };
        let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(size), spec, push, bind, grid), 0)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (h, w, to) = (x.shape[1], x.shape[2], self.0.size()?);
        let y = HostTensor::moved(x.dtype(), self.infer(&[Some(x.shape)])?[0], |i| {
            x.bits(&[i[0], self.0.nearest(i[1], h, to[0]), self.0.nearest(i[2], w, to[1]), i[3]])
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn pixels_repeat() {
        let x = HostTensor { shape: Shape::from([1, 1, 2, 1]), data: Data::I8(vec![-128, 127]) };
        let op =
            Resize { size: Some([2, 4]), nearest: true, align_corners: false, half_pixel_centers: false };
        let y = ResizeNearestNeighbor(op).reference(&[Some(&x)]).unwrap().remove(0);
        assert_eq!(y.data, Data::I8([-128, -128, 127, 127].repeat(2)));
    }
}
