//! RESIZE_BILINEAR of an NHWC tensor, and nearest neighbours of one of floats.
//!
//! TFLite has three conventions for where a pixel of the result lies in the operand: corners on
//! corners (`align_corners`), centres on centres (`half_pixel_centers`), or the first pixel on the
//! first. Taken for float32 with a size that is constant or follows from shapes.

use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Shape};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "RESIZE_BILINEAR",
    builtin: Some(sys::kTfLiteBuiltinResizeBilinear),
    typed_by: 0,
    takes: &[(DType::F32, 4)],
    parse: parse_bilinear,
}];

/// An image in another size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resize {
    /// Height and width of the result; `None` if operand 1 holds them, which is not known yet.
    pub size: Option<[u32; 2]>,
    /// The nearest pixel; else four, interpolated bilinearly.
    pub nearest: bool,
    /// Corners lie on corners.
    pub align_corners: bool,
    /// Pixels are squares with a centre, not points.
    pub half_pixel_centers: bool,
}

fn parse_bilinear(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.required_params::<sys::TfLiteResizeBilinearParams>()?;
    if p.align_corners && p.half_pixel_centers {
        unsupported!("align_corners with half_pixel_centers");
    }
    let op = parse(node, false, p.align_corners, p.half_pixel_centers)?;
    Ok(Parsed::new(op))
}

/// The attributes of either operator.
pub(super) fn parse(
    node: &NodeView<'_>,
    nearest: bool,
    align_corners: bool,
    half_pixel_centers: bool,
) -> Result<Resize, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    if x.shape.len() != 4 {
        unsupported!("{x} is not NHWC");
    }
    let size = node.ints_or_open(1)?.map(|size| given(&size)).transpose()?;
    Ok(Resize { size, nearest, align_corners, half_pixel_centers })
}

fn given(size: &[i64]) -> Result<[u32; 2], Unsupported> {
    let size: Result<Vec<u32>, _> = size.iter().map(|n| u32::try_from(*n)).collect();
    match size.as_deref() {
        Ok(&[h, w]) if h > 0 && w > 0 => Ok([h, w]),
        _ => unsupported!("a size that is not two positive numbers"),
    }
}

impl Resize {
    /// Height and width of the result.
    pub(super) fn size(&self) -> Result<[u32; 2], Unsupported> {
        match self.size {
            Some(size) => Ok(size),
            None => unsupported!("the size, operand 1, is computed elsewhere"),
        }
    }

    /// The same with the size that operand 1 holds, if that was not known.
    pub(super) fn settled(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Self>, Unsupported> {
        match (self.size, numbers(1)) {
            (None, Some(size)) => Ok(Some(Self { size: Some(given(&size)?), ..self.clone() })),
            _ => Ok(None),
        }
    }

    /// The operand's row or column, of `from`, that is nearest to number `i` of `to`.
    pub(super) fn nearest(&self, i: usize, from: u32, to: u32) -> usize {
        let at = (i as f32 + if self.half_pixel_centers { 0.5 } else { 0.0 }) * self.scale(from, to);
        (if self.align_corners { at.round() } else { at.floor() } as usize).min(from as usize - 1)
    }

    /// Pixels of the operand per pixel of the result along a dimension.
    pub(super) fn scale(&self, from: u32, to: u32) -> f32 {
        if self.align_corners && to > 1 {
            (from - 1) as f32 / (to - 1) as f32
        } else {
            from as f32 / to as f32
        }
    }
}

impl Operator for Resize {
    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        Ok(self.settled(numbers)?.map(|op| Arc::new(op) as Arc<dyn Operator>))
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [n, h, w, c] = x[..] else { unsupported!("{} is not NHWC", x) };
        if h == 0 || w == 0 {
            unsupported!("{} has no pixels", x);
        }
        let [rows, columns] = self.size()?;
        Ok(vec![Shape::from([n, rows, columns, c])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::resize::{Bind, Push, Spec, dispatch, kernel};
        let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
        let channels = y_shape.channels();
        let vec4 = channels % 4 == 0;
        let items = y_shape.elements() / if vec4 { 4 } else { 1 };
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let x = cx.x(0)?;
        let epilogue = cx.epilogue(&[], x)?;
        let push = Push {
            items: items as u32,
            row_items,
            rows_per_batch: epilogue.rows_per_batch,
            channels,
            x_size: [x_shape[1] as i32, x_shape[2] as i32],
            y_size: self.size()?.map(|n| n as i32),
            scale: [self.scale(x_shape[1], y_shape[1]), self.scale(x_shape[2], y_shape[2])],
        };
        let spec = Spec {
            wg_x,
            vec4,
            nearest: self.nearest,
            align_corners: self.align_corners,
            half_pixel_centers: self.half_pixel_centers,
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Default::default()
        };
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x, y: cx.y(0), e0, e1, e2 };
        cx.dispatch(dispatch(kernel(cx.store), spec, push, bind, grid), y_shape.elements() * 8)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [n, h, w, c] = x.shape[..] else { unsupported!("{} is not NHWC", x.shape) };
        let size = self.size()?;
        let scale = [self.scale(h, size[0]), self.scale(w, size[1])];
        let last = [h as usize - 1, w as usize - 1];
        // The two pixels around a position, and how far it is from the first one.
        let around = |i: usize, d: usize| {
            let at =
                if self.half_pixel_centers { (i as f32 + 0.5) * scale[d] - 0.5 } else { i as f32 * scale[d] };
            let first = at.floor().max(0.0) as usize;
            (first.min(last[d]), (at.ceil().max(0.0) as usize).min(last[d]), at - first as f32)
        };
        let y = HostTensor::from_fn(Shape::from([n, size[0], size[1], c]), |i| {
            let [n, oy, ox, c] = i[..] else { unreachable!("rank 4") };
            if self.nearest {
                return x.at(&[n, self.nearest(oy, h, size[0]), self.nearest(ox, w, size[1]), c]);
            }
            let ((top, bottom, ty), (left, right, tx)) = (around(oy, 0), around(ox, 1));
            let row = |h: usize| x.at(&[n, h, left, c]) * (1.0 - tx) + x.at(&[n, h, right, c]) * tx;
            row(top) * (1.0 - ty) + row(bottom) * ty
        })?;
        Ok(vec![y])
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(op: &Resize, x: &[f32]) -> Vec<f32> {
        let x = HostTensor::f32([1, 1, x.len() as u32, 1], x.to_vec());
        op.reference(&[Some(&x)]).unwrap().remove(0).floats().to_vec()
    }

    #[test]
    fn conventions() {
        let op = |nearest, align_corners, half_pixel_centers| Resize {
            size: Some([1, 4]),
            nearest,
            align_corners,
            half_pixel_centers,
        };
        let x = [0.0, 12.0];
        assert_eq!(row(&op(false, false, false), &x), [0.0, 6.0, 12.0, 12.0]);
        assert_eq!(row(&op(false, true, false), &x), [0.0, 4.0, 8.0, 12.0]);
        assert_eq!(row(&op(false, false, true), &x), [0.0, 3.0, 9.0, 12.0]);
        assert_eq!(row(&op(true, false, false), &x), [0.0, 0.0, 12.0, 12.0]);
        assert_eq!(row(&op(true, true, false), &x), [0.0, 0.0, 12.0, 12.0]);
        assert_eq!(row(&op(true, false, true), &[0.0, 1.0, 2.0]), [0.0, 1.0, 1.0, 2.0]);
    }
}
