//! Which values fp16 keeps in 32 bits, and what that costs in dispatches.

use std::collections::BTreeSet;

use tflite_vulkan::caps::{Caps, Features};
use tflite_vulkan::compile::{Compiled, compile};
use tflite_vulkan::graph::{Graph, Mix, Reader, ValueId, beyond_fp16};
use tflite_vulkan::ir::StepOp;
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::ops::unary::Unary;
use tflite_vulkan::options::Precision;

use crate::net::{Net, RELU6};

fn compiled(graph: &Graph, mix: &Mix) -> Compiled {
    let caps = Caps::minimum();
    let caps = Caps { features: caps.features.with(Features::STORAGE_16), ..caps };
    compile(graph.clone(), &caps, mix, &heuristic).expect("it compiles")
}

/// The kernels of a graph in fp16, with these values in fp32.
fn kernels(graph: &Graph, wide: impl IntoIterator<Item = ValueId>) -> Vec<&'static str> {
    let mix = Mix { asked: Precision::Fp16, wide: wide.into_iter().collect() };
    compiled(graph, &mix).program.dispatches.iter().map(|dispatch| dispatch.kernel.name).collect()
}

fn unary(net: &mut Net, op: StepOp, x: ValueId) -> ValueId {
    net.node(&format!("{op:?}"), Unary(op), &[x], &[])
}

fn binary(net: &mut Net, op: StepOp, x: ValueId, e: ValueId) -> ValueId {
    net.node(&format!("{op:?}"), Binary(op), &[x, e], &[])
}

fn reduce(net: &mut Net, kind: ReduceKind, x: ValueId) -> ValueId {
    net.node("REDUCE", Reduce { kind, axes: vec![3], keep_dims: true }, &[x], &[])
}

#[test]
fn squares_and_their_means_are_wide_and_what_they_normalise_is_not() {
    let mut net = Net::default();
    let x = net.input(&[1, 4, 4, 8]);
    let square = binary(&mut net, StepOp::Mul, x, x);
    let mean = reduce(&mut net, ReduceKind::Mean, square);
    let root = unary(&mut net, StepOp::Rsqrt, mean);
    let y = binary(&mut net, StepOp::Mul, x, root);
    let graph = net.outputs(&[y]);
    assert_eq!(beyond_fp16(&graph), BTreeSet::from([square, mean, root]));
    assert_eq!(
        kernels(&graph, []),
        ["elementwise_f16", "reduce_f32_memory", "elementwise_f32", "elementwise_f16"],
        "no value is converted"
    );
}

#[test]
fn gates_and_activations_of_convolutions_stay_narrow() {
    let mut net = Net::default();
    let x = net.input(&[1, 4, 4, 8]);
    let y = net.conv(x, 3, 8, &[RELU6]);
    let pooled = reduce(&mut net, ReduceKind::Mean, y);
    let gate = unary(&mut net, StepOp::Logistic, pooled);
    let gated = binary(&mut net, StepOp::Mul, y, gate);
    let swish = unary(&mut net, StepOp::HardSwish, gated);
    let sum = binary(&mut net, StepOp::Add, swish, y);
    let z = net.conv(sum, 1, 8, &[]);
    let scores = net.node("SOFTMAX", Softmax { beta: 1.0, logarithm: false }, &[z], &[]);
    let graph = net.outputs(&[scores, sum]);
    assert_eq!(beyond_fp16(&graph), BTreeSet::new());
    assert!(compiled(&graph, &Precision::Fp16.into()).program.fp16_share() == 1.0);
}

#[test]
fn a_convolution_adds_what_is_wide_without_conversion() {
    for channels in [8, 6] {
        let mut net = Net::default();
        let x = net.input(&[1, 4, 4, 8]);
        let z = net.input(&[1, 4, 4, channels]);
        let square = unary(&mut net, StepOp::Square, z);
        let y = net.conv(x, 1, channels, &[]);
        let sum = binary(&mut net, StepOp::Add, y, square);
        let graph = net.outputs(&[sum]);
        assert_eq!(beyond_fp16(&graph), BTreeSet::from([square, sum]));
        let kernels = kernels(&graph, []);
        assert_eq!(kernels[0], "elementwise_f16");
        assert!(kernels.len() == 2 && kernels[1].starts_with("conv_2d_f16"), "{kernels:?}");
    }
}

#[test]
fn a_wide_end_costs_one_conversion_at_most() {
    let mut net = Net::default();
    let x = net.input(&[1, 4, 4, 8]);
    let a = net.conv(x, 3, 8, &[]);
    let b = net.conv(a, 1, 8, &[]);
    let c = net.conv(b, 1, 8, &[]);
    let graph = net.outputs(&[c]);
    let stores = |wide: &[ValueId]| {
        let kernels = kernels(&graph, wide.iter().copied());
        kernels.iter().map(|name| name.replace("conv_2d_", "")[..3].to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(stores(&[]), "f16 f16 f16");
    assert_eq!(stores(&[c]), "f16 f16 f16");
    assert_eq!(stores(&[b, c]), "f16 f16 f32");
    assert_eq!(stores(&[x, a]), "f32 f32 con f16");
    assert_eq!(stores(&[x, a, b, c]), "f32 f32 f32");
}

#[test]
fn a_wide_operand_that_is_broadcast_on_both_sides_is_not_narrowed() {
    let mut net = Net::default();
    let (x, z) = (net.input(&[5, 1, 4]), net.input(&[1, 6, 4]));
    let square = unary(&mut net, StepOp::Square, x);
    let y = binary(&mut net, StepOp::Mul, square, z);
    let graph = net.outputs(&[y]);
    let kernels = kernels(&graph, []);
    assert!(!kernels.contains(&"convert_f16") && kernels.last() == Some(&"elementwise_f32"), "{kernels:?}");
}

#[test]
fn what_is_rounded_outside_is_computed_in_32_bits() {
    let mut net = Net::default();
    let x = net.input(&[1, 4, 4, 8]);
    let a = net.conv(x, 1, 8, &[]);
    let b = net.conv(a, 1, 8, &[]);
    let other = net.conv(x, 3, 8, &[]);
    let mut graph = net.outputs(&[b, other]);
    graph.set_reader(b, Reader::Rounds);
    let share = compiled(&graph, &Precision::Fp16.into()).program.fp16_share();
    assert_eq!(share, 0.0, "x is wide, and so is all that reads it");
    graph.set_reader(b, Reader::Picks(1));
    assert_eq!(compiled(&graph, &Precision::Fp16.into()).program.fp16_share(), 1.0);
}
