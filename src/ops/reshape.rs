//! RESHAPE, SQUEEZE and EXPAND_DIMS: the same elements under another shape, without a copy.
//!
//! TFLite gives RESHAPE's shape as a tensor or, in old models, as parameters; one dimension may be
//! -1. Taken for every element type up to rank 6 if shape and axis are constant, or follow from other shapes.

use std::sync::Arc;

use crate::error::Unsupported;
use crate::ir::{HostTensor, MAX_RANK, Shape};
use crate::lower::{Lower, View};
use crate::op::{Aliasing, Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "RESHAPE",
        builtin: Some(sys::kTfLiteBuiltinReshape),
        typed_by: 0,
        takes: &every(1),
        parse: parse_reshape,
    },
    Def {
        name: "SQUEEZE",
        builtin: Some(sys::kTfLiteBuiltinSqueeze),
        typed_by: 0,
        takes: &every(2),
        parse: parse_squeeze,
    },
    Def {
        name: "EXPAND_DIMS",
        builtin: Some(sys::kTfLiteBuiltinExpandDims),
        typed_by: 0,
        takes: &every(1),
        parse: parse_expand_dims,
    },
];

/// How the new shape follows from the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reshape {
    /// These dimensions; -1 for the one that makes the elements fit.
    To(Vec<i64>),
    /// Without these dimensions, which have size 1; an empty list means all of size 1.
    Without(Vec<i64>),
    /// With a dimension of size 1 at this place of the result.
    With(i64),
    /// The dimensions that operand 1 holds, which are not known yet.
    Open,
}

fn parse(node: &NodeView<'_>, op: Reshape) -> Result<Parsed, Unsupported> {
    let x = node.input_type(0)?;
    if op != Reshape::Open {
        op.shape(&x.shape)?;
    }
    Ok(Parsed::new(op))
}

fn parse_reshape(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=2, 1)?;
    let is_vector = |i| node.input(i).is_some() && node.input_type(i).is_ok_and(|t| t.shape.len() == 1);
    if is_vector(1) {
        return parse(node, node.ints_or_open(1)?.map_or(Reshape::Open, Reshape::To));
    }
    let p = node.required_params::<sys::TfLiteReshapeParams>()?;
    let Some(dims) = usize::try_from(p.num_dimensions).ok().and_then(|n| p.shape.get(..n)) else {
        unsupported!("a shape of {} dimensions", p.num_dimensions);
    };
    match dims {
        // How old converters wrote a scalar.
        [0] => parse(node, Reshape::To(Vec::new())),
        dims => parse(node, Reshape::To(dims.iter().map(|&n| n.into()).collect())),
    }
}

fn parse_squeeze(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let p = node.required_params::<sys::TfLiteSqueezeParams>()?;
    let Some(axes) = usize::try_from(p.num_squeeze_dims).ok().and_then(|n| p.squeeze_dims.get(..n)) else {
        unsupported!("{} dimensions to squeeze", p.num_squeeze_dims);
    };
    parse(node, Reshape::Without(axes.iter().map(|&axis| axis.into()).collect()))
}

fn parse_expand_dims(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    match node.ints(1)?[..] {
        [axis] => parse(node, Reshape::With(axis)),
        ref axes => unsupported!("{} axes, 1 expected", axes.len()),
    }
}

