//! CONV_2D and DEPTHWISE_CONV_2D of 16-bit integers with weights of 8 bits.
//!
//! Zero points are 0; weights have one scale or a scale for each channel. Sums have 64 bits
//! and scales 16; where `quantized_bias_type` of CONV_2D says so, sums have 32 bits and are scaled as those of int8.
//! Weights and bias are constant or computed. Windows, groups, multipliers and padding are all that TFLite has.

use std::sync::Arc;

use super::affine::{bounds, scaling};
use super::conv_2d::Conv2d;
use super::depthwise_conv_2d::DepthwiseConv2d;
use super::direct_convolution::{DirectConvolution, reads_computed};
use super::fully_connected_int16::sums_have_32_bits;
use super::scaled_sum::{bias, fits, weight_scales};
use super::windows;
use crate::cache;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::requantize::Target;
use crate::ir::wide_product::WideScaling;
use crate::ir::{DType, FixedPoint, HostTensor, Scalar, Shape, SpatialPadding, Window};
use crate::kernel::table::conv_2d_wide_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::program::{BufferId, Element};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "CONV_2D",
        builtin: Some(sys::kTfLiteBuiltinConv2d),
        typed_by: 0,
        takes: &[(DType::I16, 8)],
        parse: |node| parse(node, false),
    },
    Def {
        name: "DEPTHWISE_CONV_2D",
        builtin: Some(sys::kTfLiteBuiltinDepthwiseConv2d),
        typed_by: 0,
        takes: &[(DType::I16, 6)],
        parse: |node| parse(node, true),
    },
];

/// A convolution of 16-bit integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv2dWideIntegers {
    /// How the filter moves.
    pub window: Window,
    /// Whether each channel is convolved by itself, with weights as `[1, height, width, channels]`; else they are OHWI.
    pub depthwise: bool,
    /// The quotient of scales for each channel.
    pub factors: Arc<[FixedPoint]>,
    /// Whether sums have 32 bits, and products with factors are rounded twice.
    pub twice: bool,
    /// The least and the largest result.
    pub bounds: [i32; 2],
}

/// Shifts of factors from here on would move sums of 64 bits to the left.
const SHIFTS: i32 = 15;

fn parse(node: &NodeView<'_>, depthwise: bool) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
    if x.shape.len() != 4 || w.shape.len() != 4 || w.shape.contains(&0) {
        unsupported!("{} by weights {}", x.shape, w.shape);
    }
    if w.dtype != DType::I8 || y.dtype != DType::I16 {
        unsupported!("{} by weights of {} to {}", x.dtype, w.dtype, y.dtype);
    }
    node.known(1)?;
    let attributes = if depthwise { windows::depthwise_conv_2d } else { windows::conv_2d };
    let (window, activation) = attributes(node, &w.shape)?;
    let axis = if depthwise { 3 } else { 0 };
    let channels = w.shape[axis];
    let twice = match bias(node, channels)? {
        Some(other) if !matches!(other, DType::I64 | DType::I32) => unsupported!("a bias of {other}"),
        Some(DType::I32) if depthwise => unsupported!("a bias of i32"),
        bias => sums_have_32_bits(node, bias)?,
    };
    let ((x_scale, x_zero), (y_scale, y_zero)) = (scaling(&x)?, scaling(&y)?);
    if [x_zero, y_zero] != [0, 0] {
        unsupported!("zero points {x_zero} and {y_zero} of {}", x.dtype);
    }
    let factor = |w_scale: &f32| {
        let factor = FixedPoint::new(f64::from(x_scale) * f64::from(*w_scale) / f64::from(y_scale));
        let factor = factor.filter(|factor| twice || factor.shift < SHIFTS);
        factor.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} to {y_scale}")))
    };
    let (scales, _) = weight_scales(&w, axis, channels)?;
    let factors = scales.iter().map(factor).collect::<Result<Vec<_>, _>>()?;
    let bounds = bounds(&y, activation, false)?;
    let conv = Conv2dWideIntegers { window, depthwise, factors: factors.into(), twice, bounds };
    conv.infer(&[Some(x.shape), Some(w.shape)])?;
    window.must_fit(&x.shape)?;
    Ok(Parsed::new(conv).gives(DType::I16))
}

