//! What quantised convolutions and matrix products have in common: sums of products of integers, which become
//! elements of a result of another scale.
//!
//! `y = clamp(scaled(Σ (x - zero point) · (w - zero point) + bias) + zero point)`. Taken for int8 with weights of
//! int8, that have zero points of 0 and one scale or a scale for each channel, and for uint8 with weights of uint8
//! and one scale. Scales are positive and finite. The bias has 32 bits.

use std::sync::Arc;

use super::affine::{bounds, scaling};
use super::direct_convolution::DirectConvolution;
use crate::cache;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::requantize::{self, Scaling, Target};
use crate::ir::wide_product::WideScaling;
use crate::ir::{Activation, DType, HostTensor, Quantization, Scalar, Shape, TensorType, is_scale};
use crate::lower::Lower;
use crate::op::{Follower, operand};
use crate::options::Integers;
use crate::program::BufferId;
use crate::tflite::NodeView;
use crate::unsupported;

mod followers;

pub use followers::Followers;

/// How sums of products become elements.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaledSum {
    /// What stands for 0 in the operand.
    pub x_zero_point: i32,
    /// What stands for 0 in the weights.
    pub w_zero_point: i32,
    /// The scaling of each channel.
    pub scalings: Arc<[Scaling]>,
    /// What the result is like.
    pub target: Target,
    /// What the elements become before they are stored.
    pub followers: Followers,
}

impl ScaledSum {
    /// That of a node with operand, weights, and a bias, if it has one, as its inputs. `axis` is the
    /// dimension of the weights that the channels of the result are.
    pub fn parse(node: &NodeView<'_>, axis: usize, activation: Activation) -> Result<Self, Unsupported> {
        let (x, w, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
        if w.dtype != x.dtype || y.dtype != x.dtype {
            unsupported!("{} by weights of {} to {}", x.dtype, w.dtype, y.dtype);
        }
        node.known(1)?;
        let Some(count) = w.shape.get(axis).copied().filter(|_| !w.shape.contains(&0)) else {
            unsupported!("weights {w}");
        };
        let (x_zero_point, y_zero_point) = (zero_point(&x)?, zero_point(&y)?);
        if let Some(other) = bias(node, count)?.filter(|dtype| *dtype != DType::I32) {
            unsupported!("a bias of {other}");
        }
        let (scales, w_zero_point) = weight_scales(&w, axis, count)?;
        let (x_scale, y_scale) = (scaling(&x)?.0, scaling(&y)?.0);
        // XNNPACK takes no depthwise convolution of uint8, and no computed weights.
        let takes = !node.is_computed(&[1, 2]) && (x.dtype == DType::I8 || axis == 0);
        let by_xnnpack = node.integers() == Integers::Xnnpack && takes;
        let scaling = |w_scale: f32| {
            let scaling = match x.dtype {
                _ if by_xnnpack => Scaling::float(x_scale, w_scale, y_scale),
                DType::U8 => Scaling::fixed_for_all(x_scale, w_scale, y_scale),
                _ => Scaling::fixed(x_scale, w_scale, y_scale),
            };
            scaling.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} to {y_scale}")))
        };
        let scalings = scales.into_iter().map(scaling).collect::<Result<Vec<_>, _>>()?;
        let bounds = bounds(&y, activation, by_xnnpack)?;
        let target = Target { zero_point: y_zero_point, bounds };
        let followers = Followers::default();
        Ok(Self { x_zero_point, w_zero_point, scalings: scalings.into(), target, followers })
    }

    /// The same with a function of the elements; `None` if kernels do not compute it.
    pub fn followed_by(&self, follower: &Follower<'_>) -> Option<Self> {
        Some(Self { followers: self.followers.with(follower)?, ..self.clone() })
    }

    /// A convolution whose sums become elements so. They are not XNNPACK's.
    pub(super) fn direct(&self, conv: DirectConvolution) -> DirectConvolution {
        DirectConvolution {
            zero_points: [self.x_zero_point, self.w_zero_point],
            scalings: self.scalings.iter().map(|scaling| WideScaling::from(*scaling)).collect(),
            target: self.target,
            narrow: true,
            ..conv
        }
    }

    /// The scaling of a channel.
    fn scaling(&self, channel: usize) -> Scaling {
        self.scalings[channel]
    }

    /// The number that a byte of the weights stands for, without the scale.
    pub fn weight(&self, dtype: DType, byte: u8) -> i32 {
        let stored: i32 = if dtype == DType::U8 { byte.into() } else { byte.cast_signed().into() };
        stored - self.w_zero_point
    }

