//! MAX_POOL_2D of integers: the largest element of a window that moves over the rows and columns of an NHWC tensor.
//!
//! Operand and result have equal zero points and scales. A fused activation is a pair of bounds for the integers.

use super::windows;
use crate::error::Unsupported;
use crate::ir::{HostTensor, Scalar, Shape, Window};
use crate::kernel::table::max_pool_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Operator, operand};
use crate::program::BufferId;

/// The largest integer of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPoolIntegers {
    /// How it moves.
    pub window: Window,
    /// The least and the largest result.
    pub bounds: [i32; 2],
}

/// The most rows or columns of a window: some drivers end a loop after 65,535 rounds, and an invocation computes four
/// results.
pub(super) const MOST: u32 = 8192;
/// Windows of more elements are reduced along rows first, then along columns.
const SMALL: u32 = 64;

impl MaxPoolIntegers {
    fn emit(&self, cx: &mut Lower<'_>, x: BufferId, shape: &Shape, y: BufferId) -> Result<(), Unsupported> {
        let [rows, columns] = self.window.extents(shape)?;
        let element = cx.element();
        let lanes = (4 / element.bytes()).max(1);
        let wide = u64::from(shape[3]) % lanes == 0;
        let elements = Shape::from([shape[0], rows.size, columns.size, shape[3]]).elements();
        let items = elements.div_ceil(lanes);
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let signed = |pair: [u32; 2]| pair.map(|n| n as i32);
        let [least, most] = self.bounds;
        let push = Push {
            items: items as u32,
            row_items,
            elements: elements as u32,
            channels: if wide { shape[3] / lanes as u32 } else { shape[3] },
            least,
            most,
            x_size: signed([shape[1], shape[2]]),
            y_size: signed([rows.size, columns.size]),
            window: signed(self.window.size),
            stride: signed(self.window.stride),
            origin: [rows.origin, columns.origin],
        };
        let spec = Spec { wg_x, form: form(element), wide, ..Default::default() };
        let ops = elements * u64::from(self.window.taps());
        cx.dispatch(dispatch(kernel(), spec, push, Bind { x, y }, grid), ops)
    }

    /// The same along dimension `d` alone.
    fn along(&self, d: usize) -> Self {
        let one = |mut pair: [u32; 2]| {
            pair[1 - d] = 1;
            pair
        };
        let Window { size, stride, .. } = self.window;
        Self { window: Window { size: one(size), stride: one(stride), ..self.window }, ..self.clone() }
    }
}

impl Operator for MaxPoolIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [rows, columns] = self.window.extents(&x)?;
        Ok(vec![Shape::from([x[0], rows.size, columns.size, x[3]])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, shape, y) = (cx.x(0)?, cx.input(0).shape, cx.y(0));
        if self.window.taps() <= SMALL {
            return self.emit(cx, x, &shape, y);
        }
        let between = self.along(1).infer(&[Some(shape)])?[0];
        let part = cx.scratch(between.elements() * cx.element().bytes());
        self.along(1).emit(cx, x, &shape, part)?;
        self.along(0).emit(cx, part, &between, y)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let extents = self.window.extents(&x.shape)?;
        let [least, most] = self.bounds.map(i64::from);
        let y = HostTensor::moved(x.dtype(), self.infer(&[Some(x.shape)])?[0], |i| {
            let seen = windows::seen(self.window, extents, x.shape, [i[1], i[2]]);
            let ints = seen.map(|[row, column]| x.scalar(&[i[0], row, column, i[3]]).to_i64());
            Scalar::int(x.dtype(), ints.fold(least, i64::max).min(most)).bits
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, Padding, SpatialPadding};

    #[test]
    fn the_border_is_no_part_of_the_window() {
        let window = Window {
            size: [2, 2],
            stride: [1, 1],
            dilation: [1, 1],
            padding: Padding::Same,
            zeros: SpatialPadding::default(),
        };
        let x = HostTensor { shape: Shape::from([1, 2, 2, 1]), data: Data::I8(vec![-128, -5, -7, -9]) };
        let pool = |bounds| {
            let op = MaxPoolIntegers { window, bounds };
            op.reference(&[Some(&x)]).unwrap().remove(0).data
        };
        assert_eq!(pool([-128, 127]), Data::I8(vec![-5, -5, -7, -9]));
        assert_eq!(pool([-8, -6]), Data::I8(vec![-6, -6, -7, -8]));
    }
}
