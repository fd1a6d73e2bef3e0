//! FULLY_CONNECTED of int16: `y[r,o]` is the element of the sum `bias[o] + Σ x[r,k] · (w[o,k] - w₀)`.
//!
//! Shapes are those of floats. Taken for int16 operands and results around 0 with weights of int8, or of int16 around
//! 0, with one scale or one for each channel. Weights and bias are constant or computed. By weights of int16, sums have
//! 64 bits and are scaled by a multiplier of 15 bits. By those of int8, sums have 64 bits, or 32 where `quantized_bias_type` says so. Today's reference kernels
//! scale them in doubles, those of 2.14 by a multiplier of 15 bits; XNNPACK takes no such node.

use std::sync::Arc;

use super::batch_matmul_int16::{WideProduct, around_zero, one_scale};
use super::direct_convolution::{DirectConvolution, reads_computed};
use super::fully_connected::FullyConnected;
use super::fully_connected_integers::target;
use super::scaled_sum::fits;
use crate::error::Unsupported;
use crate::ir::requantize::Target;
use crate::ir::wide_product::{self, WideScaling};
use crate::ir::{Activation, DType, HostTensor, Scalar, Shape, TensorType, is_scale};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::program::BufferId;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "FULLY_CONNECTED",
    builtin: Some(sys::kTfLiteBuiltinFullyConnected),
    typed_by: 0,
    takes: &[(DType::I16, 14)],
    parse,
}];

/// A product with the transpose of a matrix of int8, in sums of 64 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct FullyConnectedInt16 {
    /// The shapes.
    pub shapes: FullyConnected,
    /// The weights'.
    pub zero_point: i32,
    /// From the sums of each channel, or of all, to the result.
    pub scalings: Arc<[WideScaling]>,
    /// The result.
    pub target: Target,
    /// Whether sums wrap at 32 bits.
    pub narrow: bool,
}

/// The largest number of a bias: sums are to be exact in doubles.
const LARGEST: i64 = 1 << 52;

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
    let p = node.required_params::<sys::TfLiteFullyConnectedParams>()?;
    if p.weights_format != sys::kTfLiteFullyConnectedWeightsFormatDefault {
        unsupported!("weights format {} (0 = default is supported)", p.weights_format);
    }
    if !matches!(w.dtype, DType::I8 | DType::I16) || w.shape.len() != 2 || w.shape.contains(&0) {
        unsupported!("weights {w} for {}", x.dtype);
    }
    let shapes = FullyConnected { keep_num_dims: p.keep_num_dims };
    shapes.infer(&[Some(x.shape), Some(w.shape)])?;
    let bias = check_bias(node, 2, w.shape[0])?;
    let wide_weights = w.dtype == DType::I16;
    let narrow = if wide_weights { check_wide(node, &w, bias)? } else { sums_have_32_bits(node, bias)? };
    let target = target(&y, Activation::from_code(p.activation)?, false)?;
    let in_doubles = !wide_weights && node.integers() != Integers::Reference214;
    let (scalings, zero_point) = scalings(in_doubles, [&x, &w, &y])?;
    if in_doubles && bias == Some(DType::I64) && node.is_computed(&[2]) {
        unsupported!("a computed bias of i64, whose sums may not be exact in doubles");
    }
    Ok(Parsed::new(FullyConnectedInt16 { shapes, zero_point, scalings, target, narrow }))
}

/// Requires that operand `i`, if present, has integers, one for each channel; their type.
pub(super) fn check_bias(node: &NodeView<'_>, i: usize, channels: u32) -> Result<Option<DType>, Unsupported> {
    if node.input(i).is_none() {
        return Ok(None);
    }
    let ty = node.input_type(i)?;
    if !matches!(ty.dtype, DType::I32 | DType::I64) || ty.shape != Shape::from([channels]) {
        unsupported!("a bias {ty} for {channels} channels");
    }
    let numbers = node.known(i)?.map(|bias| bias.to_i64()).transpose()?;
    if let Some(n) = numbers.unwrap_or_default().into_iter().find(|n| n.unsigned_abs() > LARGEST as u64) {
        unsupported!("{n} in the bias, {LARGEST} at most");
    }
    Ok(Some(ty.dtype))
}

/// Requires what nodes with weights of int16 and a bias of this type, or none, have; their sums have 64 bits.
fn check_wide(node: &NodeView<'_>, w: &TensorType, bias: Option<DType>) -> Result<bool, Unsupported> {
    around_each_zero(w)?;
    if node.integers() == Integers::Reference214 {
        unsupported!("weights {w}, which runtimes of 2.14 do not take");
    }
    let said = node.quantized_bias_type() == Some(sys::kTfLiteInt64);
    let expected = if said { DType::I64 } else { DType::I32 };
    match bias.filter(|bias| *bias != expected) {
        Some(bias) => unsupported!("a bias of {bias}, {expected} expected"),
        None => Ok(false),
    }
}

/// Requires that all zero points are 0.
fn around_each_zero(w: &TensorType) -> Result<(), Unsupported> {
    match w.quant.as_deref().and_then(|quant| quant.zero_point.iter().find(|n| **n != 0)) {
        Some(zero_point) => unsupported!("weights of {} around {zero_point}", w.dtype),
        None => Ok(()),
    }
}

