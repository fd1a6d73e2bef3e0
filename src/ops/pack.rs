//! PACK: operands of one shape side by side along a new dimension.
//!
//! Taken for numbers of every type up to rank 6; operands may be constant.

use super::concatenation::{in_one_row, side_by_side};
use crate::error::Unsupported;
use crate::ir::DType::{F32, I8, I16, I32, I64, U8};
use crate::ir::{HostTensor, MAX_RANK, Shape};
use crate::lower::Lower;
use crate::op::{Aliasing, Def, Operator, Parsed, of, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "PACK",
    builtin: Some(sys::kTfLiteBuiltinPack),
    typed_by: 0,
    takes: &of([F32, I64, I32, I16, I8, U8], 4),
    parse,
}];

/// Operands along a new dimension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The new dimension of the result.
    pub axis: usize,
    /// How many operands there are.
    pub count: usize,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let p = node.required_params::<sys::TfLitePackParams>()?;
    let count = node.input_count();
    node.expect(1..=usize::MAX, 1)?;
    if usize::try_from(p.values_count) != Ok(count) {
        unsupported!("{count} inputs where {} are packed", p.values_count);
    }
    let types = (0..count).map(|i| node.input_type(i)).collect::<Result<Vec<_>, _>>()?;
    if let Some(other) = types.iter().find(|ty| ty.dtype != types[0].dtype) {
        unsupported!("{} and {other} side by side", types[0]);
    }
    let rank = types[0].shape.len() as i64 + 1;
    if !(-rank..rank).contains(&p.axis.into()) {
        unsupported!("{} cannot get a dimension {}", types[0].shape, p.axis);
    }
    let op = Pack { axis: i64::from(p.axis).rem_euclid(rank) as usize, count };
    op.infer(&types.iter().map(|t| Some(t.shape)).collect::<Vec<_>>())?;
    Ok(Parsed::new(op))
}

impl Pack {
    fn shape(&self, x: &Shape) -> Result<Shape, Unsupported> {
        let mut dims = x.to_vec();
        if self.axis > dims.len() || dims.len() == MAX_RANK {
            unsupported!("{x} cannot get a dimension {}", self.axis);
        }
        dims.insert(self.axis, self.count as u32);
        Ok(Shape::new(&dims))
    }
}

impl Operator for Pack {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let shapes = (0..self.count).map(|i| operand(inputs, i)).collect::<Result<Vec<_>, _>>()?;
        if let Some(other) = shapes.iter().find(|shape| **shape != shapes[0]) {
            unsupported!("{} and {other} side by side", shapes[0]);
        }
        Ok(vec![self.shape(&shapes[0])?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.input(0).shape;
        let (rows, width): (u32, u32) = (Shape::slice(&x[..self.axis]), Shape::slice(&x[self.axis..]));
        let widths: Vec<u32> = std::iter::repeat_n(width, self.count).collect();
        let operands = (0..self.count).map(|i| cx.x(i)).collect::<Result<Vec<_>, _>>()?;
        side_by_side(cx, rows, &widths, &operands)
    }

    fn aliasing(&self, inputs: &[Option<Shape>]) -> Aliasing {
        if in_one_row(inputs, self.axis) { Aliasing::Sequence } else { Aliasing::None }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let parts = (0..self.count).map(|i| operand(inputs, i)).collect::<Result<Vec<_>, _>>()?;
        let y = HostTensor::moved(parts[0].dtype(), self.shape(&parts[0].shape)?, |i| {
            let mut at = i.to_vec();
            parts[at.remove(self.axis)].bits(&at)
        })?;
        Ok(vec![y])
    }
}
