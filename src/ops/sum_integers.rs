//! MEAN and SUM of quantised integers over any set of dimensions.
//!
//! TFLite's reference kernels multiply the 32-bit sum in fixed point. Those of SUM take int8 and int16 for uint8, so
//! that there the optimised ones count, which multiply in float32. XNNPACK takes int8 and uint8, multiplies in float32
//! and rounds ties to even. Taken for one scale per tensor up to rank 6 with constant axes.

use super::affine::scaling;
use super::reduce::{Reduce, ReduceKind, attributes, groups, three};
use super::reduce_integers::part;
use crate::caps::DeviceKind;
use crate::codes::sum_integers as code;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, FixedPoint, HostTensor, MAX_RANK, Scalar, Shape};
use crate::kernel::table::sum_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::options::Integers;
use crate::program::Element;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "MEAN",
        builtin: Some(sys::kTfLiteBuiltinMean),
        typed_by: 0,
        takes: &of([DType::I16, DType::I8, DType::U8], 3),
        parse: |n| parse(n, ReduceKind::Mean),
    },
    Def {
        name: "SUM",
        builtin: Some(sys::kTfLiteBuiltinSum),
        typed_by: 0,
        takes: &of([DType::I16, DType::I8, DType::U8], 2),
        parse: |n| parse(n, ReduceKind::Sum),
    },
];

/// The sum or the mean of integers, brought to the result's scale.
#[derive(Clone, Debug, PartialEq)]
pub struct SumIntegers {
    /// What is reduced; its kind is a mean or a sum.
    pub reduce: Reduce,
    /// What stands for 0 in the operand and in the result.
    pub zero_points: [i32; 2],
    /// How sums become the result's steps.
    pub scaling: Scaling,
}

/// How a sum is multiplied by the quotient of both scales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// In fixed point.
    FixedPoint(FixedPoint),
    /// In float32, rounded before the zero point is added, halves away from zero.
    Away(f32),
    /// In float32, rounded behind the zero point, ties to even.
    Even(f32),
}

/// What becomes of a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finish {
    how: u32,
    before: i32,
    multiplier: i32,
    shift: i32,
    after: i32,
    bounds: [i32; 2],
}

impl Finish {
    /// The mean of `n` numbers, which is positive, rounded, halves away from zero.
    pub(super) fn quotient(n: i32, bounds: [i32; 2]) -> Self {
        Self { how: code::FINISH_QUOTIENT, before: 0, multiplier: n, shift: 0, after: 0, bounds }
    }

    /// The sum itself.
    fn none() -> Self {
        Self { how: code::FINISH_NONE, ..Self::quotient(1, [i32::MIN, i32::MAX]) }
    }

    fn apply(self, sum: i32) -> i32 {
        let [least, most] = self.bounds;
        let [scale, bias] = [self.multiplier, self.shift].map(|bits| f32::from_bits(bits.cast_unsigned()));
        let float = || sum as f32 * scale + bias;
        let whole = match self.how {
            code::FINISH_QUOTIENT => {
                let n = i64::from(self.multiplier);
                ((i64::from(sum).abs() + n / 2) / n * i64::from(sum).signum()) as i32
            }
            code::FINISH_FIXED_POINT => FixedPoint { multiplier: self.multiplier, shift: self.shift }
                .times(sum.wrapping_add(self.before)),
            code::FINISH_FLOAT_AWAY => float().round().clamp(-1e9, 1e9) as i32,
            code::FINISH_FLOAT_EVEN => float().round_ties_even().clamp(-1e9, 1e9) as i32,
            _ => return sum,
        };
        whole.wrapping_add(self.after).clamp(least, most)
    }
}

fn parse(node: &NodeView<'_>, kind: ReduceKind) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let (x, y) = (node.input_type(0)?, node.output_type(0)?);
    let ((x_scale, x_zero_point), (y_scale, y_zero_point)) = (scaling(&x)?, scaling(&y)?);
    let scaling = match (node.integers(), x.dtype, kind) {
        (Integers::Xnnpack, DType::I8 | DType::U8, _) => Scaling::Even(x_scale / y_scale),
        (_, DType::I8 | DType::I16, ReduceKind::Sum) => Scaling::Away(x_scale / y_scale),
        _ => {
            let Some(factor) = FixedPoint::new(f64::from(x_scale) / f64::from(y_scale)) else {
                unsupported!("from scale {x_scale} to {y_scale}");
            };
            Scaling::FixedPoint(factor)
        }
    };
    let reduce = attributes(node, kind)?;
    Ok(Parsed::new(SumIntegers { reduce, zero_points: [x_zero_point, y_zero_point], scaling }))
}

