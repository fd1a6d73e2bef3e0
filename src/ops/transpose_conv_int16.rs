//! TRANSPOSE_CONV of int16: `y[n, i·stride + ky − pad, …, o]` is the element of the sum
//! `bias[o] + Σ x[n,i,j,c] · w[o,ky,kx,c]`.
//!
//! Shapes are those of floats. Taken for int16 operands and results with int8 weights, all around 0; weights may have a
//! scale for each channel. Sums have 64 bits and are scaled by a multiplier of 15 bits with one rounding, or, where
//! `quantized_bias_type` says so, 32 bits and are scaled in fixed point with two roundings, whichever kernels results
//! have to equal.

use std::sync::Arc;

use super::batch_matmul_int16::around_zero;
use super::direct_convolution::DirectConvolution;
use super::fully_connected_int16::{check_bias, sums_have_32_bits};
use super::fully_connected_integers::target;
use super::scaled_sum::fits;
use super::transpose_conv::{TransposeConv, attributes};
use crate::error::Unsupported;
use crate::ir::requantize::Target;
use crate::ir::wide_product::WideScaling;
use crate::ir::{DType, HostTensor, Scalar, Shape, is_scale};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "TRANSPOSE_CONV",
    builtin: Some(sys::kTfLiteBuiltinTransposeConv),
    typed_by: 2,
    takes: &[(DType::I16, 5)],
    parse,
}];

/// A transposed convolution of 16-bit integers by 8-bit ones.
#[derive(Clone, Debug, PartialEq)]
pub struct TransposeConvInt16 {
    /// The shapes.
    pub conv: TransposeConv,
    /// From the sums of each channel, or of all, to the result.
    pub scalings: Arc<[WideScaling]>,
    /// The result.
    pub target: Target,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let (conv, activation) = attributes(node)?;
    let (w, x, y) = (node.input_type(1)?, node.input_type(2)?, node.output_type(0)?);
    if w.dtype != DType::I8 || [w.shape.len(), x.shape.len()] != [4; 2] || w.shape.contains(&0) {
        unsupported!("weights {w} for {x}");
    }
    conv.check(&w.shape, &x.shape)?;
    let narrow = sums_have_32_bits(node, check_bias(node, 3, w.shape[0])?)?;
    let (x_scale, y_scale) = (around_zero(&x)?, around_zero(&y)?);
    let Some(quant) = w.quant.as_deref() else { unsupported!("weights {w} are not quantised") };
    if quant.zero_point.iter().any(|n| *n != 0) || quant.axis != 0 {
        unsupported!("weights {w}: taken around 0, with one scale or one for each channel");
    }
    let scaling = |w_scale: &f32| {
        if !is_scale(*w_scale) {
            unsupported!("weights of scale {w_scale}");
        }
        let scaling = if narrow {
            WideScaling::twice(x_scale, *w_scale, y_scale)
        } else {
            WideScaling::once(f64::from(x_scale) * f64::from(*w_scale) / f64::from(y_scale))
        };
        scaling.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} become {y_scale}")))
    };
    let scalings = quant.scale.iter().map(scaling).collect::<Result<_, _>>()?;
    Ok(Parsed::new(TransposeConvInt16 { conv, scalings, target: target(&y, activation, false)? }))
}

impl TransposeConvInt16 {
    fn scaling(&self, channel: usize) -> WideScaling {
        self.scalings[channel % self.scalings.len()]
    }
}

impl Operator for TransposeConvInt16 {
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
        let direct = DirectConvolution::transposed(&self.conv, [&cx.input(2).shape, &cx.input(1).shape])?;
        let narrow = matches!(self.scalings[0], WideScaling::Twice(_));
        DirectConvolution { scalings: self.scalings.to_vec(), target: self.target, narrow, ..direct }.emit(cx)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 2)?, operand(inputs, 1)?);
        let bias = inputs.get(3).copied().flatten().map(HostTensor::to_i64).transpose()?;
        let y = self.conv.sums(x, w, DType::I16, |channel, terms| {
            let sum = terms.map(|[x, w]| x.to_i64() * w.to_i64()).sum::<i64>();
            let sum = sum + bias.as_ref().map_or(0, |bias| bias[channel]);
            Scalar::int(DType::I16, self.scaling(channel).element(self.target, sum).into())
        })?;
        Ok(vec![y])
    }
}
