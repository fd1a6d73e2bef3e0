//! RESIZE_BILINEAR of integers in an NHWC tensor.
//!
//! TFLite interpolates the integers as they are, by three rules: its reference kernels place pixels of int8 and int16
//! in 1024ths, those of uint8 compute in float32, and XNNPACK weighs int8 and uint8 in 2048ths. Where the scale,
//! rounded to 1024ths, leads out of the image, TFLite reads there; here it is the last pixel. Taken with a size that is
//! constant or follows from shapes.

use std::sync::Arc;

use super::resize::{self, Resize};
use crate::codes::resize_bilinear_integers as code;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Scalar, Shape};
use crate::kernel::table::resize_bilinear_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::options::Integers;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "RESIZE_BILINEAR",
    builtin: Some(sys::kTfLiteBuiltinResizeBilinear),
    typed_by: 0,
    takes: &of([DType::I16, DType::I8, DType::U8], 4),
    parse,
}];

/// An image of integers in another size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResizeBilinearIntegers {
    /// Size and convention.
    pub resize: Resize,
    /// How pixels are placed and weighed.
    pub rule: Rule,
}

/// How pixels are placed and weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Placed in 1024ths, rounded, halves away from zero.
    FixedPoint,
    /// In float32, rounded, halves up.
    Float,
    /// Placed in float32, weighed in 2048ths, rounded, halves up.
    Xnnpack,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.required_params::<sys::TfLiteResizeBilinearParams>()?;
    if p.align_corners && p.half_pixel_centers {
        unsupported!("align_corners with half_pixel_centers");
    }
    let resize = resize::parse(node, false, p.align_corners, p.half_pixel_centers)?;
    let dtype = node.input_type(0)?.dtype;
    let xnnpack = node.integers() == Integers::Xnnpack && resize.size.is_some();
    let rule = match dtype {
        DType::I8 | DType::U8 if xnnpack && node.same_quantization(0.0).is_ok() => Rule::Xnnpack,
        DType::U8 => Rule::Float,
        _ => Rule::FixedPoint,
    };
    Ok(Parsed::new(ResizeBilinearIntegers { resize, rule }))
}

/// The two pixels around a position, and how far it is from the first one.
struct Around {
    pixels: [usize; 2],
    /// In 1024ths or 2048ths.
    steps: i32,
    rest: f32,
}

impl ResizeBilinearIntegers {
    /// Pixels of the operand per pixel of the result along a dimension, in 1024ths.
    fn scale_1024(&self, from: u32, to: u32) -> i32 {
        let corners = i64::from(self.resize.align_corners && to > 1);
        let (from, to) = (i64::from(from) - corners, i64::from(to) - corners);
        (((from << 10) + to / 2) / to) as i32
    }

    fn around(&self, i: usize, from: u32, to: u32) -> Around {
        let (last, half) = (from as usize - 1, self.resize.half_pixel_centers);
        let scale = self.resize.scale(from, to);
        match self.rule {
            Rule::FixedPoint => {
                let step = self.scale_1024(from, to);
                let at = (i as i32).wrapping_mul(step) + if half { step / 2 - 512 } else { 0 };
                let first = at.max(0) >> 10;
                let pixels = [first, (at + 1023) >> 10].map(|n| (n as usize).min(last));
                Around { pixels, steps: at - (first << 10), rest: 0.0 }
            }
            Rule::Float => {
                let at = if half { (i as f32 + 0.5) * scale - 0.5 } else { i as f32 * scale };
                let first = at.floor().max(0.0);
                let pixels = [first, at.ceil().max(0.0)].map(|x| (x as usize).min(last));
                Around { pixels, steps: 0, rest: at - first }
            }
            Rule::Xnnpack => {
                let at = i as f32 * scale + if half { 0.5 * scale - 0.5 } else { 0.0 };
                let at = if half { at.clamp(0.0, last as f32) } else { at };
                let first = (at as usize).min(last);
                let steps = ((at - first as f32) * 2048.0).round_ties_even() as i32;
                Around { pixels: [first, last.min(first + 1)], steps, rest: 0.0 }
            }
        }
    }

