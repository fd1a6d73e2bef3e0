//! DEPTHWISE_CONV_2D of quantised integers: `y[n,i,j,o] = scaled(Σ x[n, i·stride + ky·dilation − pad, …, o / multiplier]
//! · w[0,ky,kx,o])`.
//!
//! Types and scales are those of `scaled_sum`; windows, padding and multipliers are all that TFLite has. Weights and
//! bias are constant or computed. Taps beyond the border count as the operand's zero point.

use std::sync::Arc;

use crate::caps::DeviceKind;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, HostTensor, Scalar, Shape, SpatialPadding, Window};
use crate::kernel::table::depthwise_conv_2d_integers::{
    Bind, Pixels, Push, Spec, Stores, Taps, Width, dispatch, kernel,
};
use crate::lower::Lower;
use crate::op::{Def, Follower, Operator, Parsed, operand};
use crate::program::{BufferId, Element, TacticKey};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

use super::depthwise_conv_2d::{DepthwiseConv2d, Strips, multiplier};
use super::direct_convolution::{DirectConvolution, reads_computed};
use super::scaled_sum::{ScaledSum, fits};
use super::windows;

pub(super) const DEFS: &[Def] = &[Def {
    name: "DEPTHWISE_CONV_2D",
    builtin: Some(sys::kTfLiteBuiltinDepthwiseConv2d),
    typed_by: 0,
    takes: &[(DType::I8, 6), (DType::U8, 6)],
    parse,
}];

/// A convolution of each channel by itself, weights as `[1, height, width, channels]`, both of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthwiseConv2dIntegers {
    /// How the filter moves.
    pub window: Window,
    /// How sums become elements.
    pub sum: ScaledSum,
}

/// The most products that a float holds the sum of.
const EXACT: u32 = 256;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w) = (node.input_type(0)?, node.input_type(1)?);
    if x.shape.len() != 4 || w.shape.len() != 4 {
        unsupported!("{} by weights {}", x.shape, w.shape);
    }
    let (window, activation) = windows::depthwise_conv_2d(node, &w.shape)?;
    let sum = ScaledSum::parse(node, 3, activation)?;
    let conv = DepthwiseConv2dIntegers { window, sum };
    conv.infer(&[Some(x.shape), Some(w.shape)])?;
    window.must_fit(&x.shape)?;
    Ok(Parsed::new(conv).gives(x.dtype))
}

impl Operator for DepthwiseConv2dIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let w = operand(inputs, 1)?;
        fits(&self.sum.scalings, inputs, 2, [4, 3])?;
        DepthwiseConv2d { window: self.window.sized(&w) }.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, w_shape, y_shape) = (cx.input(0).shape, cx.input(1).shape, cx.output(0).shape);
        if reads_computed(cx, [1, 2]) {
            let shapes = [&x_shape, &w_shape, &y_shape];
            return self.sum.direct(DirectConvolution::windowed(&self.window, shapes, true)?).emit(cx);
        }
        let [h, v] = self.window.extents(&x_shape)?;
        let multiplier = multiplier(&x_shape, &w_shape)?;
        let channels = y_shape.channels();
        let quads = multiplier == 1 && channels % 4 == 0;
        let widened = cx.element_of(0) == Element::I32;
        let taps = match (self.window.size[1], self.window.stride[1], self.window.dilation[1]) {
            (3, 1, 1) => Taps::K3s1,
            (3, 2, 1) => Taps::K3s2,
            (5, 1, 1) => Taps::K5s1,
            (5, 2, 1) => Taps::K5s2,
            _ => Taps::Any,
        };
        let [rows, columns] = self.window.size.map(u64::from);
        cx.expect_rounds(rows * (columns + 1))?;
        let key = TacticKey::new("depthwise_conv_2d_integers", cx.store)
            .with("window", self.window.size)
            .with("stride", self.window.stride)
            .with("channels", [channels]);
        let Strips { pixels, invocations: wg_x } = cx.choose(key, &Strips::candidates(cx.caps, quads));
        let strips = y_shape[2].div_ceil(pixels);
        let lines = u64::from(y_shape[0]) * u64::from(y_shape[1]);
        let items = lines * u64::from(strips) * u64::from(if quads { channels / 4 } else { channels });
        let (grid, row_items) = cx.grid_of(wg_x, items)?;
        let spec = Spec {
            wg_x,
            // The last strip of a row may reach beyond the border even where windows do not.
            border: v.border || y_shape[2] % pixels != 0,
            // A driver that runs on the CPU executes both sides of a branch.
            branch: cx.caps.kind != DeviceKind::Software,
            many: self.window.taps() > EXACT,
            widened,
            unsigned: cx.input(0).dtype == DType::U8,
            rounding: self.sum.rounding(),
            ..Spec::default()
        };
        let [least, most] = self.sum.target.bounds;
        let push = Push {
            items: items as u32,
            row_items,
            channels,
            multiplier,
            strips,
            y_zero_point: self.sum.target.zero_point,
            least,
            most,
            x_size: [x_shape[1], x_shape[2]],
            y_size: [y_shape[1], y_shape[2]],
            taps: self.window.size,
            stride: self.window.stride,
            dilation: self.window.dilation,
            origin: [h.origin, v.origin],
            x_zero_point: self.sum.x_zero_point as f32,
        };
        let places = u64::from(channels.next_multiple_of(4));
        let scales = self
            .sum
            .upload(cx, false, places, move |place| Some(place).filter(|c| *c < channels as usize))?;
        let (followers, other) = self.sum.followers.emit(cx, scales)?;
        let bind = Bind { x: cx.x(0)?, w: self.weights(cx)?, y: cx.y(0), scales, other };
        let spec = Spec { followers, ..spec };
        let width = if quads { Width::N4 } else { Width::N1 };
        let pixels = if pixels == 2 { Pixels::N2 } else { Pixels::N4 };
        let stores = if quads || widened { Stores::Words } else { Stores::Bytes };
        let ops = 2 * y_shape.elements() * u64::from(self.window.taps());
        let kernel = kernel(width, taps, pixels, stores)
            .unwrap_or_else(|| unreachable!("{width:?} {pixels:?} {stores:?} is left out"));
        cx.dispatch(dispatch(kernel, spec, push, bind, grid), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let window = self.window.sized(&w.shape);
        let extents = window.extents(&x.shape)?;
        let multiplier = multiplier(&x.shape, &w.shape)? as usize;
        let shape = self.infer(&[Some(x.shape), Some(w.shape)])?[0];
        let [x_channels, channels] = [x.shape[3], w.shape[3]].map(|n| n as usize);
        let [xs, ws] = self.sum.numbers(x, w)?;
        let mut sums = self.sum.begin(inputs, filled(shape.elements(), 0, &shape)?)?;
        window.visit(&x.shape, extents, |pixel, tap, from| {
            let x = &xs[from * x_channels..][..x_channels];
            let w = &ws[tap * channels..][..channels];
            for (c, (sum, w)) in sums[pixel * channels..][..channels].iter_mut().zip(w).enumerate() {
                *sum = sum.wrapping_add(x[c / multiplier] * w);
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

impl DepthwiseConv2dIntegers {
    /// Uploads operand 1 as floats, less its zero point.
    fn weights(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
        let sum = self.sum.clone();
        let elements = constant.shape.elements();
        cx.weights(1, &format!("floats/{}", sum.w_zero_point), elements * 4, move |bytes| {
            let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            for (to, byte) in bytes.as_chunks_mut().0.iter_mut().zip(all.iter()) {
                *to = (sum.weight(constant.stored, *byte) as f32).to_le_bytes();
            }
        })
    }
}
