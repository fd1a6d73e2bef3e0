//! STRIDED_SLICE and SLICE: from each dimension the indices `begin`, `begin + stride`, … up to `end`.
//!
//! TFLite follows NumPy's slicing: negative indices count from the end, strides may be negative, and
//! masks leave out bounds, insert dimensions of size 1 (new axis), remove sliced ones (shrink) or let
//! one entry stand for several dimensions (ellipsis). Taken for every element type up to rank 6 with constant bounds.

use crate::error::Unsupported;
use crate::ir::{HostTensor, MAX_RANK, Shape};
use crate::lower::{Lower, View};
use crate::op::{Def, Operator, Parsed, every, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "STRIDED_SLICE",
        builtin: Some(sys::kTfLiteBuiltinStridedSlice),
        typed_by: 0,
        takes: &every(8),
        parse: parse_strided_slice,
    },
    Def {
        name: "SLICE",
        builtin: Some(sys::kTfLiteBuiltinSlice),
        typed_by: 0,
        takes: &every(6),
        parse: parse_slice,
    },
];

/// One entry of the slice specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Indices from `begin` (inclusive) to `end` (exclusive); `None` for the outermost.
    Range {
        /// The first index.
        begin: Option<i64>,
        /// Where it ends.
        end: Option<i64>,
        /// From one index to the next; not 0.
        stride: i64,
    },
    /// `count` indices from `begin`; -1 for all that are left.
    Count {
        /// The first index.
        begin: i64,
        /// How many.
        count: i64,
    },
    /// One index, whose dimension disappears.
    Index(i64),
    /// A new dimension of size 1.
    New,
    /// All dimensions that the other entries do not speak of.
    Ellipsis,
}

/// A part of the operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StridedSlice {
    /// What is taken, for the first dimensions or, with an ellipsis, the first and last ones.
    pub entries: Vec<Entry>,
}

/// The indices taken from one dimension of the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: i64,
    step: i64,
    count: u32,
}

fn parse_strided_slice(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(4..=4, 1)?;
    let p = node.required_params::<sys::TfLiteStridedSliceParams>()?;
    let (begin, end, strides) = (node.ints(1)?, node.ints(2)?, node.ints(3)?);
    if begin.len() != end.len() || begin.len() != strides.len() || begin.len() > 32 {
        unsupported!("{} begins, {} ends and {} strides", begin.len(), end.len(), strides.len());
    }
    let beyond = |mask: i32| u64::from(mask.cast_unsigned()) >> begin.len() != 0;
    if beyond(p.new_axis_mask) || beyond(p.shrink_axis_mask) || beyond(p.ellipsis_mask) {
        unsupported!(
            "masks {:#b}, {:#b} and {:#b} of new, removed and left out dimensions, for {} begins",
            p.new_axis_mask,
            p.shrink_axis_mask,
            p.ellipsis_mask,
            begin.len()
        );
    }
    if p.ellipsis_mask.count_ones() > 1 {
        unsupported!("ellipsis mask {:#b}: one ellipsis at most", p.ellipsis_mask);
    }
    let entry = |i: usize| {
        let set = |mask: i32| mask >> i & 1 == 1;
        if set(p.ellipsis_mask) {
            Entry::Ellipsis
        } else if set(p.new_axis_mask) {
            Entry::New
        } else if set(p.shrink_axis_mask) {
            Entry::Index(if set(p.begin_mask) { 0 } else { begin[i] })
        } else {
            let end = if p.offset { begin[i] + end[i] } else { end[i] };
            Entry::Range {
                begin: (!set(p.begin_mask)).then_some(begin[i]),
                end: (!set(p.end_mask)).then_some(end),
                stride: strides[i],
            }
        }
    };
    parse(node, (0..begin.len()).map(entry).collect())
}

fn parse_slice(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    node.expect(3..=3, 1)?;
    let (begin, size) = (node.ints(1)?, node.ints(2)?);
    if begin.len() != size.len() {
        unsupported!("{} begins and {} sizes", begin.len(), size.len());
    }
    parse(node, begin.into_iter().zip(size).map(|(begin, count)| Entry::Count { begin, count }).collect())
}

fn parse(node: &NodeView<'_>, entries: Vec<Entry>) -> Result<Parsed, Unsupported> {
    let op = StridedSlice { entries };
    op.apply(&node.input_type(0)?.shape)?;
    Ok(Parsed::new(op))
}

impl Entry {
    fn range(self, size: u32) -> Result<Range, Unsupported> {
        let n = i64::from(size);
        let from_end = |i: i64| if i < 0 { i + n } else { i };
        match self {
            Self::Range { begin, end, stride } => {
                // The outermost positions that an index may have in the direction of the stride.
                let (first, last) = match stride {
                    0 => unsupported!("a stride of 0"),
                    1.. => (0, n),
                    _ => (n - 1, -1),
                };
                let clamp = |i: i64| from_end(i).clamp(first.min(last), first.max(last));
                let (begin, end) = (begin.map_or(first, clamp), end.map_or(last, clamp));
                let distance = (end - begin) * stride.signum();
                let count = (distance.max(0) as u64).div_ceil(stride.unsigned_abs()) as u32;
                Ok(Range { start: begin, step: stride, count })
            }
            Self::Count { begin, count } => {
                let count = if count == -1 { n - begin } else { count };
                if begin < 0 || count < 0 || begin + count > n {
                    unsupported!("{count} elements from {begin} of {size}");
                }
                Ok(Range { start: begin, step: 1, count: count as u32 })
            }
            Self::Index(i) => {
                let start = from_end(i);
                if !(0..n).contains(&start) {
                    unsupported!("index {i} of {size}");
                }
                Ok(Range { start, step: 1, count: 1 })
            }
            Self::New | Self::Ellipsis => unreachable!("they take no dimension"),
        }
    }
}

