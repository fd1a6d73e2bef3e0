//! Quantised pools, reductions, functions of rows, resizes and recurrent layers: to the bit what the twins compute, with
//! integers as wide as the host has them and widened to 32 bits.

use tflite_vulkan::ir::{DType, FixedPoint, HostTensor, Padding, Scalar, Shape, SpatialPadding, Window};
use tflite_vulkan::ops::average_pool_integers::AveragePoolIntegers;
use tflite_vulkan::ops::l2_normalization_integers::L2NormalizationIntegers;
use tflite_vulkan::ops::lstm_integers::{Layer, LstmIntegers, Product, Sizes};
use tflite_vulkan::ops::product_integers::ProductIntegers;
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::resize::Resize;
use tflite_vulkan::ops::resize_bilinear_integers::{ResizeBilinearIntegers, Rule};
use tflite_vulkan::ops::softmax_integers::{Differences, Function, SoftmaxIntegers};
use tflite_vulkan::ops::sum_integers::{Scaling, SumIntegers};
use tflite_vulkan::ops::svdf_integers::SvdfIntegers;

use crate::harness::{Arg, Case, check, check_few_rounds};
use crate::integers::elements;

const SMALL: [DType; 3] = [DType::I8, DType::U8, DType::I16];

fn computed(dtype: DType, dims: &[u32]) -> Arg {
    Arg::Elements(elements(dtype, dims))
}

/// A constant of numbers that are not too large.
fn known(dtype: DType, dims: &[u32]) -> Arg {
    let mut n: i64 = 0;
    let tensor = HostTensor::moved(dtype, Shape::new(dims), |_| {
        n += 1;
        Scalar::int(dtype, n * n * 31 % 255 - 127).bits
    });
    Arg::Known(tensor.expect("it fits"))
}

fn factor(x: f64) -> FixedPoint {
    FixedPoint::new(x).expect("positive")
}

fn bounds(dtype: DType) -> [i32; 2] {
    dtype.range().expect("integers").map(|n| n as i32)
}

fn pools() -> Vec<Case> {
    let shapes: [(&[u32], [u32; 2], [u32; 2], Padding); 6] = [
        (&[1, 7, 5, 3], [2, 2], [2, 2], Padding::Same),
        (&[2, 9, 7, 8], [3, 3], [1, 2], Padding::Same),
        (&[1, 7, 7, 40], [7, 7], [1, 1], Padding::Valid),
        (&[2, 8, 8, 3], [8, 8], [1, 1], Padding::Valid),
        (&[1, 40, 33, 4], [31, 29], [3, 2], Padding::Same),
        (&[1, 70, 60, 2], [70, 60], [1, 1], Padding::Valid),
    ];
    let case = |dtype: DType, (dims, size, stride, padding)| {
        let zeros = SpatialPadding::default();
        let window = Window { size, stride, dilation: [1, 1], padding, zeros };
        let [least, most] = bounds(dtype);
        let op = AveragePoolIntegers { window, bounds: [least + 3, most - 5] };
        Case::new(op, [computed(dtype, dims)]).gives(dtype)
    };
    SMALL.into_iter().flat_map(|dtype| shapes.map(|shape| case(dtype, shape))).collect()
}

fn reductions() -> Vec<Case> {
    let shapes: [(&[u32], &[i64]); 7] = [
        (&[7], &[0]),
        (&[2, 7, 5, 8], &[1, 2]),
        (&[2, 7, 5, 6], &[2, 1]),
        (&[2, 29, 11, 7], &[3]),
        (&[2, 3, 4, 5, 6], &[0, 2, 4]),
        (&[1, 40, 1280], &[1]),
        (&[1, 70000], &[1]),
    ];
    let mut cases = Vec::new();
    for dtype in SMALL {
        for (dims, axes) in shapes {
            for scaling in [Scaling::FixedPoint(factor(0.3)), Scaling::Away(0.3), Scaling::Even(0.25)] {
                for kind in [ReduceKind::Mean, ReduceKind::Sum] {
                    let reduce = Reduce { kind, axes: axes.to_vec(), keep_dims: false };
                    let op = SumIntegers { reduce, zero_points: [3, 7], scaling };
                    cases.push(Case::new(op, [computed(dtype, dims)]).gives(dtype));
                }
            }
        }
    }
    for (dims, axes) in &shapes[..5] {
        for dtype in [DType::I8, DType::I16] {
            let reduce = Reduce { kind: ReduceKind::Product, axes: axes.to_vec(), keep_dims: true };
            let op = ProductIntegers { reduce, scales: [0.02, 0.01], zero_points: [1, -3] };
            cases.push(Case::new(op, [computed(dtype, dims)]).gives(dtype));
        }
    }
    cases
}

