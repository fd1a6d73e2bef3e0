//! Convolutions of integers that read their weights as they are stored: those whose weights or bias are computed, and
//! transposed ones of int16.

use super::conv_2d::Conv2d;
use super::depthwise_conv_2d::multiplier;
use super::transpose_conv::{OutputGeometry, TransposeConv};
use crate::codes::direct_convolution_integers as code;
use crate::error::Unsupported;
use crate::ir::requantize::Target;
use crate::ir::wide_product::{self, WideScaling};
use crate::ir::{Shape, Window};
use crate::kernel::table::direct_convolution_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::unsupported;

/// A convolution, or one that is transposed; pairs are height and width.
#[derive(Clone, Debug)]
pub(super) struct DirectConvolution {
    /// Numbers of the operand, of the weights and of the bias, which may be absent.
    pub operands: [usize; 3],
    /// Whether the operand is spread over the windows instead of summed up.
    pub transposed: bool,
    /// Elements of the operand from one pixel to the next.
    pub x_channels: u32,
    /// Channels of the operand that one of the result depends on.
    pub depth: u32,
    /// Channels of the result that depend on the same ones.
    pub group_channels: u32,
    /// Elements of the weights from one tap to the next, and from one channel of the result to the next.
    pub weight_strides: [u32; 2],
    /// Of the operand.
    pub x_size: [u32; 2],
    /// Of the result.
    pub y_size: [u32; 2],
    /// Of the window.
    pub taps: [u32; 2],
    /// Between windows.
    pub stride: [u32; 2],
    /// Between taps.
    pub dilation: [u32; 2],
    /// Where the first window begins; where the result begins in the windows, if transposed.
    pub origin: [i32; 2],
    /// Those of operand and weights.
    pub zero_points: [i32; 2],
    /// From the sums of each channel, or of all, to the result.
    pub scalings: Vec<WideScaling>,
    /// The result.
    pub target: Target,
    /// Whether sums wrap at 32 bits.
    pub narrow: bool,
}

/// Whether weights or bias, operands of these numbers, are computed.
pub(super) fn reads_computed(cx: &Lower<'_>, operands: [usize; 2]) -> bool {
    operands.into_iter().any(|i| cx.has_input(i) && cx.constant(i).is_none())
}

impl DirectConvolution {
    /// The product of `rows` rows with the transpose of a matrix of weights, of `channels` rows.
    pub fn product(rows: u32, depth: u32, channels: u32) -> Self {
        Self {
            operands: [0, 1, 2],
            transposed: false,
            x_channels: depth,
            depth,
            group_channels: channels,
            weight_strides: [depth; 2],
            x_size: [1, rows],
            y_size: [1, rows],
            taps: [1; 2],
            stride: [1; 2],
            dilation: [1; 2],
            origin: [0; 2],
            zero_points: [0; 2],
            scalings: Vec::new(),
            target: Target { zero_point: 0, bounds: [0; 2] },
            narrow: false,
        }
    }

    /// A convolution with OHWI weights, or, if `depthwise`, of each channel with weights `[1, height, width, channels]`.
    pub fn windowed(window: &Window, [x, w, y]: [&Shape; 3], depthwise: bool) -> Result<Self, Unsupported> {
        let window = window.sized(w);
        let [h, v] = window.extents(x)?;
        let (channels, depth) = (w.channels(), w.channels());
        let (depth, group_channels, weight_strides) = if depthwise {
            (1, multiplier(x, w)?, [channels, 1])
        } else {
            (depth, w[0] / Conv2d::groups(x, w)?, [depth, window.taps() * depth])
        };
        Ok(Self {
            x_channels: x.channels(),
            group_channels,
            weight_strides,
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            taps: window.size,
            stride: window.stride,
            dilation: window.dilation,
            origin: [h.origin, v.origin],
            ..Self::product(0, depth, channels)
        })
    }

    /// A transposed convolution with OHWI weights; operands are those of TRANSPOSE_CONV.
    pub fn transposed(conv: &TransposeConv, [x, w]: [&Shape; 2]) -> Result<Self, Unsupported> {
        let OutputGeometry { y, padding } = conv.place(x, w)?;
        let (taps, depth) = ([w[1], w[2]], w[3]);
        Ok(Self {
            operands: [2, 1, 3],
            transposed: true,
            weight_strides: [depth, taps[0] * taps[1] * depth],
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            taps,
            stride: conv.stride,
            origin: padding.map(u32::cast_signed),
            ..Self::product(0, depth, w[0])
        })
    }

    /// Emits the kernel.
    pub fn emit(mut self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        if self.scalings.windows(2).all(|pair| pair[0] == pair[1]) {
            self.scalings.truncate(1);
        }
        let [x, w, bias] = self.operands;
        let y_shape = cx.output(0).shape;
        if y_shape.elements() == 0 {
            return Ok(());
        }
        let channels = y_shape.channels();
        if self.scalings.len() != 1 && self.scalings.len() != channels as usize {
            unsupported!("{} scales for {channels} channels", self.scalings.len());
        }
        let has_bias = cx.has_input(bias);
        let constant = if has_bias { cx.constant(bias).cloned() } else { None };
        let computed = has_bias && constant.is_none();
        let (rounding, scalings) = (self.scalings[0].code(), self.scalings);
        let scales = cx.belonging(
            &format!("scales/{channels}"),
            wide_product::BYTES * u64::from(channels),
            move |bytes| {
                let starts = constant.as_ref().map(|bias| bias.to_i64().expect("checked by parse"));
                let start = |c: usize| starts.as_ref().map_or(0, |starts| starts[c]);
                let channel = |c: usize| (start(c), scalings[if scalings.len() > 1 { c } else { 0 }]);
                wide_product::pack((0..channels as usize).map(channel), bytes);
            },
        )?;
        let step = |d: usize| if self.transposed { self.stride[d] } else { 1 };
        let [rows, columns] = [0, 1].map(|d| u64::from(self.taps[d].div_ceil(step(d))));
        let at_once = (4 / cx.element().bytes()).max(1);
        cx.expect_rounds(at_once * rows * (columns * (u64::from(self.depth) + 1) + 1))?;
        let grid = cx.word_grid()?;
        let spec = Spec {
            wg_x: grid.wg_x,
            form: form(cx.element()),
            x_form: form(cx.element_of(x)),
            w_form: form(cx.element_of(w)),
            bias_form: if computed { form(cx.element_of(bias)) } else { code::BIAS_NONE },
            transposed: self.transposed,
            narrow: self.narrow,
            rounding,
            ..Default::default()
        };
        let push = Push {
            items: grid.items,
            row_items: grid.row_items,
            elements: grid.elements,
            channels,
            depth: self.depth,
            x_channels: self.x_channels,
            group_channels: self.group_channels,
            w_tap: self.weight_strides[0],
            w_channel: self.weight_strides[1],
            x_zero_point: self.zero_points[0],
            w_zero_point: self.zero_points[1],
            y_zero_point: self.target.zero_point,
            least: self.target.bounds[0],
            most: self.target.bounds[1],
            x_size: self.x_size,
            y_size: self.y_size,
            taps: self.taps,
            stride: self.stride,
            dilation: self.dilation,
            origin: self.origin,
        };
        let (x, w) = (cx.x(x)?, cx.x(w)?);
        let bias = if computed { cx.x(bias)? } else { scales };
        let ops = 2 * y_shape.elements() * rows * columns * u64::from(self.depth);
        cx.dispatch(dispatch(kernel(), spec, push, Bind { x, w, bias, y: cx.y(0), scales }, grid.grid), ops)
    }
}
