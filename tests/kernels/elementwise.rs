//! Every elementwise step on the device against `StepOp::apply`, alone and as part of an epilogue.

use std::collections::BTreeSet;

use tflite_vulkan::ir::{Broadcast, Operand, Shape, Step, StepOp};
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::unary::Unary;

use crate::harness::{Arg, Case, check, constant, tensor};

/// Which numbers a function is tried with.
#[derive(Clone, Copy, PartialEq)]
enum Domain {
    All,
    Positive,
}

const UNARY: &[(StepOp, Domain)] = &[
    (StepOp::Clamp { lo: 0.0, hi: f32::INFINITY }, Domain::All),
    (StepOp::Clamp { lo: -1.0, hi: 1.0 }, Domain::All),
    (StepOp::LeakyRelu { alpha: 0.25 }, Domain::All),
    (StepOp::LeakyRelu { alpha: 1.5 }, Domain::All),
    (StepOp::Elu, Domain::All),
    (StepOp::Logistic, Domain::All),
    (StepOp::Tanh, Domain::All),
    (StepOp::HardSwish, Domain::All),
    (StepOp::Gelu, Domain::All),
    (StepOp::GeluApproximate, Domain::All),
    (StepOp::Abs, Domain::All),
    (StepOp::Neg, Domain::All),
    (StepOp::Exp, Domain::All),
    (StepOp::Log, Domain::Positive),
    (StepOp::Sqrt, Domain::Positive),
    (StepOp::Rsqrt, Domain::Positive),
    (StepOp::Square, Domain::All),
    (StepOp::Sin, Domain::All),
    (StepOp::Cos, Domain::All),
    (StepOp::Floor, Domain::All),
    (StepOp::Ceil, Domain::All),
    (StepOp::Round, Domain::All),
    (StepOp::Sign, Domain::All),
];

/// The domain of the first operand.
const BINARY: &[(StepOp, Domain)] = &[
    (StepOp::Add, Domain::All),
    (StepOp::Sub, Domain::All),
    (StepOp::Mul, Domain::All),
    (StepOp::Div, Domain::All),
    (StepOp::Maximum, Domain::All),
    (StepOp::Minimum, Domain::All),
    (StepOp::SquaredDifference, Domain::All),
    (StepOp::Prelu, Domain::All),
    (StepOp::Pow, Domain::Positive),
    (StepOp::FloorDiv, Domain::All),
    (StepOp::FloorMod, Domain::All),
];

/// 84 numbers from -10.5 to 10.25, ties of rounding and 0 among them; positive ones from 1/8 on.
fn number(i: u32, domain: Domain) -> f32 {
    match domain {
        Domain::All => (i as f32 - 42.0) / 4.0,
        Domain::Positive => (i as f32 + 1.0) / 8.0,
    }
}

fn numbers(shape: [u32; 2], domain: Domain) -> Arg {
    let data = (0..shape[0] * shape[1]).map(|i| number(i % 84, domain)).collect();
    Arg::Numbers(Shape::from(shape), data)
}

/// Second operands: not 0, and small enough as exponents.
fn others(shape: [u32; 2]) -> Arg {
    let data = (0..shape[0] * shape[1]).map(|i| [2.0, -0.5, 3.0, 0.75, -1.25][i as usize % 5]).collect();
    Arg::Numbers(Shape::from(shape), data)
}

/// With one element per invocation and with four.
const SHAPES: [[u32; 2]; 2] = [[12, 7], [7, 12]];

#[test]
fn every_step_alone() {
    let unary = UNARY.iter().flat_map(|&(op, domain)| {
        SHAPES.map(|shape| Case::new(Unary(op), [numbers(shape, domain)]).elementwise())
    });
    let binary = BINARY.iter().flat_map(|&(op, domain)| {
        SHAPES.map(|shape| Case::new(Binary(op), [numbers(shape, domain), others(shape)]).elementwise())
    });
    check(unary.chain(binary));
}

#[test]
fn no_step_is_forgotten() {
    let tried: BTreeSet<u32> = UNARY.iter().chain(BINARY).map(|(op, _)| op.code()).collect();
    assert_eq!(tried, BTreeSet::from_iter(StepOp::CODES.iter().copied()));
    assert_eq!(tried.len(), StepOp::CODES.len(), "two functions have one number");
}

