//! A DEPTHWISE_CONV_2D and the pointwise CONV_2D behind it in one dispatch: the activation between them never
//! reaches memory. TFLite has no such operator: the pass `fuse depthwise` makes it.

use crate::error::Unsupported;
use crate::ir::{HostTensor, Padding, Shape, SpatialPadding, Window};
use crate::lower::Lower;
use crate::op::{Fusion, Operator, operand};
use crate::ops::conv_2d::cooperative::{self, Depthwise};
use crate::ops::conv_2d::{Conv2d, Geometry};
use crate::ops::depthwise_conv_2d::DepthwiseConv2d;

/// Operand 1 is the pointwise convolution's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct SeparableConv2d {
    /// What comes first.
    pub depthwise: Depthwise,
}

/// What comes second.
pub(super) const POINTWISE: Conv2d = Conv2d {
    window: Window {
        size: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        padding: Padding::Valid,
        zeros: SpatialPadding { h: [0, 0], w: [0, 0] },
    },
};

/// `clamp(t + bias)`, a bias per channel.
pub(super) fn activate(of: Vec<HostTensor>, bias: &HostTensor, [lo, hi]: [f32; 2]) -> Vec<HostTensor> {
    let bias = bias.floats();
    let act = |(i, v): (usize, &f32)| (v + bias[i % bias.len()]).max(lo).min(hi);
    let activate = |t: HostTensor| HostTensor::f32(t.shape, t.floats().iter().enumerate().map(act).collect());
    of.into_iter().map(activate).collect()
}

impl SeparableConv2d {
    fn first(&self) -> DepthwiseConv2d {
        DepthwiseConv2d { window: self.depthwise.window }
    }
}

impl Operator for SeparableConv2d {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let weights = operand(inputs, self.depthwise.inputs[0])?;
        let between = self.first().infer(&[Some(operand(inputs, 0)?), Some(weights)])?;
        POINTWISE.infer(&[between.first().copied(), Some(operand(inputs, 1)?)])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, y) = (cx.input(0).shape, cx.output(0).shape);
        let window = self.depthwise.window;
        let [h, v] = window.extents(&x)?;
        let conv = Geometry {
            rows: y.rows(),
            channels: y.channels(),
            depth: x.channels(),
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            taps: window.size,
            stride: window.stride,
            dilation: window.dilation,
            origin: [h.origin, v.origin],
            products: x.channels(),
            x_channels: x.channels(),
            group_channels: y.channels(),
            ..Geometry::default()
        };
        cooperative::emit(cx, &conv, Some(&self.depthwise))
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let Depthwise { clamp, inputs: [weights, bias], .. } = self.depthwise;
        let first = self.first().reference(&[Some(operand(inputs, 0)?), Some(operand(inputs, weights)?)])?;
        let between = activate(first, operand(inputs, bias)?, clamp);
        POINTWISE.reference(&[between.first(), Some(operand(inputs, 1)?)])
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}
