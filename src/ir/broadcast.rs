//! How an operand of an elementwise step is spread over the result.

use super::{MAX_RANK, Shape};
use crate::error::Unsupported;
use crate::unsupported;

/// How an operand of a step is spread over the result, seen as rows × channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// The same shape.
    Full,
    /// One element per channel.
    Channel,
    /// One element per row: the last dimension is 1.
    Row,
    /// One row of channels per batch: leading dimensions agree, the middle ones are 1.
    Batch,
    /// A single element.
    One,
    /// The same rows of fewer channels, with zeros behind them.
    Padded,
}

impl Broadcast {
    /// How `operand` is broadcast to `result`; `None` if in no such form.
    pub fn of(operand: &Shape, result: &Shape) -> Option<Self> {
        let operand: Shape = {
            let missing = result.len().checked_sub(operand.len())?;
            let dims: Vec<u32> = std::iter::repeat_n(1, missing).chain(operand.iter().copied()).collect();
            Shape::new(&dims)
        };
        let channels = result.channels();
        let leading = |n: usize| operand[..n] == result[..n];
        let last = operand.len().saturating_sub(1);
        if operand == *result {
            Some(Self::Full)
        } else if operand.elements() == 1 {
            Some(Self::One)
        } else if operand.elements() == u64::from(channels) && operand.channels() == channels {
            Some(Self::Channel)
        } else if operand.channels() == 1 && leading(last) {
            Some(Self::Row)
        } else if operand.channels() == channels {
            let same = operand.iter().zip(result.iter()).take_while(|(a, b)| a == b).count();
            let middle_is_one = operand[same..last].iter().all(|&n| n == 1);
            (same > 0 && middle_is_one).then_some(Self::Batch)
        } else {
            None
        }
    }

    /// Rows of the result that share one row of a [`Batch`](Self::Batch) operand.
    pub fn rows_per_batch(operand: &Shape, result: &Shape) -> u32 {
        result.rows() / operand.rows().max(1)
    }
}

impl Shape {
    /// The shape that this one and `other` spread to by NumPy's rule.
    pub fn joined(&self, other: &Self) -> Result<Self, Unsupported> {
        let (Some(x), Some(y)) = (self.padded::<MAX_RANK>(), other.padded::<MAX_RANK>()) else {
            unreachable!("shapes have at most rank {MAX_RANK}");
        };
        let mut dims = [1; MAX_RANK];
        for (d, (x, y)) in dims.iter_mut().zip(x.into_iter().zip(y)) {
            *d = match (x, y) {
                (1, n) | (n, 1) => n,
                (x, y) if x == y => x,
                _ => unsupported!("{self} and {other} do not broadcast"),
            };
        }
        Ok(Self::new(&dims[MAX_RANK - self.len().max(other.len())..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_join() {
        let join = |a: &[u32], b: &[u32]| Shape::new(a).joined(&Shape::new(b)).ok().map(|y| y.to_vec());
        assert_eq!(join(&[3, 1], &[2, 1, 4]), Some(vec![2, 3, 4]));
        assert_eq!(join(&[], &[0, 2]), Some(vec![0, 2]));
        assert_eq!(join(&[3], &[2]), None);
    }

    #[test]
    fn operands_spread() {
        let table: &[(&[u32], &[u32], Option<Broadcast>)] = &[
            (&[2, 3, 4], &[2, 3, 4], Some(Broadcast::Full)),
            (&[3, 4], &[1, 3, 4], Some(Broadcast::Full)),
            (&[], &[2, 3], Some(Broadcast::One)),
            (&[1, 1], &[2, 3], Some(Broadcast::One)),
            (&[4], &[2, 3, 4], Some(Broadcast::Channel)),
            (&[1, 1, 4], &[2, 3, 4], Some(Broadcast::Channel)),
            (&[2, 3, 1], &[2, 3, 4], Some(Broadcast::Row)),
            (&[2, 1, 4], &[2, 3, 4], Some(Broadcast::Batch)),
            (&[2, 1, 1, 4], &[2, 5, 3, 4], Some(Broadcast::Batch)),
            (&[2, 5, 1, 4], &[2, 5, 3, 4], Some(Broadcast::Batch)),
            (&[3, 4], &[2, 3, 4], None),
            (&[2, 1, 3, 4], &[2, 5, 3, 4], None),
            (&[2, 1, 1], &[2, 3, 4], None),
            (&[3, 1], &[2, 3, 4], None),
            (&[1, 2, 3, 4], &[2, 3, 4], None),
        ];
        for (operand, result, expected) in table {
            let got = Broadcast::of(&Shape::new(operand), &Shape::new(result));
            assert_eq!(got, *expected, "{operand:?} over {result:?}");
        }
    }
}