    /// What lies between the elements of two rows.
    fn between(&self, [[a, b], [c, d]]: [[i64; 2]; 2], rows: &Around, columns: &Around) -> i64 {
        let (down, right) = (i64::from(rows.steps), i64::from(columns.steps));
        match self.rule {
            Rule::FixedPoint => {
                let (up, left) = (1024 - down, 1024 - right);
                let sum = a * up * left + b * up * right + c * down * left + d * down * right;
                ((sum.abs() + (1 << 19)) >> 20) * sum.signum()
            }
            Rule::Float => {
                let (down, right) = (rows.rest, columns.rest);
                let (up, left) = (1.0 - down, 1.0 - right);
                let [a, b, c, d] = [a, b, c, d].map(|x| x as f32);
                (a * up * left + c * down * left + b * up * right + d * down * right + 0.5) as i64
            }
            Rule::Xnnpack => {
                let (top, bottom) = (a * 2048 + (b - a) * right, c * 2048 + (d - c) * right);
                (top * 2048 + (bottom - top) * down + (1 << 21)) >> 22
            }
        }
    }
}

impl Operator for ResizeBilinearIntegers {
    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        let settled = self.resize.settled(numbers)?;
        Ok(settled.map(|resize| Arc::new(Self { resize, ..self.clone() }) as Arc<dyn Operator>))
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.resize.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, y_shape, element) = (cx.input(0).shape, cx.output(0).shape, cx.element());
        let lanes = 4 / element.bytes() as u32;
        let channels = y_shape.channels();
        let wide = channels % lanes == 0;
        let grid = cx.word_grid()?;
        let (from, to) = ([x_shape[1], x_shape[2]], self.resize.size()?);
        let signed = |pair: [u32; 2]| pair.map(|n| n as i32);
        let push = Push {
            items: grid.items,
            row_items: grid.row_items,
            elements: grid.elements,
            channels: if wide { channels / lanes } else { channels },
            x_size: signed(from),
            y_size: signed(to),
            scale_1024: [0, 1].map(|d| self.scale_1024(from[d], to[d])),
            scale: [0, 1].map(|d| self.resize.scale(from[d], to[d])),
        };
        let rule = match self.rule {
            Rule::FixedPoint if cx.input(0).dtype == DType::I16 => code::RULE_FIXED_POINT_64,
            Rule::FixedPoint => code::RULE_FIXED_POINT,
            Rule::Float => code::RULE_FLOAT,
            Rule::Xnnpack => code::RULE_XNNPACK,
        };
        let Resize { align_corners, half_pixel_centers, .. } = self.resize;
        let wg_x = grid.wg_x;
        let spec = Spec {
            wg_x,
            form: form(element),
            wide,
            align_corners,
            half_pixel_centers,
            rule,
            ..Default::default()
        };
        let bind = Bind { x: cx.x(0)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid.grid), y_shape.elements() * 8)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (h, w, size) = (x.shape[1], x.shape[2], self.resize.size()?);
        let y = HostTensor::moved(x.dtype(), self.infer(&[Some(x.shape)])?[0], |i| {
            let (rows, columns) = (self.around(i[1], h, size[0]), self.around(i[2], w, size[1]));
            let row = |row: usize| columns.pixels.map(|column| x.scalar(&[i[0], row, column, i[3]]).to_i64());
            Scalar::int(x.dtype(), self.between(rows.pixels.map(row), &rows, &columns)).bits
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn each_rule_rounds_in_its_way() {
        let run = |rule, half_pixel_centers, data: Data| {
            let resize =
                Resize { size: Some([1, 4]), nearest: false, align_corners: false, half_pixel_centers };
            let x = HostTensor { shape: Shape::from([1, 1, 2, 1]), data };
            let op = ResizeBilinearIntegers { resize, rule };
            op.reference(&[Some(&x)]).unwrap().remove(0).data
        };
        let odd = || Data::I8(vec![-2, -1]);
        assert_eq!(run(Rule::FixedPoint, false, odd()), Data::I8(vec![-2, -2, -1, -1]));
        assert_eq!(run(Rule::Xnnpack, false, odd()), Data::I8(vec![-2, -1, -1, -1]));
        assert_eq!(run(Rule::Float, false, Data::U8(vec![0, 1])), Data::U8(vec![0, 1, 1, 1]));
        let wide = Data::I16(vec![i16::MIN, i16::MAX]);
        assert_eq!(run(Rule::FixedPoint, true, wide), Data::I16(vec![i16::MIN, -16_384, 16_383, i16::MAX]));
    }
}
