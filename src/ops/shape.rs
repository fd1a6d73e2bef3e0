//! SHAPE: the dimensions of the operand.
//!
//! TFLite gives int32 or int64. Taken for every element type: the result is known as soon as shapes are, so no
//! kernel computes it, and what other operators make of it is computed on the host too.

use crate::error::Unsupported;
use crate::ir::{DType, Data, HostTensor, Shape};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] =
    &[Def { name: "SHAPE", builtin: Some(sys::kTfLiteBuiltinShape), typed_by: 0, takes: &every(1), parse }];

/// The dimensions of the operand, as numbers of 64 bits or of 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeOf {
    /// Whether they are int64.
    pub long: bool,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let dtype = node.output_type(0)?.dtype;
    // TFLite gives the tensor the type that the parameters name.
    let named = node.required_params::<sys::TfLiteShapeParams>()?.out_type;
    if !matches!((dtype, named), (DType::I32, sys::kTfLiteInt32) | (DType::I64, sys::kTfLiteInt64)) {
        unsupported!("output 0 is {dtype}, the parameters name type {named}");
    }
    Ok(Parsed::new(ShapeOf { long: dtype == DType::I64 }).gives(dtype))
}

impl Operator for ShapeOf {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![Shape::from([operand(inputs, 0)?.len() as u32])])
    }

    fn lower(&self, _cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        unsupported!("the shape is not known")
    }

    fn of_shapes(&self, inputs: &[Option<Shape>]) -> Option<HostTensor> {
        let x = operand(inputs, 0).ok()?;
        let data = match self.long {
            true => Data::I64(x.iter().map(|n| i64::from(*n)).collect()),
            false => Data::I32(x.iter().map(|n| *n as i32).collect()),
        };
        Some(HostTensor { shape: Shape::from([x.len() as u32]), data })
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(self.of_shapes(&[Some(x.shape)]).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_as_numbers() {
        let of = |long| ShapeOf { long }.of_shapes(&[Some(Shape::from([2, 0, 3]))]).unwrap();
        assert_eq!(of(false).data, Data::I32(vec![2, 0, 3]));
        assert_eq!(of(true).data, Data::I64(vec![2, 0, 3]));
        let scalar = HostTensor::f32([], vec![1.0]);
        let y = ShapeOf { long: false }.reference(&[Some(&scalar)]).unwrap().remove(0);
        assert_eq!((y.shape, y.data), (Shape::from([0]), Data::I32(vec![])));
    }
}