/// The multiplier of a factor in 16 bits, as TFLite has it.
fn short(factor: FixedPoint) -> i32 {
    if factor.multiplier < 0x7fff_0000 { (factor.multiplier + (1 << 15)) >> 16 } else { 0x7fff }
}

/// The number for an element of sum `sum`, before bounds.
fn scaled(factor: FixedPoint, twice: bool, sum: i64) -> i32 {
    if twice {
        return factor.times(sum as i32);
    }
    let n = SHIFTS - factor.shift;
    (sum.wrapping_mul(short(factor).into()).wrapping_add(1 << (n - 1)) >> n) as i32
}

impl Conv2dWideIntegers {
    /// The scaling of each channel as kernels have it that read computed weights.
    fn wide_scalings(&self) -> Result<Vec<WideScaling>, Unsupported> {
        let scaling = |factor: &FixedPoint| match self.twice {
            true => Ok(WideScaling::Twice(*factor)),
            false => {
                let wide = WideScaling::of(*factor);
                wide.ok_or_else(|| Unsupported(format!("a factor of {factor:?} with computed weights")))
            }
        };
        self.factors.iter().map(scaling).collect()
    }

    /// Channels of the operand that one channel of the result depends on, and channels of the result for those.
    fn groups(&self, x: &Shape, w: &Shape) -> Result<[u32; 2], Unsupported> {
        if self.depthwise {
            return Ok([1, w.channels() / x.channels().max(1)]);
        }
        Ok([w.channels(), w[0] / Conv2d::groups(x, w)?])
    }

    /// Where the weight of a channel's element `k` is, and how many elements a channel has.
    fn place(&self, w: &Shape) -> (impl Fn(usize, usize) -> usize + use<>, usize) {
        let (depthwise, channels) = (self.depthwise, w.channels() as usize);
        let all = if depthwise { channels } else { w[0] as usize };
        let count = w.elements() as usize / all.max(1);
        let place = move |channel: usize, k: usize| {
            if depthwise { k * channels + channel } else { channel * count + k }
        };
        (place, count)
    }

    /// Uploads operand 1, channel by channel.
    fn weights(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
        let (place, count) = self.place(&constant.shape);
        let packing = format!("by channel/{}", self.depthwise);
        cx.weights(1, &packing, constant.shape.elements(), move |bytes| {
            let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            for (i, to) in bytes.iter_mut().take(all.len()).enumerate() {
                *to = all[place(i / count, i % count)];
            }
        })
    }

    /// Uploads bias, multiplier and shift of each channel.
    fn scales(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let bias = if cx.has_input(2) { cx.constant(2).cloned() } else { None };
        let bias = bias.map(|bias| bias.to_i64()).transpose()?.unwrap_or_default();
        let mut words = Vec::new();
        for (channel, factor) in self.factors.iter().enumerate() {
            let bias = bias.get(channel).copied().unwrap_or(0);
            let (multiplier, shift) = match self.twice {
                true => (factor.multiplier, factor.shift),
                false => (short(*factor), SHIFTS - factor.shift),
            };
            words.extend([bias as i32, (bias >> 32) as i32, multiplier, shift]);
        }
        let all: Vec<u8> = words.into_iter().flat_map(i32::to_le_bytes).collect();
        let packing = format!("wide scales/{:016x}", cache::hash(&all));
        cx.weights(1, &packing, all.len() as u64, move |bytes| bytes[..all.len()].copy_from_slice(&all))
    }
}

