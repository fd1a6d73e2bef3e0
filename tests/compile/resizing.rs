//! Other input shapes for a graph: inferred anew, and with the same pipelines.

use std::collections::HashSet;

use tflite_vulkan::caps::Caps;
use tflite_vulkan::compile::{compile, reshape};
use tflite_vulkan::graph::Graph;
use tflite_vulkan::ir::{Padding, Shape, StepOp};
use tflite_vulkan::lower::{Tactics, heuristic};
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::pool_2d::{self, Pool2d};
use tflite_vulkan::ops::reduce::{self, Reduce};
use tflite_vulkan::ops::reshape::Reshape;
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::ops::strided_slice::{Entry, StridedSlice};
use tflite_vulkan::ops::transpose::Transpose;
use tflite_vulkan::ops::unary::Unary;
use tflite_vulkan::options::Precision;
use tflite_vulkan::program::{Dispatch, TacticKey};

use crate::allocations::allocations;
use crate::net::{Net, RELU, window};

/// Most operators in one graph, for pictures of any size.
fn graph() -> Graph {
    let mut net = Net::default();
    let x = net.input(&[1, 8, 8, 8]);
    let y = net.conv(x, 3, 8, &[RELU]);
    let max = Pool2d { kind: pool_2d::PoolKind::Max, window: window([2, 2], [2, 2], Padding::Same) };
    let pooled = net.node("MAX_POOL_2D", max, &[y], &[]);
    let both = net.node("CONCATENATION", Concatenation { axis: 3, count: 2 }, &[pooled, pooled], &[]);
    let all = Entry::Range { begin: None, end: None, stride: 1 };
    let half = Entry::Range { begin: Some(0), end: None, stride: 2 };
    let slice = net.node("STRIDED_SLICE", StridedSlice { entries: vec![all, half] }, &[both], &[]);
    let nchw = net.node("TRANSPOSE", Transpose { order: vec![0, 3, 1, 2] }, &[slice], &[]);
    let flat = net.node("RESHAPE", Reshape::To(vec![16, -1]), &[nchw], &[]);
    let soft = net.node("SOFTMAX", Softmax { beta: 1.0, logarithm: false }, &[both], &[]);
    let mean = Reduce { kind: reduce::ReduceKind::Mean, axes: vec![1, 2], keep_dims: true };
    let mean = net.node("MEAN", mean, &[soft], &[]);
    let scaled = net.node("MUL", Binary(StepOp::Mul), &[both, mean], &[]);
    net.outputs(&[flat, scaled])
}

