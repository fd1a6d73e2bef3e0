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
