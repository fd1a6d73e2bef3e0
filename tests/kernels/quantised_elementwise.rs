//! Functions of quantised integers: to the bit what the twins compute, with integers as wide as the host has them and
//! widened to 32 bits.

use tflite_vulkan::ir::{Activation, DType, HostTensor, Quantization, Scalar, Shape, TensorType};
use tflite_vulkan::ops::affine::Affine;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::concatenation_integers::ConcatenationIntegers;
use tflite_vulkan::ops::lookup::{self, Lookup, Mapping};
use tflite_vulkan::ops::quantize::{Quantize, Scale};
use tflite_vulkan::ops::quantized_binary::{Function, QuantizedBinary, QuantizedFunction};
use tflite_vulkan::options::Integers;

use crate::harness::{Arg, Case, check};

const TYPES: [DType; 3] = [DType::I16, DType::I8, DType::U8];

fn computed(dtype: DType, dims: &[u32]) -> Arg {
    let mut n: i64 = 0;
    let numbers = HostTensor::moved(dtype, Shape::new(dims), |_| {
        n += 1;
        Scalar::int(dtype, n * n * 31 + n * 7 - 90).bits
    });
    Arg::Elements(numbers.expect("it fits"))
}

fn ty(dtype: DType, scale: f32, zero_point: i32) -> TensorType {
    let zero_point = if dtype == DType::I16 { 0 } else { zero_point };
    let quant = Quantization { scale: vec![scale], zero_point: vec![zero_point], axis: 0 };
    TensorType { dtype, quant: Some(std::sync::Arc::new(quant)), ..TensorType::f32([1]) }
}

fn mapping(function: lookup::Function, dtype: DType) -> Lookup {
    let affine = |scale, zero_point| Affine::of(&ty(dtype, scale, zero_point)).expect("it is well formed");
    let (from, to) = (affine(0.01, 5), affine(0.007, 100));
    Lookup::Function(Mapping { function, dtype, from, to, kernels: Integers::Reference })
}

#[test]
fn tables() {
    let mut cases = Vec::new();
    for dtype in TYPES {
        for (n, dims) in [&[][..], &[3], &[7, 5], &[2, 3, 8], &[1024]].into_iter().enumerate() {
            let function = [lookup::Function::Abs, lookup::Function::LeakyRelu { alpha: 0.3 }][n % 2];
            cases.push(Case::new(mapping(function, dtype), [computed(dtype, dims)]).gives(dtype));
        }
    }
    check(cases);
}

#[test]
fn functions_of_two() {
    let shapes: [[&[u32]; 2]; 8] = [
        [&[], &[]],
        [&[7], &[7]],
        [&[2, 3, 8], &[2, 3, 8]],
        [&[3, 5], &[5]],
        [&[3, 8], &[8]],
        [&[3, 8], &[3, 1]],
        [&[2, 1, 5, 1], &[7, 1, 4]],
        [&[2, 3, 1, 3, 2, 4], &[3, 1, 3, 1, 4]],
    ];
    let functions = [Function::Add, Function::Sub, Function::Mul, Function::Div, Function::SquaredDifference];
    let mut cases = Vec::new();
    for dtype in TYPES {
        let types = [ty(dtype, 0.02, 3), ty(dtype, 0.05, 120), ty(dtype, 0.06, 100)];
        for xnnpack in [false, true] {
            for (n, function) in functions.into_iter().enumerate() {
                for dims in [shapes[n], shapes[n + 3]] {
                    let activation = [Activation::None, Activation::Relu6][n % 2];
                    let types = [&types[0], &types[1], &types[2]];
                    let op = QuantizedFunction::of(function, types, activation, xnnpack, false);
                    let op = QuantizedBinary(op.expect("it is well formed"));
                    cases.push(Case::new(op, dims.map(|dims| computed(dtype, dims))).gives(dtype));
                }
            }
        }
    }
    check(cases);
}

#[test]
fn other_scales() {
    let plain = Concatenation { axis: 1, count: 3 };
    let table = mapping(lookup::Function::Identity, DType::U8);
    let op = ConcatenationIntegers { plain, tables: vec![Some(table.clone()), None, Some(table)] };
    let args = [[2, 3], [2, 4], [2, 1]].map(|dims| computed(DType::U8, &dims));
    let mut cases = vec![Case::new(op, args).gives(DType::U8)];
    let floats = [0.25, -0.25, 0.75, 1e30, -1e30, f32::NAN, f32::INFINITY, 3.1, 0.0, 1e-40, 62.5];
    for to in [DType::I8, DType::U8] {
        let op = Quantize { from: Scale::Reciprocal(2.0), to, zero_point: 3 };
        let x = HostTensor::f32([floats.len() as u32], floats.to_vec());
        cases.push(Case::new(op, [Arg::Elements(x)]).gives(to));
    }
    check(cases);
}