impl Reshape {
    fn shape(&self, x: &Shape) -> Result<Shape, Unsupported> {
        let dims = match self {
            Self::To(dims) => fill(dims, x)?,
            Self::Without(axes) => {
                let axes = axes.iter().map(|&a| x.axis(a)).collect::<Result<Vec<_>, _>>()?;
                if let Some(axis) = axes.iter().find(|&&d| x[d] != 1) {
                    unsupported!("dimension {axis} of {x} is not 1");
                }
                let goes = |d: usize| if axes.is_empty() { x[d] == 1 } else { axes.contains(&d) };
                (0..x.len()).filter(|&d| !goes(d)).map(|d| x[d]).collect()
            }
            Self::With(axis) => {
                let rank = x.len() as i64 + 1;
                if !(-rank..rank).contains(axis) {
                    unsupported!("{x} cannot get a dimension {axis}");
                }
                let mut dims = x.to_vec();
                dims.insert(axis.rem_euclid(rank) as usize, 1);
                dims
            }
            Self::Open => unsupported!("the shape, operand 1, is computed elsewhere"),
        };
        if dims.len() > MAX_RANK {
            unsupported!("rank {} ({MAX_RANK} at most)", dims.len());
        }
        Ok(Shape::new(&dims))
    }
}

/// `dims` with -1 replaced by what the elements of `x` ask for.
fn fill(dims: &[i64], x: &Shape) -> Result<Vec<u32>, Unsupported> {
    let known =
        dims.iter().filter(|n| **n != -1).try_fold(1u64, |all, &n| all.checked_mul(u64::try_from(n).ok()?));
    let elements = x.elements();
    let missing = match (known, dims.iter().filter(|n| **n == -1).count()) {
        (Some(known), 0) if known == elements => 1,
        (Some(known), 1) if known > 0 && elements.is_multiple_of(known) => elements / known,
        _ => unsupported!("{x} cannot take the shape {dims:?}"),
    };
    Ok(dims.iter().map(|&n| if n == -1 { missing as u32 } else { n as u32 }).collect())
}

impl Operator for Reshape {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.shape(&x)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let from = View::dense(&cx.output(0).shape);
        cx.copy_out(0, &from)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![x.clone().reshaped(self.shape(&x.shape)?)])
    }

    fn settle(
        &self,
        numbers: &dyn Fn(usize) -> Option<Vec<i64>>,
    ) -> Result<Option<Arc<dyn Operator>>, Unsupported> {
        Ok(match (self, numbers(1)) {
            (Self::Open, Some(dims)) => Some(Arc::new(Self::To(dims))),
            _ => None,
        })
    }

    fn aliasing(&self, _inputs: &[Option<Shape>]) -> Aliasing {
        Aliasing::Operand
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let cases: &[(Reshape, &[u32], Option<&[u32]>)] = &[
            (Reshape::To(vec![6, 4]), &[2, 3, 4], Some(&[6, 4])),
            (Reshape::To(vec![-1]), &[2, 3, 4], Some(&[24])),
            (Reshape::To(vec![2, -1, 2]), &[2, 3, 4], Some(&[2, 6, 2])),
            (Reshape::To(vec![]), &[1, 1], Some(&[])),
            (Reshape::To(vec![1, 1]), &[], Some(&[1, 1])),
            (Reshape::To(vec![5, -1]), &[2, 3, 4], None),
            (Reshape::To(vec![-1, -1]), &[2, 3, 4], None),
            (Reshape::To(vec![0, 4]), &[0, 3], Some(&[0, 4])),
            (Reshape::To(vec![0, -1]), &[0, 3], None),
            (Reshape::To(vec![7]), &[2, 3], None),
            (Reshape::To(vec![-2, -3]), &[2, 3], None),
            (Reshape::To(vec![1; 7]), &[1], None),
            (Reshape::Without(vec![]), &[1, 3, 1, 4], Some(&[3, 4])),
            (Reshape::Without(vec![-2]), &[1, 3, 1, 4], Some(&[1, 3, 4])),
            (Reshape::Without(vec![1]), &[1, 3, 1, 4], None),
            (Reshape::With(-1), &[2, 3], Some(&[2, 3, 1])),
            (Reshape::With(0), &[2, 3], Some(&[1, 2, 3])),
            (Reshape::With(3), &[2, 3], None),
        ];
        for (op, from, to) in cases {
            let got = op.shape(&Shape::new(from)).ok();
            assert_eq!(got.as_deref(), *to, "{op:?} of {from:?}");
        }
    }
}
