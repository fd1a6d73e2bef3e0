//! Integer arithmetic: ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, SQUARED_DIFFERENCE, POW, FLOOR_DIV, FLOOR_MOD,
//! ABS, NEG and SIGN of the integer types that `binary` and `unary` list.
//!
//! Both operands spread over the result by NumPy's rule. What a type cannot hold wraps; a divisor of 0, which
//! TFLite refuses, gives 0. MAXIMUM and MINIMUM compare stored integers, as TFLite does whatever the scales.

use crate::codes::integer_binary as code;
use crate::error::Unsupported;
use crate::ir::{Activation, HostTensor, Scalar, Shape, StepOp};
use crate::kernel::table;
use crate::lower::Lower;
use crate::lower::elements::{Spread, form};
use crate::op::{Operator, Parsed, operand};
use crate::program::Element;
use crate::tflite::NodeView;
use crate::unsupported;

/// The functions, and the number of each in the shader.
macro_rules! functions {
    ($($name:ident = $code:ident,)+) => {
        /// An integer function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names are TFLite's")]
        pub enum Function {
            $($name,)+
        }

        impl Function {
            /// The integer function of a step.
            pub(super) fn of(step: StepOp) -> Result<Self, Unsupported> {
                match step {
                    $(StepOp::$name => Ok(Self::$name),)+
                    _ => unsupported!("{step:?} of integers"),
                }
            }

            fn code(self) -> u32 {
                match self {
                    $(Self::$name => code::$code,)+
                }
            }
        }
    };
}

functions! {
    Add = FUNCTION_ADD,
    Sub = FUNCTION_SUB,
    Mul = FUNCTION_MUL,
    Div = FUNCTION_DIV,
    Maximum = FUNCTION_MAXIMUM,
    Minimum = FUNCTION_MINIMUM,
    SquaredDifference = FUNCTION_SQUARED_DIFFERENCE,
    Pow = FUNCTION_POW,
    FloorDiv = FUNCTION_FLOOR_DIV,
    FloorMod = FUNCTION_FLOOR_MOD,
    Abs = FUNCTION_ABS,
    Neg = FUNCTION_NEG,
    Sign = FUNCTION_SIGN,
}

/// Applies an integer function to one or two operands, which are broadcast against each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// The function.
    pub function: Function,
    /// Applied to its result.
    pub activation: Activation,
}

/// Two operands of one type, which `binary` has seen to be an integer one.
pub(super) fn parse(
    node: &NodeView<'_>,
    function: Function,
    activation: Activation,
) -> Result<Parsed, Unsupported> {
    same_types(node, 0, 1)?;
    node.input_type(0)?.shape.joined(&node.input_type(1)?.shape)?;
    Ok(Parsed::new(Arithmetic { function, activation }))
}

/// Requires operands of one element type.
pub(super) fn same_types(node: &NodeView<'_>, a: usize, b: usize) -> Result<(), Unsupported> {
    let (first, second) = (node.input_type(a)?.dtype, node.input_type(b)?.dtype);
    if first != second {
        unsupported!("inputs {a} and {b} are {first} and {second}");
    }
    Ok(())
}

impl Arithmetic {
    /// A function without activation.
    pub fn new(function: Function) -> Self {
        Self { function, activation: Activation::None }
    }

    fn apply(&self, x: i64, e: i64) -> i64 {
        match self.function {
            Function::Add => x.wrapping_add(e),
            Function::Sub => x.wrapping_sub(e),
            Function::Mul => x.wrapping_mul(e),
            Function::Maximum => x.max(e),
            Function::Minimum => x.min(e),
            Function::SquaredDifference => x.wrapping_sub(e).wrapping_mul(x.wrapping_sub(e)),
            Function::Pow => power(x, e),
            Function::Abs => x.wrapping_abs(),
            Function::Neg => x.wrapping_neg(),
            Function::Sign => x.signum(),
            Function::Div | Function::FloorDiv | Function::FloorMod if e == 0 => 0,
            Function::Div => x.wrapping_div(e),
            Function::FloorDiv => {
                let apart = (x < 0) != (e < 0) && x.wrapping_rem(e) != 0;
                x.wrapping_div(e).wrapping_sub(i64::from(apart))
            }
            Function::FloorMod => {
                let rest = x.wrapping_rem(e);
                if rest != 0 && (rest < 0) != (e < 0) { rest + e } else { rest }
            }
        }
    }

    fn activate(&self, x: i64) -> i64 {
        match self.activation {
            Activation::None => x,
            Activation::Relu => x.max(0),
            Activation::ReluN1To1 => x.clamp(-1, 1),
            Activation::Relu6 => x.clamp(0, 6),
        }
    }
}