    /// Operand and weights as integers, less their zero points.
    pub fn numbers(&self, x: &HostTensor, w: &HostTensor) -> Result<[Vec<i32>; 2], Unsupported> {
        let less = |of: &HostTensor, zero_point: i32| -> Result<Vec<i32>, Unsupported> {
            Ok(of.to_i64()?.into_iter().map(|n| n as i32 - zero_point).collect())
        };
        Ok([less(x, self.x_zero_point)?, less(w, self.w_zero_point)?])
    }

    /// The sums of every pixel, channels innermost, as they begin on the host: with the bias, which is operand 2.
    pub fn begin(&self, inputs: &[Option<&HostTensor>], mut sums: Vec<i32>) -> Result<Vec<i32>, Unsupported> {
        if let Some(bias) = inputs.get(2).copied().flatten() {
            let bias = bias.to_i64()?;
            sums.iter_mut().zip(bias.iter().cycle()).for_each(|(sum, bias)| *sum = *bias as i32);
        }
        Ok(sums)
    }

    /// The elements that the sums of every pixel become, channels innermost, given the node's operands.
    pub fn elements(
        &self,
        inputs: &[Option<&HostTensor>],
        dtype: DType,
        shape: Shape,
        mut sums: Vec<i32>,
    ) -> Result<HostTensor, Unsupported> {
        for (place, sum) in sums.iter_mut().enumerate() {
            *sum = self.target.element(*sum, self.scaling(place % self.scalings.len()));
        }
        self.followers.apply(dtype, shape, inputs, &mut sums)?;
        let mut elements = sums.into_iter();
        HostTensor::moved(dtype, shape, |_| Scalar::int(dtype, elements.next().unwrap_or(0).into()).bits)
    }

    /// The number that kernels have for the rounding.
    pub fn rounding(&self) -> u32 {
        self.scaling(0).code()
    }

    /// Uploads what kernels read of each channel (`kernels/lib/requantize.glsl`): of channel `channel(place)` at each
    /// place of so many, a multiple of four. Operand 1 are the weights, operand 2 is the bias. Sums begin with the
    /// bias. Where the kernel does not subtract the operand's zero point (`corrected`), they begin with what makes up
    /// for it besides: every tap counts then, also beyond the border. Channels are the weights' first dimension then.
    pub fn upload(
        &self,
        cx: &mut Lower<'_>,
        corrected: bool,
        places: u64,
        channel: impl Fn(usize) -> Option<usize> + Send + Sync + 'static,
    ) -> Result<BufferId, Unsupported> {
        let Some(w) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
        let bias = if cx.has_input(2) { cx.constant(2).cloned() } else { None };
        let bias = bias.map(|bias| bias.to_i64()).transpose()?.unwrap_or_default();
        let this = self.clone();
        let words = this.scalings.iter().flat_map(|scaling| scaling.words());
        let words = words.chain([this.x_zero_point, corrected.into()]);
        let front = self.followers.parameters(cx)?;
        let numbers =
            words.map(i64::from).chain(bias.iter().copied()).chain(front.iter().map(|n| (*n).into()));
        let identity = cache::hash(&numbers.flat_map(i64::to_le_bytes).collect::<Vec<_>>());
        let packing = format!("scales/{places}/{identity:016x}");
        cx.weights(1, &packing, front.len() as u64 + requantize::packed_bytes(places), move |bytes| {
            let (parameters, bytes) = bytes.split_at_mut(front.len());
            parameters.copy_from_slice(&front);
            let all = w.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            let count = all.len() / this.scalings.len().max(1);
            let zero_point = if corrected { signed(w.stored, this.x_zero_point) } else { 0 };
            let one = |channel: usize| {
                let weights = all[channel * count..][..count].iter();
                let sum = weights.fold(0_i32, |sum, byte| sum.wrapping_add(this.weight(w.stored, *byte)));
                let bias = bias.get(channel).map_or(0, |bias| *bias as i32);
                (bias.wrapping_sub(zero_point.wrapping_mul(sum)), this.scaling(channel))
            };
            requantize::pack((0..places as usize).map(|place| channel(place).map(one)), bytes);
        })
    }
}

/// Requires that operand 1, weights whose shape may change if they are computed, has this rank and elements; and that
/// scales, one for all or one for each channel, and a bias, operand `bias` if present, suit its channels, which are
/// dimension `axis`.
pub(super) fn fits<T: PartialEq>(
    scalings: &[T],
    inputs: &[Option<Shape>],
    bias: usize,
    [rank, axis]: [usize; 2],
) -> Result<(), Unsupported> {
    let w = operand(inputs, 1)?;
    // A matrix without rows makes a result without columns.
    let sized = |(d, n): (usize, &u32)| *n > 0 || rank == 2 && d == axis;
    if w.len() != rank || !w.iter().enumerate().all(sized) {
        unsupported!("weights {w}");
    }
    let channels = w[axis];
    let alike = scalings.windows(2).all(|pair| pair[0] == pair[1]);
    if !alike && scalings.len() != channels as usize {
        unsupported!("{} scales for {channels} channels", scalings.len());
    }
    match inputs.get(bias).copied().flatten() {
        Some(bias) if bias.elements() != channels.into() => {
            unsupported!("a bias of {bias} for {channels} channels")
        }
        _ => Ok(()),
    }
}

