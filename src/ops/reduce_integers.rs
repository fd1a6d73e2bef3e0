//! REDUCE_MAX and REDUCE_MIN, and of booleans REDUCE_ANY and REDUCE_ALL: the largest or smallest element over any set
//! of dimensions. SUM, MEAN and REDUCE_PROD of integers that are not quantised.
//!
//! The largest and the smallest are taken for every element type up to rank 6 with constant axes; quantised operands and
//! results have equal scales and zero points. Floats are reduced as in `reduce.rs`. Sums and products wrap; the sum
//! behind a mean has 64 bits, and the mean is rounded towards zero. The mean of nothing, which TFLite leaves undefined,
//! is 0.

use super::reduce::{self, Reduce, ReduceKind, groups, three};
use crate::codes::reduce_integers as code;
use crate::error::Unsupported;
use crate::ir::bounded::filled;
use crate::ir::{DType, HostTensor, MAX_RANK, Scalar, Shape};
use crate::kernel::table::reduce_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Operator, Parsed, every, of, operand};
use crate::program::Element;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "REDUCE_MAX",
        builtin: Some(sys::kTfLiteBuiltinReduceMax),
        typed_by: 0,
        takes: &every(3),
        parse: |n| parse(n, ReduceKind::Largest),
    },
    Def {
        name: "REDUCE_MIN",
        builtin: Some(sys::kTfLiteBuiltinReduceMin),
        typed_by: 0,
        takes: &every(3),
        parse: |n| parse(n, ReduceKind::Smallest),
    },
    Def {
        name: "REDUCE_ANY",
        builtin: Some(sys::kTfLiteBuiltinReduceAny),
        typed_by: 0,
        takes: &[(DType::Bool, 1)],
        parse: |n| parse(n, ReduceKind::Largest),
    },
    Def {
        name: "REDUCE_ALL",
        builtin: Some(sys::kTfLiteBuiltinReduceAll),
        typed_by: 0,
        takes: &[(DType::Bool, 1)],
        parse: |n| parse(n, ReduceKind::Smallest),
    },
    Def {
        name: "MEAN",
        builtin: Some(sys::kTfLiteBuiltinMean),
        typed_by: 0,
        takes: &of([DType::I64, DType::I32], 3),
        parse: |n| parse_numbers(n, ReduceKind::Mean),
    },
    Def {
        name: "SUM",
        builtin: Some(sys::kTfLiteBuiltinSum),
        typed_by: 0,
        takes: &of([DType::I64, DType::I32], 2),
        parse: |n| parse_numbers(n, ReduceKind::Sum),
    },
    Def {
        name: "REDUCE_PROD",
        builtin: Some(sys::kTfLiteBuiltinReduceProd),
        typed_by: 0,
        takes: &of([DType::I64, DType::I32, DType::U8], 2),
        parse: |n| parse_numbers(n, ReduceKind::Product),
    },
];

/// A function of integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReduceIntegers(pub Reduce);

fn parse(node: &NodeView<'_>, kind: ReduceKind) -> Result<Parsed, Unsupported> {
    match node.input_type(0)?.dtype {
        DType::F32 => return reduce::parse(node, kind),
        DType::I16 | DType::I8 | DType::U8 => node.same_quantization(0.0)?,
        _ => {}
    }
    node.expect(2..=2, 1)?;
    Ok(Parsed::new(ReduceIntegers(reduce::attributes(node, kind)?)))
}

/// The operator for a node of integers that are not quantised.
pub(super) fn parse_numbers(node: &NodeView<'_>, kind: ReduceKind) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    let x = node.input_type(0)?;
    if kind == ReduceKind::Product && x.quant.is_some() {
        unsupported!("the product of {x}");
    }
    Ok(Parsed::new(ReduceIntegers(reduce::attributes(node, kind)?)))
}

impl ReduceIntegers {
    fn code(&self) -> u32 {
        match self.0.kind {
            ReduceKind::Largest => code::FUNCTION_LARGEST,
            ReduceKind::Smallest => code::FUNCTION_SMALLEST,
            ReduceKind::Sum | ReduceKind::Mean => code::FUNCTION_SUM,
            ReduceKind::Product => code::FUNCTION_PRODUCT,
        }
    }

    fn apply(&self, a: i64, b: i64) -> i64 {
        match self.0.kind {
            ReduceKind::Largest => a.max(b),
            ReduceKind::Smallest => a.min(b),
            ReduceKind::Sum | ReduceKind::Mean => a.wrapping_add(b),
            ReduceKind::Product => a.wrapping_mul(b),
        }
    }

    /// What the result is of nothing.
    fn start(&self, dtype: DType) -> Result<i64, Unsupported> {
        let Some([least, most]) = dtype.range() else { unsupported!("{dtype} is no type of integers") };
        Ok(match self.0.kind {
            ReduceKind::Largest => least,
            ReduceKind::Smallest => most,
            ReduceKind::Sum | ReduceKind::Mean => 0,
            ReduceKind::Product => 1,
        })
    }
}

/// How many terms one invocation reduces, so that few are waiting for one and none of them for long: some drivers end
/// a loop after 65,535 rounds, and an invocation may compute four results.
pub(super) fn part(terms: u32) -> u32 {
    if terms <= 256 { terms.max(1) } else { terms.isqrt().clamp(64, 8192) }
}

