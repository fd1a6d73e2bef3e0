//! Strided views of tensors, and the copy between two of them: most operators that move data
//! without computing anything are one such copy.

use crate::error::Unsupported;
use crate::kernel::table;
use crate::lower::Lower;
use crate::program::BufferId;

/// The dimensions that the kernel takes after merging; more become several dispatches.
const KERNEL_RANK: usize = 6;

/// Which element of a dense buffer stands at which index. Any rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    offset: i64,
    dims: Vec<Dim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dim {
    size: u32,
    stride: i64,
}

impl View {
    /// A whole row-major tensor, whose dimensions may be split at will.
    pub fn dense(shape: &[u32]) -> Self {
        let mut stride = 1;
        let mut dims: Vec<Dim> = shape.iter().map(|&size| Dim { size, stride: 0 }).collect();
        for dim in dims.iter_mut().rev() {
            dim.stride = stride;
            stride *= i64::from(dim.size);
        }
        Self { offset: 0, dims }
    }

    /// `count` indices of dimension `axis`: `start`, `start + step`, …
    #[must_use]
    pub fn slice(mut self, axis: usize, start: i64, step: i64, count: u32) -> Self {
        let dim = &mut self.dims[axis];
        self.offset += start * dim.stride;
        *dim = Dim { size: count, stride: dim.stride * step };
        self
    }

    /// Dimension `i` of the result is dimension `order[i]` of `self`.
    #[must_use]
    pub fn permute(self, order: &[usize]) -> Self {
        Self { offset: self.offset, dims: order.iter().map(|&d| self.dims[d]).collect() }
    }

    /// Spreads over `shape` by NumPy's rule, which the caller has checked.
    #[must_use]
    pub fn broadcast(mut self, shape: &[u32]) -> Self {
        self.dims
            .splice(0..0, std::iter::repeat_n(Dim { size: 1, stride: 0 }, shape.len() - self.dims.len()));
        for (dim, &size) in self.dims.iter_mut().zip(shape) {
            if dim.size != size {
                *dim = Dim { size, stride: 0 };
            }
        }
        self
    }

    /// The row-major tensor that holds just these elements.
    #[must_use]
    pub fn packed(&self) -> Self {
        Self::dense(&self.dims.iter().map(|d| d.size).collect::<Vec<_>>())
    }

    /// The words of these elements, each of so many words.
    fn words(&self, words: u32) -> Self {
        if words == 1 {
            return self.clone();
        }
        let n = i64::from(words);
        let dims = self.dims.iter().map(|dim| Dim { size: dim.size, stride: dim.stride * n });
        Self { offset: self.offset * n, dims: dims.chain([Dim { size: words, stride: 1 }]).collect() }
    }

    fn elements(&self) -> u64 {
        self.dims.iter().fold(1, |all: u64, d| all.saturating_mul(d.size.into()))
    }
}

/// One dimension of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    size: u32,
    from: i64,
    to: i64,
}

/// A copy between two views of the same shape, in as few dimensions as possible.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Copy {
    from: i64,
    to: i64,
    axes: Vec<Axis>,
    /// Whether one item is four neighbouring elements; offsets and strides then count fours.
    wide: bool,
}

impl Copy {
    fn new(from: &View, to: &View) -> Self {
        debug_assert!(from.dims.iter().map(|d| d.size).eq(to.dims.iter().map(|d| d.size)), "{from:?} {to:?}");
        let mut axes: Vec<Axis> = Vec::new();
        for (f, t) in from.dims.iter().zip(&to.dims).filter(|(f, _)| f.size != 1) {
            let size = i64::from(f.size);
            match axes.last_mut() {
                Some(outer)
                    if Some(outer.from) == f.stride.checked_mul(size)
                        && Some(outer.to) == t.stride.checked_mul(size)
                        && outer.size.checked_mul(f.size).is_some() =>
                {
                    *outer = Axis { size: outer.size * f.size, from: f.stride, to: t.stride };
                }
                _ => axes.push(Axis { size: f.size, from: f.stride, to: t.stride }),
            }
        }
        Self { from: from.offset, to: to.offset, axes, wide: false }.widened()
    }

    /// In fours, where the innermost dimension and all distances allow it.
    fn widened(mut self) -> Self {
        let Some((inner, outer)) = self.axes.split_last() else { return self };
        let whole = |n: i64| n % 4 == 0;
        let fits = (inner.from, inner.to) == (1, 1)
            && whole(i64::from(inner.size))
            && whole(self.from)
            && whole(self.to)
            && outer.iter().all(|a| whole(a.from) && whole(a.to));
        if fits {
            let last = self.axes.len() - 1;
            self.axes[last].size /= 4;
            for axis in &mut self.axes[..last] {
                (axis.from, axis.to) = (axis.from / 4, axis.to / 4);
            }
            (self.from, self.to, self.wide) = (self.from / 4, self.to / 4, true);
        }
        self
    }

    /// The same copy in parts that the kernel can take.
    fn split(self) -> Vec<Self> {
        if self.axes.len() <= KERNEL_RANK {
            return vec![self];
        }
        let (outer, inner) = (self.axes[0], &self.axes[1..]);
        let part = |i: i64| Self {
            from: self.from + i * outer.from,
            to: self.to + i * outer.to,
            axes: inner.to_vec(),
            wide: self.wide,
        };
        (0..i64::from(outer.size)).flat_map(|i| part(i).split()).collect()
    }
}

