//! FULLY_CONNECTED of integers: `y[r,o]` is the element of the sum `bias[o] + Σ (x[r,k] - x₀) · (w[o,k] - w₀)`.
//!
//! Shapes are those of floats. Taken for int8 and uint8 with weights of the same type, constant or computed. int8
//! weights may have a scale for each channel. Sums have 32 bits. Today's reference kernels scale them in doubles, those
//! of 2.14 in fixed point with two roundings, XNNPACK in floats.

use std::sync::Arc;

use super::affine::scaling;
use super::batch_matmul_integers::{Product, Weights, flip, one_scale};
use super::fully_connected::FullyConnected;
use super::max_pool_integers::bounds;
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::ir::requantize::{self, Scaling, Target};
use crate::ir::{Activation, DType, HostTensor, Scalar, Shape, TensorType};
use crate::kernel::table::fully_connected_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::program::{BufferId, Element};
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
    /// Those of operand and weights.
    pub zero_points: [i32; 2],
    /// From the sums of each channel, or of all, to the result.
    pub scalings: Arc<[Scaling]>,
    /// The result.
    pub target: Target,
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
    let shapes = FullyConnected { keep_num_dims: p.keep_num_dims };
    shapes.infer(&[Some(x.shape), Some(w.shape)])?;
    check_bias(node, 2, w.shape[0])?;
    let (x_zero_point, target) = (scaling(&x)?.1, target(&y, Activation::from_code(p.activation)?)?);
    // XNNPACK takes no computed weights, nor rows of nibbles that end within a byte.
    let takes = |weights: TensorView<'_>| {
        weights.is_constant() && (!weights.holds_nibbles() || w.shape[1].is_multiple_of(2))
    };
    let by_xnnpack = node.input(1).is_some_and(takes);
    let (scalings, w_zero_point) = scalings(node.integers(), [&x, &w, &y], by_xnnpack)?;
    Ok(Parsed::new(FullyConnectedIntegers {
        shapes,
        zero_points: [x_zero_point, w_zero_point],
        scalings,
        target,
    }))
}

/// The result that elements are computed for.
pub(super) fn target(y: &TensorType, activation: Activation) -> Result<Target, Unsupported> {
    Ok(Target { zero_point: scaling(y)?.1, bounds: bounds(y, activation)? })
}

/// Requires that operand `i`, if present, is a constant of 32-bit integers, one for each channel.
pub(super) fn check_bias(node: &NodeView<'_>, i: usize, channels: u32) -> Result<(), Unsupported> {
    if node.input(i).is_none() {
        return Ok(());
    }
    let ty = node.input_type(i)?;
    if ty.dtype != DType::I32 || ty.shape != Shape::from([channels]) {
        unsupported!("a bias {ty} for {channels} channels");
    }
    node.constant(i)?.check()
}

/// The scalings for operand, weights and result of these types, and the weights' zero point. XNNPACK takes the node if
/// `by_xnnpack` and if those of int8 are around 0.
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
    let in_floats = by_xnnpack && (w.dtype == DType::U8 || quant.zero_point.iter().all(|n| *n == 0));
    let scaling = |w_scale: &f32| {
        if !(1e-30..1e30).contains(w_scale) {
            unsupported!("weights of scale {w_scale}");
        }
        let scaling = match integers {
            Integers::Xnnpack if in_floats => Scaling::float(x_scale, *w_scale, y_scale),
            Integers::Reference214 if several => Scaling::fixed(x_scale, *w_scale, y_scale),
            Integers::Reference214 => return one_scale(x_scale, *w_scale, y_scale),
            _ => Scaling::double(x_scale, *w_scale, y_scale),
        };
        scaling.ok_or_else(|| Unsupported(format!("scales {x_scale} and {w_scale} become {y_scale}")))
    };
    let scalings = quant.scale.iter().map(scaling).collect::<Result<_, _>>()?;
    Ok((scalings, quant.zero_point[0]))
}