impl Operator for ReduceIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.0.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
        let (results, empty) = (y_shape.elements(), x_shape.elements() == 0);
        if results == 0 {
            return Ok(());
        }
        let (mut from, element) = (cx.element(), cx.element());
        let mean = self.0.kind == ReduceKind::Mean;
        let all = (x_shape.elements() / results) as u32;
        let start = self.start(cx.input(0).dtype)?;
        let groups = if empty { Vec::new() } else { groups(&x_shape, &self.0.reduced(&x_shape)?) };
        let ([mut keep_shape, mut keep_stride], [mut reduce_shape, mut reduce_stride]) =
            (three(&groups, false), three(&groups, true));
        // What has no elements has no memory to bind, and is not read.
        let mut x = if empty { cx.y(0) } else { cx.x(0)? };
        let mut terms = all;
        loop {
            let part = part(terms);
            let parts = terms.div_ceil(part).max(1);
            let items = results * u64::from(parts);
            let to = if mean && parts > 1 { Element::I64 } else { element };
            let y = if parts == 1 { cx.y(0) } else { cx.scratch(items * to.bytes()) };
            let words = items.div_ceil((4 / to.bytes()).max(1));
            let (grid, row_items, wg_x) = cx.linear_grid(words)?;
            let push = Push {
                items: words as u32,
                row_items,
                elements: items as u32,
                results: results as u32,
                terms,
                part,
                start: [start as u32, (start >> 32) as u32],
                keep_shape,
                keep_stride,
                reduce_shape,
                reduce_stride,
                divisor: if mean && parts == 1 { all } else { 1 },
            };
            let (form, result) = (form(from), form(to));
            let spec = Spec { wg_x, form, result, function: self.code(), ..Default::default() };
            cx.dispatch(dispatch(kernel(), spec, push, Bind { x, y }, grid), items * u64::from(part))?;
            if parts == 1 {
                return Ok(());
            }
            (x, terms, from) = (y, parts, to);
            ([keep_shape, keep_stride], [reduce_shape, reduce_stride]) =
                ([[1, 1, results as u32], [0, 0, 1]], [[1, 1, parts], [0, 0, results as u32]]);
        }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (dtype, reduced) = (x.dtype(), self.0.reduced(&x.shape)?);
        let keep = |(&n, &reduced): (&u32, &bool)| if reduced { 1 } else { n };
        let kept = Shape::new(&x.shape.iter().zip(&reduced).map(keep).collect::<Vec<_>>());
        let strides = kept.broadcast_strides();
        let strides = &strides[MAX_RANK - kept.len()..];
        let start = self.start(dtype)?;
        let mut y = filled(kept.elements(), start, &kept)?;
        HostTensor::moved(dtype, x.shape, |i| {
            let place = i.iter().zip(strides).map(|(i, stride)| i * *stride as usize).sum::<usize>();
            y[place] = self.apply(y[place], x.scalar(i).to_i64());
            0
        })?;
        let terms = x.shape.elements().checked_div(kept.elements()).unwrap_or(0).max(1) as i64;
        let divisor = if self.0.kind == ReduceKind::Mean { terms } else { 1 };
        let mut next = y.into_iter().map(|y| y / divisor);
        let y = HostTensor::moved(dtype, self.infer(&[Some(x.shape)])?[0], |_| {
            Scalar::int(dtype, next.next().unwrap_or(start)).bits
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn numbers() {
        let reduce = |kind, axes: &[i64], shape: [u32; 2], data: Data| {
            let op = ReduceIntegers(Reduce { kind, axes: axes.to_vec(), keep_dims: false });
            op.reference(&[Some(&HostTensor { shape: Shape::from(shape), data })]).unwrap().remove(0).data
        };
        let x = || Data::I8(vec![-128, 5, -1, 127, -3, -2]);
        assert_eq!(reduce(ReduceKind::Largest, &[1], [2, 3], x()), Data::I8(vec![5, 127]));
        assert_eq!(reduce(ReduceKind::Smallest, &[0], [2, 3], x()), Data::I8(vec![-128, -3, -2]));
        assert_eq!(reduce(ReduceKind::Largest, &[0], [0, 2], Data::U8(vec![])), Data::U8(vec![0, 0]));
        let none = Data::Bool(vec![]);
        assert_eq!(reduce(ReduceKind::Smallest, &[1], [2, 0], none), Data::Bool(vec![true, true]));
        let x = || Data::I32(vec![i32::MAX, i32::MAX, -3, 4]);
        assert_eq!(reduce(ReduceKind::Sum, &[1], [2, 2], x()), Data::I32(vec![-2, 1]));
        assert_eq!(reduce(ReduceKind::Mean, &[1], [2, 2], x()), Data::I32(vec![i32::MAX, 0]));
        assert_eq!(reduce(ReduceKind::Product, &[0], [2, 2], x()), Data::I32(vec![-2147483645, -4]));
        let x = Data::I64(vec![i64::MIN, 1 << 40, -1, (1 << 40) + 1]);
        assert_eq!(reduce(ReduceKind::Largest, &[0, 1], [2, 2], x), Data::I64(vec![(1 << 40) + 1]));
    }

    #[test]
    fn no_invocation_runs_for_long() {
        for terms in [0, 1, 256, 257, 100_000, 1 << 26, u32::MAX] {
            let mut left = terms;
            let mut passes = 0;
            while left > 1 {
                assert!(part(left) <= 8192);
                left = left.div_ceil(part(left));
                passes += 1;
            }
            assert!(passes <= 4, "{terms}: {passes}");
        }
    }
}
