//! TRANSPOSE_CONV of integers: `y[n, i·stride + ky − pad, …, o]` is the element of the sum
//! `bias[o] + Σ (x[n,i,j,c] - x₀) · (w[o,ky,kx,c] - w₀)`.
//!
//! Shapes are those of floats. Taken for int8 and uint8 with weights of the same type; those of int8 are around
//! 0 and may have a scale for each channel. Sums have 32 bits. Reference kernels scale them in fixed point with two
//! roundings, XNNPACK in floats.

use std::sync::Arc;

use super::affine::scaling;
use super::batch_matmul_integers::flip;
use super::direct_convolution::{DirectConvolution, reads_computed};
use super::fully_connected_integers::{check_bias, target};
use super::scaled_sum::{fits, weight_scales, zero_point};
use super::transpose_conv::{OutputGeometry, TransposeConv, attributes};
use crate::error::Unsupported;
use crate::ir::requantize::{self, Scaling, Target};
use crate::ir::wide_product::WideScaling;
use crate::ir::{DType, HostTensor, Scalar, Shape, TensorType};
use crate::kernel::table::transpose_conv_integers::{Bind, Dot, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "TRANSPOSE_CONV",
    builtin: Some(sys::kTfLiteBuiltinTransposeConv),
    typed_by: 2,
    takes: &[(DType::I8, 5), (DType::U8, 5)],
    parse,
}];

/// A transposed convolution of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct TransposeConvIntegers {
    /// The shapes.
    pub conv: TransposeConv,
    /// Those of operand and weights.
    pub zero_points: [i32; 2],
    /// From the sums of each channel to the result.
    pub scalings: Arc<[Scaling]>,
    /// The result.
    pub target: Target,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let (conv, activation) = attributes(node)?;
    let (w, x, y) = (node.input_type(1)?, node.input_type(2)?, node.output_type(0)?);
    if w.dtype != x.dtype || [w.shape.len(), x.shape.len()] != [4; 2] || w.shape.contains(&0) {
        unsupported!("weights {w} for {x}");
    }
    node.known(1)?;
    conv.check(&w.shape, &x.shape)?;
    check_bias(node, 3, w.shape[0])?;
    let by_xnnpack = node.integers() == Integers::Xnnpack && !node.is_computed(&[1, 3]);
    let (x_zero_point, target) = (zero_point(&x)?, target(&y, activation, by_xnnpack)?);
    let (scalings, w_zero_point) = scalings(by_xnnpack, [&x, &w, &y])?;
    let zero_points = [x_zero_point, w_zero_point];
    Ok(Parsed::new(TransposeConvIntegers { conv, zero_points, scalings, target }))
}

/// The scaling of each channel for operand, weights and result of these types, and the weights' zero point.
fn scalings(by_xnnpack: bool, [x, w, y]: [&TensorType; 3]) -> Result<(Arc<[Scaling]>, i32), Unsupported> {
    let ((x_scale, _), (y_scale, _)) = (scaling(x)?, scaling(y)?);
    let (scales, zero_point) = weight_scales(w, 0, w.shape[0])?;
    let scaling = |w_scale: f32| {
        let scaling = match by_xnnpack {
            true => Scaling::float(x_scale, w_scale, y_scale),
            false if w.dtype == DType::U8 => Scaling::fixed_for_all(x_scale, w_scale, y_scale),
            false => Scaling::fixed(x_scale, w_scale, y_scale),
        };
        scaling.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} become {y_scale}")))
    };
    Ok((scales.into_iter().map(scaling).collect::<Result<_, _>>()?, zero_point))
}

impl TransposeConvIntegers {
    /// The zero points of operand and weights, once both are signed.
    fn signed(&self, dtype: DType) -> [i32; 2] {
        self.zero_points.map(|n| if dtype == DType::U8 { n - 128 } else { n })
    }

    /// Uploads the weights by tap and channel as signed integers in whole words, each with their sum.
    fn weights(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let Some(constant) = cx.constant(1).cloned() else { unsupported!("weights that are computed") };
        let [channels, height, width, depth] = [0, 1, 2, 3].map(|d| constant.shape[d] as usize);
        let (taps, words) = (height * width, depth.div_ceil(4));
        let [_, zero_point] = self.signed(constant.stored);
        let flip = flip(constant.stored) as u8;
        let pitch = 4 * (words + 1);
        let bytes = (taps * channels) as u64 * pitch as u64;
        let packing = format!("taps of integers around {zero_point}");
        cx.weights(1, &packing, bytes, move |to| {
            let from = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            for (i, from) in from.chunks_exact(depth).enumerate() {
                let (channel, tap) = (i / taps, i % taps);
                let to = &mut to[(tap * channels + channel) * pitch..][..pitch];
                let mut sum = 0_i32;
                for (to, from) in to.iter_mut().zip(from) {
                    *to = from ^ flip;
                    sum += i32::from(to.cast_signed()) - zero_point;
                }
                to[pitch - 4..].copy_from_slice(&sum.to_le_bytes());
            }
        })
    }

