//! Functions of the elements that sums become, before these are stored: a table, a sum or a product with another
//! operand, and a table once more. `kernels/lib/followers.glsl` computes the same.

use std::any::Any;
use std::sync::Arc;

use crate::codes::followers as code;
use crate::error::Unsupported;
use crate::ir::{Broadcast, DType, HostTensor, Scalar, Shape};
use crate::lower::Lower;
use crate::op::{Follower, operand};
use crate::ops::quantized_binary::{Function, QuantizedBinary, QuantizedFunction, Rounding};
use crate::program::{BufferId, Element};
use crate::unsupported;

/// The results of 0 and more, then of negative integers, in order.
type Table = Arc<[i32]>;

/// What follows a sum of products, each part if there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Followers {
    before: Option<Table>,
    binary: Option<Binary>,
    behind: Option<Table>,
}

/// A function of an element and another operand's.
#[derive(Clone, Debug, PartialEq)]
struct Binary {
    function: QuantizedFunction,
    /// The number of the other operand.
    operand: usize,
    /// Whether that is the function's first.
    swapped: bool,
}

/// Words that kernels read: parameters of the function, and two tables.
const WORDS: usize = 144;
const TABLE_BEFORE_AT: usize = 16;
const TABLE_BEHIND_AT: usize = 80;

/// Where an element is in a table.
fn place(dtype: DType, x: i32) -> usize {
    Scalar::int(dtype, x.into()).bits as usize
}

impl Followers {
    /// These and another one behind; `None` if kernels do not compute that.
    pub fn with(&self, follower: &Follower<'_>) -> Option<Self> {
        let mut all = self.clone();
        let Some(operand) = follower.operand else {
            let table = if all.binary.is_some() { &mut all.behind } else { &mut all.before };
            let every = |bits| Scalar { dtype: follower.dtype, bits }.to_i64() as i32;
            let numbers = table.take().unwrap_or_else(|| (0..256).map(every).collect());
            *table = Some(follower.op.of_integers(&[&numbers])?.into());
            return Some(all);
        };
        let op: &dyn Any = follower.op;
        let QuantizedBinary(function) = op.downcast_ref()?;
        if all.binary.is_some() || !takes(function) {
            return None;
        }
        let (function, swapped) = (function.clone(), follower.swapped);
        all.binary = Some(Binary { function, operand, swapped });
        Some(all)
    }

    /// Applies them to the elements of a result, given the operands of the node.
    pub fn apply(
        &self,
        dtype: DType,
        shape: Shape,
        inputs: &[Option<&HostTensor>],
        y: &mut [i32],
    ) -> Result<(), Unsupported> {
        let looked_up = |table: &Option<Table>, y: &mut [i32]| {
            if let Some(table) = table {
                y.iter_mut().for_each(|y| *y = table[place(dtype, *y)]);
            }
        };
        looked_up(&self.before, y);
        if let Some(Binary { function, operand: i, swapped }) = &self.binary {
            let other = operand(inputs, *i)?.expand(&shape)?.to_i64()?;
            for (y, e) in y.iter_mut().zip(other) {
                let e = e as i32;
                *y = if *swapped { function.apply(e, *y) } else { function.apply(*y, e) };
            }
        }
        looked_up(&self.behind, y);
        Ok(())
    }

    /// The number that kernels have for them, and the other operand; `fallback` if there is none.
    pub fn emit(&self, cx: &mut Lower<'_>, fallback: BufferId) -> Result<(u32, BufferId), Unsupported> {
        let mut bits = 0;
        let mut set = |bit: u32, is: bool| bits |= if is { bit } else { 0 };
        set(code::FOLLOWERS_TABLE_BEFORE, self.before.is_some());
        set(code::FOLLOWERS_TABLE_BEHIND, self.behind.is_some());
        let mut buffer = fallback;
        if let Some(Binary { function, operand, .. }) = &self.binary {
            let product = function.function == Function::Mul;
            set(if product { code::FOLLOWERS_PRODUCT } else { code::FOLLOWERS_SUM }, true);
            set(code::FOLLOWERS_XNNPACK, function.rounding == Rounding::Xnnpack);
            set(code::FOLLOWERS_PER_IMAGE, self.rows_per_image(cx)?.is_some());
            set(code::FOLLOWERS_WIDENED, cx.element_of(*operand) == Element::I32);
            buffer = cx.x(*operand)?;
        }
        if bits != 0 && cx.output(0).dtype == DType::U8 {
            bits |= code::FOLLOWERS_UNSIGNED;
        }
        Ok((bits, buffer))
    }

    /// Rows of the result for each row of the other operand, if these are not as many.
    fn rows_per_image(&self, cx: &Lower<'_>) -> Result<Option<u32>, Unsupported> {
        let Some(Binary { operand, .. }) = &self.binary else { return Ok(None) };
        let (other, result) = (&cx.input(*operand).shape, &cx.output(0).shape);
        match Broadcast::of(other, result) {
            Some(Broadcast::Full) => Ok(None),
            Some(Broadcast::Channel | Broadcast::Batch) => {
                Ok(Some(Broadcast::rows_per_batch(other, result).max(1)))
            }
            _ => unsupported!("{other} does not spread over {result} in rows"),
        }
    }

