//! FULLY_CONNECTED of integers: `y[r,o]` is the element of the sum `bias[o] + Σ (x[r,k] - x₀) · (w[o,k] - w₀)`.
//!
//! Shapes are those of floats. Taken for int8 and uint8 with weights of the same type, constant or computed. int8
//! weights may have a scale for each channel; uint8 may become int16, with today's reference kernels. Sums have 32 bits. Today's reference kernels scale them in doubles, those
//! of 2.14 in fixed point with two roundings, XNNPACK in floats.

use std::sync::Arc;

use super::affine::{bounds, scaling};
use super::batch_matmul_integers::Product;
use super::conv_2d::Geometry;
use super::conv_2d_integers;
use super::direct_convolution::{DirectConvolution, reads_computed};
use super::fully_connected::FullyConnected;
use super::scaled_sum::{Followers, ScaledSum, fits, signed, zero_point};
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::requantize::{self, Scaling, Target};
use crate::ir::{Activation, DType, HostTensor, Shape, TensorType, is_scale};
use crate::lower::Lower;
use crate::op::{Def, Follower, Operator, Parsed, operand};
use crate::options::Integers;
use crate::program::BufferId;
use crate::tflite::{NodeView, TensorView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "FULLY_CONNECTED",
    builtin: Some(sys::kTfLiteBuiltinFullyConnected),
    typed_by: 0,
    takes: &[(DType::I8, 12), (DType::U8, 12)],
    parse,
}];

/// A product with the transpose of a matrix of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct FullyConnectedIntegers {
    /// The shapes.
    pub shapes: FullyConnected,
    /// How sums become elements.
    pub sum: ScaledSum,
    /// The type of these elements.
    pub dtype: DType,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=3, 1)?;
    let (x, w, y) = (node.input_type(0)?, node.input_type(1)?, node.output_type(0)?);
    let p = node.required_params::<sys::TfLiteFullyConnectedParams>()?;
    if p.weights_format != sys::kTfLiteFullyConnectedWeightsFormatDefault {
        unsupported!("weights format {} (0 = default is supported)", p.weights_format);
    }
    if w.dtype != x.dtype || w.shape.len() != 2 || w.shape.contains(&0) {
        unsupported!("weights {w} for {}", x.dtype);
    }
    let to_int16 = x.dtype == DType::U8 && y.dtype == DType::I16 && node.integers() != Integers::Reference214;
    if y.dtype != x.dtype && !to_int16 {
        unsupported!("{} becomes {}", x.dtype, y.dtype);
    }
    let shapes = FullyConnected { keep_num_dims: p.keep_num_dims };
    shapes.infer(&[Some(x.shape), Some(w.shape)])?;
    check_bias(node, 2, w.shape[0])?;
    // XNNPACK takes no computed weights nor biases, nor rows of nibbles that end within a byte.
    let takes = |weights: TensorView<'_>| {
        !to_int16 && !node.is_computed(&[1, 2]) && (!weights.holds_nibbles() || w.shape[1].is_multiple_of(2))
    };
    let taken = node.input(1).is_some_and(takes) && (w.dtype == DType::U8 || is_around_zero(&w));
    let by_xnnpack = node.integers() == Integers::Xnnpack && taken;
    let (scalings, w_zero_point) = scalings(node.integers(), [&x, &w, &y], by_xnnpack)?;
    let target = target(&y, Activation::from_code(p.activation)?, by_xnnpack)?;
    let x_zero_point = zero_point(&x)?;
    let followers = Followers::default();
    let sum = ScaledSum { x_zero_point, w_zero_point, scalings, target, followers };
    Ok(Parsed::new(FullyConnectedIntegers { shapes, sum, dtype: y.dtype }).gives(y.dtype))
}

/// The result that elements are computed for; its bounds are XNNPACK's, if `xnnpack`.
pub(super) fn target(y: &TensorType, activation: Activation, xnnpack: bool) -> Result<Target, Unsupported> {
    Ok(Target { zero_point: zero_point(y)?, bounds: bounds(y, activation, xnnpack)? })
}