    /// Uploads what each channel's sums begin with, and their scaling.
    fn scales(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let channels = cx.input(1).shape[0];
        let bias = if cx.has_input(3) { cx.constant(3).cloned() } else { None };
        let (scalings, places) = (self.scalings.clone(), channels.next_multiple_of(4));
        cx.belonging("scales", requantize::packed_bytes(places.into()), move |to| {
            let bias = bias.as_ref().map(|bias| bias.to_i64().expect("checked by parse"));
            let place = |c: usize| (bias.as_ref().map_or(0, |bias| bias[c] as i32), scalings[c]);
            requantize::pack((0..places).map(|c| (c < channels).then(|| place(c as usize))), to);
        })
    }
}

impl Operator for TransposeConvIntegers {
    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        let settled = |conv| Arc::new(Self { conv, ..self.clone() }) as Arc<dyn Operator>;
        Ok(self.conv.settled(numbers)?.map(settled))
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        fits(&self.scalings, inputs, 3, [4, 0])?;
        self.conv.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, w_shape, dtype) = (cx.input(2).shape, cx.input(1).shape, cx.input(2).dtype);
        if reads_computed(cx, [1, 3]) {
            let direct = DirectConvolution::transposed(&self.conv, [&x_shape, &w_shape])?;
            let scalings = self.scalings.iter().map(|scaling| WideScaling::from(*scaling)).collect();
            let (zero_points, target) = (self.zero_points, self.target);
            return DirectConvolution { zero_points, scalings, target, narrow: true, ..direct }.emit(cx);
        }
        let OutputGeometry { y: y_shape, padding } = self.conv.place(&x_shape, &w_shape)?;
        let (channels, depth, stride) = (y_shape[3], w_shape[3], self.conv.stride);
        let (x, w, scales) = (cx.x(2)?, self.weights(cx)?, self.scales(cx)?);
        let element = cx.element();
        let packed = element.bytes() == 1;
        let tiled = channels.is_multiple_of(4);
        let strips = y_shape[2].div_ceil(stride[1]).div_ceil(4);
        let elements = y_shape.elements();
        let lines = u64::from(y_shape[0]) * u64::from(y_shape[1]);
        let items = match (tiled, packed) {
            (true, _) => lines * u64::from(stride[1]) * u64::from(strips) * u64::from(channels / 4),
            (false, true) => elements.div_ceil(4),
            (false, false) => elements,
        };
        // An invocation sums the taps of one phase.
        let [rows, columns] = [0, 1].map(|d| u64::from(w_shape[d + 1].div_ceil(stride[d])));
        let passes = if !tiled && packed { 4 } else { 1 };
        cx.expect_rounds(passes * rows * (columns * (u64::from(depth.div_ceil(4)) + 5) + 1))?;
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let [x_zero_point, w_zero_point] = self.signed(dtype);
        let push = Push {
            items: items as u32,
            row_items,
            elements: elements as u32,
            channels,
            depth,
            strips,
            x_zero_point,
            w_zero_point,
            y_zero_point: self.target.zero_point,
            least: self.target.bounds[0],
            most: self.target.bounds[1],
            x_size: [x_shape[1], x_shape[2]],
            y_size: [y_shape[1], y_shape[2]],
            taps: [w_shape[1], w_shape[2]],
            stride,
            padding,
        };
        let spec = Spec {
            wg_x,
            form: form(element),
            flip: flip(dtype),
            x_words: packed && depth.is_multiple_of(4),
            tiled,
            shifted: w_zero_point != 0,
            rounding: self.scalings[0].code(),
            ..Default::default()
        };
        let ops = 2 * x_shape.elements() * u64::from(w_shape[1] * w_shape[2] * channels);
        let dot = if cx.caps.dot_8() { Dot::Packed } else { Dot::Plain };
        cx.dispatch(dispatch(kernel(dot), spec, push, Bind { x, w, y: cx.y(0), scales }, grid), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 2)?, operand(inputs, 1)?);
        let bias = inputs.get(3).copied().flatten().map(HostTensor::to_i64).transpose()?;
        let [x_zero_point, w_zero_point] = self.zero_points.map(i64::from);
        let y = self.conv.sums(x, w, x.dtype(), |channel, terms| {
            let product = |[x, w]: [Scalar; 2]| (x.to_i64() - x_zero_point) * (w.to_i64() - w_zero_point);
            let sum = terms.map(product).sum::<i64>() + bias.as_ref().map_or(0, |bias| bias[channel]);
            let y = self.target.element(sum as i32, self.scalings[channel % self.scalings.len()]);
            Scalar::int(x.dtype(), y.into())
        })?;
        Ok(vec![y])
    }
}