/// Up to so many rows, sums are split among invocations; more rows share weights in tiles.
const FEW_ROWS: u32 = 4;

impl FullyConnectedIntegers {
    fn scaling(&self, channel: usize) -> Scaling {
        self.scalings[if self.scalings.len() > 1 { channel } else { 0 }]
    }

    /// The zero points of operand and weights, once both are signed.
    fn signed(&self, dtype: DType) -> [i32; 2] {
        self.zero_points.map(|n| if dtype == DType::U8 { n - 128 } else { n })
    }

    /// Uploads the weights as signed integers, each channel filled up with zeros to whole vectors of 16.
    fn weights(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let Some(constant) = cx.constant(1).cloned() else { unreachable!("asked for by lower") };
        let [channels, depth] = [constant.shape[0], constant.shape[1]];
        let pitch = depth.next_multiple_of(16) as usize;
        let flip = flip(constant.stored) as u8;
        let bytes = u64::from(channels.next_multiple_of(4)) * pitch as u64;
        cx.weights(1, "channels of integers", bytes, move |to| {
            let from = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            for (to, from) in to.chunks_exact_mut(pitch).zip(from.chunks_exact(depth as usize)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = from ^ flip);
            }
        })
    }

    /// Uploads what each channel's sums begin with and their scaling. With constant weights, what these contribute to
    /// the zero points is part of it.
    fn scales(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let w = cx.input(1);
        let (channels, depth) = (w.shape[0], w.shape[1] as usize);
        let bias = if cx.has_input(2) { cx.constant(2).cloned() } else { None };
        let weights = cx.constant(1).cloned();
        let [x_zero_point, w_zero_point] = self.signed(w.dtype);
        let (op, flip) = (self.clone(), flip(w.dtype) as u8);
        let places = channels.next_multiple_of(4);
        cx.belonging("scales", requantize::packed_bytes(places.into()), move |to| {
            let known = "checked by parse";
            let bias = bias.as_ref().map(|bias| bias.to_i64().expect(known));
            let weights = weights.as_ref().map(|weights| weights.dense().expect(known));
            let place = |c: usize| {
                let mut start = bias.as_ref().map_or(0, |bias| bias[c] as i32);
                if let Some(weights) = &weights {
                    let own = &weights[c * depth..][..depth];
                    let sum: i64 = own
                        .iter()
                        .map(|w| i64::from((w ^ flip).cast_signed()) - i64::from(w_zero_point))
                        .sum();
                    start = start.wrapping_sub((sum * i64::from(x_zero_point)) as i32);
                }
                (start, op.scaling(c))
            };
            let known = |c: u32| (c < channels).then(|| place(c as usize));
            requantize::pack((0..places).map(known), to);
        })
    }

    /// Emits the kernel that splits each sum among the invocations of a workgroup.
    fn emit_few_rows(&self, cx: &mut Lower<'_>, rows: u32) -> Result<(), Unsupported> {
        let (w_shape, dtype) = (cx.input(1).shape, cx.input(1).dtype);
        let (channels, depth) = (w_shape[0], w_shape[1]);
        let (x, w, scales) = (cx.x(0)?, self.weights(cx)?, self.scales(cx)?);
        let element = cx.element();
        let elements = u64::from(rows) * u64::from(channels);
        let steps = depth.div_ceil(16);
        let [deep, wide] = workgroup(cx.caps, elements.div_ceil(4), steps);
        let one_row = rows == 1 || channels.is_multiple_of(4);
        cx.expect_rounds(steps.div_ceil(deep).into())?;
        let (grid, row_groups) = cx.group_grid(elements.div_ceil(4 * u64::from(wide)))?;
        let [_, w_zero_point] = self.signed(dtype);
        let push = Push {
            depth,
            steps,
            channels,
            elements: elements as u32,
            row_groups,
            w_zero_point,
            y_zero_point: self.target.zero_point,
            least: self.target.bounds[0],
            most: self.target.bounds[1],
        };
        use crate::codes::fully_connected_integers::{READ_ELEMENTS, READ_VECTORS, READ_WORDS};
        let read = match depth {
            _ if element.bytes() > 1 => READ_ELEMENTS,
            n if n.is_multiple_of(16) => READ_VECTORS,
            n if n.is_multiple_of(4) => READ_WORDS,
            _ => READ_ELEMENTS,
        };
        let spec = Spec {
            wg_x: deep,
            wg_y: wide,
            form: form(element),
            read,
            flip: flip(dtype),
            one_row,
            shifted: w_zero_point != 0,
            rounding: self.scalings[0].code(),
            ..Default::default()
        };
        let kernel = kernel(cx.join(wide));
        let bind = Bind { x, w, y: cx.y(0), scales };
        cx.dispatch(dispatch(kernel, spec, push, bind, grid), 2 * elements * u64::from(depth))
    }
}

