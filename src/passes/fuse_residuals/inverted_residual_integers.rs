//! A pointwise CONV_2D, a DEPTHWISE_CONV_2D and another pointwise CONV_2D of int8 in one dispatch, or the last two: what
//! lies between never reaches memory, and is rounded as if it did. TFLite has no such operator: the pass
//! `fuse residuals` makes it.

use super::slice_tile::{Block, SliceTile};
use crate::cache;
use crate::error::Unsupported;
use crate::ir::requantize::{self, Target};
use crate::ir::{DType, HostTensor, Padding, Shape, SpatialPadding, Window};
use crate::kernel::divisor;
use crate::kernel::table::inverted_residual_integers::{Bind, Dot, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::op::{Operator, operand};
use crate::ops::conv_2d_integers::Conv2dIntegers;
use crate::ops::depthwise_conv_2d_integers::DepthwiseConv2dIntegers;
use crate::ops::scaled_sum::{ScaledSum, splat};
use crate::program::{BufferId, Element, TacticKey};
use crate::unsupported;

/// A convolution whose result is not stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Inner {
    /// How its sums become elements.
    pub sum: ScaledSum,
    /// Where its weights and its bias, if it has one, stand among the node's operands.
    pub inputs: [usize; 2],
}

/// The operands are those of the last convolution, of which operand 0 is what the first one reads, and weights and bias
/// of the inner ones.
#[derive(Clone, Debug, PartialEq)]
pub struct InvertedResidualIntegers {
    /// The pointwise convolution in front, if there is one.
    pub expand: Option<Inner>,
    /// How the depthwise convolution's filter moves.
    pub window: Window,
    /// The depthwise convolution.
    pub depthwise: Inner,
    /// The pointwise convolution behind.
    pub project: ScaledSum,
}

const POINTWISE: Window = Window {
    size: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    padding: Padding::Valid,
    zeros: SpatialPadding { h: [0, 0], w: [0, 0] },
};

/// The order of a constant's weights.
#[derive(Clone, Copy)]
enum Order {
    /// Those of a channel of the result lie side by side.
    PerResult,
    /// Those of a tap do.
    PerTap,
}

impl InvertedResidualIntegers {
    /// The sizes for operands of these shapes and a result.
    ///
    /// # Errors
    /// If an operand is missing or not NHWC.
    pub fn block(&self, inputs: &[Option<Shape>], y: &Shape) -> Result<Block, Unsupported> {
        let x = operand(inputs, 0)?;
        let middle = operand(inputs, self.depthwise.inputs[0])?.channels();
        let depth = self.expand.as_ref().map(|_| x.channels());
        let ([batch, height, width, _], [_, rows, columns, channels]) = (&x[..], &y[..]) else {
            unsupported!("{x} or {y} is not NHWC");
        };
        Ok(Block {
            batch: *batch,
            x_size: [*height, *width],
            y_size: [*rows, *columns],
            window: self.window,
            depth,
            middle,
            channels: *channels,
        })
    }

    /// What computes the last convolution's operand, each with its operands but the first.
    fn inner(&self) -> Vec<(Box<dyn Operator>, [usize; 2])> {
        let mut all: Vec<(Box<dyn Operator>, _)> = Vec::new();
        if let Some(Inner { sum, inputs }) = &self.expand {
            all.push((Box::new(Conv2dIntegers { window: POINTWISE, sum: sum.clone() }), *inputs));
        }
        let sum = self.depthwise.sum.clone();
        all.push((Box::new(DepthwiseConv2dIntegers { window: self.window, sum }), self.depthwise.inputs));
        all
    }
}

