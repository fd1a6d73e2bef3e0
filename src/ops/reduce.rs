//! MEAN, SUM and REDUCE_PROD over any set of dimensions, and the largest and smallest of floats.
//!
//! TFLite keeps the reduced dimensions with size 1 or drops them. Taken for float32 up to rank 6
//! with constant axes.

use crate::caps::DeviceKind;
use crate::codes::reduce as codes;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, HostTensor, MAX_RANK, Magnitude, Shape, Term};
use crate::kernel::table;
use crate::lower::Lower;
use crate::op::{Def, Fusion, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "MEAN",
        builtin: Some(sys::kTfLiteBuiltinMean),
        typed_by: 0,
        takes: &[(DType::F32, 3)],
        parse: |n| parse(n, ReduceKind::Mean),
    },
    Def {
        name: "SUM",
        builtin: Some(sys::kTfLiteBuiltinSum),
        typed_by: 0,
        takes: &[(DType::F32, 2)],
        parse: |n| parse(n, ReduceKind::Sum),
    },
    Def {
        name: "REDUCE_PROD",
        builtin: Some(sys::kTfLiteBuiltinReduceProd),
        typed_by: 0,
        takes: &[(DType::F32, 2)],
        parse: |n| parse(n, ReduceKind::Product),
    },
];

/// What is computed of the reduced elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ReduceKind {
    Mean,
    Sum,
    Product,
    Largest,
    Smallest,
}

/// A reduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reduce {
    /// What is computed of the reduced elements.
    pub kind: ReduceKind,
    /// The reduced dimensions; negative ones count from the end.
    pub axes: Vec<i64>,
    /// Whether they stay with size 1.
    pub keep_dims: bool,
}

/// Neighbouring dimensions that are kept or reduced alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AxisGroup {
    reduced: bool,
    size: u32,
    /// From one index to the next, in elements.
    stride: u32,
}

/// The operator for a node of floats.
pub(super) fn parse(node: &NodeView<'_>, kind: ReduceKind) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    node.float(0)?;
    Ok(Parsed::new(attributes(node, kind)?))
}

/// The attributes of a node of any type.
pub(super) fn attributes(node: &NodeView<'_>, kind: ReduceKind) -> Result<Reduce, Unsupported> {
    let p = node.required_params::<sys::TfLiteReducerParams>()?;
    let op = Reduce { kind, axes: node.ints(1)?, keep_dims: p.keep_dims };
    op.reduced(&node.input_type(0)?.shape)?;
    Ok(op)
}

impl Reduce {
    /// For each dimension of the operand, whether it is reduced.
    pub(super) fn reduced(&self, x: &Shape) -> Result<Vec<bool>, Unsupported> {
        let mut reduced = vec![false; x.len()];
        // TFLite does not look at the axes for a scalar.
        for &axis in self.axes.iter().filter(|_| !x.is_empty()) {
            reduced[x.axis(axis)?] = true;
        }
        Ok(reduced)
    }

    fn shape(&self, x: &Shape) -> Result<Shape, Unsupported> {
        let dim = |(&n, reduced): (&u32, bool)| match (reduced, self.keep_dims) {
            (false, _) => Some(n),
            (true, true) => Some(1),
            (true, false) => None,
        };
        Ok(Shape::new(&x.iter().zip(self.reduced(x)?).filter_map(dim).collect::<Vec<_>>()))
    }
}

/// Dimensions of `x`, which has elements, that are kept or reduced alike, outermost first.
pub(super) fn groups(x: &Shape, reduced: &[bool]) -> Vec<AxisGroup> {
    let mut groups: Vec<AxisGroup> = Vec::new();
    let mut stride = Shape::slice(x);
    for (&n, &reduced) in x.iter().zip(reduced).filter(|(n, _)| **n != 1) {
        stride /= n;
        match groups.last_mut() {
            Some(group) if group.reduced == reduced => {
                *group = AxisGroup { reduced, size: group.size.saturating_mul(n), stride };
            }
            _ => groups.push(AxisGroup { reduced, size: n, stride }),
        }
    }
    groups
}

/// Up to three groups as the kernel takes them, outermost first: sizes and strides.
pub(super) fn three(groups: &[AxisGroup], reduced: bool) -> [[u32; 3]; 2] {
    let mut three = [[1; 3], [0; 3]];
    for (d, group) in groups.iter().rev().filter(|g| g.reduced == reduced).enumerate() {
        (three[0][2 - d], three[1][2 - d]) = (group.size, group.stride);
    }
    three
}

/// Workgroups that keep a GPU busy: with fewer results, the terms of each are split among workgroups
/// (split-K).
const BUSY: u64 = 64;
/// The fewest terms of a partial result.
const PART: u32 = 256;

