//! Integers, booleans and what becomes of them: to the bit what the twins compute, with integers as wide as
//! the host has them and widened to 32 bits.

use tflite_vulkan::ir::{Activation, DType, FixedPoint, HostTensor, Quantization, Scalar, Shape};
use tflite_vulkan::ops::arithmetic::{Arithmetic, Function};
use tflite_vulkan::ops::cast::Cast;
use tflite_vulkan::ops::comparison::{Comparison, Relation, Scaling};
use tflite_vulkan::ops::dequantize::Dequantize;
use tflite_vulkan::ops::logical::Logical;
use tflite_vulkan::ops::quantize::{Quantize, Scale};
use tflite_vulkan::ops::select::Select;

use crate::harness::{Arg, Case, check};

const TYPES: [DType; 8] =
    [DType::F32, DType::F16, DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool];

/// Numbers of every size and sign, cut to what the type holds.
pub fn elements(dtype: DType, dims: &[u32]) -> HostTensor {
    let mut n: i64 = 0;
    HostTensor::moved(dtype, Shape::new(dims), |_| {
        n += 1;
        let wide = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()) >> (7 * n % 64);
        match dtype {
            DType::F32 => (wide as f32 / 8.0).to_bits().into(),
            DType::F16 => half::f16::from_f32((wide % 70_000) as f32 / 8.0).to_bits().into(),
            DType::Bool => (wide & 1).cast_unsigned(),
            _ => Scalar::int(dtype, if n % 5 == 0 { n } else { wide }).bits,
        }
    })
    .expect("it fits")
}

fn computed(dtype: DType, dims: &[u32]) -> Arg {
    Arg::Elements(elements(dtype, dims))
}

/// Shapes of two operands.
const PAIRS: [[&[u32]; 2]; 7] = [
    [&[], &[]],
    [&[7], &[7]],
    [&[3, 5], &[5]],
    [&[], &[3, 5]],
    [&[3, 1], &[1, 5]],
    [&[2, 1, 5, 1], &[7, 1, 4]],
    [&[2, 3, 1, 3, 2, 4], &[3, 1, 3, 1, 4]],
];

#[test]
fn arithmetic() {
    use Function::*;
    let binary = [Add, Sub, Mul, Div, Maximum, Minimum, SquaredDifference, Pow, FloorDiv, FloorMod];
    let mut cases = Vec::new();
    for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8] {
        let taken = |function: &Function| *function != Pow || dtype == DType::I32;
        for (n, function) in binary.into_iter().filter(taken).enumerate() {
            for dims in [PAIRS[1], PAIRS[n % PAIRS.len()]] {
                let args = dims.map(|dims| computed(dtype, dims));
                cases.push(Case::new(Arithmetic::new(function), args).gives(dtype));
            }
        }
        for function in [Abs, Neg, Sign] {
            cases.push(Case::new(Arithmetic::new(function), [computed(dtype, &[3, 7])]).gives(dtype));
        }
        for activation in [Activation::Relu, Activation::Relu6, Activation::ReluN1To1] {
            let args = [computed(dtype, &[37]), Arg::Known(elements(dtype, &[37]))];
            cases.push(Case::new(Arithmetic { function: Sub, activation }, args).gives(dtype));
        }
    }
    check(cases);
}

#[test]
fn comparisons() {
    let relations = [
        Relation::Equal,
        Relation::NotEqual,
        Relation::Greater,
        Relation::GreaterEqual,
        Relation::Less,
        Relation::LessEqual,
    ];
    let special = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40, -1e-40];
    let floats = |dims: [u32; 2]| Arg::Elements(HostTensor::f32(dims, special.to_vec()));
    let scaling =
        |zero_point, scale| Scaling { zero_point, scale: FixedPoint::new(scale).expect("positive") };
    let scalings = [[scaling(0, 0.5), scaling(0, 0.5)], [scaling(3, 0.003), scaling(-100, 0.004)]];
    let mut cases = Vec::new();
    for (n, relation) in relations.into_iter().enumerate() {
        let plain = Comparison { relation, scaling: None };
        cases.push(Case::new(plain.clone(), [floats([1, 9]), floats([9, 1])]).gives(DType::Bool));
        for dtype in TYPES {
            let args = PAIRS[n].map(|dims| computed(dtype, dims));
            cases.push(Case::new(plain.clone(), args).gives(DType::Bool));
        }
        for scaling in scalings {
            for dtype in [DType::I8, DType::U8] {
                let args = [computed(dtype, &[29, 1]), computed(dtype, &[37])];
                cases.push(
                    Case::new(Comparison { relation, scaling: Some(scaling) }, args).gives(DType::Bool),
                );
            }
        }
    }
    check(cases);
}

