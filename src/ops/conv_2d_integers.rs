//! CONV_2D of quantised integers: `y[n,i,j,o] = scaled(Σ x[n, i·stride + ky·dilation − pad, …, c] · w[o,ky,kx,c])`.
//!
//! Types and scales are those of `scaled_sum`; windows, groups and padding are all that TFLite has. Weights and bias
//! are constant or computed. Taps beyond the border count as the operand's zero point.

use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, HostTensor, Scalar, Shape, SpatialPadding, Window};
use crate::lower::Lower;
use crate::op::{Def, Follower, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

use super::conv_2d::{Conv2d, Geometry};
use super::direct_convolution::{DirectConvolution, reads_computed};
use super::scaled_sum::{ScaledSum, fits};
use super::windows;

mod cooperative;
mod few_rows;
mod tiles;

pub(super) const DEFS: &[Def] = &[Def {
    name: "CONV_2D",
    builtin: Some(sys::kTfLiteBuiltinConv2d),
    typed_by: 0,
    takes: &[(DType::I8, 8), (DType::U8, 8)],
    parse,
}];

/// A convolution of NHWC with OHWI weights, both of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv2dIntegers {
    /// How the filter moves.
    pub window: Window,
    /// How sums become elements.
    pub sum: ScaledSum,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w) = (node.input_type(0)?, node.input_type(1)?);
    if x.shape.len() != 4 || w.shape.len() != 4 {
        unsupported!("{} by weights {}", x.shape, w.shape);
    }
    let (window, activation) = windows::conv_2d(node, &w.shape)?;
    let sum = ScaledSum::parse(node, 0, activation)?;
    let conv = Conv2dIntegers { window, sum };
    conv.infer(&[Some(x.shape), Some(w.shape)])?;
    window.must_fit(&x.shape)?;
    Ok(Parsed::new(conv).gives(x.dtype))
}

/// Emits the convolution of operand 0 with operand 1, and operand 2 as bias, with the kernel that suits the device.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, sum: &ScaledSum) -> Result<(), Unsupported> {
    if few_rows::fits(cx, conv) {
        few_rows::emit(cx, conv, sum)
    } else if cooperative::fits(cx, conv) {
        cooperative::emit(cx, conv, sum)
    } else {
        tiles::emit(cx, conv, sum)
    }
}

impl Operator for Conv2dIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let w = operand(inputs, 1)?;
        fits(&self.sum.scalings, inputs, 2, [4, 0])?;
        Conv2d { window: self.window.sized(&w) }.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, w, y) = (cx.input(0).shape, cx.input(1).shape, cx.output(0).shape);
        if reads_computed(cx, [1, 2]) {
            return self.sum.direct(DirectConvolution::windowed(&self.window, [&x, &w, &y], false)?).emit(cx);
        }
        let [h, v] = self.window.extents(&x)?;
        let (groups, depth) = (Conv2d::groups(&x, &w)?, w.channels());
        let border = h.border || v.border;
        let [rows, channels] = [y.rows(), y.channels()];
        let own = self.window.size == [1, 1] && self.window.stride == [1, 1] && !border;
        // One window that is all of the operand.
        let whole = self.window.size == [x[1], x[2]] && y.rows() == x[0] && !border;
        if groups == 1 && (own || whole) {
            let conv = Geometry::product(rows, self.window.taps() * depth, channels);
            return emit(cx, &conv, &self.sum);
        }
        let conv = Geometry {
            rows,
            channels,
            depth,
            x_channels: x.channels(),
            group_channels: channels / groups,
            products: self.window.taps() * depth,
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            taps: self.window.size,
            stride: self.window.stride,
            dilation: self.window.dilation,
            origin: [h.origin, v.origin],
            pointwise: own,
            border,
        };
        emit(cx, &conv.along_lines(v), &self.sum)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let window = self.window.sized(&w.shape);
        let extents = window.extents(&x.shape)?;
        let groups = Conv2d::groups(&x.shape, &w.shape)? as usize;
        let [x_channels, depth, channels] = [x.shape[3], w.shape[3], w.shape[0]].map(|n| n as usize);
        let filter = window.taps() as usize * depth;
        let shape = self.infer(&[Some(x.shape), Some(w.shape)])?[0];
        let [xs, ws] = self.sum.numbers(x, w)?;
        let mut sums = self.sum.begin(inputs, filled(shape.elements(), 0, &shape)?)?;
        window.visit(&x.shape, extents, |pixel, tap, from| {
            let x = &xs[from * x_channels..][..x_channels];
            for (channel, sum) in sums[pixel * channels..][..channels].iter_mut().enumerate() {
                let group = channel / (channels / groups);
                let products = x[group * depth..][..depth].iter().zip(&ws[channel * filter + tap * depth..]);
                *sum = products.fold(*sum, |sum, (x, w)| sum.wrapping_add(x * w));
            }
        });
        Ok(vec![self.sum.elements(inputs, x.dtype(), shape, sums)?])
    }

    fn followed_by(&self, follower: &Follower<'_>) -> Option<Arc<dyn Operator>> {
        let sum = self.sum.followed_by(follower)?;
        Some(Arc::new(Self { window: self.window, sum }))
    }

    fn absorb_border(&self, padding: SpatialPadding, value: Scalar) -> Option<Arc<dyn Operator>> {
        let window = self.window.absorb(padding);
        let zero = value.to_i64() == i64::from(self.sum.x_zero_point);
        zero.then(|| Arc::new(Self { window, sum: self.sum.clone() }) as Arc<dyn Operator>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::requantize::{Scaling, Target};
    use crate::ir::{Data, Padding};
    use crate::ops::scaled_sum::Followers;

    fn conv(zero_point: i32) -> Conv2dIntegers {
        let window = Window {
            size: [1, 3],
            stride: [1, 1],
            dilation: [1, 1],
            padding: Padding::Same,
            zeros: SpatialPadding::default(),
        };
        let scalings = Scaling::fixed(0.5, 1.0, 1.0).into_iter().collect::<Vec<_>>();
        let target = Target { zero_point: 1, bounds: [-128, 100] };
        let sum = ScaledSum {
            x_zero_point: zero_point,
            w_zero_point: 0,
            scalings: scalings.into(),
            target,
            followers: Followers::default(),
        };
        Conv2dIntegers { window, sum }
    }

    fn i8s(dims: [u32; 4], data: &[i8]) -> HostTensor {
        HostTensor { shape: Shape::from(dims), data: Data::I8(data.to_vec()) }
    }

    #[test]
    fn taps_beyond_the_border_are_zero_points() {
        let (x, w) = (i8s([1, 1, 3, 1], &[7, 9, 127]), i8s([1, 1, 3, 1], &[2, 4, -1]));
        let bias = HostTensor { shape: Shape::from([1]), data: Data::I32(vec![3]) };
        let y = conv(5).reference(&[Some(&x), Some(&w), Some(&bias)]).unwrap().remove(0);
        // Sums of 3 + 8 - 4, 3 + 4 + 16 - 122 and 3 + 8 + 488.
        assert_eq!(y.data, Data::I8(vec![5, -48, 100]));
    }

    #[test]
    fn a_border_of_zero_points_is_absorbed() {
        let padding = SpatialPadding { h: [0, 0], w: [1, 2] };
        let absorbed = |value| conv(5).absorb_border(padding, value);
        assert!(absorbed(Scalar::int(DType::I8, 5)).is_some());
        assert!(absorbed(Scalar::int(DType::I8, 0)).is_none());
    }
}
