//! FULLY_CONNECTED of integers: `y[r,o]` is the element of the sum `bias[o] + Σ (x[r,k] - x₀) · (w[o,k] - w₀)`.
//!
//! Shapes are those of floats. Taken for int8 and uint8 with weights of the same type, constant or computed. int8
//! weights may have a scale for each channel. Sums have 32 bits. Today's reference kernels scale them in doubles, those
//! of 2.14 in fixed point with two roundings, XNNPACK in floats.

use std::sync::Arc;

use super::affine::scaling;
use super::batch_matmul_integers::{Product, flip};
use super::conv_2d::Geometry;
use super::conv_2d_integers;
use super::fully_connected::FullyConnected;
use super::max_pool_integers::bounds;
use super::scaled_sum::{Followers, ScaledSum, signed, signed_byte, zero_point};
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::requantize::{self, Scaling, Target};
use crate::ir::{Activation, DType, HostTensor, Shape, TensorType};
use crate::kernel::table::fully_connected_integers::{Bind, Dot, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
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
    let (x_zero_point, target) = (zero_point(&x)?, target(&y, Activation::from_code(p.activation)?)?);
    // XNNPACK takes no computed weights, nor rows of nibbles that end within a byte.
    let takes = |weights: TensorView<'_>| {
        weights.is_constant() && (!weights.holds_nibbles() || w.shape[1].is_multiple_of(2))
    };
    let by_xnnpack = node.input(1).is_some_and(takes);
    let (scalings, w_zero_point) = scalings(node.integers(), [&x, &w, &y], by_xnnpack)?;
    let followers = Followers::default();
    let sum = ScaledSum { x_zero_point, w_zero_point, scalings, target, followers };
    Ok(Parsed::new(FullyConnectedIntegers { shapes, sum }))
}

/// The result that elements are computed for.
pub(super) fn target(y: &TensorType, activation: Activation) -> Result<Target, Unsupported> {
    Ok(Target { zero_point: zero_point(y)?, bounds: bounds(y, activation)? })
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

/// The scaling of each channel for operand, weights and result of these types, and the weights' zero point. XNNPACK takes the node if
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

/// Up to so many rows, sums are split among invocations; more rows share weights in tiles.
const FEW_ROWS: u32 = 4;

impl FullyConnectedIntegers {
    /// Uploads the weights as signed integers, each channel filled up with zeros to whole vectors of 16.
    fn weights(cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
        let [channels, depth] = [constant.shape[0], constant.shape[1]];
        let pitch = depth.next_multiple_of(16) as usize;
        let bytes = u64::from(channels) * pitch as u64;
        cx.weights(1, "channels of integers", bytes, move |to| {
            let from = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
            for (to, from) in to.chunks_exact_mut(pitch).zip(from.chunks_exact(depth as usize)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = signed_byte(constant.stored, *from));
            }
        })
    }

    /// Uploads what each channel's sums begin with, the bias, and their scaling.
    fn biases(&self, cx: &mut Lower<'_>) -> Result<BufferId, Unsupported> {
        let channels = cx.input(1).shape[0] as usize;
        let bias = if cx.has_input(2) { cx.constant(2).cloned() } else { None };
        let scalings = self.sum.scalings.clone();
        let places = channels.next_multiple_of(4);
        cx.belonging("scales", requantize::packed_bytes(places as u64), move |to| {
            let bias = bias.as_ref().map(|bias| bias.to_i64().expect("checked by parse"));
            let number = |c: usize| bias.as_ref().map_or(0, |bias| bias[c] as i32);
            let place = |c: usize| (c < channels).then(|| (number(c), scalings[c]));
            requantize::pack((0..places).map(place), to);
        })
    }

    /// Emits the kernel that splits each sum among the invocations of a workgroup.
    fn emit_few_rows(&self, cx: &mut Lower<'_>, rows: u32) -> Result<(), Unsupported> {
        let (w_shape, dtype) = (cx.input(1).shape, cx.input(1).dtype);
        let (channels, depth) = (w_shape[0], w_shape[1]);
        let places = u64::from(channels.next_multiple_of(4));
        let known = move |place| Some(place).filter(|c| *c < channels as usize);
        let (x, w, scales) = (cx.x(0)?, Self::weights(cx)?, self.sum.upload(cx, true, places, known)?);
        let element = cx.element();
        let elements = u64::from(rows) * u64::from(channels);
        let steps = depth.div_ceil(16);
        let [deep, wide] = workgroup(cx.caps, elements.div_ceil(4), steps);
        let one_row = rows == 1 || channels.is_multiple_of(4);
        cx.expect_rounds(steps.div_ceil(deep).into())?;
        let (grid, row_groups) = cx.group_grid(elements.div_ceil(4 * u64::from(wide)))?;
        let w_zero_point = signed(dtype, self.sum.w_zero_point);
        let push = Push {
            depth,
            steps,
            channels,
            elements: elements as u32,
            row_groups,
            w_zero_point,
            y_zero_point: self.sum.target.zero_point,
            least: self.sum.target.bounds[0],
            most: self.sum.target.bounds[1],
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
            rounding: self.sum.rounding(),
            ..Default::default()
        };
        let dot = if cx.caps.dot_8() { Dot::Packed } else { Dot::Plain };
        let kernel = kernel(cx.join(wide), dot);
        let (followers, other) = self.sum.followers.emit(cx, scales)?;
        let spec = Spec { followers, ..spec };
        let bind = Bind { x, w, y: cx.y(0), scales, other };
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
        let (w, rows) = (cx.input(1), cx.output(0).shape.rows());
        let (channels, depth) = (w.shape[0], w.shape[1]);
        if cx.constant(1).is_some() {
            return match rows <= FEW_ROWS || !cx.runs(u64::from(depth.div_ceil(4)) + 3) {
                true => self.emit_few_rows(cx, rows),
                false => conv_2d_integers::emit(cx, &Geometry::product(rows, depth, channels), &self.sum),
            };
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
        Ok(vec![self.sum.elements(inputs, x.dtype(), shape, sums)?])
    }

    fn followed_by(&self, follower: &Follower<'_>) -> Option<Arc<dyn Operator>> {
        let sum = self.sum.followed_by(follower)?;
        Some(Arc::new(Self { shapes: self.shapes.clone(), sum }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

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
    fn workgroups_suit_the_sums() {
        let caps = Caps::minimum();
        for (quads, steps) in [(1, 1), (250, 72), (1 << 20, 1), (3, 1 << 16)] {
            let [deep, wide] = workgroup(&caps, quads, steps);
            assert!(deep.is_power_of_two() && deep * wide <= caps.max_joined(), "{quads} {steps}");
            assert!(steps.div_ceil(deep) <= caps.machine.max_rounds || deep == caps.max_joined());
        }
    }
}
