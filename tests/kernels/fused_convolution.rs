//! Convolutions one behind the other that some devices compute in one dispatch.

use tflite_vulkan::ir::{Padding, Shape, Step, StepOp};
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;

use crate::convolution::{Row, paddings, window};
use crate::harness::{Case, check, check_every_candidate, constant, tensor};
use Padding::{Same, Valid};

/// A depthwise convolution and a pointwise one behind it, which some devices compute in one dispatch.
/// x, (taps, stride, channels between and behind), padding.
type Residual = ([u32; 4], [u32; 2], [u32; 2], [u32; 2], Padding);

/// Expand, depthwise and project, the first two with this clamp.
fn residual(row: &Residual, clamp: Option<(f32, f32)>) -> Case {
    let (x, size, stride, [middle, channels], padding) = *row;
    let act = |case: Case| match clamp {
        Some((lo, hi)) => case.step(Step::unary(StepOp::Clamp { lo, hi })),
        None => case,
    };
    let pointwise = Conv2d { window: window([1, 1], [1, 1], [1, 1], Valid) };
    let depthwise = DepthwiseConv2d { window: window(size, stride, [1, 1], padding) };
    let first = [tensor(&x), constant(&[middle, 1, 1, x[3]]), constant(&[middle])];
    let second = [constant(&[1, size[0], size[1], middle]), constant(&[middle])];
    let third = [constant(&[channels, 1, 1, middle]), constant(&[channels])];
    let third = Case::new(pointwise.clone(), third).step(Step::bias(2));
    let second = act(Case::new(depthwise, second).step(Step::bias(2))).then(third);
    act(Case::new(pointwise, first).step(Step::bias(2))).then(second)
}

#[test]
fn inverted_residual() {
    let rows: &[Residual] = &[
        ([1, 1, 1, 8], [3, 3], [1, 1], [8, 4], Same),
        ([3, 7, 5, 8], [3, 3], [1, 1], [24, 8], Same),
        ([1, 9, 8, 24], [3, 3], [2, 2], [144, 32], Same),
        ([2, 8, 7, 40], [5, 5], [1, 1], [72, 9], Valid),
        ([1, 13, 6, 16], [5, 3], [2, 1], [40, 130], Same),
        ([1, 11, 9, 72], [3, 3], [1, 1], [96, 72], Same),
        ([1, 4, 3, 160], [3, 3], [1, 1], [600, 16], Same),
        ([1, 6, 5, 12], [3, 3], [1, 1], [32, 8], Same),
        ([1, 6, 5, 16], [3, 3], [1, 1], [36, 8], Same),
    ];
    let clamps = [None, Some((0.0, 6.0)), Some((-1.0, 1.0))];
    check(rows.iter().flat_map(|row| clamps.map(|clamp| residual(row, clamp))));
}

/// NaN reaches the pixels whose windows see it, whatever is fused, and no others.
#[test]
fn no_clamp_swallows_nan() {
    let rows: [Residual; 2] =
        [([1, 9, 8, 24], [3, 3], [2, 2], [144, 32], Same), ([1, 13, 11, 16], [5, 5], [1, 1], [40, 8], Same)];
    let with_nan = |row: &Residual| {
        let x = Shape::from(row.0);
        let numbers = (0..x.elements()).map(|i| if i == 3 { f32::NAN } else { (i % 7) as f32 / 4.0 - 0.5 });
        residual(row, Some((0.0, 6.0))).numbers(numbers.collect())
    };
    check(rows.iter().map(with_nan));
}

#[test]
fn every_cut_of_an_inverted_residual() {
    let rows =
        [([2, 9, 11, 24], [3, 3], [1, 1], [136, 40], Same), ([1, 9, 8, 40], [5, 5], [2, 2], [72, 20], Same)];
    check_every_candidate(&rows.map(|row| residual(&row, Some((0.0, 6.0)))));
}

#[test]
fn separable_convolution() {
    let rows: &[Row] = &[
        ([1, 1, 1, 4], [3, 3], [1, 1], [1, 1], 8),
        ([3, 7, 5, 8], [3, 3], [1, 1], [1, 1], 24),
        ([1, 9, 8, 20], [3, 3], [2, 2], [1, 1], 88),
        ([2, 8, 7, 40], [5, 5], [1, 1], [1, 1], 9),
        ([1, 13, 6, 12], [5, 3], [2, 1], [1, 1], 130),
        ([1, 11, 9, 16], [3, 3], [1, 1], [2, 3], 33),
        ([1, 4, 3, 600], [3, 3], [1, 1], [1, 1], 16),
        ([1, 6, 5, 5], [3, 3], [1, 1], [1, 1], 8),
    ];
    let cases = rows.iter().flat_map(|row| {
        paddings(row).flat_map(move |padding| {
            let (x, size, stride, dilation, channels) = *row;
            [None, Some((0.0, 6.0)), Some((-1.0, 1.0))].into_iter().map(move |clamp| {
                let weights = [tensor(&x), constant(&[1, size[0], size[1], x[3]]), constant(&[x[3]])];
                let first = DepthwiseConv2d { window: window(size, stride, dilation, padding) };
                let mut first = Case::new(first, weights).step(Step::bias(2));
                if let Some((lo, hi)) = clamp {
                    first = first.step(Step::unary(StepOp::Clamp { lo, hi }));
                }
                let second = Conv2d { window: window([1, 1], [1, 1], [1, 1], Valid) };
                first.then(
                    Case::new(second, [constant(&[channels, 1, 1, x[3]]), constant(&[channels])])
                        .step(Step::bias(2))
                        .step(Step::unary(StepOp::Clamp { lo: 0.0, hi: f32::INFINITY })),
                )
            })
        })
    });
    check(cases);
}