fn rows() -> Vec<Case> {
    let shapes: [&[u32]; 6] = [&[1], &[1, 1001], &[3, 9], &[2, 3, 8], &[37, 4], &[2, 3000]];
    let differences = Differences { factor: factor(0.02 * f64::from(1 << 26)), least: -200 };
    let reverse = factor(0.6);
    let mut cases = Vec::new();
    for dims in shapes {
        for (from, to) in [(DType::I8, DType::I8), (DType::U8, DType::U8), (DType::I8, DType::I16)] {
            let op = SoftmaxIntegers { function: Function::Softmax(differences), to };
            cases.push(Case::new(op, [computed(from, dims)]).gives(to));
        }
        let function = Function::Softmax16(factor(1.5));
        let op = SoftmaxIntegers { function, to: DType::I16 };
        cases.push(Case::new(op, [computed(DType::I16, dims)]).gives(DType::I16));
        for dtype in [DType::I8, DType::U8] {
            let function = Function::Logarithm { differences, reverse };
            let op = SoftmaxIntegers { function, to: dtype };
            cases.push(Case::new(op, [computed(dtype, dims)]).gives(dtype));
            let op = L2NormalizationIntegers { zero_point: 5 };
            cases.push(Case::new(op, [computed(dtype, dims)]).gives(dtype));
        }
    }
    cases
}

/// A recurrent layer with its operands.
fn recurrent(coupled: bool, projected: bool, batch: u32, steps: u32) -> Case {
    let sizes = Sizes { inputs: 5, cells: 9, outputs: if projected { 6 } else { 9 } };
    let gate = Some([factor(0.03), factor(0.02)]);
    let seen = Some(factor(1e-4));
    let product = Product { factor: factor(1e-4), zero_point: -7 };
    let layer = Layer {
        sizes,
        gates: [if coupled { None } else { gate }, gate, gate, gate],
        peepholes: if coupled { [None; 4] } else { [seen, seen, None, seen] },
        zero_points: [3, -7],
        cell_bits: 3,
        cell_clip: 20_000,
        hidden: Product { factor: factor(2e-7), ..product },
        projection: projected.then_some((Product { factor: factor(0.01), ..product }, 100)),
    };
    let mut args = vec![Arg::Absent; 24];
    args[0] = computed(DType::I8, &[batch, steps, sizes.inputs]);
    for k in (0..4).filter(|k| !coupled || *k > 0) {
        args[1 + k] = known(DType::I8, &[sizes.cells, sizes.inputs]);
        args[5 + k] = known(DType::I8, &[sizes.cells, sizes.outputs]);
        args[12 + k] = known(DType::I32, &[sizes.cells]);
    }
    for i in (9..12).filter(|_| !coupled) {
        args[i] = known(DType::I16, &[sizes.cells]);
    }
    if projected {
        args[16] = known(DType::I8, &[sizes.outputs, sizes.cells]);
        args[17] = known(DType::I32, &[sizes.outputs]);
    }
    args[18] = computed(DType::I8, &[batch, sizes.outputs]);
    args[19] = computed(DType::I16, &[batch, sizes.cells]);
    Case::new(LstmIntegers { layer, time_major: false }, args).gives(DType::I8)
}

fn layers() -> Vec<Case> {
    let mut cases: Vec<_> = [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .flat_map(|(coupled, projected)| [(1, 1), (2, 7)].map(|(b, t)| recurrent(coupled, projected, b, t)))
        .collect();
    for (batch, rank, steps) in [(1, 1, 1), (2, 2, 5), (3, 3, 4)] {
        let op = SvdfIntegers { rank, zero_points: [4, -9], factors: [factor(0.7), factor(1e-5)] };
        let filters = 3 * rank;
        let args = [
            computed(DType::I8, &[batch, 7]),
            known(DType::I8, &[filters, 7]),
            known(DType::I16, &[filters, steps]),
            known(DType::I32, &[3]),
            computed(DType::I16, &[batch, filters * steps]),
        ];
        cases.push(Case::new(op, args).gives(DType::I8));
    }
    cases
}

#[test]
fn integer_pools() {
    check(pools());
}

#[test]
fn integer_sums_and_products() {
    check(reductions());
}

#[test]
fn integer_rows() {
    check(rows());
}

#[test]
fn integer_resizes() {
    let shapes: [(&[u32], [u32; 2]); 5] = [
        (&[1, 1, 1, 3], [4, 5]),
        (&[1, 4, 5, 4], [8, 8]),
        (&[2, 7, 5, 6], [13, 3]),
        (&[1, 5, 3, 8], [2, 11]),
        (&[1, 9, 7, 1], [5, 7]),
    ];
    let mut cases = Vec::new();
    for (dims, size) in shapes {
        for (align_corners, half_pixel_centers) in [(false, false), (true, false), (false, true)] {
            let resize = Resize { size: Some(size), nearest: false, align_corners, half_pixel_centers };
            for (dtype, rule) in [
                (DType::I8, Rule::FixedPoint),
                (DType::I16, Rule::FixedPoint),
                (DType::U8, Rule::Float),
                (DType::I8, Rule::Xnnpack),
                (DType::U8, Rule::Xnnpack),
            ] {
                let op = ResizeBilinearIntegers { resize: resize.clone(), rule };
                cases.push(Case::new(op, [computed(dtype, dims)]).gives(dtype));
            }
        }
    }
    check(cases);
}

#[test]
fn recurrent_layers() {
    check(layers());
}

/// Sums take several dispatches then, and steps in time too.
#[test]
fn few_rounds() {
    check_few_rounds(300, layers());
}