/// Whether all zero points are 0.
fn is_around_zero(ty: &TensorType) -> bool {
    ty.quant.as_deref().is_some_and(|quant| quant.zero_point.iter().all(|n| *n == 0))
}

/// Requires that operand `i`, if present, has 32-bit integers, one for each channel.
pub(super) fn check_bias(node: &NodeView<'_>, i: usize, channels: u32) -> Result<(), Unsupported> {
    if node.input(i).is_none() {
        return Ok(());
    }
    let ty = node.input_type(i)?;
    if ty.dtype != DType::I32 || ty.shape != Shape::from([channels]) {
        unsupported!("a bias {ty} for {channels} channels");
    }
    node.known(i).map(drop)
}

/// The scaling of each channel for operand, weights and result of these types, and the weights' zero point. They are
/// XNNPACK's, if `by_xnnpack`.
fn scalings(
    integers: Integers,
    [x, w, y]: [&TensorType; 3],
    by_xnnpack: bool,
) -> Result<(Arc<[Scaling]>, i32), Unsupported> {
    let ((x_scale, _), (y_scale, _)) = (scaling(x)?, scaling(y)?);
    let Some(quant) = w.quant.as_deref() else { unsupported!("weights {w} are not quantised") };
    let several = quant.scale.len() > 1;
    if several && (w.dtype != DType::I8 || quant.axis != 0 || quant.zero_point.iter().any(|n| *n != 0)) {
        unsupported!("weights {w}: several scales are for int8, one for each channel, around 0");
    }
    let scaling = |w_scale: &f32| {
        if !is_scale(*w_scale) {
            unsupported!("weights of scale {w_scale}");
        }
        let scaling = match integers {
            _ if by_xnnpack => Scaling::float(x_scale, *w_scale, y_scale),
            Integers::Reference214 if several => Scaling::fixed(x_scale, *w_scale, y_scale),
            Integers::Reference214 => Scaling::fixed_for_all(x_scale, *w_scale, y_scale),
            _ => Scaling::double(x_scale, *w_scale, y_scale),
        };
        scaling.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} become {y_scale}")))
    };
    let scalings = quant.scale.iter().map(scaling).collect::<Result<Vec<_>, _>>()?;
    let scalings = if several { scalings } else { filled(w.shape[0].into(), scalings[0], &"scales")? };
    let w_zero_point = quant.zero_point[0];
    if !w.dtype.range().is_some_and(|[least, most]| (least..=most).contains(&w_zero_point.into())) {
        unsupported!("weights around {w_zero_point}");
    }
    Ok((scalings.into(), w_zero_point))
}

impl FullyConnectedIntegers {
    /// Uploads what each channel's sums begin with, the bias, and their scaling.
    fn biases(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let channels = cx.input(1).shape[0] as usize;
        let bias = if cx.has_input(2) { cx.constant(2).cloned() } else { None };
        let scalings = self.sum.scalings.clone();
        let places = channels.next_multiple_of(4);
        cx.belonging(&format!("scales/{channels}"), requantize::packed_bytes(places as u64), move |to| {
            let bias = bias.as_ref().map(|bias| bias.to_i64().expect("checked by parse"));
            let number = |c: usize| bias.as_ref().map_or(0, |bias| bias[c] as i32);
            let place = |c: usize| (c < channels).then(|| (number(c), scalings[c % scalings.len()]));
            requantize::pack((0..places).map(place), to);
        })
    }
}

