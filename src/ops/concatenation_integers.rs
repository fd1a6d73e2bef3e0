//! CONCATENATION of uint8 tensors, which may have other scales than the result.
//!
//! TFLite brings them to it in floats; here each such operand has a table.

use super::affine::Affine;
use super::concatenation::{Concatenation, attributes};
use super::lookup::{Function, Lookup, Mapping, emit};
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, Scalar, Shape};
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::options::Integers;
use crate::tflite::{NodeView, sys};

pub(super) const DEFS: &[Def] = &[Def {
    name: "CONCATENATION",
    builtin: Some(sys::kTfLiteBuiltinConcatenation),
    typed_by: 0,
    takes: &[(DType::U8, 4)],
    parse,
}];

/// Operands of uint8 side by side, in the scale of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcatenationIntegers {
    /// Where they stand.
    pub plain: Concatenation,
    /// What brings each operand to the scale of the result, if it has another.
    pub tables: Vec<Option<Lookup>>,
}

fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let plain = attributes(node)?;
    let result = node.output_type(0)?;
    let table = |i: usize| {
        let ty = node.input_type(i)?;
        if ty.quant == result.quant {
            return Ok(None);
        }
        let (from, to, kernels) = (Affine::of(&ty)?, Affine::of(&result)?, Integers::Reference);
        let op = Mapping { function: Function::Identity, dtype: DType::U8, from, to, kernels };
        Ok(Some(Lookup::Function(op)))
    };
    let tables = (0..plain.count).map(table).collect::<Result<Vec<_>, _>>()?;
    if tables.iter().all(Option::is_none) {
        return Ok(Parsed::new(plain));
    }
    Ok(Parsed::new(ConcatenationIntegers { plain, tables }))
}

impl Operator for ConcatenationIntegers {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        self.plain.infer(inputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let mut operands = Vec::new();
        for (i, table) in self.tables.iter().enumerate() {
            let mut x = cx.x(i)?;
            if let Some(table) = table {
                let elements = cx.input(i).shape.elements();
                let y = cx.scratch(elements * cx.element().bytes());
                emit(cx, table, i, x, y, elements)?;
                x = y;
            }
            operands.push(x);
        }
        self.plain.join(cx, &operands)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let mut scaled = Vec::new();
        for (i, table) in self.tables.iter().enumerate() {
            let x = operand(inputs, i)?;
            let Some(table) = table else {
                scaled.push(x.clone());
                continue;
            };
            let table = table.table()?;
            let number = |[x]: [Scalar; 1]| Scalar::int(DType::U8, table[x.bits as usize].into());
            scaled.push(HostTensor::mapped(DType::U8, x.shape, [x], number)?);
        }
        self.plain.reference(&scaled.iter().map(Some).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn operands_take_the_scale_of_the_result() {
        let affine = |scale, zero_point| Affine { scale, zero_point };
        let table = Mapping {
            function: Function::Identity,
            dtype: DType::U8,
            from: affine(0.5, 10),
            to: affine(0.25, 100),
            kernels: Integers::Reference,
        };
        let plain = Concatenation { axis: 0, count: 2 };
        let op = ConcatenationIntegers { plain, tables: vec![None, Some(Lookup::Function(table))] };
        let x = HostTensor { shape: Shape::from([3]), data: Data::U8(vec![0, 11, 255]) };
        let y = op.reference(&[Some(&x), Some(&x)]).unwrap().remove(0);
        assert_eq!(y.data, Data::U8(vec![0, 11, 255, 80, 102, 255]));
    }
}
