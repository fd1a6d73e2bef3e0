//! CONCATENATION: operands side by side along one dimension.
//!
//! TFLite takes any number of operands and no activation. Taken for float32 up to rank 6; operands
//! may be constant.

use crate::compile::Lower;
use crate::error::Unsupported;
use crate::ir::{HostTensor, Shape, TensorType};
use crate::op::{Def, Operator, Parsed, View, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] =
    &[Def { name: "CONCATENATION", builtin: Some(sys::kTfLiteBuiltinConcatenation), max_version: 4, parse }];

/// Operands side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concatenation {
    /// The dimension that grows.
    pub axis: usize,
    /// How many operands there are.
    pub count: usize,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let count = node.input_count();
    node.expect(1..=usize::MAX, 1)?;
    let types = (0..count).map(|i| node.float(i)).collect::<Result<Vec<_>, _>>()?;
    let p = node.required_params::<sys::TfLiteConcatenationParams>()?;
    if p.activation != 0 {
        unsupported!("fused activation {} (TFLite allows none here)", p.activation);
    }
    let op = Concatenation { axis: types[0].shape.axis(p.axis.into())?, count };
    op.infer(&types.iter().map(Some).collect::<Vec<_>>())?;
    Ok(Parsed::new(op))
}

impl Concatenation {
    fn shape(&self, shapes: &[Shape]) -> Result<Shape, Unsupported> {
        let mut dims = shapes[0].to_vec();
        dims[self.axis] = 0;
        for shape in shapes {
            let fits = |d: usize| d == self.axis || shape[d] == dims[d];
            if shape.len() != dims.len() || !(0..dims.len()).all(fits) {
                unsupported!("{} and {shape} side by side in dimension {}", shapes[0], self.axis);
            }
            dims[self.axis] += shape[self.axis];
        }
        Ok(Shape::new(&dims))
    }
}

impl Operator for Concatenation {
    fn infer(&self, inputs: &[Option<&TensorType>]) -> Result<Vec<TensorType>, Unsupported> {
        let types = (0..self.count).map(|i| operand(inputs, i)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<_> = types.iter().map(|t| t.shape).collect();
        Ok(vec![types[0].with_shape(self.shape(&shapes)?)])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (y, y_shape) = (cx.y(0), cx.output(0).shape);
        let mut start = 0;
        for i in 0..self.count {
            let shape = cx.input(i).shape;
            let x = cx.x(i)?;
            let size = shape[self.axis];
            cx.copy(x, &View::dense(&shape), y, &View::dense(&y_shape).slice(self.axis, start, 1, size))?;
            start += i64::from(size);
        }
        Ok(())
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let parts = (0..self.count).map(|i| operand(inputs, i)).collect::<Result<Vec<_>, _>>()?;
        let shapes: Vec<_> = parts.iter().map(|p| p.shape).collect();
        let y = HostTensor::from_fn(self.shape(&shapes)?, |i| {
            let mut i = i.to_vec();
            for part in &parts {
                let size = part.shape[self.axis] as usize;
                if i[self.axis] < size {
                    return part.at(&i);
                }
                i[self.axis] -= size;
            }
            unreachable!("the parts fill the result")
        });
        Ok(vec![y])
    }
}
