//! Operators that move data: CONCATENATION, TRANSPOSE, STRIDED_SLICE, PAD, DEPTH_TO_SPACE, RESHAPE.

use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::depth_to_space::DepthToSpace;
use tflite_vulkan::ops::pad::{Border, Growth, Pad};
use tflite_vulkan::ops::reshape::Reshape;
use tflite_vulkan::ops::strided_slice::{Entry, StridedSlice};
use tflite_vulkan::ops::transpose::Transpose;

use crate::harness::{Case, check, constant, tensor};

#[test]
fn concatenation() {
    let rows: &[(usize, &[&[u32]])] = &[
        (0, &[&[1], &[3], &[2]]),
        (1, &[&[2, 4], &[2, 8]]),
        (1, &[&[2, 3], &[2, 5], &[2, 1]]),
        (3, &[&[1, 3, 5, 8], &[1, 3, 5, 4]]),
        (3, &[&[2, 3, 5, 7], &[2, 3, 5, 1], &[2, 3, 5, 4]]),
        (1, &[&[2, 3, 5, 4], &[2, 1, 5, 4]]),
        (2, &[&[3, 2, 1, 1, 2], &[3, 2, 4, 1, 2]]),
        (0, &[&[1, 2, 1, 3, 1, 4], &[2, 2, 1, 3, 1, 4]]),
        (1, &[&[5, 1], &[5, 1], &[5, 1], &[5, 1], &[5, 1], &[5, 1], &[5, 1], &[5, 1], &[5, 2]]),
    ];
    let cases = rows.iter().flat_map(|(axis, shapes)| {
        let op = || Concatenation { axis: *axis, count: shapes.len() };
        let moving: Vec<_> = shapes.iter().map(|s| tensor(s)).collect();
        let mut mixed = moving.clone();
        mixed[1] = constant(shapes[1]);
        [Case::new(op(), moving), Case::new(op(), mixed)]
    });
    check(cases);
}

#[test]
fn transpose() {
    let rows: &[(&[u32], &[usize])] = &[
        (&[], &[]),
        (&[5], &[0]),
        (&[3, 7], &[1, 0]),
        (&[4, 8], &[1, 0]),
        (&[2, 3, 8], &[1, 0, 2]),
        (&[2, 3, 8], &[0, 2, 1]),
        (&[1, 7, 5, 3], &[0, 3, 1, 2]),
        (&[2, 29, 11, 37], &[0, 2, 1, 3]),
        (&[2, 3, 4, 5], &[3, 2, 1, 0]),
        (&[2, 3, 4, 1, 5], &[4, 0, 3, 2, 1]),
        (&[2, 3, 2, 5, 2, 4], &[3, 5, 1, 4, 0, 2]),
        (&[2, 3, 2, 5, 2, 4], &[4, 2, 0, 1, 3, 5]),
    ];
    check(rows.iter().map(|(x, order)| Case::new(Transpose { order: order.to_vec() }, [tensor(x)])));
}

#[test]
fn strided_slice() {
    use Entry::{Ellipsis, Index, New};
    let range =
        |begin: i64, end: i64, stride: i64| Entry::Range { begin: Some(begin), end: Some(end), stride };
    let all = Entry::Range { begin: None, end: None, stride: 1 };
    let back = Entry::Range { begin: None, end: None, stride: -1 };
    let rows: &[(&[u32], &[Entry])] = &[
        (&[9], &[range(2, 7, 1)]),
        (&[9], &[back]),
        (&[9], &[Index(-2)]),
        (&[2, 6, 5, 8], &[all, range(1, 5, 1), range(1, 4, 1), all]),
        (&[2, 6, 5, 8], &[all, range(0, 6, 2), range(1, 5, 2), all]),
        (&[2, 6, 5, 8], &[all, all, all, range(4, 8, 1)]),
        (&[2, 6, 5, 8], &[all, all, all, range(1, 8, 3)]),
        (&[2, 6, 5, 8], &[back, all, range(4, 0, -2), back]),
        (&[2, 6, 5, 8], &[Index(1), New, Ellipsis, Index(3)]),
        (
            &[2, 6, 5, 8],
            &[Entry::Count { begin: 1, count: 1 }, Entry::Count { begin: 2, count: -1 }, all, all],
        ),
        (&[2, 3, 4, 3, 2, 4], &[back, range(1, 3, 1), range(3, 0, -2), Ellipsis, range(1, 3, 1)]),
        (&[3, 4], &[Index(2), Index(3)]),
    ];
    check(rows.iter().map(|(x, entries)| Case::new(StridedSlice { entries: entries.to_vec() }, [tensor(x)])));
}