/// A negative exponent leaves the integer part of the power.
fn power(x: i64, n: i64) -> i64 {
    match (u32::try_from(n), x) {
        (Ok(n), _) => x.wrapping_pow(n),
        (Err(_), 1) => 1,
        (Err(_), -1) => 1 - 2 * (n & 1),
        (Err(_), _) => 0,
    }
}

impl Operator for Arithmetic {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let a = operand(inputs, 0)?;
        let b = if inputs.len() > 1 { operand(inputs, 1)? } else { a };
        Ok(vec![a.joined(&b)?])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let activation = match self.activation {
            Activation::None => code::ACTIVATION_NONE,
            Activation::Relu => code::ACTIVATION_RELU,
            Activation::ReluN1To1 => code::ACTIVATION_RELU_N1_TO_1,
            Activation::Relu6 => code::ACTIVATION_RELU6,
        };
        launch(
            cx,
            table::integer_binary::Spec { function: self.function.code(), activation, ..spec() },
            [[0; 3]; 2],
        )
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let a = operand(inputs, 0)?;
        let b = if inputs.len() > 1 { operand(inputs, 1)? } else { a };
        let (dtype, shape) = (a.dtype(), a.shape.joined(&b.shape)?);
        let y = HostTensor::mapped(dtype, shape, [a, b], |[x, e]| {
            let wrapped = Scalar::int(dtype, self.apply(x.to_i64(), e.to_i64()));
            Scalar::int(dtype, self.activate(wrapped.to_i64()))
        })?;
        Ok(vec![y])
    }
}

/// Specialisation constants that all uses of the kernel share.
pub(super) fn spec() -> table::integer_binary::Spec {
    table::integer_binary::Spec::default()
}

/// Result 0 by the kernel `integer_binary`, from operands 0 and 1, or from operand 0 alone; `scaling` has zero
/// point, multiplier and shift of both.
pub(super) fn launch(
    cx: &mut Lower<'_>,
    spec: table::integer_binary::Spec,
    scaling: [[i32; 3]; 2],
) -> Result<(), Unsupported> {
    use table::integer_binary::{Bind, Push, Spec, dispatch, kernel};
    let (second, result) = (cx.input_count() - 1, cx.output(0).shape);
    let spread = Spread::over(&result, [&cx.input(0).shape, &cx.input(second).shape]);
    let words = cx.word_grid()?;
    let spec = Spec {
        wg_x: words.wg_x,
        operands: form(cx.element_of(0)),
        result: form(cx.element()),
        result_type: form(Element::native(cx.output(0).dtype)),
        ..spec
    };
    let push = Push {
        items: words.items,
        row_items: words.row_items,
        elements: words.elements,
        rank: spread.rank,
        shape: spread.shape,
        a_stride: spread.strides[0],
        b_stride: spread.strides[1],
        a_scaling: scaling[0],
        b_scaling: scaling[1],
    };
    let bind = Bind { a: cx.x(0)?, b: cx.x(second)?, y: cx.y(0) };
    cx.dispatch(dispatch(kernel(), spec, push, bind, words.grid), u64::from(words.elements))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_at_their_corners() {
        let at = |function, x, e| Arithmetic::new(function).apply(x, e);
        for (x, e, div, floor, rest) in
            [(7, 2, 3, 3, 1), (-7, 2, -3, -4, 1), (7, -2, -3, -4, -1), (-7, -2, 3, 3, -1)]
        {
            let all = [Function::Div, Function::FloorDiv, Function::FloorMod].map(|f| at(f, x, e));
            assert_eq!(all, [div, floor, rest], "{x} by {e}");
        }
        assert_eq!(at(Function::Div, 5, 0), 0);
        assert_eq!(at(Function::FloorDiv, i64::MIN, -1), i64::MIN);
        assert_eq!(
            [(2, 10), (-3, 3), (0, 0), (2, -1), (-1, -3)].map(|(x, n)| at(Function::Pow, x, n)),
            [1024, -27, 1, 0, -1]
        );
        let relu6 = Arithmetic { function: Function::Add, activation: Activation::Relu6 };
        assert_eq!([-1, 3, 7].map(|x| relu6.activate(x)), [0, 3, 6]);
    }

    #[test]
    fn integers_wrap_before_they_are_clamped() {
        let x = HostTensor { shape: Shape::from([2]), data: crate::ir::Data::I32(vec![i32::MAX, 4]) };
        let op = Arithmetic { function: Function::Add, activation: Activation::Relu };
        let y = op.reference(&[Some(&x), Some(&x)]).unwrap().remove(0);
        assert_eq!(y.data, crate::ir::Data::I32(vec![0, 8]));
    }
}
