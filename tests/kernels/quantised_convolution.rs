//! Convolutions of quantised integers: every kernel, with dot products and without, in bytes and widened to words.

use std::sync::Arc;

use tflite_vulkan::ir::requantize::{Scaling, Target};
use tflite_vulkan::ir::{DType, Data, FixedPoint, HostTensor, Padding, Shape, SpatialPadding, Window};
use tflite_vulkan::op::{Follower, Operator};
use tflite_vulkan::ops::conv_2d_integers::Conv2dIntegers;
use tflite_vulkan::ops::depthwise_conv_2d_integers::DepthwiseConv2dIntegers;
use tflite_vulkan::ops::fully_connected::FullyConnected;
use tflite_vulkan::ops::fully_connected_integers::FullyConnectedIntegers;
use tflite_vulkan::ops::lookup::Lookup;
use tflite_vulkan::ops::quantized_binary::{Function, QuantizedBinary, QuantizedFunction, Rounding};
use tflite_vulkan::ops::scaled_sum::{Followers, ScaledSum};

use crate::harness::{Arg, Case, Random, check, check_every_candidate};

/// Integers of all sizes.
pub fn elements(random: &mut Random, dims: &[u32], dtype: DType) -> HostTensor {
    let shape = Shape::new(dims);
    let bytes = (0..shape.elements()).map(|_| (random.next() * 1e4) as i64 as u8);
    let data = match dtype {
        DType::U8 => Data::U8(bytes.collect()),
        _ => Data::I8(bytes.map(u8::cast_signed).collect()),
    };
    HostTensor { shape, data }
}

/// Scalings of all kinds for so many channels.
pub fn sum(channels: u32, dtype: DType, float: bool) -> ScaledSum {
    let scaling = |channel: u32| {
        let factor = 1e-3 * 1.7_f32.powi(channel as i32 % 9 - 4);
        if float { Scaling::float(factor, 1.0, 1.0) } else { Scaling::fixed(factor, 1.0, 1.0) }
    };
    let scalings = (0..channels).filter_map(scaling).collect::<Vec<_>>();
    let unsigned = dtype == DType::U8;
    ScaledSum {
        x_zero_point: if unsigned { 131 } else { 3 },
        w_zero_point: if unsigned { 120 } else { 0 },
        scalings: Arc::from(scalings),
        target: if unsigned {
            Target { zero_point: 7, bounds: [5, 250] }
        } else {
            Target { zero_point: -9, bounds: [-120, 127] }
        },
        followers: Followers::default(),
    }
}

/// The sum with a table, a function of the result and operand 3, and a table once more.
pub fn followed(sum: &ScaledSum, dtype: DType, function: Function, rounding: Rounding) -> ScaledSum {
    let factor = |x| FixedPoint::new(x).expect("it is positive");
    let factors = match (function, rounding) {
        (Function::Mul, Rounding::Xnnpack) => {
            [FixedPoint { multiplier: 0.03_f32.to_bits().cast_signed(), shift: 0 }; 3]
        }
        (_, Rounding::Xnnpack) => [(700_000, 0), (-1_500_000, 0), (0, 20)]
            .map(|(multiplier, shift)| FixedPoint { multiplier, shift }),
        (Function::Mul, _) => [factor(0.03); 3],
        _ => [factor(0.5), factor(0.31), factor(2.0 / f64::from(1 << 20))],
    };
    let least = if dtype == DType::U8 { 0 } else { -128 };
    let function = QuantizedFunction {
        function,
        dtype,
        rounding,
        zero_points: [least + 100, least + 9, least + 131],
        factors,
        bounds: [least + 3, least + 252],
    };
    let table = |step: i32| {
        let numbers = (0..256).map(|i| (i * step + 13) % 256 + least).collect();
        Lookup::Numbers { dtype, numbers }
    };
    let (before, binary, behind) = (table(71), QuantizedBinary(function), table(91));
    let steps: [(&dyn Operator, _); 3] = [(&before, None), (&binary, Some(3)), (&behind, None)];
    steps.into_iter().fold(sum.clone(), |sum, (op, operand)| {
        sum.followed_by(&Follower { op, dtype, operand, swapped: true }).expect("kernels compute it")
    })
}

pub fn window(size: [u32; 2], stride: [u32; 2], dilation: [u32; 2], padding: Padding) -> Window {
    Window { size, stride, dilation, padding, zeros: SpatialPadding::default() }
}