#[test]
fn shapes_are_inferred() {
    let mut graph = graph();
    let shapes =
        |graph: &Graph| -> Vec<Shape> { graph.outputs().iter().map(|o| graph.value(*o).ty.shape).collect() };
    assert_eq!(shapes(&graph), [Shape::from([16, 8]), Shape::from([1, 4, 4, 16])]);
    reshape(&mut graph, &[Shape::from([3, 9, 14, 8])]).unwrap();
    assert_eq!(shapes(&graph), [Shape::from([16, 63]), Shape::from([3, 5, 7, 16])]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let mut graph = graph();
    let error = reshape(&mut graph, &[Shape::from([1, 8, 8])]).unwrap_err().to_string();
    assert!(error.contains("CONV_2D") && error.contains("[1,8,8] is not NHWC"), "{error}");
}

#[test]
fn what_a_device_cannot_bind_or_a_kernel_cannot_count_is_an_error() {
    let mut net = Net::default();
    let x = net.input(&[1, 8]);
    let y = net.node("RELU", Unary(RELU.op), &[x], &[]);
    let sum = Reduce { kind: reduce::ReduceKind::Sum, axes: vec![0, 1], keep_dims: false };
    let sum = net.node("SUM", sum, &[y], &[]);
    let imported = net.outputs(&[sum]);
    let caps = Caps { max_storage_range: 1 << 20, ..Caps::minimum() };
    let error = |rows: u32| {
        let mut graph = imported.clone();
        reshape(&mut graph, &[Shape::from([rows, 8])])
            .and_then(|()| compile(graph, &caps, &Precision::Fp32.into(), &heuristic).map(drop))
            .map_err(|e| e.to_string())
    };
    assert_eq!(error(0), Ok(()));
    assert_eq!(error(1 << 15), Ok(()));
    let large = error((1 << 15) + 1).unwrap_err();
    assert!(large.contains("1048608 bytes, which exceeds maxStorageBufferRange 1048576"), "{large}");
    let huge = error(u32::MAX).unwrap_err();
    assert!(huge.contains("more elements than a kernel can count"), "{huge}");
}

/// A resize compiles no pipeline: kernels and specialisation constants do not depend on the batch
/// or on height and width, whatever was tuned.
#[test]
fn pipelines_stay() {
    let mut choices = 0;
    for nth in 0..8 {
        let tactics = |_: &TacticKey, candidates: &[String]| nth.min(candidates.len() - 1);
        choices += pipelines_stay_with(&tactics);
    }
    assert!(choices > 0, "there is nothing to choose");
}

/// Returns the number of choices.
fn pipelines_stay_with(tactics: &dyn Tactics) -> usize {
    let mut choices = 0;
    let mut pipelines = |shape: Shape| -> HashSet<(&'static str, Vec<u32>)> {
        let mut graph = graph();
        reshape(&mut graph, &[shape]).unwrap();
        let compiled = compile(graph, &Caps::minimum(), &Precision::Fp32.into(), tactics).unwrap();
        choices += compiled.program.choices.len();
        compiled.program.dispatches.iter().map(|d| (d.kernel.name, d.spec.clone())).collect()
    };
    let before = pipelines(Shape::from([1, 8, 8, 8]));
    for shape in [[1, 16, 16, 8], [2, 8, 8, 8], [3, 9, 15, 8], [1, 200, 300, 8]] {
        let new: Vec<_> = pipelines(Shape::from(shape)).difference(&before).cloned().collect();
        assert!(new.is_empty(), "{shape:?}: {new:?}");
    }
    choices
}

/// A pooling of the whole picture is a reduction; the kernel for windows that a larger picture needs is spared.
#[test]
fn a_larger_picture_needs_no_other_pooling() {
    let pipelines = |shape: [u32; 4]| {
        let mut net = Net::default();
        let x = net.input(&[1, 4, 4, 8]);
        let pool =
            Pool2d { kind: pool_2d::PoolKind::Average, window: window([4, 4], [1, 1], Padding::Valid) };
        let y = net.node("AVERAGE_POOL_2D", pool, &[x], &[]);
        let mut graph = net.outputs(&[y]);
        reshape(&mut graph, &[Shape::from(shape)]).unwrap();
        let program = compile(graph, &Caps::minimum(), &Precision::Fp32.into(), &heuristic).unwrap().program;
        let of = |all: &[Dispatch]| -> HashSet<_> {
            all.iter().map(|d| (d.kernel.name, d.spec.clone())).collect()
        };
        (of(&program.dispatches), of(&program.spare))
    };
    let (first, spare) = pipelines([1, 4, 4, 8]);
    let (second, none) = pipelines([2, 9, 5, 8]);
    assert_eq!((spare, none), (second.clone(), HashSet::new()));
    assert!(first.is_disjoint(&second));
}

/// Another shape of a graph of many nodes is compiled with few allocations for each of them: nodes and names are shared
/// with the graph as imported.
#[test]
fn a_resize_allocates_little_per_node() {
    const NODES: usize = 3000;
    let mut net = Net::default();
    let x = net.input(&[1, 64]);
    let pair = |y, _| {
        let sum = net.node("ADD", Binary(StepOp::Add), &[y, x], &[]);
        net.node("TANH", Unary(StepOp::Tanh), &[sum], &[])
    };
    let y = (0..NODES / 2).fold(x, pair);
    let imported = net.outputs(&[y]);
    let count = allocations(|| {
        let mut graph = imported.clone();
        reshape(&mut graph, &[Shape::from([7, 64])]).unwrap();
        compile(graph.clone(), &Caps::minimum(), &Precision::Fp32.into(), &heuristic).unwrap();
    });
    assert!(count <= 20 * NODES, "{count} allocations for {NODES} nodes");
}