#[test]
fn an_operand_spreads_in_every_way() {
    let operands: [(&[u32], Broadcast); 6] = [
        (&[2, 3, 5, 8], Broadcast::Full),
        (&[8], Broadcast::Channel),
        (&[2, 3, 5, 1], Broadcast::Row),
        (&[2, 1, 1, 8], Broadcast::Batch),
        (&[2, 3, 1, 8], Broadcast::Batch),
        (&[1, 1], Broadcast::One),
    ];
    let mut cases = Vec::new();
    for (dims, broadcast) in operands {
        for channels in [8, 5] {
            for swapped in [false, true] {
                let with = |n: u32| if n == 8 { channels } else { n };
                let dims: Vec<u32> = dims.iter().map(|&n| with(n)).collect();
                let step = Step { op: StepOp::Sub, operand: Operand::Input { input: 1, broadcast }, swapped };
                for arg in [tensor(&dims), constant(&dims)] {
                    let x = tensor(&[2, 3, 5, channels]);
                    cases.push(Case::new(Unary(StepOp::Abs), [x, arg]).step(step));
                }
            }
        }
    }
    check(cases);
}

#[test]
fn binary_operands_broadcast() {
    let shapes: &[(&[u32], &[u32])] = &[
        (&[], &[]),
        (&[1], &[3]),
        (&[2, 3], &[]),
        (&[3], &[2, 3]),
        (&[4, 1], &[1, 4]),
        (&[1, 5, 1, 4], &[2, 1, 3, 4]),
        (&[2, 5, 3, 1], &[2, 1, 3, 4]),
        (&[2, 1, 3, 1, 5, 1], &[1, 4, 1, 3, 1, 4]),
        (&[7, 1, 8], &[1, 9, 8]),
        (&[2, 3, 5, 7], &[2, 3, 1, 7]),
        (&[2, 3, 5, 7], &[1, 3, 1, 7]),
    ];
    let cases = shapes.iter().flat_map(|(a, b)| {
        [(a, b), (b, a)].into_iter().flat_map(|(a, b)| {
            [StepOp::Sub, StepOp::Add]
                .into_iter()
                .flat_map(move |op| {
                    [
                        Case::new(Binary(op), [tensor(a), tensor(b)]),
                        Case::new(Binary(op), [tensor(a), constant(b)]),
                    ]
                })
                .collect::<Vec<_>>()
        })
    });
    check(cases);
}

#[test]
fn a_full_epilogue() {
    let input = |input, broadcast| Operand::Input { input, broadcast };
    let step = |op, operand, swapped| Step { op, operand, swapped };
    let cases = [8, 7].map(|channels| {
        Case::new(Binary(StepOp::Mul), [tensor(&[2, 3, 4, channels]), tensor(&[2, 3, 4, channels])])
            .arg(constant(&[channels]))
            .arg(tensor(&[2, 1, 1, channels]))
            .step(step(StepOp::Add, input(2, Broadcast::Channel), false))
            .step(Step::unary(StepOp::Clamp { lo: -0.5, hi: 6.0 }))
            .step(step(StepOp::Mul, input(3, Broadcast::Batch), false))
            .step(step(StepOp::Sub, Operand::Scalar(0.25), true))
            .step(step(StepOp::Add, input(2, Broadcast::Channel), false))
    });
    check(cases);
}

/// Numbers that functions treat in a way of their own.
const SPECIAL: &[f32] = &[
    0.0,
    -0.0,
    1e-40,
    -1e-40,
    1e-30,
    -1e-30,
    1e30,
    -1e30,
    f32::MAX,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    -1.5,
    2.0,
    -2.0,
    2.5,
    -3.0,
    4.0,
    12.0,
    3.3,
    9.9,
    -7.0,
    1e5,
    16_777_217.0,
    -0.1,
    88.0,
    -104.0,
];

/// The numbers in rows of four and in rows of one.
fn rows_of(data: &[f32]) -> [Arg; 2] {
    let count = data.len() as u32;
    [[count / 4, 4], [count, 1]].map(|shape| Arg::Numbers(Shape::from(shape), data.to_vec()))
}