#[test]
fn pad() {
    use Growth::{Add, Times};
    let (none, constant) = (Add(0, 0), Border::Constant(0.75));
    let rows: &[(&[u32], Border, &[Growth])] = &[
        (&[3], constant, &[Add(2, 1)]),
        (&[2, 4], constant, &[Add(1, 0), none]),
        (&[1, 3, 5, 8], Border::Constant(0.0), &[none, Add(1, 2), Add(0, 3), none]),
        (&[2, 3, 5, 7], constant, &[Add(1, 0), Add(1, 2), Add(0, 3), none]),
        (&[1, 3, 5, 8], constant, &[none, none, none, Add(0, 8)]),
        (&[1, 3, 5, 3], constant, &[none, Add(1, 1), none, Add(1, 4)]),
        (&[2, 1, 2, 3, 2, 4], constant, &[Add(1, 1), Add(0, 1), none, Add(2, 0), none, Add(1, 1)]),
        (&[5, 4], Border::Reflect, &[Add(4, 2), Add(3, 3)]),
        (&[1, 5, 3, 8], Border::Reflect, &[none, Add(2, 1), Add(0, 2), none]),
        (&[5, 4], Border::Symmetric, &[Add(5, 2), Add(4, 4)]),
        (&[1, 5, 3, 8], Border::Symmetric, &[none, Add(2, 1), Add(0, 3), none]),
        (&[3], Border::Repeat, &[Times(3)]),
        (&[2, 3, 4], Border::Repeat, &[Times(2), Times(1), Times(3)]),
        (&[1, 2, 3, 8], Border::Repeat, &[Times(3), Times(2), Times(2), Times(1)]),
        (&[2, 1, 2, 3, 2, 5], Border::Repeat, &[Times(2); 6]),
    ];
    let case = |(x, border, growth): &(&[u32], Border, &[Growth])| {
        Case::new(Pad { border: *border, growth: growth.to_vec() }, [tensor(x)])
    };
    check(rows.iter().map(case));
}

#[test]
fn depth_to_space() {
    let rows: &[([u32; 4], u32, bool)] = &[
        ([1, 1, 1, 4], 2, true),
        ([2, 3, 5, 16], 2, true),
        ([1, 3, 2, 27], 3, true),
        ([2, 2, 3, 32], 4, true),
        ([1, 2, 2, 1], 2, false),
        ([2, 6, 4, 8], 2, false),
        ([1, 9, 6, 5], 3, false),
        ([3, 2, 3, 5], 1, false),
    ];
    let case = |&(x, block, to_space): &([u32; 4], u32, bool)| {
        Case::new(DepthToSpace { block, to_space }, [tensor(&x)])
    };
    check(rows.iter().map(case));
}

/// An alias between input and output must still bring the data over.
#[test]
fn reshape() {
    let rows: &[(&[u32], Reshape)] = &[
        (&[2, 3, 4], Reshape::To(vec![-1])),
        (&[2, 3, 4], Reshape::To(vec![4, 6])),
        (&[1, 5, 1], Reshape::Without(vec![])),
        (&[5], Reshape::With(0)),
        (&[], Reshape::To(vec![1, 1])),
    ];
    check(rows.iter().map(|(x, op)| Case::new(op.clone(), [tensor(x)])));
}