pub fn bias(random: &mut Random, channels: u32) -> HostTensor {
    let numbers = (0..channels).map(|_| (random.next() * 900.0) as i32).collect();
    HostTensor { shape: Shape::from([channels]), data: Data::I32(numbers) }
}

/// In every type: shape, channels of the result, groups, window.
fn convolutions(rows: &[([u32; 4], u32, u32, Window)]) -> Vec<Case> {
    let mut random = Random(3);
    let mut cases = Vec::new();
    for (n, (shape, channels, groups, window)) in rows.iter().enumerate() {
        let signed = (DType::I8, n % 2 == 1);
        for (dtype, float) in [signed, (DType::U8, false)] {
            let [h, w] = window.size;
            let filter = [*channels, h, w, shape[3] / groups];
            let mut args = vec![
                Arg::Elements(elements(&mut random, shape, dtype)),
                Arg::Known(elements(&mut random, &filter, dtype)),
            ];
            // Without a bias too.
            if !float {
                args.push(Arg::Known(bias(&mut random, *channels)));
            }
            let op = Conv2dIntegers { window: *window, sum: sum(*channels, dtype, float) };
            cases.push(Case::new(op, args).gives(dtype));
        }
    }
    cases
}

#[test]
fn convolutions_of_integers() {
    use Padding::{Same, Valid};
    check(convolutions(&[
        ([1, 1, 1, 1], 1, 1, window([1, 1], [1, 1], [1, 1], Same)),
        ([2, 5, 7, 8], 12, 1, window([1, 1], [1, 1], [1, 1], Same)),
        ([1, 5, 7, 7], 5, 1, window([1, 1], [1, 1], [1, 1], Same)),
        ([2, 5, 6, 12], 8, 1, window([3, 3], [1, 1], [1, 1], Same)),
        ([1, 9, 11, 3], 8, 1, window([3, 3], [2, 2], [1, 1], Same)),
        ([1, 9, 11, 3], 7, 1, window([3, 3], [1, 2], [2, 2], Same)),
        ([1, 9, 11, 8], 10, 2, window([3, 3], [1, 1], [2, 1], Valid)),
        ([1, 9, 11, 6], 9, 3, window([3, 2], [1, 1], [1, 1], Same)),
        ([3, 4, 4, 8], 8, 1, window([4, 4], [1, 1], [1, 1], Valid)),
        ([1, 4, 1, 16], 8, 1, window([3, 1], [1, 1], [1, 1], Same)),
        ([1, 9, 11, 32], 40, 1, window([3, 3], [2, 2], [1, 1], Same)),
        ([1, 10, 10, 64], 33, 1, window([1, 1], [1, 1], [1, 1], Same)),
        // Sums of many products, split among workgroups.
        ([1, 3, 5, 520], 36, 1, window([1, 1], [1, 1], [1, 1], Same)),
        ([1, 3, 5, 264], 12, 1, window([3, 3], [1, 1], [1, 1], Same)),
        ([1, 2, 2, 1300], 9, 1, window([1, 1], [1, 1], [1, 1], Same)),
    ]));
}

#[test]
fn every_tiling_of_a_convolution_of_integers() {
    check_every_candidate(&convolutions(&[(
        [1, 9, 11, 4],
        20,
        1,
        window([3, 3], [1, 1], [1, 1], Padding::Same),
    )]));
}

#[test]
fn depthwise_convolutions_of_integers() {
    use Padding::{Same, Valid};
    let mut random = Random(5);
    let mut cases = Vec::new();
    let rows = [
        ([1, 1, 1, 4], 1, window([1, 1], [1, 1], [1, 1], Same)),
        ([2, 9, 11, 8], 1, window([3, 3], [1, 1], [1, 1], Same)),
        ([2, 9, 11, 8], 1, window([3, 3], [2, 2], [1, 1], Same)),
        ([1, 9, 11, 8], 1, window([5, 5], [1, 1], [1, 1], Same)),
        ([1, 9, 11, 8], 1, window([5, 5], [2, 2], [1, 1], Valid)),
        ([1, 9, 11, 8], 1, window([3, 3], [1, 1], [2, 2], Same)),
        ([1, 9, 11, 7], 1, window([3, 3], [1, 1], [1, 1], Same)),
        ([1, 9, 11, 7], 1, window([5, 5], [2, 2], [1, 1], Same)),
        ([1, 9, 11, 3], 4, window([3, 3], [1, 1], [1, 1], Same)),
        ([1, 24, 24, 4], 1, window([17, 19], [1, 1], [1, 1], Same)),
        ([1, 24, 24, 5], 1, window([17, 19], [1, 1], [1, 1], Same)),
    ];
    for (n, (shape, multiplier, window)) in rows.into_iter().enumerate() {
        for (dtype, float) in [(DType::I8, n % 2 == 1), (DType::U8, false)] {
            let [h, w] = window.size;
            let channels = shape[3] * multiplier;
            let args = vec![
                Arg::Elements(elements(&mut random, &shape, dtype)),
                Arg::Known(elements(&mut random, &[1, h, w, channels], dtype)),
                Arg::Known(bias(&mut random, channels)),
            ];
            let op = DepthwiseConv2dIntegers { window, sum: sum(channels, dtype, float) };
            cases.push(Case::new(op, args).gives(dtype));
        }
    }
    check(cases);
}