/// Result 0 = operand 0 reduced over the dimensions that `reduced` marks, through the epilogue. The sum of
/// nothing is 0, the product 1, the mean NaN; the largest of nothing is −∞, as XNNPACK has it (the reference
/// kernels: the lowest finite number), the smallest +∞.
pub fn emit(cx: &mut Lower<'_>, kind: ReduceKind, reduced: &[bool]) -> Result<(), Unsupported> {
    use table::reduce::{Bind, Push, Spec, dispatch, kernel};
    let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
    if y_shape.elements() == 0 {
        return Ok(());
    }
    let last_kept = !reduced.last().copied().unwrap_or(false);
    let empty = x_shape.elements() == 0;
    let vec4 = last_kept && x_shape.channels() % 4 == 0 && !empty;
    let lanes = if vec4 { 4 } else { 1 };
    let mut groups = if empty { Vec::new() } else { groups(&x_shape, reduced) };
    if vec4 {
        let last = groups.len() - 1;
        groups[last].size /= 4;
        groups[..last].iter_mut().for_each(|g| g.stride /= 4);
    }
    // Neighbouring invocations should read neighbouring elements, so that loads coalesce: of several results
    // where channels are kept, else of one result. A driver that runs on the CPU has few threads, and
    // switches between subgroups at each barrier.
    let (threads, busy) = match cx.caps.kind {
        DeviceKind::Software if last_kept => (16, cx.caps.machine.cores.into()),
        DeviceKind::Software => {
            (cx.caps.subgroup_size.min(cx.caps.max_joined()), cx.caps.machine.cores.into())
        }
        _ => (cx.caps.max_invocations.min(if last_kept { 128 } else { 64 }), BUSY),
    };
    let results =
        if last_kept && !empty { (x_shape.channels() / lanes).next_power_of_two().min(16) } else { 1 };
    let items = y_shape.elements() / u64::from(lanes);
    let item_groups = items.div_ceil(u64::from(results));
    let ([grid_x, grid_y, _], row_groups) = cx.group_grid(item_groups)?;
    let Ok(terms) = u32::try_from(x_shape.elements() / y_shape.elements()) else {
        unsupported!("{x_shape} has too many elements for one dispatch");
    };
    let parts = (busy / item_groups).clamp(1, u64::from(terms.div_ceil(PART)).max(1)) as u32;
    let sharers = u64::from(threads / results);
    let parts = parts.max(u64::from(terms).div_ceil(sharers * u64::from(cx.caps.machine.max_rounds)) as u32);
    // What has no elements has no memory to bind, and is not read.
    let x = if empty { cx.y(0) } else { cx.x(0)? };
    let epilogue = cx.epilogue(&[], x)?;
    let [[keep_shape, keep_stride], [reduce_shape, reduce_stride]] =
        [three(&groups, false), three(&groups, true)];
    let push = Push {
        items: items as u32,
        row_groups,
        terms,
        part: terms.div_ceil(parts),
        rows_per_batch: epilogue.rows_per_batch,
        channels: y_shape.channels(),
        factor: if kind == ReduceKind::Mean { 1.0 / terms as f32 } else { 1.0 },
        keep_shape,
        keep_stride,
        reduce_shape,
        reduce_stride,
    };
    let kind = match kind {
        ReduceKind::Mean | ReduceKind::Sum => codes::SUM,
        ReduceKind::Product => codes::PRODUCT,
        ReduceKind::Largest => codes::LARGEST,
        ReduceKind::Smallest => codes::SMALLEST,
    };
    let (epi_op, epi_a, epi_b) = (epilogue.op, epilogue.a, epilogue.b);
    let spec = Spec { wg_x: threads, vec4, kind, results, epi_op, epi_a, epi_b, ..Default::default() };
    let [e0, e1, e2] = epilogue.e;
    let [left, arrived] = cx.parts(items * u64::from(parts) * 16, item_groups, parts)?;
    let bind = Bind { x, y: cx.y(0), e0, e1, e2, parts: left, arrived };
    let grid = [grid_x, grid_y, parts];
    cx.dispatch(dispatch(kernel(cx.store, cx.join(results)), spec, push, bind, grid), x_shape.elements())
}