impl SumIntegers {
    /// What becomes of the sum of `n` integers.
    fn finish(&self, n: u32, dtype: DType) -> Result<Finish, Unsupported> {
        let Some(range) = dtype.range() else { unsupported!("{dtype} is no type of integers") };
        let (mean, [x_zero_point, after]) = (self.reduce.kind == ReduceKind::Mean, self.zero_points);
        if n == 0 {
            return Ok(Finish::quotient(1, [0, 0]));
        }
        let bounds = range.map(|n| n as i32);
        let before = x_zero_point.wrapping_mul(n as i32).wrapping_neg();
        let float = |how, scale: f32, bias: f32, after| {
            let [multiplier, shift] = [scale, bias].map(|x| x.to_bits().cast_signed());
            Finish { how, before: 0, multiplier, shift, after, bounds }
        };
        Ok(match self.scaling {
            Scaling::FixedPoint(FixedPoint { multiplier, shift }) => {
                let by = if mean { n.ilog2().cast_signed().min(31 + shift) } else { 0 };
                let divisor = if mean { i64::from(n) } else { 1 };
                let multiplier = ((i64::from(multiplier) << by) / divisor) as i32;
                Finish { how: code::FINISH_FIXED_POINT, before, multiplier, shift: shift - by, after, bounds }
            }
            Scaling::Away(scale) => {
                let bias = -x_zero_point as f32 * scale * n as f32;
                float(code::FINISH_FLOAT_AWAY, scale, bias, after)
            }
            Scaling::Even(scale) => {
                let scale = if mean { scale * (1.0 / n as f32) } else { scale };
                let bias = after as f32 - (x_zero_point as f32 * n as f32) * scale;
                float(code::FINISH_FLOAT_EVEN, scale, bias, 0)
            }
        })
    }
}

/// Result 0 = the finished sums of operand 0 over the dimensions that `reduced` marks.
pub(super) fn emit(cx: &mut Lower<'_>, reduced: &[bool], finish: Finish) -> Result<(), Unsupported> {
    let (x_shape, results) = (cx.input(0).shape, cx.output(0).shape.elements());
    if results == 0 {
        return Ok(());
    }
    let (mut x_element, empty) = (cx.element(), x_shape.elements() == 0);
    let lanes = 4 / x_element.bytes() as u32;
    // What is divided by the words' elements are the kept channels.
    let mut wide = !empty && reduced.last() == Some(&false) && x_shape.channels() % lanes == 0;
    let mut seen = x_shape.to_vec();
    if wide && let Some(channels) = seen.last_mut() {
        *channels /= lanes;
    }
    let groups = if empty { Vec::new() } else { groups(&Shape::new(&seen), reduced) };
    let ([mut keep_shape, mut keep_stride], [mut reduce_shape, mut reduce_stride]) =
        (three(&groups, false), three(&groups, true));
    // What has no elements has no memory to bind, and is not read.
    let mut x = if empty { cx.y(0) } else { cx.x(0)? };
    let Ok(mut terms) = u32::try_from(x_shape.elements() / results) else {
        unsupported!("{x_shape} has too many elements for one dispatch");
    };
    loop {
        let step = if wide { results / u64::from(lanes) } else { results };
        let [items_each, sharers] = workgroup(cx, step, terms);
        let all = part(terms.div_ceil(sharers)).saturating_mul(sharers);
        // With enough workgroups, an invocation may as well add up more.
        let busy = step.div_ceil(items_each.into()) >= BUSY && terms / sharers <= MOST;
        let part = if busy { terms.max(1) } else { all };
        let parts = terms.div_ceil(part).max(1);
        let (y, y_element, finish) = match parts {
            1 => (cx.y(0), cx.element(), finish),
            _ => (cx.scratch(results * u64::from(parts) * 4), Element::I32, Finish::none()),
        };
        let elements = results * u64::from(parts);
        let items = match wide {
            true => step * u64::from(parts),
            false => elements.div_ceil(4 / y_element.bytes()),
        };
        let (grid, row_groups) = cx.group_grid(items.div_ceil(items_each.into()))?;
        let push = Push {
            items: items as u32,
            row_groups,
            elements: elements as u32,
            results: step as u32,
            terms,
            part,
            keep_shape,
            keep_stride,
            reduce_shape,
            reduce_stride,
            before: finish.before,
            multiplier: finish.multiplier,
            shift: finish.shift,
            after: finish.after,
            least: finish.bounds[0],
            most: finish.bounds[1],
        };
        let spec = Spec {
            wg_x: items_each * sharers,
            x_form: form(x_element),
            y_form: form(y_element),
            wide,
            items: items_each,
            finish: finish.how,
            ..Default::default()
        };
        cx.dispatch(dispatch(kernel(), spec, push, Bind { x, y }, grid), results * u64::from(terms))?;
        if parts == 1 {
            return Ok(());
        }
        (x, x_element, wide, terms) = (y, Element::I32, false, parts);
        ([keep_shape, keep_stride], [reduce_shape, reduce_stride]) =
            ([[1, 1, results as u32], [0, 0, 1]], [[1, 1, parts], [0, 0, results as u32]]);
    }
}

