//! Pointwise and depthwise convolutions of int8 one behind the other, which some devices compute in one dispatch.

use tflite_vulkan::ir::{DType, Padding};
use tflite_vulkan::ops::conv_2d_integers::Conv2dIntegers;
use tflite_vulkan::ops::depthwise_conv_2d_integers::DepthwiseConv2dIntegers;
use tflite_vulkan::ops::quantized_binary::{Function, Rounding};

use crate::harness::{Arg, Case, Random, check, check_every_candidate};
use crate::quantised_convolution::{bias, elements, followed, sum, window};
use Padding::{Same, Valid};

/// x, taps, stride, channels between and behind, padding.
type Row = ([u32; 4], [u32; 2], [u32; 2], [u32; 2], Padding);

/// A depthwise and a pointwise convolution behind it, and one in front unless they have as many channels as x; with or
/// without biases and a sum with another operand.
fn residual(random: &mut Random, row: &Row, float: bool, more: bool) -> Case {
    let (x, size, stride, [middle, channels], padding) = *row;
    let dtype = DType::I8;
    let mut weights = |dims: &[u32], channels: u32| {
        let mut args = vec![Arg::Known(elements(random, dims, dtype))];
        args.extend(more.then(|| Arg::Known(bias(random, channels))));
        args
    };
    let pointwise = window([1, 1], [1, 1], [1, 1], Valid);
    let expand = (middle != x[3]).then(|| weights(&[middle, 1, 1, x[3]], middle));
    let mut second = weights(&[1, size[0], size[1], middle], middle);
    let mut third = weights(&[channels, 1, 1, middle], channels);
    let mut project = sum(channels, dtype, float);
    let windows = window(size, stride, [1, 1], padding);
    if more {
        let place = |d: usize| windows.extent(d, x[1 + d]).expect("the window fits").size;
        third.push(Arg::Elements(elements(random, &[x[0], place(0), place(1), channels], dtype)));
        let rounding = if float { Rounding::Xnnpack } else { Rounding::Twice };
        project = followed(&project, dtype, Function::Add, rounding);
    }
    let operand = Arg::Elements(elements(random, &x, dtype));
    let third = Case::new(Conv2dIntegers { window: pointwise, sum: project }, third).gives(dtype);
    let mut depthwise = DepthwiseConv2dIntegers { window: windows, sum: sum(middle, dtype, float) };
    let Some(mut first) = expand else {
        second.insert(0, operand);
        return Case::new(depthwise, second).gives(dtype).then(third);
    };
    first.insert(0, operand);
    let mut expand = Conv2dIntegers { window: pointwise, sum: sum(middle, dtype, float) };
    // What one gives is what the next one reads.
    expand.sum.target.zero_point = -7;
    depthwise.sum.x_zero_point = -7;
    let second = Case::new(depthwise, second).gives(dtype).then(third);
    Case::new(expand, first).gives(dtype).then(second)
}

const ROWS: [Row; 11] = [
    ([1, 1, 1, 4], [3, 3], [1, 1], [8, 4], Same),
    ([3, 7, 5, 8], [3, 3], [1, 1], [24, 8], Same),
    ([1, 9, 8, 24], [3, 3], [2, 2], [144, 32], Same),
    ([2, 8, 7, 40], [5, 5], [1, 1], [72, 12], Valid),
    ([1, 13, 6, 16], [5, 3], [2, 1], [40, 132], Same),
    ([1, 11, 9, 72], [3, 3], [1, 1], [96, 72], Same),
    ([1, 7, 7, 160], [3, 3], [1, 1], [600, 160], Same),
    ([1, 6, 5, 12], [3, 3], [1, 1], [36, 20], Valid),
    ([1, 6, 5, 16], [3, 3], [1, 1], [16, 8], Same),
    ([2, 9, 11, 132], [3, 3], [2, 2], [132, 520], Same),
    ([1, 6, 5, 7], [3, 3], [1, 1], [16, 8], Same),
];

#[test]
fn inverted_residual_of_integers() {
    let mut random = Random(11);
    let cases =
        ROWS.iter().flat_map(|row| [(false, true), (true, true), (false, false)].map(|way| (row, way)));
    check(cases.map(|(row, (float, more))| residual(&mut random, row, float, more)).collect::<Vec<_>>());
}

#[test]
fn every_cut_of_an_inverted_residual_of_integers() {
    let mut random = Random(13);
    let row = ([1, 5, 6, 24], [3, 3], [2, 2], [72, 40], Same);
    check_every_candidate(&[residual(&mut random, &row, false, true)]);
}