impl Operator for FullyConnectedIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        fits(&self.sum.scalings, inputs, 2, [2, 0])?;
        self.shapes.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (w, rows) = (cx.input(1), cx.output(0).shape.rows());
        let (channels, depth) = (w.shape[0], w.shape[1]);
        if cx.output(0).shape.elements() == 0 {
            return Ok(());
        }
        if reads_computed(cx, [2, 2]) || cx.output(0).dtype != cx.input(0).dtype {
            return self.sum.direct(DirectConvolution::product(rows, depth, channels)).emit(cx);
        }
        if cx.constant(1).is_some() {
            return conv_2d_integers::emit(cx, &Geometry::product(rows, depth, channels), &self.sum);
        }
        let zero_points = [self.sum.x_zero_point, self.sum.w_zero_point].map(|n| signed(w.dtype, n));
        let product = Product {
            rows,
            depth,
            columns: channels,
            batch: [1; 4],
            strides: [[0; 4]; 2],
            swapped: [false, true],
            zero_points,
            scales: self.biases(cx)?,
            per_column: true,
            rounding: self.sum.rounding(),
            target: self.sum.target,
        };
        product.emit(cx)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (x, w) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let shape = self.infer(&[Some(x.shape), Some(w.shape)])?[0];
        let [channels, depth] = [w.shape[0] as usize, w.shape[1] as usize];
        let [xs, ws] = self.sum.numbers(x, w)?;
        let mut sums = self.sum.begin(inputs, filled(shape.elements(), 0, &shape)?)?;
        for (row, sums) in xs.chunks_exact(depth).zip(sums.chunks_exact_mut(channels)) {
            for (weights, sum) in ws.chunks_exact(depth).zip(sums) {
                *sum = row.iter().zip(weights).fold(*sum, |sum, (x, w)| sum.wrapping_add(x * w));
            }
        }
        Ok(vec![self.sum.elements(inputs, self.dtype, shape, sums)?])
    }

    fn followed_by(&self, follower: &Follower<'_>) -> Option<Arc<dyn Operator>> {
        let sum = self.sum.followed_by(follower)?;
        Some(Arc::new(Self { shapes: self.shapes.clone(), sum, dtype: self.dtype }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, Quantization};

    #[test]
    fn sums_become_elements() {
        let op = FullyConnectedIntegers {
            shapes: FullyConnected { keep_num_dims: true },
            sum: ScaledSum {
                x_zero_point: 1,
                w_zero_point: -1,
                scalings: [Scaling::Double(0.5), Scaling::Double(0.25)].into(),
                target: Target { zero_point: -3, bounds: [-128, 0] },
                followers: Followers::default(),
            },
            dtype: DType::I8,
        };
        let tensor = |shape: &[u32], data| HostTensor { shape: Shape::new(shape), data };
        let x = tensor(&[1, 2, 2], Data::I8(vec![3, 5, 127, -128]));
        let w = tensor(&[2, 2], Data::I8(vec![0, 0, 0, -2]));
        let bias = tensor(&[2], Data::I32(vec![1, 0]));
        let y = op.reference(&[Some(&x), Some(&w), Some(&bias)]).unwrap().remove(0);
        // The sums are 7 and -2, then -2 and 255.
        assert_eq!(y, tensor(&[1, 2, 2], Data::I8(vec![0, -4, -4, 0])));
        let y = op.reference(&[Some(&x), Some(&w), None]).unwrap().remove(0);
        assert_eq!(y.data, Data::I8(vec![0, -4, -5, 0]));
    }

    #[test]
    fn malformed_quantisation_is_refused() {
        let ty = |shape: &[u32], scale: &[f32], zero_point: &[i32], axis| {
            let quant = Quantization { scale: scale.to_vec(), zero_point: zero_point.to_vec(), axis };
            TensorType { shape: Shape::new(shape), dtype: DType::I8, quant: Some(Arc::new(quant)) }
        };
        let x = ty(&[1, 3], &[0.5], &[3], 0);
        let taken = |w: &TensorType| scalings(Integers::Reference, [&x, w, &x], true).is_ok();
        let w = |scale: &[f32], zero_point: &[i32], axis| ty(&[2, 3], scale, zero_point, axis);
        assert!(taken(&w(&[0.5], &[-7], 0)) && taken(&w(&[0.5, 2.0], &[0, 0], 0)));
        assert!(!taken(&w(&[0.5, 2.0], &[0, 1], 0)) && !taken(&w(&[0.5; 3], &[0; 3], 1)));
        assert!(!taken(&w(&[0.5], &[128], 0)) && !taken(&w(&[0.5], &[i32::MIN], 0)));
        assert!(!taken(&TensorType { quant: None, ..w(&[0.5], &[0], 0) }));
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40, 1e20] {
            assert!(!taken(&w(&[0.5, scale], &[0, 0], 0)) && !taken(&w(&[scale], &[0], 0)), "{scale}");
        }
    }
}