impl Operator for Reduce {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.shape(&x)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let reduced = self.reduced(&cx.input(0).shape)?;
        emit(cx, self.kind, &reduced)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let reduced = self.reduced(&x.shape)?;
        let keep = |(&n, &reduced): (&u32, &bool)| if reduced { 1 } else { n };
        let kept = Shape::new(&x.shape.iter().zip(&reduced).map(keep).collect::<Vec<_>>());
        let start = match self.kind {
            ReduceKind::Mean | ReduceKind::Sum => 0.0,
            ReduceKind::Product => 1.0,
            ReduceKind::Largest => f64::NEG_INFINITY,
            ReduceKind::Smallest => f64::INFINITY,
        };
        let strides = kept.broadcast_strides();
        let strides = &strides[MAX_RANK - kept.len()..];
        let mut y = filled(kept.elements(), start, &kept)?;
        HostTensor::from_fn(x.shape, |i| {
            let place = i.iter().zip(strides).map(|(i, stride)| i * *stride as usize).sum::<usize>();
            let (y, x) = (&mut y[place], x.at(i));
            *y = match self.kind {
                ReduceKind::Mean | ReduceKind::Sum => *y + f64::from(x),
                ReduceKind::Product => f64::from(*y as f32 * x),
                ReduceKind::Largest => y.max(x.into()),
                ReduceKind::Smallest => y.min(x.into()),
            };
            0.0
        })?;
        let terms = x.shape.elements() as f64 / kept.elements() as f64;
        let scale = |y: f64| if self.kind == ReduceKind::Mean { (y / terms) as f32 } else { y as f32 };
        let data = y.into_iter().map(scale).collect();
        Ok(vec![HostTensor::f32(self.shape(&x.shape)?, data)])
    }

    fn magnitude(&self, operands: &[Option<Term>]) -> Magnitude {
        let x = Magnitude::of_any(operands);
        match self.kind {
            ReduceKind::Mean | ReduceKind::Largest | ReduceKind::Smallest => x,
            ReduceKind::Sum => x.summed(),
            ReduceKind::Product => Magnitude::UNBOUNDED,
        }
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(axes: &[i64], keep_dims: bool) -> Reduce {
        Reduce { kind: ReduceKind::Mean, axes: axes.to_vec(), keep_dims }
    }

    #[test]
    fn neighbours_merge() {
        let group = |reduced, size, stride| AxisGroup { reduced, size, stride };
        let groups = |axes: &[i64], shape: &[u32]| {
            let shape = Shape::new(shape);
            groups(&shape, &mean(axes, false).reduced(&shape).unwrap())
        };
        assert_eq!(
            groups(&[1, 2], &[2, 3, 5, 8]),
            [group(false, 2, 120), group(true, 15, 8), group(false, 8, 1)]
        );
        assert_eq!(groups(&[2, 1], &[1, 3, 5, 8]), [group(true, 15, 8), group(false, 8, 1)]);
        assert_eq!(groups(&[-1], &[2, 3, 4]), [group(false, 6, 4), group(true, 4, 1)]);
        assert_eq!(groups(&[0, 2, 4], &[2, 3, 4, 5, 6, 7]).len(), 6);
        assert_eq!(groups(&[], &[]), []);
    }

    #[test]
    fn shapes() {
        let shape = |axes: &[i64], keep| mean(axes, keep).shape(&Shape::from([2, 3, 5, 8])).unwrap();
        assert_eq!(shape(&[1, 2], true), Shape::from([2, 1, 1, 8]));
        assert_eq!(shape(&[1, 2, -2], false), Shape::from([2, 8]));
        assert_eq!(shape(&[0, 1, 2, 3], false), Shape::new(&[]));
        assert_eq!(mean(&[0, 5], true).shape(&Shape::new(&[])).unwrap(), Shape::new(&[]));
        assert!(mean(&[4], false).shape(&Shape::from([2, 3, 5, 8])).is_err());
    }

    #[test]
    fn nothing_is_reduced_to_the_neutral_number() {
        let x = HostTensor::f32([0, 2], vec![]);
        let reduce = |kind, axes: &[i64]| {
            let op = Reduce { kind, axes: axes.to_vec(), keep_dims: false };
            assert!(op.infer(&[Some(x.shape)]).is_ok());
            op.reference(&[Some(&x)]).unwrap().remove(0).floats().to_vec()
        };
        assert_eq!(reduce(ReduceKind::Sum, &[0]), [0.0; 2]);
        assert_eq!(reduce(ReduceKind::Sum, &[1]), [0.0; 0]);
        assert_eq!(reduce(ReduceKind::Product, &[0]), [1.0; 2]);
        assert_eq!(reduce(ReduceKind::Largest, &[0]), [f32::NEG_INFINITY; 2]);
        assert_eq!(reduce(ReduceKind::Smallest, &[0, 1]), [f32::INFINITY]);
        assert!(reduce(ReduceKind::Mean, &[0]).iter().all(|x| x.is_nan()));
    }

    #[test]
    fn numbers() {
        let x = HostTensor::f32([2, 3], vec![1.0, 2.0, 3.0, 4.0, 5.0, -6.0]);
        let reduce = |kind, axes: &[i64]| {
            Reduce { kind, axes: axes.to_vec(), keep_dims: false }
                .reference(&[Some(&x)])
                .unwrap()
                .remove(0)
                .floats()
                .to_vec()
        };
        assert_eq!(reduce(ReduceKind::Mean, &[1]), [2.0, 1.0]);
        assert_eq!(reduce(ReduceKind::Sum, &[0]), [5.0, 7.0, -3.0]);
        assert_eq!(reduce(ReduceKind::Product, &[0, 1]), [-720.0]);
        assert_eq!(reduce(ReduceKind::Largest, &[1]), [3.0, 5.0]);
        assert_eq!(reduce(ReduceKind::Smallest, &[]), [1.0, 2.0, 3.0, 4.0, 5.0, -6.0]);
    }
}
