//! AVERAGE_POOL_2D of integers: the mean of a window that moves over the rows and columns of an NHWC tensor, rounded,
//! halves away from zero.
//!
//! TFLite takes the integers as they are: operand and result have equal zero points and scales. A fused activation is
//! a pair of bounds for the integers.

use super::affine::bounds;
use super::max_pool_integers::MOST;
use super::sum_integers::{self, Finish};
use super::windows;
use crate::codes::average_pool_integers as code;
use crate::error::Unsupported;
use crate::ir::DType::{I8, I16, U8};
use crate::ir::{Extent, HostTensor, Scalar, Shape, Window};
use crate::kernel::table::average_pool_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::program::{BufferId, Element};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "AVERAGE_POOL_2D",
    builtin: Some(sys::kTfLiteBuiltinAveragePool2d),
    typed_by: 0,
    takes: &of([I16, I8, U8], 3),
    parse,
}];

/// The mean of a window of integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AveragePoolIntegers {
    /// How it moves.
    pub window: Window,
    /// The least and the largest result.
    pub bounds: [i32; 2],
}

/// Windows of more elements are added up along columns first, then along rows.
const SMALL: u32 = 256;
/// The most elements of a window: 32 bits hold their sum.
const MOST_TAPS: u64 = 1 << 16;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let (x, (window, activation)) = (node.input_type(0)?, windows::pool(node)?);
    // TFLite's own tolerance.
    node.same_quantization(1e-6)?;
    let [height, width] = window.size;
    if height > MOST || width > MOST || u64::from(height) * u64::from(width) > MOST_TAPS {
        unsupported!("a window of {:?}", window.size);
    }
    let bounds = bounds(&node.output_type(0)?, activation, false)?;
    let pool = AveragePoolIntegers { window, bounds };
    pool.infer(&[Some(x.shape)])?;
    Ok(Parsed::new(pool))
}

impl AveragePoolIntegers {
    /// One stage: `shape` is that of the image, `rows` and `columns` are the result's.
    fn emit(
        &self,
        cx: &mut Lower<'_>,
        stage: u32,
        [(x, x_element), (y, y_element)]: [(BufferId, Element); 2],
        (shape, rows, columns): (&Shape, Extent, Extent),
    ) -> Result<(), Unsupported> {
        let lanes = 4 / y_element.bytes();
        let wide = u64::from(shape[3]) % lanes == 0 && x_element == y_element;
        let elements = Shape::from([shape[0], rows.size, columns.size, shape[3]]).elements();
        let items = elements.div_ceil(lanes);
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let signed = |pair: [u32; 2]| pair.map(|n| n as i32);
        let [height, width] = self.window.size;
        let whole_width = stage == code::STAGE_COLUMNS;
        let push = Push {
            items: items as u32,
            row_items,
            elements: elements as u32,
            channels: if wide { shape[3] / lanes as u32 } else { shape[3] },
            least: self.bounds[0],
            most: self.bounds[1],
            x_size: signed([shape[1], shape[2]]),
            y_size: signed([rows.size, columns.size]),
            window: signed([height, if whole_width { 1 } else { width }]),
            stride: signed([self.window.stride[0], if whole_width { 1 } else { self.window.stride[1] }]),
            origin: [rows.origin, columns.origin],
        };
        let spec = Spec {
            wg_x,
            x_form: form(x_element),
            y_form: form(y_element),
            wide,
            stage,
            ..Default::default()
        };
        let taps = match stage {
            code::STAGE_COLUMNS => height,
            code::STAGE_ROWS => width,
            _ => height * width,
        };
        cx.dispatch(dispatch(kernel(), spec, push, Bind { x, y }, grid), elements * u64::from(taps))
    }

    /// Window by window.
    fn windows(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, shape, element, y) = (cx.x(0)?, cx.input(0).shape, cx.element(), cx.y(0));
        let [rows, columns] = self.window.extents(&shape)?;
        if self.window.taps() <= SMALL {
            return self.emit(cx, code::STAGE_WHOLE, [(x, element), (y, element)], (&shape, rows, columns));
        }
        let all = Extent { size: shape[2], origin: 0, ..columns };
        let between = Shape::from([shape[0], rows.size, shape[2], shape[3]]);
        let sums = cx.scratch(between.elements() * Element::I32.bytes());
        let summed = (sums, Element::I32);
        self.emit(cx, code::STAGE_COLUMNS, [(x, element), summed], (&shape, rows, all))?;
        self.emit(cx, code::STAGE_ROWS, [summed, (y, element)], (&shape, rows, columns))
    }
}

impl Operator for AveragePoolIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [rows, columns] = self.window.extents(&x)?;
        Ok(vec![Shape::from([x[0], rows.size, columns.size, x[3]])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let shape = cx.input(0).shape;
        let extents = self.window.extents(&shape)?;
        let covers = |d: usize| {
            let Extent { size, origin, .. } = extents[d];
            size == 1 && i64::from(origin) + i64::from(self.window.size[d]) >= i64::from(shape[1 + d])
        };
        if !(covers(0) && covers(1)) {
            return self.windows(cx);
        }
        // The result's only window is the whole image.
        let finish = Finish::quotient((shape[1] * shape[2]) as i32, self.bounds);
        sum_integers::emit(cx, &[false, true, true, false], finish)?;
        // In a larger image the window is only a part.
        if self.window.taps() <= SMALL { cx.spare(|cx| self.windows(cx)) } else { Ok(()) }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let extents = self.window.extents(&x.shape)?;
        let [least, most] = self.bounds.map(i64::from);
        let y = HostTensor::moved(x.dtype(), self.infer(&[Some(x.shape)])?[0], |i| {
            let seen = windows::seen(self.window, extents, x.shape, [i[1], i[2]]);
            let add = |(sum, n), [row, column]: [usize; 2]| {
                (sum + x.scalar(&[i[0], row, column, i[3]]).to_i64(), n + 1)
            };
            let (sum, n) = seen.fold((0_i64, 0_i64), add);
            let mean = (sum.abs() + n / 2) / n.max(1) * sum.signum();
            Scalar::int(x.dtype(), mean.clamp(least, most)).bits
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, Padding, SpatialPadding};

    #[test]
    fn halves_go_away_from_zero_and_the_border_does_not_count() {
        let window = Window {
            size: [2, 2],
            stride: [1, 1],
            dilation: [1, 1],
            padding: Padding::Same,
            zeros: SpatialPadding::default(),
        };
        let x = HostTensor { shape: Shape::from([1, 2, 2, 1]), data: Data::I8(vec![-1, -2, 4, -7]) };
        let pool = |bounds| {
            let op = AveragePoolIntegers { window, bounds };
            op.reference(&[Some(&x)]).unwrap().remove(0).data
        };
        assert_eq!(pool([-128, 127]), Data::I8(vec![-2, -5, -2, -7]));
        assert_eq!(pool([-4, -3]), Data::I8(vec![-3, -4, -3, -4]));
    }
}