/// An element as kernels count it, which take 128 from unsigned ones.
pub fn signed(dtype: DType, x: i32) -> i32 {
    if dtype == DType::U8 { x - 128 } else { x }
}

/// Four elements as kernels count them.
pub fn splat(dtype: DType, x: i32) -> u32 {
    u32::from(signed(dtype, x) as u8) * 0x0101_0101
}

/// The byte of a weight as kernels read it.
pub fn signed_byte(dtype: DType, byte: u8) -> u8 {
    if dtype == DType::U8 { byte ^ 0x80 } else { byte }
}

/// The zero point of a tensor of one scale, which is one of its elements.
pub fn zero_point(ty: &TensorType) -> Result<i32, Unsupported> {
    let (_, zero_point) = scaling(ty)?;
    match ty.dtype.range() {
        Some([least, most]) if (least..=most).contains(&zero_point.into()) => Ok(zero_point),
        _ => unsupported!("zero point {zero_point} of {}", ty.dtype),
    }
}

/// The element type of operand 2, if there is one: a number for each of so many channels.
pub fn bias(node: &NodeView<'_>, channels: u32) -> Result<Option<DType>, Unsupported> {
    if node.input_count() <= 2 || node.input(2).is_none() {
        return Ok(None);
    }
    let ty = node.input_type(2)?;
    if ty.shape.elements() != channels.into() {
        unsupported!("a bias of {} for {channels} channels", ty.shape);
    }
    Ok(Some(node.known(2)?.map_or(ty.dtype, |constant| constant.stored)))
}

/// The most channels: each has a scale, a multiplier and a shift in memory, though the model may store but one scale.
const MAX_CHANNELS: u32 = 1 << 22;

/// The scale of each of so many channels along `axis`, and the zero point of all.
pub fn weight_scales(w: &TensorType, axis: usize, channels: u32) -> Result<(Vec<f32>, i32), Unsupported> {
    let Some(Quantization { scale, zero_point, axis: along }) = w.quant.as_deref() else {
        unsupported!("weights {w} are not quantised");
    };
    if channels > MAX_CHANNELS {
        unsupported!("{channels} channels ({MAX_CHANNELS} at most)");
    }
    if scale.len() > 1 && (*along != axis || scale.len() != channels as usize) {
        unsupported!("weights with {} scales along dimension {along} for {channels} channels", scale.len());
    }
    if scale.len() > 1 && w.dtype != DType::I8 {
        unsupported!("weights of {} with {} scales", w.dtype, scale.len());
    }
    if let Some(bad) = scale.iter().find(|scale| !is_scale(**scale)) {
        unsupported!("weights with scale {bad}");
    }
    let zero = zero_point.first().copied().unwrap_or(0);
    let allowed = if w.dtype == DType::U8 { 0..=255 } else { 0..=0 };
    if let Some(bad) = zero_point.iter().find(|zero| !allowed.contains(*zero)) {
        unsupported!("weights of {} with zero point {bad}", w.dtype);
    }
    let scales = if scale.len() == 1 { filled(channels.into(), scale[0], &"scales")? } else { scale.clone() };
    Ok((scales, zero))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_weights_belong_to_channels() {
        let quant = |dtype, scale: &[f32], zero_point: &[i32], axis| {
            let quant = Quantization { scale: scale.to_vec(), zero_point: zero_point.to_vec(), axis };
            let ty = TensorType { shape: Shape::from([2, 2]), dtype, quant: Some(Arc::new(quant)) };
            let [some, too_many] = [2, MAX_CHANNELS + 1].map(|channels| weight_scales(&ty, 0, channels));
            assert!(too_many.is_err());
            some
        };
        assert_eq!(quant(DType::I8, &[0.5], &[0], 0), Ok((vec![0.5; 2], 0)));
        assert_eq!(quant(DType::I8, &[0.5, 1.0], &[0, 0], 0), Ok((vec![0.5, 1.0], 0)));
        assert_eq!(quant(DType::U8, &[0.5], &[255], 0), Ok((vec![0.5; 2], 255)));
        assert!(quant(DType::I8, &[0.5, 1.0], &[0, 0], 1).is_err());
        assert!(quant(DType::U8, &[0.5, 1.0], &[0, 0], 0).is_err());
        assert!(quant(DType::U8, &[0.5], &[256], 0).is_err());
        assert!(quant(DType::I8, &[0.5], &[1], 0).is_err());
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(quant(DType::I8, &[0.5, bad], &[0, 0], 0).is_err(), "{bad}");
        }
    }
}