/// The workgroup for so many quads of sums of so many vectors: invocations that share a quad, and quads.
fn workgroup(caps: &Caps, quads: u64, steps: u32) -> [u32; 2] {
    let most = caps.max_joined();
    let usual = match caps.kind {
        DeviceKind::Software => caps.subgroup_size,
        DeviceKind::Discrete => 64,
        _ => 32,
    };
    let enough = steps.div_ceil(caps.machine.max_rounds).next_power_of_two();
    let deep = usual.min(steps.next_power_of_two()).max(enough).min(most);
    // With short sums a workgroup has room for more quads.
    let room = if caps.kind == DeviceKind::Software { 1 } else { (32 / deep).max(1) };
    [deep, room.min(quads.min(32) as u32).max(1)]
}

impl Operator for FullyConnectedIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.shapes.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (w, rows) = (cx.input(1).shape, cx.output(0).shape.rows());
        let constant = cx.constant(1).is_some();
        if constant && (rows <= FEW_ROWS || !cx.runs(u64::from(w[1].div_ceil(4)))) {
            return self.emit_few_rows(cx, rows);
        }
        let weights = if constant {
            let pitch = w[1].next_multiple_of(16);
            Weights { buffer: self.weights(cx)?, element: Element::I8, pitch, summed: true }
        } else {
            Weights { buffer: cx.x(1)?, element: cx.element_of(1), pitch: w[1], summed: false }
        };
        let zero_points = self.signed(cx.input(1).dtype);
        let all = zero_points[0].wrapping_mul(zero_points[1]).wrapping_mul(w[1].cast_signed());
        let product = Product {
            rows,
            depth: w[1],
            columns: w[0],
            batch: [1; 4],
            strides: [[0; 4]; 2],
            swapped: [false, true],
            zero_points,
            start: if constant { 0 } else { all },
            w: weights,
            scales: self.scales(cx)?,
            per_column: true,
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
        let less = |x: Vec<i64>, zero_point: i32| -> Vec<i32> {
            x.into_iter().map(|n| n as i32 - zero_point).collect()
        };
        let (xs, ws) = (less(x.to_i64()?, self.zero_points[0]), less(w.to_i64()?, self.zero_points[1]));
        let mut place = 0;
        let y = HostTensor::moved(x.dtype(), shape, |_| {
            let (row, channel) = (place / channels, place % channels);
            place += 1;
            let terms = xs[row * depth..][..depth].iter().zip(&ws[channel * depth..][..depth]);
            let sum = terms.fold(0_i32, |sum, (a, b)| sum.wrapping_add(a * b));
            let sum = sum.wrapping_add(bias.as_ref().map_or(0, |bias| bias[channel] as i32));
            Scalar::int(x.dtype(), self.target.element(sum, self.scaling(channel)).into()).bits
        })?;
        Ok(vec![y])
    }
}
