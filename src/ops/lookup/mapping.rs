//! What a table is made of.

use super::super::affine::Affine;
use crate::ir::DType;
use crate::options::Integers;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are TFLite's")]
pub enum Function {
    Clamp { low: f32, high: f32 },
    LeakyRelu { alpha: f32 },
    Logistic,
    Tanh,
    HardSwish,
    Gelu { approximate: bool },
    Elu,
    Exp,
    Log,
    Sqrt,
    Rsqrt,
    Abs,
    Identity,
}

/// A function of integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// Of the numbers that the integers stand for.
    pub function: Function,
    /// The element type, of 8 or 16 bits.
    pub dtype: DType,
    /// What the operand's integers stand for.
    pub from: Affine,
    /// What the result's stand for.
    pub to: Affine,
    /// Whose results they are.
    pub kernels: Integers,
}

impl Mapping {
    /// The range of the element type.
    pub fn range(&self) -> [i32; 2] {
        self.dtype.range().map_or([0, 0], |range| range.map(|n| n as i32))
    }

    /// What the element type holds of a result.
    pub fn saturated(&self, y: i32) -> i32 {
        let [least, most] = self.range();
        y.min(most).max(least)
    }
}