impl StridedSlice {
    /// What is taken from each dimension of the operand, and the result's shape.
    fn apply(&self, x: &Shape) -> Result<(Vec<Range>, Shape), Unsupported> {
        let takes = |e: &&Entry| !matches!(e, Entry::New | Entry::Ellipsis);
        // TFLite does not read entries beyond the operand's rank, which a resize may lower.
        let plain = |e: &Entry| matches!(e, Entry::Range { .. } | Entry::Index(_));
        let read =
            if self.entries.iter().all(plain) { x.len().min(self.entries.len()) } else { self.entries.len() };
        let entries = &self.entries[..read];
        let Some(unspoken) = x.len().checked_sub(entries.iter().filter(takes).count()) else {
            unsupported!("{} slices of {x}", self.entries.len());
        };
        let whole = |n: u32| Range { start: 0, step: 1, count: n };
        let (mut ranges, mut dims) = (Vec::new(), Vec::new());
        let skip = |ranges: &mut Vec<Range>, dims: &mut Vec<u32>, count: usize| {
            for _ in 0..count {
                let n = x[ranges.len()];
                ranges.push(whole(n));
                dims.push(n);
            }
        };
        let mut left = unspoken;
        for entry in entries {
            match entry {
                Entry::New => dims.push(1),
                Entry::Ellipsis => skip(&mut ranges, &mut dims, std::mem::take(&mut left)),
                _ => {
                    let range = entry.range(x[ranges.len()])?;
                    if !matches!(entry, Entry::Index(_)) {
                        dims.push(range.count);
                    }
                    ranges.push(range);
                }
            }
        }
        skip(&mut ranges, &mut dims, left);
        if dims.len() > MAX_RANK {
            unsupported!("rank {} ({MAX_RANK} at most)", dims.len());
        }
        Ok((ranges, Shape::new(&dims)))
    }
}

impl Operator for StridedSlice {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        Ok(vec![self.apply(&x)?.1])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.input(0).shape;
        let (ranges, _) = self.apply(&x)?;
        let slice = |view: View, (axis, r): (usize, &Range)| view.slice(axis, r.start, r.step, r.count);
        let from = ranges.iter().enumerate().fold(View::dense(&x), slice);
        cx.copy_out(0, &from)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let (ranges, shape) = self.apply(&x.shape)?;
        let taken = Shape::new(&ranges.iter().map(|r| r.count).collect::<Vec<_>>());
        let at = |(r, &i): (&Range, &usize)| (r.start + r.step * i as i64) as usize;
        let y = HostTensor::moved(x.dtype(), taken, |i| {
            x.bits(&ranges.iter().zip(i).map(at).collect::<Vec<_>>())
        })?;
        Ok(vec![y.reshaped(shape)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(begin: impl Into<Option<i64>>, end: impl Into<Option<i64>>, stride: i64) -> Entry {
        Entry::Range { begin: begin.into(), end: end.into(), stride }
    }

    #[test]
    fn one_dimension() {
        let cases: &[(Entry, Option<&[i64]>)] = &[
            (range(None, None, 1), Some(&[0, 1, 2, 3, 4])),
            (range(1, 3, 1), Some(&[1, 2])),
            (range(-2, None, 1), Some(&[3, 4])),
            (range(0, 99, 2), Some(&[0, 2, 4])),
            (range(None, None, -1), Some(&[4, 3, 2, 1, 0])),
            (range(-1, 0, -2), Some(&[4, 2])),
            (range(99, -99, -3), Some(&[4, 1])),
            (range(3, 3, 1), Some(&[])),
            (range(4, 1, 1), Some(&[])),
            (range(9, 12, 1), Some(&[])),
            (range(0, 5, 0), None),
            (Entry::Count { begin: 1, count: -1 }, Some(&[1, 2, 3, 4])),
            (Entry::Count { begin: 1, count: 5 }, None),
            (Entry::Count { begin: 0, count: 0 }, Some(&[])),
            (Entry::Index(-1), Some(&[4])),
            (Entry::Index(5), None),
        ];
        for (entry, expected) in cases {
            let got = entry.range(5).ok();
            let got = got.map(|r| (0..i64::from(r.count)).map(|i| r.start + i * r.step).collect::<Vec<_>>());
            assert_eq!(got.as_deref(), *expected, "{entry:?}");
        }
    }

    #[test]
    fn masks_change_the_rank() {
        use Entry::{Ellipsis, Index, New};
        let cases: &[(&[Entry], &[u32])] = &[
            (&[], &[2, 3, 4, 5]),
            (&[Index(1)], &[3, 4, 5]),
            (&[Ellipsis, Index(0)], &[2, 3, 4]),
            (&[New, Ellipsis, New], &[1, 2, 3, 4, 5, 1]),
            (&[Index(0), New, range(1, None, 1), Ellipsis, range(None, None, 2)], &[1, 2, 4, 3]),
            (&[Index(0), Index(0), Index(0), Index(0)], &[]),
        ];
        for (entries, expected) in cases {
            let op = StridedSlice { entries: entries.to_vec() };
            assert_eq!(&*op.apply(&Shape::from([2, 3, 4, 5])).unwrap().1, *expected, "{entries:?}");
        }
        let five = |entry| StridedSlice { entries: vec![entry; 5] }.apply(&Shape::from([2, 3, 4, 5]));
        assert_eq!(*five(range(1, None, 1)).unwrap().1, [1, 2, 3, 4]);
        assert!(five(Entry::Count { begin: 0, count: 1 }).is_err());
    }
}