#[test]
fn booleans() {
    let both = [Logical::And, Logical::Or].into_iter().flat_map(|op| {
        PAIRS.map(|dims| Case::new(op, dims.map(|dims| computed(DType::Bool, dims))).gives(DType::Bool))
    });
    check(both.chain([Case::new(Logical::Not, [computed(DType::Bool, &[3, 7])]).gives(DType::Bool)]));
}

#[test]
fn select() {
    let shapes: [(bool, [&[u32]; 3]); 5] = [
        (false, [&[3, 5], &[3, 5], &[3, 5]]),
        (false, [&[2], &[2, 7, 5], &[2, 7, 5]]),
        (false, [&[], &[7], &[7]]),
        (true, [&[3, 1], &[5], &[3, 5]]),
        (true, [&[2, 1, 5, 1], &[7, 1, 3], &[]]),
    ];
    let cases = TYPES.into_iter().flat_map(|dtype| {
        shapes.map(|(spreads, [c, a, b])| {
            let args = [computed(DType::Bool, c), computed(dtype, a), computed(dtype, b)];
            Case::new(Select { spreads, declared: Shape::from([2]) }, args).gives(dtype)
        })
    });
    check(cases);
}

#[test]
fn casts() {
    let mut cases = Vec::new();
    for from in TYPES {
        for to in TYPES {
            cases.push(Case::new(Cast { from, to }, [computed(from, &[3, 37])]).gives(to));
        }
        cases.push(Case::new(Cast { from, to: DType::I32 }, [computed(from, &[])]).gives(DType::I32));
        cases.push(Case::new(Cast { from, to: DType::U8 }, [computed(from, &[1, 7])]).gives(DType::U8));
    }
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-40, 3e38, 2f32.powi(63)];
    for to in TYPES {
        let x = Arg::Elements(HostTensor::f32([7], special.to_vec()));
        cases.push(Case::new(Cast { from: DType::F32, to }, [x]).gives(to));
    }
    check(cases);
}

#[test]
fn quantisation() {
    let mut cases = Vec::new();
    for (scale, zero_point) in [(0.5, 0), (0.1, -128), (0.003_921_569, 127), (3.7, 5), (1e-3, 0)] {
        let halves: Vec<f32> = (-400..400).map(|n| (n as f32 + 0.5) * scale).collect();
        let numbers: Vec<f32> = halves
            .iter()
            .flat_map(|x| [x.next_down(), *x, x.next_up()])
            .chain([f32::NAN, 1e30, -1e30])
            .collect();
        for to in [DType::I8, DType::U8, DType::I16] {
            let x = Arg::Elements(HostTensor::f32([numbers.len() as u32], numbers.clone()));
            cases.push(Case::new(Quantize { from: Scale::Float(scale), to, zero_point }, [x]).gives(to));
        }
        for from in [DType::I32, DType::I16, DType::I8, DType::U8] {
            for to in [DType::I8, DType::U8, DType::I16] {
                let factor = FixedPoint::new(scale.into()).expect("positive");
                let op = Quantize { from: Scale::Integer { zero_point, factor }, to, zero_point };
                cases.push(Case::new(op, [computed(from, &[5, 37])]).gives(to));
            }
            let quant = Quantization { scale: vec![scale], zero_point: vec![zero_point], axis: 0 };
            let op = Dequantize { quant: Some(quant.into()), constant: false, long: false };
            if from != DType::I32 {
                cases.push(Case::new(op, [computed(from, &[5, 37])]).gives(DType::F32));
            }
        }
    }
    cases.push(
        Case::new(Dequantize { quant: None, constant: false, long: false }, [computed(DType::F16, &[9])])
            .gives(DType::F32),
    );
    check(cases);
}