/// Workgroups that keep a device busy: with fewer, the terms of each result are split among them.
const BUSY: u64 = 64;
/// The most terms of one invocation, which may compute four results: some drivers end a loop after 65,535 rounds.
const MOST: u32 = 8192;

/// Words of the result that a workgroup computes, and how many invocations share each.
fn workgroup(cx: &Lower<'_>, results: u64, terms: u32) -> [u32; 2] {
    // Neighbouring invocations read neighbouring words. A driver that runs on the CPU has few threads, and switches
    // between subgroups at each barrier.
    let (threads, items) = match cx.caps.kind {
        DeviceKind::Software => (16, 16),
        _ => (cx.caps.max_joined().min(128), 16),
    };
    let items = (results.min(items) as u32).next_power_of_two();
    let sharers = if cx.caps.kind == DeviceKind::Software { 1 } else { threads / items };
    [items, sharers.min(terms.div_ceil(4).next_power_of_two()).max(1)]
}

impl Operator for SumIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.reduce.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, results) = (cx.input(0).shape, cx.output(0).shape.elements());
        let terms = x.elements().checked_div(results).unwrap_or(0);
        let finish = self.finish(terms as u32, cx.input(0).dtype)?;
        emit(cx, &self.reduce.reduced(&x)?, finish)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (dtype, reduced) = (x.dtype(), self.reduce.reduced(&x.shape)?);
        let keep = |(&n, &reduced): (&u32, &bool)| if reduced { 1 } else { n };
        let kept = Shape::new(&x.shape.iter().zip(&reduced).map(keep).collect::<Vec<_>>());
        let strides = kept.broadcast_strides();
        let strides = &strides[MAX_RANK - kept.len()..];
        let mut sums = filled(kept.elements(), 0_i32, &kept)?;
        HostTensor::moved(dtype, x.shape, |i| {
            let place = i.iter().zip(strides).map(|(i, stride)| i * *stride as usize).sum::<usize>();
            sums[place] = sums[place].wrapping_add(x.scalar(i).to_i64() as i32);
            0
        })?;
        let terms = x.shape.elements().checked_div(kept.elements()).unwrap_or(0);
        let finish = self.finish(terms as u32, dtype)?;
        let mut next = sums.into_iter();
        let y = HostTensor::moved(dtype, self.infer(&[Some(x.shape)])?[0], |_| {
            Scalar::int(dtype, finish.apply(next.next().unwrap_or(0)).into()).bits
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    fn run(kind: ReduceKind, scaling: Scaling, zero_points: [i32; 2], x: &[i8]) -> Data {
        let op =
            SumIntegers { reduce: Reduce { kind, axes: vec![1], keep_dims: false }, zero_points, scaling };
        let x = HostTensor { shape: Shape::from([1, x.len() as u32]), data: Data::I8(x.to_vec()) };
        op.reference(&[Some(&x)]).unwrap().remove(0).data
    }

    #[test]
    fn means_and_sums() {
        let one = Scaling::FixedPoint(FixedPoint::new(1.0).unwrap());
        assert_eq!(run(ReduceKind::Mean, one, [0, 0], &[1, 2, 4, 7]), Data::I8(vec![4]));
        assert_eq!(run(ReduceKind::Mean, one, [-128, 127], &[-128, -128]), Data::I8(vec![127]));
        assert_eq!(run(ReduceKind::Mean, one, [-128, -128], &[-126, -128]), Data::I8(vec![-127]));
        assert_eq!(run(ReduceKind::Sum, Scaling::Away(0.5), [2, 1], &[3, 4, 4]), Data::I8(vec![4]));
        assert_eq!(run(ReduceKind::Sum, Scaling::Away(0.5), [0, 1], &[-1]), Data::I8(vec![0]));
        assert_eq!(run(ReduceKind::Sum, Scaling::Away(1e4), [0, 1], &[-1]), Data::I8(vec![-128]));
        assert_eq!(run(ReduceKind::Sum, Scaling::Even(0.5), [0, 1], &[3]), Data::I8(vec![2]));
        assert_eq!(run(ReduceKind::Mean, Scaling::Even(1.0), [1, 0], &[4, 4, 5, 1]), Data::I8(vec![2]));
        assert_eq!(run(ReduceKind::Mean, one, [5, 3], &[]), Data::I8(vec![0]));
    }
}