#[test]
fn weights_and_biases_that_are_computed() {
    let mut random = Random(11);
    let mut cases = Vec::new();
    let window = window([3, 2], [1, 2], [2, 1], Padding::Same);
    for (n, dtype) in [DType::I8, DType::U8, DType::I8, DType::U8].into_iter().enumerate() {
        let channels = [6, 8][n % 2];
        let mut args = |x: &[u32], filter: &[u32], channels: u32| {
            let [w, b] = [elements(&mut random, filter, dtype), bias(&mut random, channels)];
            let x = Arg::Elements(elements(&mut random, x, dtype));
            vec![x, if n < 2 { Arg::Elements(w) } else { Arg::Known(w) }, Arg::Elements(b)]
        };
        let conv = args(&[2, 7, 5, 4], &[channels, 3, 2, 2], channels);
        cases.push(Case::new(Conv2dIntegers { window, sum: sum(channels, dtype, false) }, conv).gives(dtype));
        let depthwise = args(&[1, 6, 7, 3], &[1, 3, 2, 9], 9);
        cases.push(
            Case::new(DepthwiseConv2dIntegers { window, sum: sum(9, dtype, false) }, depthwise).gives(dtype),
        );
        let (shapes, sum) = (FullyConnected { keep_num_dims: true }, sum(channels, dtype, false));
        let product = args(&[5, 3], &[channels, 3], channels);
        cases.push(Case::new(FullyConnectedIntegers { shapes, sum, dtype }, product).gives(dtype));
    }
    check(cases);
}

#[test]
fn what_follows_sums_of_integers() {
    let mut random = Random(7);
    let mut cases = Vec::new();
    let window = window([3, 3], [1, 1], [1, 1], Padding::Same);
    let functions = [
        (Function::Add, Rounding::Twice),
        (Function::Sub, Rounding::Twice),
        (Function::Mul, Rounding::Twice),
        (Function::Sub, Rounding::Xnnpack),
        (Function::Mul, Rounding::Xnnpack),
    ];
    for (n, (function, rounding)) in functions.into_iter().enumerate() {
        let [signed, unsigned] = if n % 2 == 0 { [(8, true), (7, false)] } else { [(5, false), (12, true)] };
        for (dtype, (channels, rows)) in [(DType::I8, signed), (DType::U8, unsigned)] {
            let sum = followed(&sum(channels, dtype, false), dtype, function, rounding);
            let other = if rows { [2, 1, 1, channels] } else { [2, 5, 6, channels] };
            let mut args = |filter: &[u32]| {
                vec![
                    Arg::Elements(elements(&mut random, &[2, 5, 6, channels], dtype)),
                    Arg::Known(elements(&mut random, filter, dtype)),
                    Arg::Known(bias(&mut random, channels)),
                    Arg::Elements(elements(&mut random, &other, dtype)),
                ]
            };
            let conv = args(&[channels, 3, 3, channels]);
            cases.push(Case::new(Conv2dIntegers { window, sum: sum.clone() }, conv).gives(dtype));
            let depthwise = args(&[1, 3, 3, channels]);
            cases.push(
                Case::new(DepthwiseConv2dIntegers { window, sum: sum.clone() }, depthwise).gives(dtype),
            );
            let (shapes, rows) = (FullyConnected { keep_num_dims: true }, [3, 9][n % 2]);
            let product = vec![
                Arg::Elements(elements(&mut random, &[rows, 20], dtype)),
                Arg::Known(elements(&mut random, &[channels, 20], dtype)),
                Arg::Known(bias(&mut random, channels)),
                Arg::Elements(elements(&mut random, &[rows, channels], dtype)),
            ];
            cases.push(Case::new(FullyConnectedIntegers { shapes, sum, dtype }, product).gives(dtype));
        }
    }
    check(cases);
}