impl Operator for Conv2dWideIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let w = operand(inputs, 1)?;
        let window = self.window.sized(&w);
        fits(&self.factors, inputs, 2, [4, if self.depthwise { 3 } else { 0 }])?;
        if self.depthwise {
            return DepthwiseConv2d { window }.infer(inputs);
        }
        Conv2d { window }.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, w, y) = (cx.input(0).shape, cx.input(1).shape, cx.output(0).shape);
        if reads_computed(cx, [1, 2]) {
            let direct = DirectConvolution::windowed(&self.window, [&x, &w, &y], self.depthwise)?;
            let target = Target { zero_point: 0, bounds: self.bounds };
            let scalings = self.wide_scalings()?;
            return DirectConvolution { scalings, target, narrow: self.twice, ..direct }.emit(cx);
        }
        let [h, v] = self.window.extents(&x)?;
        let [depth, group_channels] = self.groups(&x, &w)?;
        let products = u64::from(self.window.taps()) * u64::from(depth);
        let multiple = |n: u32| x.channels().is_multiple_of(n) && depth.is_multiple_of(n);
        let pairs = cx.element() == Element::I16 && multiple(4) && group_channels.is_multiple_of(2);
        let grid = cx.word_grid()?;
        // An invocation computes two elements.
        let products_at_once = if pairs { 4 } else { 1 };
        cx.expect_rounds(
            2 * (products / products_at_once
                + u64::from(self.window.taps())
                + u64::from(self.window.size[0])),
        )?;
        let [least, most] = self.bounds;
        let push = Push {
            items: grid.items,
            row_items: grid.row_items,
            elements: grid.elements,
            channels: y.channels(),
            depth,
            x_channels: x.channels(),
            group_channels,
            least,
            most,
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            taps: self.window.size,
            stride: self.window.stride,
            dilation: self.window.dilation,
            origin: [h.origin, v.origin],
        };
        let spec =
            Spec { wg_x: grid.wg_x, form: form(cx.element()), twice: self.twice, pairs, ..Spec::default() };
        let bind = Bind { x: cx.x(0)?, w: self.weights(cx)?, scales: self.scales(cx)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(), spec, push, bind, grid.grid), 2 * products * y.elements())
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let window = self.window.sized(&w.shape);
        let extents = window.extents(&x.shape)?;
        let shape = self.infer(&[Some(x.shape), Some(w.shape)])?[0];
        let [depth, group_channels] = self.groups(&x.shape, &w.shape)?.map(|n| n as usize);
        let [x_channels, channels] = [x.shape[3], shape[3]].map(|n| n as usize);
        let (place, _) = self.place(&w.shape);
        let (xs, ws) = (x.to_i64()?, w.to_i64()?);
        let mut sums = filled(shape.elements(), 0_i64, &shape)?;
        if let Some(bias) = inputs.get(2).copied().flatten() {
            let bias = bias.to_i64()?;
            sums.iter_mut().zip(bias.iter().cycle()).for_each(|(sum, bias)| *sum = *bias);
        }
        window.visit(&x.shape, extents, |pixel, tap, from| {
            for (channel, sum) in sums[pixel * channels..][..channels].iter_mut().enumerate() {
                let first = from * x_channels + channel / group_channels * depth;
                let product = |c: usize| xs[first + c] * ws[place(channel, tap * depth + c)];
                *sum = sum.wrapping_add((0..depth).map(product).sum());
            }
        });
        let [least, most] = self.bounds;
        let mut places = 0..sums.len();
        let y = HostTensor::moved(DType::I16, shape, |_| {
            let i = places.next().unwrap_or(0);
            let element = scaled(self.factors[i % channels % self.factors.len()], self.twice, sums[i])
                .clamp(least, most);
            Scalar::int(DType::I16, element.into()).bits
        })?;
        Ok(vec![y])
    }

    fn absorb_border(&self, padding: SpatialPadding, value: Scalar) -> Option<Arc<dyn Operator>> {
        let window = self.window.absorb(padding);
        (value.to_i64() == 0).then(|| Arc::new(Self { window, ..self.clone() }) as Arc<dyn Operator>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_64_bits_are_rounded_once() {
        let half = FixedPoint::new(0.5).unwrap();
        assert_eq!((short(half), half.shift), (1 << 14, 0));
        assert_eq!([1, -1, 3, -3, 1 << 20].map(|sum| scaled(half, false, sum)), [1, 0, 2, -1, 1 << 19]);
        assert_eq!([1, -1, 3, -3].map(|sum| scaled(half, true, sum)), [1, 0, 2, -1]);
        // The multiplier saturates instead of becoming 2¹⁵.
        assert_eq!(short(FixedPoint { multiplier: i32::MAX, shift: 0 }), 0x7fff);
    }
}
