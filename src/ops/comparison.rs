//! Comparisons: EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS and LESS_EQUAL, with booleans as results.
//!
//! Both operands spread over the result by NumPy's rule. Taken for floats, where NaN is different from every
//! number as in C, for 16, 32 and 64-bit integers and, if only equality is asked, for booleans. 8-bit integers
//! are quantised, and so may those of 16 bits be that are asked for equality: TFLite brings both to 2⁻⁸ in fixed point
//! first, so what differs by less is equal. It does so for scales below 1; others are not taken.

use super::arithmetic::{launch, same_types, spec};
use crate::codes::integer_binary as code;
use crate::error::Unsupported;
use crate::ir::{DType, FixedPoint, HostTensor, Scalar, Shape};
use crate::kernel::table::integer_binary::Spec;
use crate::lower::Lower;
use crate::op::{Def, Operator, Parsed, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

/// A table entry; booleans have no order.
macro_rules! def {
    ($name:literal, $code:ident, $version:literal, $relation:expr $(, $more:ident)*) => {
        Def {
            name: $name,
            builtin: Some(sys::$code),
            typed_by: 0,
            takes: &[
                (DType::F32, $version),
                (DType::F16, $version),
                (DType::I64, $version),
                (DType::I32, $version),
                (DType::I8, $version),
                (DType::U8, $version),
                $((DType::$more, $version),)*
            ],
            parse: |n| parse(n, $relation),
        }
    };
}

pub(super) const DEFS: &[Def] = &[
    def!("EQUAL", kTfLiteBuiltinEqual, 5, Relation::Equal, I16, Bool),
    def!("NOT_EQUAL", kTfLiteBuiltinNotEqual, 4, Relation::NotEqual, I16, Bool),
    def!("GREATER", kTfLiteBuiltinGreater, 2, Relation::Greater, I16),
    def!("GREATER_EQUAL", kTfLiteBuiltinGreaterEqual, 3, Relation::GreaterEqual, I16),
    def!("LESS", kTfLiteBuiltinLess, 3, Relation::Less, I16),
    def!("LESS_EQUAL", kTfLiteBuiltinLessEqual, 2, Relation::LessEqual, I16),
];

/// What is asked of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are TFLite's")]
pub enum Relation {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// A quantised operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// What stands for 0.
    pub zero_point: i32,
    /// The scale, below 1.
    pub scale: FixedPoint,
}

/// Compares elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// How.
    pub relation: Relation,
    /// Of both operands, if they are quantised.
    pub scaling: Option<[Scaling; 2]>,
}

fn parse(node: &NodeView<'_>, relation: Relation) -> Result<Parsed, Unsupported> {
    node.expect(2..=2, 1)?;
    same_types(node, 0, 1)?;
    node.input_type(0)?.shape.joined(&node.input_type(1)?.shape)?;
    let x = node.input_type(0)?;
    let quantised = match x.dtype {
        DType::I8 | DType::U8 => true,
        DType::I16 => matches!(relation, Relation::Equal | Relation::NotEqual) && x.quant.is_some(),
        _ => false,
    };
    if x.dtype == DType::I16 && relation == Relation::NotEqual && !quantised {
        unsupported!("{x} is not quantised, whose result TFLite leaves unwritten");
    }
    let scaling = if quantised { Some([Scaling::of(node, 0)?, Scaling::of(node, 1)?]) } else { None };
    Ok(Parsed::new(Comparison { relation, scaling }).gives(DType::Bool))
}

impl Scaling {
    fn of(node: &NodeView<'_>, i: usize) -> Result<Self, Unsupported> {
        let (scale, zero_point) = node.input_type(i)?.affine()?;
        match FixedPoint::new(scale.into()) {
            // One that rounds to 1 in fixed point is too large for TFLite too.
            Some(scale) if scale.shift <= 0 => Ok(Self { zero_point, scale }),
            _ => unsupported!("input {i} has scale {scale}, only those below 1 are supported"),
        }
    }

    /// The number that TFLite compares.
    fn apply(self, q: i64) -> i64 {
        self.scale.times((q as i32).wrapping_sub(self.zero_point).wrapping_mul(256)).into()
    }

    fn words(self) -> [i32; 3] {
        [self.zero_point, self.scale.multiplier, self.scale.shift]
    }
}

impl Relation {
    fn code(self) -> u32 {
        match self {
            Self::Equal => code::FUNCTION_EQUAL,
            Self::NotEqual => code::FUNCTION_NOT_EQUAL,
            Self::Greater => code::FUNCTION_GREATER,
            Self::GreaterEqual => code::FUNCTION_GREATER_EQUAL,
            Self::Less => code::FUNCTION_LESS,
            Self::LessEqual => code::FUNCTION_LESS_EQUAL,
        }
    }

    fn holds<T: PartialOrd>(self, x: T, e: T) -> bool {
        match self {
            Self::Equal => x == e,
            Self::NotEqual => x != e,
            Self::Greater => x > e,
            Self::GreaterEqual => x >= e,
            Self::Less => x < e,
            Self::LessEqual => x <= e,
        }
    }
}

impl Operator for Comparison {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        Ok(vec![operand(inputs, 0)?.joined(&operand(inputs, 1)?)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let scaling = self.scaling.map_or([[0; 3]; 2], |both| both.map(Scaling::words));
        let spec = Spec { function: self.relation.code(), scaled: self.scaling.is_some(), ..spec() };
        launch(cx, spec, scaling)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let (a, b) = (operand(inputs, 0)?, operand(inputs, 1)?);
        let shape = a.shape.joined(&b.shape)?;
        let y = HostTensor::mapped(DType::Bool, shape, [a, b], |[x, e]| {
            let holds = match (x.to_f32(), e.to_f32(), self.scaling) {
                (Some(x), Some(e), _) => self.relation.holds(x, e),
                (_, _, Some([a, b])) => self.relation.holds(a.apply(x.to_i64()), b.apply(e.to_i64())),
                _ => self.relation.holds(x.to_i64(), e.to_i64()),
            };
            Scalar::int(DType::Bool, holds.into())
        })?;
        Ok(vec![y])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    const ALL: [Relation; 6] = [
        Relation::Equal,
        Relation::NotEqual,
        Relation::Greater,
        Relation::GreaterEqual,
        Relation::Less,
        Relation::LessEqual,
    ];

    #[test]
    fn a_nan_only_differs() {
        let [x, y] = [1.0, f32::NAN].map(|x| HostTensor::f32([1], vec![x]));
        for relation in ALL {
            let op = Comparison { relation, scaling: None };
            let got = op.reference(&[Some(&x), Some(&y)]).unwrap().remove(0);
            assert_eq!(got.data, Data::Bool(vec![relation == Relation::NotEqual]), "{relation:?}");
        }
    }

    #[test]
    fn quantised_numbers_are_compared_in_steps_of_1_in_256() {
        let scaling = |scale, zero_point| Scaling { zero_point, scale: FixedPoint::new(scale).unwrap() };
        let numbers = |data: &[i8]| HostTensor { shape: Shape::from([3]), data: Data::I8(data.to_vec()) };
        let op =
            Comparison { relation: Relation::Less, scaling: Some([scaling(0.001, 0), scaling(0.01, 1)]) };
        let y = op.reference(&[Some(&numbers(&[10, 9, 0])), Some(&numbers(&[2, 2, 1]))]).unwrap().remove(0);
        assert_eq!(y.data, Data::Bool(vec![false, true, false]));
    }
}
