//! DEQUANTIZE: floats from float16 or quantised numbers.
//!
//! `y = scale × (q - zero point)`, with one scale per tensor or, of a constant, per slice. A constant stays
//! one: readers that need known weights get them. float16 constants are used as they are, and their kernel's
//! packing widens or keeps them: models with float16 weights store them so.

use std::sync::Arc;

use super::affine::scaling;
use crate::codes::cast as code;
use crate::error::Unsupported;
use crate::ir::{Constant, DType, HostTensor, Magnitude, Quantization, Scalar, Shape, Term};
use crate::kernel::table::cast::{Push, Spec};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::op::{Def, Fold, Operator, Parsed, operand};
use crate::program::Element;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[Def {
    name: "DEQUANTIZE",
    builtin: Some(sys::kTfLiteBuiltinDequantize),
    typed_by: 0,
    takes: &[(DType::F16, 9), (DType::I16, 9), (DType::I8, 9), (DType::U8, 9)],
    parse,
}];

/// Makes float32 numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Dequantize {
    /// What integers stand for; `None` for float16 numbers.
    pub quant: Option<Arc<Quantization>>,
    /// Whether the operand is constant.
    pub constant: bool,
    /// Whether the integers have more bits than fp16 keeps.
    pub long: bool,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.input_type(0)?;
    let constant = node.input(0).is_some_and(|t| t.is_constant());
    if x.dtype == DType::F16 {
        return Ok(Parsed::new(Dequantize { quant: None, constant, long: false }).gives(DType::F32));
    }
    if node.output_type(0)?.dtype != DType::F32 {
        unsupported!("output 0 is {}, f32 expected", node.output_type(0)?.dtype);
    }
    let slices = x.quant.as_ref().map_or(0, |quant| quant.scale.len());
    if slices < 2 || !constant {
        scaling(&x)?;
    } else if x.dtype == DType::I16 {
        unsupported!("{slices} scales of int16");
    }
    Ok(Parsed::new(Dequantize { quant: x.quant, constant, long: x.dtype == DType::I16 }).gives(DType::F32))
}

impl Dequantize {
    fn apply(&self, x: Scalar, slice: usize) -> f32 {
        match &self.quant {
            None => x.to_f32().unwrap_or(0.0),
            Some(quant) => quant.scale[slice] * (x.to_i64() - i64::from(quant.zero_point[slice])) as f32,
        }
    }

    fn floats(&self, x: &HostTensor) -> Result<HostTensor, Unsupported> {
        let axis = self.quant.as_ref().filter(|quant| quant.scale.len() > 1).map(|quant| quant.axis);
        HostTensor::from_fn(x.shape, |i| self.apply(x.scalar(i), axis.map_or(0, |axis| i[axis])))
    }
}

impl Operator for Dequantize {
    fn magnitude(&self, _operands: &[Option<Term>]) -> Magnitude {
        if self.long { Magnitude::UNBOUNDED } else { Magnitude::RANGE }
    }

    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (function, push) = match self.quant.as_deref() {
            None => (code::FUNCTION_CAST, Push::default()),
            Some(Quantization { scale, zero_point, .. }) => (
                code::FUNCTION_DEQUANTIZE,
                Push { scale: scale[0], x_zero_point: zero_point[0], ..Default::default() },
            ),
        };
        let spec = Spec { function, result_type: form(Element::F32), ..Default::default() };
        super::cast::launch(cx, spec, push)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        Ok(vec![self.floats(operand(inputs, 0)?)?])
    }

    fn fold(&self) -> Option<Fold> {
        let op = self.clone();
        self.constant.then(|| -> Fold { Arc::new(move |inputs| fold(&op, operand(inputs, 0)?)) })
    }
}

/// The same elements, which stand for floats from here on.
fn fold(op: &Dequantize, x: &Constant) -> Result<Constant, Unsupported> {
    x.check()?;
    Ok(Constant { quant: op.quant.clone(), ..x.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn slices_have_their_own_scale() {
        let quant = Quantization { scale: vec![0.5, 2.0], zero_point: vec![1, -1], axis: 1 };
        let op = Dequantize { quant: Some(Arc::new(quant)), constant: true, long: false };
        let bytes: Arc<Vec<u8>> = Arc::new([3i8, -128, 1, 0].map(i8::cast_unsigned).to_vec());
        let x =
            Constant { shape: Shape::from([2, 2]), stored: DType::I8, bytes, sparsity: None, quant: None };
        let folded = op.fold().unwrap()(&[Some(&x)]).unwrap();
        assert_eq!(folded.to_f32(), Ok(vec![1.0, -254.0, 0.0, 2.0]));
        let halves = HostTensor { shape: Shape::from([1]), data: Data::F16(vec![half::f16::from_f32(-0.5)]) };
        let op = Dequantize { quant: None, constant: false, long: false };
        assert_eq!(op.reference(&[Some(&halves)]).unwrap()[0].floats(), [-0.5]);
        assert!(op.fold().is_none());
    }
}