impl Lower<'_> {
    /// Copies the elements of `from` in buffer `x` to those of `to` in buffer `y`. The views have
    /// the same dimensions.
    pub fn copy(&mut self, x: BufferId, from: &View, y: BufferId, to: &View) -> Result<(), Unsupported> {
        use table::strided_copy::{Bind, Push, Spec, dispatch, kernel};
        if from.elements() == 0 {
            return Ok(());
        }
        let (size, words) = self.element().size();
        for part in Copy::new(&from.words(words), &to.words(words)).split() {
            let items = part.axes.iter().map(|a| u64::from(a.size)).product();
            let (grid, row_items, wg_x) = self.linear_grid(items)?;
            let field = |f: fn(&Axis) -> u32| std::array::from_fn(|d| part.axes.get(d).map_or(1, f));
            let push = Push {
                items: items as u32,
                row_items,
                wide: part.wide.into(),
                rank: part.axes.len() as u32,
                x_offset: part.from as u32,
                y_offset: part.to as u32,
                shape: field(|a| a.size),
                x_stride: field(|a| a.from as u32),
                y_stride: field(|a| a.to as u32),
            };
            let spec = Spec { wg_x, ..Default::default() };
            self.dispatch(dispatch(kernel(size), spec, push, Bind { x, y }, grid), 0)?;
        }
        Ok(())
    }

    /// Copies what `from` shows of operand `i` to result 0, in row-major order.
    pub fn copy_out(&mut self, i: usize, from: &View) -> Result<(), Unsupported> {
        let (x, y) = (self.x(i)?, self.y(0));
        self.copy(x, from, y, &from.packed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does, on the host.
    fn run(from: &View, to: &View, elements: usize) -> Vec<i64> {
        let mut y = vec![-1; elements];
        for part in Copy::new(from, to).split() {
            let step = if part.wide { 4 } else { 1 };
            let items: u32 = part.axes.iter().map(|a| a.size).product();
            for item in 0..items {
                let (mut rest, mut x_at, mut y_at) = (item, part.from, part.to);
                for axis in part.axes.iter().rev() {
                    let i = i64::from(rest % axis.size);
                    rest /= axis.size;
                    (x_at, y_at) = (x_at + i * axis.from, y_at + i * axis.to);
                }
                for lane in 0..step {
                    y[(y_at * step + lane) as usize] = x_at * step + lane;
                }
            }
        }
        y
    }

    fn merged(from: &View, to: &View) -> (usize, bool) {
        let copy = Copy::new(from, to);
        (copy.axes.len(), copy.wide)
    }

    #[test]
    fn dimensions_merge_as_far_as_they_can() {
        let dense = View::dense(&[2, 3, 5, 8]);
        assert_eq!(merged(&dense, &dense), (1, true));
        let slice = dense.clone().slice(2, 1, 1, 3);
        assert_eq!(merged(&slice, &View::dense(&[2, 3, 3, 8])), (2, true));
        let channels = dense.clone().slice(3, 2, 1, 4);
        assert_eq!(merged(&channels, &View::dense(&[2, 3, 5, 4])), (2, false));
        let nchw = dense.permute(&[0, 3, 1, 2]);
        assert_eq!(merged(&nchw, &View::dense(&[2, 8, 3, 5])), (3, false));
        let scalar = View::dense(&[]);
        assert_eq!(merged(&scalar, &scalar), (0, false));
    }

    #[test]
    fn words_of_an_element_stay_together() {
        let from = View::dense(&[3, 4]).permute(&[1, 0]);
        let expected: Vec<i64> = (0..24).map(|i| (i / 2 % 3 * 4 + i / 6) * 2 + i % 2).collect();
        assert_eq!(run(&from.words(2), &from.packed().words(2), 24), expected);
    }

    #[test]
    fn a_transposition_takes_each_element_once() {
        let from = View::dense(&[3, 4, 2]).permute(&[2, 0, 1]);
        let to = View::dense(&[2, 3, 4]);
        let expected: Vec<i64> = (0..24).map(|i| i / 12 + i % 12 * 2).collect();
        assert_eq!(run(&from, &to, 24), expected);
    }

    #[test]
    fn steps_may_be_negative() {
        let from = View::dense(&[5, 4]).slice(0, 4, -2, 3);
        let expected: Vec<i64> = [4, 2, 0].iter().flat_map(|r| (0..4).map(move |c| r * 4 + c)).collect();
        assert_eq!(run(&from, &View::dense(&[3, 4]), 12), expected);
    }

    #[test]
    fn broadcasts_repeat() {
        let from = View::dense(&[2, 1, 4]).broadcast(&[3, 2, 2, 4]);
        let row = [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7];
        assert_eq!(run(&from, &View::dense(&[3, 2, 2, 4]), 48), row.repeat(3));
    }

    #[test]
    fn more_dimensions_than_the_kernel_has_become_several_copies() {
        let shape = [2; 8];
        let from = View::dense(&shape).permute(&[7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(Copy::new(&from, &View::dense(&shape)).split().len(), 4);
        let reversed = |i: i64| i64::from((i as u8).reverse_bits());
        assert_eq!(run(&from, &View::dense(&shape), 256), (0..256).map(reversed).collect::<Vec<_>>());
    }
}
