//! SELECT and SELECT_V2: `condition ? a : b`, element by element.
//!
//! SELECT_V2 spreads all three over the result by NumPy's rule. SELECT has two operands of one shape, and a
//! condition of that shape, or with an element for each of its outermost slices, or with one element. Of operands with
//! one element each the result keeps the shape that the model gives it, if that has one element too. Taken for every
//! element type.

use super::arithmetic::same_types;
use crate::error::Unsupported;
use crate::ir::{DType, HostTensor, MAX_RANK, Shape};
use crate::kernel::table;
use crate::lower::Lower;
use crate::lower::elements::{Spread, form};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::program::Element;
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "SELECT",
        builtin: Some(sys::kTfLiteBuiltinSelect),
        typed_by: 1,
        takes: &every(4),
        parse: |n| parse(n, false),
    },
    Def {
        name: "SELECT_V2",
        builtin: Some(sys::kTfLiteBuiltinSelectV2),
        typed_by: 1,
        takes: &every(2),
        parse: |n| parse(n, true),
    },
];

/// Takes each element from one of two tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// Whether all three operands are broadcast.
    pub spreads: bool,
    /// The result's shape, as the model has it.
    pub declared: Shape,
}

fn parse(node: &NodeView<'_>, spreads: bool) -> Result<Parsed, Unsupported> {
    node.expect(3..=3, 1)?;
    let op = Select { spreads, declared: node.output_type(0)?.shape };
    let condition = node.input_type(0)?;
    if condition.dtype != DType::Bool {
        unsupported!("the condition is {}, bool expected", condition.dtype);
    }
    same_types(node, 1, 2)?;
    op.shapes(&condition.shape, &node.input_type(1)?.shape, &node.input_type(2)?.shape)?;
    Ok(Parsed::new(op))
}

impl Select {
    /// The shape of the result, and the one with which the condition spreads over it.
    fn shapes(&self, condition: &Shape, a: &Shape, b: &Shape) -> Result<[Shape; 2], Unsupported> {
        if [condition, a, b, &self.declared].iter().all(|shape| shape.elements() == 1) {
            return Ok([self.declared; 2]);
        }
        if self.spreads {
            return Ok([condition.joined(&a.joined(b)?)?, *condition]);
        }
        if a != b {
            unsupported!("{a} and {b} differ");
        }
        if condition == a || condition.is_empty() {
            return Ok([*a, *condition]);
        }
        if condition.len() != 1 || a.first() != condition.first() {
            unsupported!("a condition {condition} for {a}");
        }
        let mut dims = [1; MAX_RANK];
        dims[0] = condition[0];
        Ok([*a, Shape::new(&dims[..a.len()])])
    }
}

impl Operator for Select {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let [result, _] = self.shapes(&operand(inputs, 0)?, &operand(inputs, 1)?, &operand(inputs, 2)?)?;
        Ok(vec![result])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::select::{Bind, Push, Spec, dispatch, kernel};
        let [c, a, b] = [0, 1, 2].map(|i| cx.input(i).shape);
        let [result, c] = self.shapes(&c, &a, &b)?;
        let spread = Spread::over(&result, [&c, &a, &b]);
        let words = cx.word_grid()?;
        // Bits are moved as those of integers.
        let element = match cx.element() {
            Element::F32 => Element::I32,
            Element::F16 => Element::I16,
            integer => integer,
        };
        let spec = Spec {
            wg_x: words.wg_x,
            condition: form(cx.element_of(0)),
            elements: form(element),
            ..Default::default()
        };
        let push = Push {
            items: words.items,
            row_items: words.row_items,
            elements: words.elements,
            rank: spread.rank,
            shape: spread.shape,
            c_stride: spread.strides[0],
            a_stride: spread.strides[1],
            b_stride: spread.strides[2],
        };
        let bind = Bind { c: cx.x(0)?, a: cx.x(1)?, b: cx.x(2)?, y: cx.y(0) };
        cx.dispatch(dispatch(kernel(), spec, push, bind, words.grid), 0)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (c, a, b) = (operand(inputs, 0)?, operand(inputs, 1)?, operand(inputs, 2)?);
        let [result, shape] = self.shapes(&c.shape, &a.shape, &b.shape)?;
        let c = c.clone().reshaped(shape);
        let [a, b] =
            [a, b].map(|x| if x.shape.len() > result.len() { x.clone().reshaped(result) } else { x.clone() });
        let dtype = a.dtype();
        let y = HostTensor::mapped(dtype, result, [&c, &a, &b], |[c, a, b]| if c.bits != 0 { a } else { b })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn conditions_of_every_shape() {
        let booleans = |dims: &[u32], data: &[bool]| HostTensor {
            shape: Shape::new(dims),
            data: Data::Bool(data.to_vec()),
        };
        let numbers =
            |data: [i8; 4]| HostTensor { shape: Shape::from([2, 2]), data: Data::I8(data.to_vec()) };
        let (a, b) = (numbers([1, 2, 3, 4]), numbers([5, 6, 7, 8]));
        let select = |spreads, c: &HostTensor| {
            Select { spreads, declared: Shape::from([2, 2]) }
                .reference(&[Some(c), Some(&a), Some(&b)])
                .ok()
                .map(|y| y[0].clone())
        };
        let pair = booleans(&[2], &[true, false]);
        assert_eq!(select(false, &pair), Some(numbers([1, 2, 7, 8])));
        assert_eq!(select(true, &pair), Some(numbers([1, 6, 3, 8])));
        assert_eq!(select(false, &booleans(&[], &[true])), Some(a.clone()));
        assert_eq!(select(false, &booleans(&[3], &[true; 3])), None);
        let each = booleans(&[2, 2], &[false, true, true, false]);
        assert_eq!(select(false, &each), Some(numbers([5, 2, 3, 8])));
    }

    #[test]
    fn one_element_keeps_its_shape() {
        let shape = |spreads, declared: &[u32], dims: [&[u32]; 3]| {
            let op = Select { spreads, declared: Shape::new(declared) };
            op.infer(&dims.map(|dims| Some(Shape::new(dims)))).ok().map(|shapes| shapes[0].to_vec())
        };
        for spreads in [false, true] {
            assert_eq!(shape(spreads, &[], [&[1], &[1, 1], &[]]), Some(vec![]));
            assert_eq!(shape(spreads, &[1, 1], [&[], &[], &[]]), Some(vec![1, 1]));
            assert_eq!(shape(spreads, &[], [&[], &[2], &[2]]), Some(vec![2]));
            assert_eq!(shape(spreads, &[3], [&[], &[1], &[1]]), Some(vec![1]));
        }
        let op = Select { spreads: true, declared: Shape::new(&[]) };
        let one = HostTensor { shape: Shape::from([1, 1]), data: Data::I8(vec![7]) };
        let yes = HostTensor { shape: Shape::from([1]), data: Data::Bool(vec![true]) };
        let y = op.reference(&[Some(&yes), Some(&one), Some(&one)]).unwrap();
        assert_eq!(y[0], one.reshaped(Shape::new(&[])));
    }
}
