//! SPLIT, SPLIT_V and UNPACK: parts of the operand along one dimension, each a result of its own.
//!
//! UNPACK's parts have one index and lose the dimension. Taken up to rank 6 with constant axis and sizes, for the
//! element types that TFLite takes.

use crate::error::Unsupported;
use crate::ir::DType::{Bool, F32, I8, I16, I32, I64, U8};
use crate::ir::bounded::filled;
use crate::ir::{HostTensor, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "SPLIT",
        builtin: Some(sys::kTfLiteBuiltinSplit),
        typed_by: 1,
        takes: &of([F32, I64, I32, I16, I8, U8], 4),
        parse: parse_split,
    },
    Def {
        name: "SPLIT_V",
        builtin: Some(sys::kTfLiteBuiltinSplitV),
        typed_by: 0,
        takes: &of([F32, I64, I32, I16, I8, U8], 2),
        parse: parse_split_v,
    },
    Def {
        name: "UNPACK",
        builtin: Some(sys::kTfLiteBuiltinUnpack),
        typed_by: 0,
        takes: &of([F32, I32, I16, I8, U8, Bool], 4),
        parse: parse_unpack,
    },
];

/// How large the parts are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// So many of the same size.
    Equal(u32),
    /// These; -1 for what is left.
    Given(Vec<i64>),
    /// So many of one index, whose dimension disappears.
    Single(u32),
}

/// Parts of operand `input`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Which of the node's operands is split.
    pub input: usize,
    /// The dimension.
    pub axis: i64,
    /// The parts.
    pub sizes: Sizes,
}

fn parse_split(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.required_params::<sys::TfLiteSplitParams>()?;
    node.expect(2..=2, count(p.num_splits)? as usize)?;
    parse(node, Split { input: 1, axis: axis(node, 0)?, sizes: Sizes::Equal(count(p.num_splits)?) })
}

fn parse_split_v(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let sizes = node.ints(1)?;
    node.expect(3..=3, sizes.len())?;
    parse(node, Split { input: 0, axis: axis(node, 2)?, sizes: Sizes::Given(sizes) })
}

fn parse_unpack(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.required_params::<sys::TfLiteUnpackParams>()?;
    node.expect(1..=1, count(p.num)? as usize)?;
    parse(node, Split { input: 0, axis: p.axis.into(), sizes: Sizes::Single(count(p.num)?) })
}

fn parse(node: &NodeView<'_>, op: Split) -> Result<Parsed, Unsupported> {
    op.parts(&node.input_type(op.input)?.shape)?;
    Ok(Parsed::new(op))
}

fn count(n: i32) -> Result<u32, Unsupported> {
    u32::try_from(n).map_err(|_| Unsupported(format!("{n} parts")))
}

fn axis(node: &NodeView<'_>, i: usize) -> Result<i64, Unsupported> {
    match node.ints(i)?[..] {
        [axis] => Ok(axis),
        ref axes => unsupported!("{} axes, 1 expected", axes.len()),
    }
}

impl Split {
    /// The dimension and the size of each part in it.
    fn parts(&self, x: &Shape) -> Result<(usize, Vec<u32>), Unsupported> {
        let axis = x.axis(self.axis)?;
        let size = x[axis];
        let parts = match &self.sizes {
            Sizes::Equal(n) if *n > 0 && size.is_multiple_of(*n) => filled((*n).into(), size / n, x)?,
            Sizes::Single(n) if *n == size => filled(size.into(), 1, x)?,
            Sizes::Given(sizes) => given(sizes, size)?,
            sizes => unsupported!("{size} indices into {sizes:?}"),
        };
        Ok((axis, parts))
    }

    /// The shape of a part of this size.
    fn shape(&self, x: &Shape, axis: usize, size: u32) -> Shape {
        let mut dims = x.to_vec();
        match self.sizes {
            Sizes::Single(_) => drop(dims.remove(axis)),
            _ => dims[axis] = size,
        }
        Shape::new(&dims)
    }
}

/// `sizes` with -1 replaced by what is left of `size`.
fn given(sizes: &[i64], size: u32) -> Result<Vec<u32>, Unsupported> {
    let known = sizes.iter().filter(|n| **n != -1).fold(0i64, |sum, n| sum.saturating_add(*n));
    let open = sizes.iter().filter(|n| **n == -1).count();
    let left = i64::from(size).saturating_sub(known);
    let fits = sizes.iter().all(|n| *n >= -1) && if open == 0 { left == 0 } else { open == 1 && left >= 0 };
    if !fits {
        unsupported!("{size} indices into {sizes:?}");
    }
    Ok(sizes.iter().map(|&n| if n == -1 { left as u32 } else { n as u32 }).collect())
}

impl Operator for Split {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, self.input)?;
        let (axis, parts) = self.parts(&x)?;
        Ok(parts.into_iter().map(|n| self.shape(&x, axis, n)).collect())
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let shape = cx.input(self.input).shape;
        let (axis, parts) = self.parts(&shape)?;
        let x = cx.x(self.input)?;
        let mut start = 0;
        for (i, size) in parts.into_iter().enumerate() {
            let from = View::dense(&shape).slice(axis, start, 1, size);
            cx.copy(x, &from, cx.y(i), &from.packed())?;
            start += i64::from(size);
        }
        Ok(())
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, self.input)?;
        let (axis, parts) = self.parts(&x.shape)?;
        let mut start = 0;
        let part = |size: u32| -> Result<HostTensor, Unsupported> {
            let mut dims = x.shape.to_vec();
            dims[axis] = size;
            let y = HostTensor::moved(x.dtype(), Shape::new(&dims), |i| {
                let mut i = i.to_vec();
                i[axis] += start;
                x.bits(&i)
            })?;
            start += size as usize;
            Ok(y.reshaped(self.shape(&x.shape, axis, size)))
        };
        parts.into_iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let parts = |sizes| Split { input: 0, axis: -1, sizes }.parts(&Shape::from([2, 6])).ok().map(|p| p.1);
        assert_eq!(parts(Sizes::Equal(3)), Some(vec![2, 2, 2]));
        assert_eq!(parts(Sizes::Equal(4)), None);
        assert_eq!(parts(Sizes::Single(6)), Some(vec![1; 6]));
        assert_eq!(parts(Sizes::Single(5)), None);
        assert_eq!(parts(Sizes::Given(vec![1, -1, 2])), Some(vec![1, 3, 2]));
        assert_eq!(parts(Sizes::Given(vec![4, -1, 2])), Some(vec![4, 0, 2]));
        assert_eq!(parts(Sizes::Given(vec![4, 3])), None);
        assert_eq!(parts(Sizes::Given(vec![-1, -1])), None);
    }
}
