//! What kernels with `lib/elements.glsl` take, which see elements of every type in words of 32 bits.

use super::Lower;
use crate::codes::elements as code;
use crate::error::Unsupported;
use crate::ir::{MAX_RANK, Shape};
use crate::program::Element;

/// The number that these kernels have for a form of elements.
pub fn form(element: Element) -> u32 {
    match element {
        Element::F32 => code::FORM_F32,
        Element::F16 => code::FORM_F16,
        Element::I64 => code::FORM_I64,
        Element::I32 => code::FORM_I32,
        Element::I16 => code::FORM_I16,
        Element::I8 => code::FORM_I8,
        Element::U8 => code::FORM_U8,
    }
}

/// The grid of such a kernel: one invocation for each word of the result, or for each element of 64 bits.
pub struct WordGrid {
    /// Workgroups.
    pub grid: [u32; 3],
    /// Invocations per row of the grid.
    pub row_items: u32,
    /// Workgroup size.
    pub wg_x: u32,
    /// Invocations that have work.
    pub items: u32,
    /// Elements of the result.
    pub elements: u32,
}

impl Lower<'_> {
    /// The grid for result 0.
    pub fn word_grid(&self) -> Result<WordGrid, Unsupported> {
        let elements = self.output(0).shape.elements();
        let items = elements.div_ceil((4 / self.element().bytes()).max(1));
        let (grid, row_items, wg_x) = self.linear_grid(items)?;
        Ok(WordGrid { grid, row_items, wg_x, items: items as u32, elements: elements as u32 })
    }
}

/// How operands spread over a result by NumPy's rule, in as few dimensions as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread<const N: usize> {
    /// Dimensions, at least 1.
    pub rank: u32,
    /// Their sizes, outermost first.
    pub shape: [u32; MAX_RANK],
    /// Each operand's strides in elements; 0 where it does not change.
    pub strides: [[u32; MAX_RANK]; N],
}

impl<const N: usize> Spread<N> {
    /// Of operands that spread over `result`, as the caller has checked.
    pub fn over(result: &Shape, operands: [&Shape; N]) -> Self {
        let dims = result.padded::<MAX_RANK>().unwrap_or([1; MAX_RANK]);
        let strides = operands.map(Shape::broadcast_strides);
        let (mut rank, mut shape, mut merged) = (0, [1; MAX_RANK], [[0; MAX_RANK]; N]);
        for d in (0..MAX_RANK).filter(|&d| dims[d] != 1) {
            let joins = |n: usize| merged[n][rank - 1] == strides[n][d].saturating_mul(dims[d]);
            if rank > 0 && (0..N).all(joins) {
                // What has more elements than fit is refused as soon as its grid is known.
                shape[rank - 1] = u32::saturating_mul(shape[rank - 1], dims[d]);
            } else {
                shape[rank] = dims[d];
                rank += 1;
            }
            for n in 0..N {
                merged[n][rank - 1] = strides[n][d];
            }
        }
        Self { rank: rank.max(1) as u32, shape, strides: merged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_that_operands_walk_through_alike_are_one() {
        type Row<'a> = (&'a [u32], [&'a [u32]; 2], &'a [u32], [&'a [u32]; 2]);
        let rows: &[Row<'_>] = &[
            (&[], [&[], &[]], &[1], [&[0], &[0]]),
            (&[2, 3, 4], [&[2, 3, 4], &[2, 3, 4]], &[24], [&[1], &[1]]),
            (&[2, 3, 4], [&[], &[2, 3, 4]], &[24], [&[0], &[1]]),
            (&[2, 3, 4], [&[2, 3, 4], &[4]], &[6, 4], [&[4, 1], &[0, 1]]),
            (&[2, 3, 4], [&[2, 1, 4], &[3, 1]], &[2, 3, 4], [&[4, 0, 1], &[0, 1, 0]]),
            (&[1, 3, 1, 4], [&[3, 1, 4], &[1, 1]], &[12], [&[1], &[0]]),
        ];
        for (result, operands, shape, strides) in rows {
            let [a, b] = operands.map(Shape::new);
            let got = Spread::over(&Shape::new(result), [&a, &b]);
            let rank = shape.len();
            assert_eq!((got.rank as usize, &got.shape[..rank]), (rank, *shape), "{operands:?}");
            assert_eq!(got.strides.map(|s| s[..rank].to_vec()), strides.map(<[u32]>::to_vec), "{operands:?}");
        }
    }
}