/// Every number of `SPECIAL` with every one that `keep` accepts.
fn pairs(keep: impl Fn(f32, f32) -> bool) -> (Vec<f32>, Vec<f32>) {
    let all = SPECIAL.iter().flat_map(|&x| SPECIAL.iter().map(move |&y| (x, y)));
    let mut kept: Vec<_> = all.filter(|&(x, y)| keep(x, y)).collect();
    kept.truncate(kept.len() / 4 * 4);
    kept.into_iter().unzip()
}

fn binary_values(op: StepOp, (x, y): &(Vec<f32>, Vec<f32>), tolerance: f32) -> Vec<Case> {
    let operands = rows_of(x).into_iter().zip(rows_of(y));
    operands.map(|(x, y)| Case::new(Binary(op), [x, y]).values(tolerance)).collect()
}

#[test]
fn unary_functions_of_special_values() {
    let large: Vec<f32> = (0..64).map(|i| 5000.0 * 1.7_f32.powi(i)).collect();
    // Negative denormal numbers may be 0 to a device: what jumps there is left out.
    let exact = [StepOp::Abs, StepOp::Sign, StepOp::Round];
    let near = [StepOp::Exp, StepOp::Log, StepOp::Sqrt, StepOp::Rsqrt, StepOp::Sin, StepOp::Cos, StepOp::Neg];
    let activations = [
        StepOp::Clamp { lo: 0.0, hi: f32::INFINITY },
        StepOp::Clamp { lo: -1.0, hi: 6.0 },
        StepOp::LeakyRelu { alpha: 0.25 },
        StepOp::Logistic,
        StepOp::Tanh,
        StepOp::HardSwish,
    ];
    let near = near.into_iter().chain(activations);
    let exact = exact.into_iter().map(|op| (op, 0.0));
    let mut cases = Vec::new();
    for (op, tolerance) in exact.chain(near.map(|op| (op, 1e-5))) {
        let finite = |x: &&f32| op != StepOp::Abs || x.is_nan() || x.is_normal() || **x == 0.0;
        let data: Vec<f32> = SPECIAL.iter().chain(&large).filter(finite).copied().collect();
        let data = &data[..data.len() / 4 * 4];
        cases.extend(rows_of(data).map(|x| Case::new(Unary(op), [x]).values(tolerance)));
    }
    check(cases);
}

#[test]
fn operations_of_special_values_are_exact() {
    let all = pairs(|_, _| true);
    let hard = [(9.9, 3.3), (6.6, 2.2), (33333.0, 0.1), (-7.0, -0.1), (1e7, 0.1), (1e30, 1e-3), (3e38, 7.0)];
    let signs = [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)];
    let hard = hard.iter().flat_map(|&(x, y)| signs.map(|(s, t)| (s * x, t * y))).unzip();
    // A device may take denormal numbers for 0.
    let flushed = f32::MIN_POSITIVE;
    let ops = [
        (StepOp::FloorDiv, 0.0),
        (StepOp::FloorMod, 0.0),
        (StepOp::Maximum, flushed),
        (StepOp::Minimum, flushed),
    ];
    let both = |(op, tolerance)| [&all, &hard].into_iter().flat_map(move |x| binary_values(op, x, tolerance));
    check(ops.into_iter().flat_map(both));
}

#[test]
fn slopes_may_be_infinite() {
    // A device may take denormal numbers for 0.
    let data = pairs(|x, y| !x.is_subnormal() && !y.is_subnormal());
    check(binary_values(StepOp::Prelu, &data, 1e-5));
}

#[test]
fn powers_are_those_of_c() {
    let bases = (1..=16).flat_map(|x| [x, -x]);
    let whole = bases.flat_map(|x| (0..=6).map(move |n| (x, n)));
    // As far as fp32 holds the result.
    let whole: Vec<_> = whole.filter(|&(x, n)| i64::from(x).pow(n).abs() < 1 << 24).collect();
    let whole = whole[..whole.len() / 4 * 4].iter().map(|&(x, n)| (x as f32, n as f32)).unzip();
    let twos = (-31..31).map(|n| (-2.0, 4.0 * n as f32 + 1.0)).take(60).unzip();
    let denormal = |z: f32| z != 0.0 && z.abs() < f32::MIN_POSITIVE;
    let special = pairs(|x, y| !denormal(x.powf(y)));
    let cases = [(&whole, 0.0), (&twos, 0.0), (&special, 1e-5)];
    check(cases.into_iter().flat_map(|(data, tolerance)| binary_values(StepOp::Pow, data, tolerance)));
}
