//! AVERAGE_POOL_2D, MAX_POOL_2D, RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR.

use tflite_vulkan::ir::{Broadcast, Operand, Padding, Shape, SpatialPadding, Step, StepOp, Window};
use tflite_vulkan::ops::pool_2d::{Pool2d, PoolKind};
use tflite_vulkan::ops::resize::Resize;

use crate::harness::{Arg, Case, check, tensor};

/// x, window, stride.
type Row = ([u32; 4], [u32; 2], [u32; 2]);

const POOLS: &[Row] = &[
    ([1, 1, 1, 1], [1, 1], [1, 1]),
    ([1, 7, 5, 3], [2, 2], [2, 2]),
    ([1, 8, 6, 8], [2, 2], [2, 2]),
    ([2, 9, 11, 4], [3, 3], [2, 2]),
    ([2, 5, 3, 4], [2, 2], [1, 1]),
    ([3, 7, 7, 12], [7, 7], [1, 1]),
    ([2, 29, 11, 37], [3, 5], [1, 3]),
    ([1, 5, 9, 6], [5, 2], [4, 1]),
    ([2, 40, 33, 8], [40, 33], [1, 1]),
];

#[test]
fn pool() {
    let zeros = [
        SpatialPadding::default(),
        SpatialPadding { h: [1, 1], w: [1, 1] },
        SpatialPadding { h: [0, 3], w: [2, 0] },
    ];
    let mut cases = Vec::new();
    for (x, size, stride) in POOLS {
        for padding in [Padding::Same, Padding::Valid] {
            for kind in [PoolKind::Average, PoolKind::Max] {
                for zeros in zeros {
                    let window = Window { size: *size, stride: *stride, dilation: [1, 1], padding, zeros };
                    cases.push(Case::new(Pool2d { kind, window }, [tensor(x)]));
                }
            }
        }
    }
    check(cases);
}

#[test]
fn the_largest_is_a_number() {
    let numbers = [f32::NAN, 1.0, -2.0, f32::NEG_INFINITY, f32::NAN, f32::NAN, 3.0, f32::INFINITY];
    let cases = [1, 4].into_iter().flat_map(|channels| {
        let data: Vec<f32> =
            numbers.iter().cycle().take(64).flat_map(|x| vec![*x; channels as usize]).collect();
        [([2, 2], [2, 2]), ([1, 2], [1, 1]), ([8, 8], [1, 1])].map(|(size, stride)| {
            let zeros = SpatialPadding::default();
            let window = Window { size, stride, dilation: [1, 1], padding: Padding::Valid, zeros };
            let x = Arg::Numbers(Shape::from([1, 8, 8, channels]), data.clone());
            Case::new(Pool2d { kind: PoolKind::Max, window }, [x]).values(0.0)
        })
    });
    check(cases);
}

#[test]
fn pool_with_epilogue() {
    let window = Window {
        size: [2, 2],
        stride: [2, 2],
        dilation: [1, 1],
        padding: Padding::Valid,
        zeros: SpatialPadding::default(),
    };
    let cases = [8, 5].map(|c| {
        let scale = Operand::Input { input: 1, broadcast: Broadcast::Batch };
        Case::new(Pool2d { kind: PoolKind::Average, window }, [tensor(&[2, 6, 4, c]), tensor(&[2, 1, 1, c])])
            .step(Step { op: StepOp::Mul, operand: scale, swapped: false })
            .step(Step::unary(StepOp::Clamp { lo: -0.25, hi: 0.25 }))
    });
    check(cases);
}

#[test]
fn resize() {
    let sizes: &[([u32; 4], [u32; 2])] = &[
        ([1, 1, 1, 1], [1, 1]),
        ([1, 1, 1, 4], [3, 2]),
        ([2, 3, 5, 3], [6, 10]),
        ([1, 4, 7, 8], [8, 14]),
        ([3, 7, 5, 4], [3, 9]),
        ([1, 9, 8, 6], [1, 1]),
        ([1, 5, 5, 37], [4, 13]),
    ];
    let mut cases = Vec::new();
    for (x, size) in sizes {
        for nearest in [false, true] {
            for (align_corners, half_pixel_centers) in
                [(false, false), (true, false), (false, true), (nearest, true)]
            {
                let op = Resize { size: Some(*size), nearest, align_corners, half_pixel_centers };
                cases.push(Case::new(op, [tensor(x)]));
            }
        }
    }
    check(cases);
}

#[test]
fn resize_with_epilogue() {
    let cases = [8, 3].map(|c| {
        let op =
            Resize { size: Some([6, 8]), nearest: false, align_corners: false, half_pixel_centers: true };
        let other = Operand::Input { input: 1, broadcast: Broadcast::Full };
        Case::new(op, [tensor(&[2, 3, 4, c]), tensor(&[2, 6, 8, c])])
            .step(Step { op: StepOp::Add, operand: other, swapped: false })
            .step(Step::unary(StepOp::Logistic))
    });
    check(cases);
}