impl Operator for InvertedResidualIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let mut x = operand(inputs, 0)?;
        for (op, [weights, _]) in self.inner() {
            x = op.infer(&[Some(x), Some(operand(inputs, weights)?)])?[0];
        }
        Conv2dIntegers { window: POINTWISE, sum: self.project.clone() }
            .infer(&[Some(x), Some(operand(inputs, 1)?)])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, y) = (cx.input(0).shape, cx.output(0).shape);
        let shapes: Vec<_> =
            (0..cx.input_count()).map(|i| cx.has_input(i).then(|| cx.input(i).shape)).collect();
        let block = self.block(&shapes, &y)?;
        let Block { batch, x_size, y_size, window, depth, middle, channels } = block;
        let [h, v] = window.extents(&x)?;
        let candidates = SliceTile::candidates(cx.caps, &block);
        if candidates.is_empty() {
            unsupported!("no room for {block:?}");
        }
        let key = TacticKey::new("inverted_residual_integers", cx.store)
            .rows(y.rows())
            .with("window", window.size)
            .with("stride", window.stride)
            .with("channels", [depth.unwrap_or(0), middle, channels]);
        let tile = cx.choose(key, &candidates);
        let (slices, part_count) = (tile.slice_count(&block), tile.parts(&block));
        let room = slices * tile.quads * 4;
        let x_buffer = cx.x(0)?;
        let w1 = match &self.expand {
            Some(expand) => expand.upload(cx, [middle, room, x.channels()], Order::PerResult)?,
            None => x_buffer,
        };
        let d = self.depthwise.upload(cx, [middle, room, window.taps()], Order::PerTap)?;
        let w2 = projection(cx, [channels, room])?;
        let scales = self.project.upload(cx, true, channels.into(), Some)?;
        let (followers, other) = self.project.followers.emit(cx, scales)?;
        let [tiles_y, tiles_x] = [0, 1].map(|d| y_size[d].div_ceil(tile.tile[d]));
        let tiles = batch * tiles_y * tiles_x;
        let push = Push {
            channels,
            depth: x.channels() / 4,
            middle: room / 4,
            slices,
            part: tile.slices,
            x_size,
            y_size,
            origin: [h.origin, v.origin],
            by_tiles_x: divisor(tiles_x),
            by_tiles_y: divisor(tiles_y),
            tiles_x,
            tiles_y,
            outside: splat(DType::I8, self.depthwise.sum.x_zero_point),
            expanded: self.expand.as_ref().map_or(0, |inner| target(inner.sum.target)),
            convolved: target(self.depthwise.sum.target),
            projected: target(self.project.target),
        };
        let spec = Spec {
            wg_x: tile.invocations,
            tile_h: tile.tile[0],
            tile_w: tile.tile[1],
            stride_y: window.stride[0],
            stride_x: window.stride[1],
            taps_y: window.size[0],
            taps_x: window.size[1],
            expand: depth.is_some(),
            depth: depth.map_or(1, |depth| depth / 4),
            quads: tile.quads,
            y_quads: tile.y_quads(&block),
            seen_rows: tile.seen_rows(window),
            y_rows: tile.y_rows(&block),
            shared: part_count > 1,
            widened: cx.element_of(0) == Element::I32,
            rounding: self.project.rounding(),
            followers,
            ..Spec::default()
        };
        let blocks = u64::from(tiles) * u64::from(tile.groups);
        let [parts, arrived] = cx.parts(tile.left_bytes(&block), blocks, part_count)?;
        let bind = Bind { x: x_buffer, w1, d, w2, y: cx.y(0), scales, other, parts, arrived };
        let dot = if cx.caps.dot_8() { Dot::Packed } else { Dot::Plain };
        let expanded = x.elements() * u64::from(depth.map_or(0, |_| middle));
        let ops =
            2 * (expanded + u64::from(y.rows()) * u64::from(middle) * u64::from(channels + window.taps()));
        cx.dispatch(dispatch(kernel(dot), spec, push, bind, [tiles, tile.groups, part_count]), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let mut x = operand(inputs, 0)?.clone();
        for (op, [weights, bias]) in self.inner() {
            x = op.reference(&[Some(&x), inputs[weights], inputs[bias]])?.remove(0);
        }
        let last: Vec<_> = [Some(&x)].into_iter().chain(inputs[1..].iter().copied()).collect();
        Conv2dIntegers { window: POINTWISE, sum: self.project.clone() }.reference(&last)
    }
}

/// Zero point and bounds of a result, a byte each.
fn target(Target { zero_point, bounds: [least, most] }: Target) -> u32 {
    u32::from_le_bytes([zero_point as u8, least as u8, most as u8, 0])
}

impl Inner {
    /// Uploads weights of `depth` products for each channel, as rows of words of four for each of `room` places, and
    /// behind them what sums begin with and the scalings.
    fn upload(
        &self,
        cx: &mut Lower<'_>,
        [channels, room, depth]: [u32; 3],
        order: Order,
    ) -> Result<BufferId, Unsupported> {
        let [weights, bias] = self.inputs;
        let Some(constant) = cx.constant(weights).cloned() else { unsupported!("weights are not constant") };
        let bias = if cx.has_input(bias) { cx.constant(bias).cloned() } else { None };
        let bias = bias.map(|bias| bias.to_i64()).transpose()?.unwrap_or_default();
        let sum = self.sum.clone();
        let numbers = sum.scalings.iter().flat_map(|scaling| scaling.words()).chain([sum.x_zero_point]);
        let numbers = numbers.map(i64::from).chain(bias.iter().copied());
        let identity = cache::hash(&numbers.flat_map(i64::to_le_bytes).collect::<Vec<_>>());
        let rows = u64::from(depth.div_ceil(4)) * u64::from(room) * 4;
        let bytes = rows + requantize::packed_bytes(room.into());
        cx.weights(weights, &format!("residual/{room}/{identity:016x}"), bytes, move |bytes| {
            let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            let [channels, room, depth] = [channels, room, depth].map(|n| n as usize);
            let weight = |channel: usize, k: usize| match order {
                Order::PerResult => all[channel * depth + k],
                Order::PerTap => all[k * channels + channel],
            };
            let (words, scales) = bytes.split_at_mut(rows as usize);
            let mut sums = (0..room).map(|channel| {
                let known = channel < channels;
                let products = (0..if known { depth } else { 0 }).fold(0_i32, |total, k| {
                    let weight = weight(channel, k);
                    words[4 * (k / 4 * room + channel) + k % 4] = weight;
                    total.wrapping_add(weight.cast_signed().into())
                });
                let bias = bias.get(channel).map_or(0, |bias| *bias as i32);
                let start = bias.wrapping_sub(sum.x_zero_point.wrapping_mul(products));
                known.then(|| (start, sum.scalings[channel]))
            });
            requantize::pack(&mut sums, scales);
        })
    }
}

/// Uploads the last convolution's weights: a row for each word of `room` places of the middle, with a word for each
/// channel of the result.
fn projection(cx: &mut Lower<'_>, [channels, room]: [u32; 2]) -> Result<BufferId, Unsupported> {
    let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
    let bytes = u64::from(channels) * u64::from(room);
    cx.weights(1, &format!("residual/{room}"), bytes, move |bytes| {
        let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
        let (channels, middle) = (channels as usize, all.len() / channels as usize);
        for (channel, weights) in all.chunks_exact(middle).enumerate() {
            for (k, weight) in weights.iter().enumerate() {
                bytes[4 * (k / 4 * channels + channel) + k % 4] = *weight;
            }
        }
    })
}