/// Whether the sums of a node of int16 with a bias of this type, or none, have 32 bits; else they have 64.
pub(super) fn sums_have_32_bits(node: &NodeView<'_>, bias: Option<DType>) -> Result<bool, Unsupported> {
    let said = match node.quantized_bias_type() {
        None => bias.unwrap_or(DType::I64),
        Some(sys::kTfLiteFloat32 | sys::kTfLiteInt64) => DType::I64,
        Some(sys::kTfLiteInt32) => DType::I32,
        Some(other) => unsupported!("quantized_bias_type {other}"),
    };
    if let Some(bias) = bias.filter(|bias| *bias != said) {
        unsupported!("a bias of {bias} for sums of {said}");
    }
    let narrow = said == DType::I32;
    if narrow && node.integers() == Integers::Reference214 {
        unsupported!("sums of {said}, which runtimes of 2.14 do not have");
    }
    Ok(narrow)
}

/// The scalings for operand, weights and result of these types, and the weights' zero point.
fn scalings(in_doubles: bool, [x, w, y]: [&TensorType; 3]) -> Result<(Arc<[WideScaling]>, i32), Unsupported> {
    let (x_scale, y_scale) = (around_zero(x)?, around_zero(y)?);
    let Some(quant) = w.quant.as_deref() else { unsupported!("weights {w} are not quantised") };
    if quant.scale.len() > 1 && (quant.axis != 0 || quant.zero_point.iter().any(|n| *n != 0)) {
        unsupported!("weights {w}: several scales are for one channel each, around 0");
    }
    let several = quant.scale.len() > 1 && w.dtype == DType::I16;
    let scaling = |w_scale: &f32| {
        if !is_scale(*w_scale) {
            unsupported!("weights of scale {w_scale}");
        }
        let scaling = match in_doubles {
            true => WideScaling::double(x_scale, *w_scale, y_scale),
            false if several => {
                WideScaling::once(f64::from(x_scale) * f64::from(*w_scale) / f64::from(y_scale))
            }
            false => return one_scale(x_scale, *w_scale, y_scale),
        };
        scaling.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} become {y_scale}")))
    };
    Ok((quant.scale.iter().map(scaling).collect::<Result<_, _>>()?, quant.zero_point[0]))
}

impl FullyConnectedInt16 {
    fn scaling(&self, channel: usize) -> WideScaling {
        self.scalings[channel % self.scalings.len()]
    }

    /// Uploads what each channel's sums begin with, and their scaling.
    fn scales(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let channels = cx.input(1).shape[0];
        let bias = if cx.has_input(2) { cx.constant(2).cloned() } else { None };
        let op = self.clone();
        cx.belonging(&format!("scales/{channels}"), wide_product::BYTES * u64::from(channels), move |bytes| {
            let bias = bias.as_ref().map(|bias| bias.to_i64().expect("checked by parse"));
            let channel = |c: usize| (bias.as_ref().map_or(0, |bias| bias[c]), op.scaling(c));
            wide_product::pack((0..channels as usize).map(channel), bytes);
        })
    }
}

impl Operator for FullyConnectedInt16 {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        fits(&self.scalings, inputs, 2, [2, 0])?;
        self.shapes.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (w, y) = (cx.input(1).shape, cx.output(0).shape);
        if cx.output(0).shape.elements() == 0 {
            return Ok(());
        }
        if reads_computed(cx, [2, 2]) {
            let direct = DirectConvolution::product(y.rows(), w[1], w[0]);
            let (zero_points, scalings) = ([0, self.zero_point], self.scalings.to_vec());
            let (target, narrow) = (self.target, self.narrow);
            return DirectConvolution { zero_points, scalings, target, narrow, ..direct }.emit(cx);
        }
        let product = WideProduct {
            rows: y.rows(),
            depth: w[1],
            columns: w[0],
            batch: [1; 4],
            strides: [[0; 4]; 2],
            swapped: [false, true],
            zero_point: self.zero_point,
            scales: self.scales(cx)?,
            per_column: true,
            narrow: self.narrow,
            rounding: self.scalings[0].code(),
            target: self.target,
        };
        product.emit(cx)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let [shape] = self.infer(&[Some(x.shape), Some(w.shape)])?[..] else { unreachable!("one result") };
        let bias = inputs.get(2).copied().flatten().map(HostTensor::to_i64).transpose()?;
        let [channels, depth] = [w.shape[0] as usize, w.shape[1] as usize];
        let (xs, ws, zero_point) = (x.to_i64()?, w.to_i64()?, i64::from(self.zero_point));
        let mut place = 0;
        let y = HostTensor::moved(DType::I16, shape, |_| {
            let (row, channel) = (place / channels, place % channels);
            place += 1;
            let terms = xs[row * depth..][..depth].iter().zip(&ws[channel * depth..][..depth]);
            let sum = terms.map(|(a, b)| a * (b - zero_point)).sum::<i64>();
            let sum = sum + bias.as_ref().map_or(0, |bias| bias[channel]);
            let sum = if self.narrow { i64::from(sum as i32) } else { sum };
            Scalar::int(DType::I16, self.scaling(channel).element(self.target, sum).into()).bits
        })?;
        Ok(vec![y])
    }
}
