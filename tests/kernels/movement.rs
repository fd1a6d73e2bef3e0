//! Operators that move data without computing anything.

use tflite_vulkan::ir::{Data, HostTensor, Scalar, Shape};
use tflite_vulkan::ops::broadcast_to::BroadcastTo;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::depth_to_space::DepthToSpace;
use tflite_vulkan::ops::gather::Gather;
use tflite_vulkan::ops::pack::Pack;
use tflite_vulkan::ops::pad::{Border, Growth, Pad};
use tflite_vulkan::ops::reshape::Reshape;
use tflite_vulkan::ops::space_to_batch::SpaceToBatch;
use tflite_vulkan::ops::split::{Sizes, Split};
use tflite_vulkan::ops::strided_slice::{Entry, StridedSlice};
use tflite_vulkan::ops::transpose::Transpose;

use crate::harness::{Arg, Case, check, constant, tensor};

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
    let (none, constant) = (Add(0, 0), Border::Constant(Scalar::f32(0.75)));
    let rows: &[(&[u32], Border, &[Growth])] = &[
        (&[3], constant, &[Add(2, 1)]),
        (&[2, 4], constant, &[Add(1, 0), none]),
        (&[1, 3, 5, 8], Border::Constant(Scalar::f32(0.0)), &[none, Add(1, 2), Add(0, 3), none]),
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

#[test]
fn broadcast_to() {
    let rows: &[(&[u32], &[u32])] = &[
        (&[], &[5]),
        (&[1], &[3, 4]),
        (&[4], &[3, 4]),
        (&[3, 1], &[2, 3, 8]),
        (&[2, 1, 8], &[2, 5, 8]),
        (&[2, 1, 3, 1, 2, 1], &[2, 4, 3, 2, 2, 5]),
    ];
    check(rows.iter().map(|(x, y)| Case::new(BroadcastTo { shape: Some(Shape::new(y)) }, [tensor(x)])));
}

#[test]
fn split() {
    let rows: &[(&[u32], i64, Sizes)] = &[
        (&[6], 0, Sizes::Equal(3)),
        (&[2, 3, 8], -1, Sizes::Equal(2)),
        (&[2, 3, 8], -1, Sizes::Given(vec![1, -1, 3])),
        (&[2, 9, 5, 7], 1, Sizes::Given(vec![4, 2, 3])),
        (&[3, 4], 0, Sizes::Single(3)),
        (&[3, 4], 1, Sizes::Single(4)),
        (&[2, 3, 2, 3, 2, 4], 3, Sizes::Single(3)),
    ];
    let case = |(x, axis, sizes): &(&[u32], i64, Sizes)| {
        Case::new(Split { input: 0, axis: *axis, sizes: sizes.clone() }, [tensor(x)])
    };
    check(rows.iter().map(case));
}

#[test]
fn pack() {
    let rows: &[(&[u32], usize, usize)] = &[
        (&[], 0, 3),
        (&[5], 0, 2),
        (&[5], 1, 2),
        (&[3, 8], 1, 5),
        (&[2, 3, 4, 2, 3], 2, 2),
        (&[2, 3, 4, 2, 3], 5, 4),
    ];
    let case =
        |&(x, axis, count): &(&[u32], usize, usize)| Case::new(Pack { axis, count }, vec![tensor(x); count]);
    check(rows.iter().map(case));
}

#[test]
fn gather() {
    let rows: &[(&[u32], usize, usize, &[u32], &[u32])] = &[
        (&[5], 0, 0, &[4, 0, 4], &[3]),
        (&[5, 3], 0, 0, &[2], &[]),
        (&[5, 8], 0, 0, &[3, 1, 1, 0], &[2, 2]),
        (&[2, 5, 3], 1, 0, &[4, 2], &[1, 2]),
        (&[2, 3, 4], 2, 0, &[3, 0, 1], &[3]),
        (&[2, 3, 4], 2, 1, &[3, 0, 1, 2], &[2, 2]),
        (&[2, 3, 5, 4], 2, 2, &[3, 0, 1, 2, 4, 4], &[2, 3]),
    ];
    let case = |&(x, axis, batch_dims, indices, shape): &(&[u32], usize, usize, &[u32], &[u32])| {
        let data = Data::I32(indices.iter().map(|i| *i as i32).collect());
        let indices = HostTensor { shape: Shape::new(shape), data };
        Case::new(Gather { axis, batch_dims, least: 0 }, [tensor(x), Arg::Known(indices)])
    };
    check(rows.iter().map(case));
}

#[test]
fn space_to_batch() {
    /// x, block, border, to batch.
    type Row = (&'static [u32], &'static [u32], &'static [[u32; 2]], bool);
    let rows: &[Row] = &[
        (&[1, 4, 4, 8], &[2, 2], &[[0, 0], [0, 0]], true),
        (&[2, 3, 5, 3], &[2, 3], &[[1, 0], [0, 1]], true),
        (&[2, 6, 5], &[3], &[[1, 2]], true),
        (&[4, 2, 2, 8], &[2, 2], &[[0, 0], [0, 0]], false),
        (&[12, 2, 2, 3], &[2, 3], &[[1, 0], [0, 1]], false),
        (&[6, 3, 4], &[3], &[[1, 2]], false),
    ];
    let case = |&(x, block, border, to_batch): &Row| {
        let (block, border, zero) = (block.to_vec(), border.to_vec(), Scalar::f32(0.0));
        Case::new(SpaceToBatch { block, border, zero, to_batch }, [tensor(x)])
    };
    check(rows.iter().map(case));
}