    /// What kernels read in front of the scales, in bytes.
    pub fn parameters(&self, cx: &Lower<'_>) -> Result<Vec<u8>, Unsupported> {
        if *self == Self::default() {
            return Ok(Vec::new());
        }
        let mut words = [0; WORDS];
        if let Some(binary) = &self.binary {
            words[..TABLE_BEFORE_AT].copy_from_slice(&binary.words());
            words[11] = self.rows_per_image(cx)?.unwrap_or(1).cast_signed();
        }
        for (table, at) in [(&self.before, TABLE_BEFORE_AT), (&self.behind, TABLE_BEHIND_AT)] {
            for (to, numbers) in words[at..].iter_mut().zip(table.iter().flat_map(|table| table.chunks(4))) {
                *to = numbers.iter().rev().fold(0, |word, n| word << 8 | (n & 0xff));
            }
        }
        Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
    }
}

/// Whether kernels compute a function.
fn takes(function: &QuantizedFunction) -> bool {
    matches!(function.function, Function::Add | Function::Sub | Function::Mul)
        && matches!(function.dtype, DType::I8 | DType::U8)
        && function.rounding != Rounding::Powers
}

impl Binary {
    /// Zero points of the element, the other one and the result, bounds, multiplier and shift of all three, a place for
    /// the rows of an image, and the signs in a sum.
    fn words(&self) -> [i32; TABLE_BEFORE_AT] {
        let QuantizedFunction { function, zero_points, factors, bounds, .. } = &self.function;
        let [own, other] = if self.swapped { [1, 0] } else { [0, 1] };
        let sign = |i: usize| if *function == Function::Sub && i == 1 { -1 } else { 1 };
        let factor = |i: usize| [factors[i].multiplier, factors[i].shift];
        let [[a, a_shift], [b, b_shift], [y, y_shift]] = [own, other, 2].map(factor);
        let zero = |i: usize| zero_points[i];
        [
            zero(own),
            zero(other),
            zero(2),
            bounds[0],
            bounds[1],
            a,
            a_shift,
            b,
            b_shift,
            y,
            y_shift,
            1,
            sign(own),
            sign(other),
            0,
            0,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Data, FixedPoint};
    use crate::op::Operator;
    use crate::ops::lookup::Lookup;

    fn i8s(data: &[i8]) -> HostTensor {
        HostTensor { shape: Shape::from([1, data.len() as u32]), data: Data::I8(data.to_vec()) }
    }

    /// A table of each integer `x` as `f(x)`.
    fn table(f: fn(i32) -> i32) -> Lookup {
        let numbers = (0..=127).chain(-128..0).map(f).collect();
        Lookup::Numbers { dtype: DType::I8, numbers }
    }

    fn difference() -> QuantizedBinary {
        let factor = |x| FixedPoint::new(x).unwrap();
        QuantizedBinary(QuantizedFunction {
            function: Function::Sub,
            dtype: DType::I8,
            rounding: Rounding::Twice,
            zero_points: [1, 2, 3],
            factors: [factor(0.5), factor(0.5), factor(2.0 / f64::from(1 << 20))],
            bounds: [-100, 100],
        })
    }

    fn with(followers: &Followers, op: &dyn Operator, operand: Option<usize>, swapped: bool) -> Followers {
        followers.with(&Follower { op, dtype: DType::I8, operand, swapped }).unwrap()
    }

    #[test]
    fn tables_join_and_stand_around_a_function() {
        let (negated, raised) = (table(|x| (-x).min(127)), table(|x| (x + 1).min(127)));
        let mut followers = with(&Followers::default(), &negated, None, false);
        followers = with(&followers, &raised, None, false);
        followers = with(&followers, &difference(), Some(3), true);
        followers = with(&followers, &negated, None, false);
        let twice = Follower { op: &difference(), dtype: DType::I8, operand: Some(4), swapped: false };
        assert_eq!(followers.with(&twice), None, "there is one function of two operands");
        let (other, mut y) = (i8s(&[10, -20, 100]), [5, 5, -128]);
        let inputs = [None, None, None, Some(&other)];
        followers.apply(DType::I8, other.shape, &inputs, &mut y).unwrap();
        // 10 and -4 are 9 and -6 from their zero points.
        assert_eq!(y, [-(9 + 6 + 3), -(-21 + 6 + 3), -(99 - 125 + 3)]);
    }

    #[test]
    fn kernels_know_the_element_from_the_operand() {
        let of =
            |swapped| with(&Followers::default(), &difference(), Some(2), swapped).binary.unwrap().words();
        let half = FixedPoint::new(0.5).unwrap();
        assert_eq!(of(false)[..7], [1, 2, 3, -100, 100, half.multiplier, half.shift]);
        assert_eq!(of(true)[..2], [2, 1]);
        assert_eq!([of(false)[12], of(false)[13], of(true)[12], of(true)[13]], [1, -1, -1, 1]);
    }
}
