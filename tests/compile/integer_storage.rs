//! Integers stay integers on the device, and need no more of it than it has.

use std::sync::Arc;

use tflite_vulkan::caps::{Caps, Features};
use tflite_vulkan::compile::compile;
use tflite_vulkan::graph::{Graph, Mix, Node, Storage};
use tflite_vulkan::ir::requantize::{Scaling, Target};
use tflite_vulkan::ir::{DType, FixedPoint, Padding, Shape, SpatialPadding, TensorType, Window};
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::arg_max::ArgMax;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::conv_2d_integers::Conv2dIntegers;
use tflite_vulkan::ops::conv_2d_wide_integers::Conv2dWideIntegers;
use tflite_vulkan::ops::depthwise_conv_2d_integers::DepthwiseConv2dIntegers;
use tflite_vulkan::ops::pad::{Border, Growth, Pad};
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::reduce_integers::ReduceIntegers;
use tflite_vulkan::ops::resize::Resize;
use tflite_vulkan::ops::resize_nearest_neighbor::ResizeNearestNeighbor;
use tflite_vulkan::ops::scaled_sum::{Followers, ScaledSum};
use tflite_vulkan::ops::transpose::Transpose;
use tflite_vulkan::options::Precision;
use tflite_vulkan::program::{BufferKind, Element};

/// One node with operands of these types that are computed before.
fn graph(op: Arc<dyn Operator>, operands: &[DType], result: DType) -> Graph {
    let mut graph = Graph::default();
    let ty = |dtype, shape: Shape| TensorType { dtype, ..TensorType::f32(shape) };
    let inputs: Vec<_> = operands
        .iter()
        .map(|dtype| graph.add_value("x", ty(*dtype, Shape::from([1, 3, 5, 7])), None))
        .collect();
    let shapes: Vec<_> = inputs.iter().map(|id| Some(graph.value(*id).ty.shape)).collect();
    let shape = op.infer(&shapes).expect("the operands fit")[0];
    let output = graph.add_value("y", ty(result, shape), None);
    graph.add_node(Node {
        op,
        inputs: inputs.iter().copied().map(Some).collect(),
        outputs: vec![output],
        epilogue: vec![],
        origin: [0].into(),
        label: "node".into(),
    });
    graph.set_interface(inputs, vec![output]);
    graph
}

#[test]
fn integers_are_stored_as_such_with_and_without_small_types() {
    let size = Resize { size: Some([2, 9]), nearest: true, align_corners: true, half_pixel_centers: false };
    let largest = Reduce { kind: ReduceKind::Largest, axes: vec![1, 2], keep_dims: false };
    let growth = vec![Growth::Add(0, 0), Growth::Add(1, 2), Growth::Add(0, 1), Growth::Add(3, 0)];
    let ops: [Arc<dyn Operator>; 5] = [
        Arc::new(Transpose { order: vec![3, 0, 2, 1] }),
        Arc::new(Pad { border: Border::Symmetric, growth }),
        Arc::new(Concatenation { axis: 3, count: 1 }),
        Arc::new(ResizeNearestNeighbor(size)),
        Arc::new(ReduceIntegers(largest)),
    ];
    let of = |features| Caps { features, ..Caps::minimum() };
    let devices = [of(Features::NONE), of(Features::STORAGE_16.with(Features::STORAGE_8))];
    for dtype in [DType::I64, DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool] {
        let moved = ops.iter().map(|op| graph(op.clone(), &[dtype], dtype));
        let found: Arc<dyn Operator> = Arc::new(ArgMax { axis: 1, largest: true, wide: true });
        for graph in moved.chain([graph(found, &[dtype], DType::I64)]) {
            devices.iter().for_each(|caps| check(&graph, caps));
        }
    }
}

/// Weights that are computed, and sums and means of numbers.
#[test]
fn sums_of_integers_are_stored_as_such() {
    let window = Window {
        size: [3, 5],
        stride: [1, 2],
        dilation: [1, 1],
        padding: Padding::Same,
        zeros: SpatialPadding::default(),
    };
    let scaled = |channels: usize| ScaledSum {
        x_zero_point: 3,
        w_zero_point: 0,
        scalings: vec![Scaling::fixed(0.5, 0.25, 1.0).expect("a factor"); channels].into(),
        target: Target { zero_point: -3, bounds: [-128, 127] },
        followers: Followers::default(),
    };
    let wide = Conv2dWideIntegers {
        window,
        depthwise: true,
        factors: vec![FixedPoint::new(0.01).expect("a factor"); 7].into(),
        twice: false,
        bounds: [-32_768, 32_767],
    };
    let of = |features| Caps { features, ..Caps::minimum() };
    let devices = [of(Features::NONE), of(Features::STORAGE_16.with(Features::STORAGE_8))];
    let reduce = |kind| Arc::new(ReduceIntegers(Reduce { kind, axes: vec![1, 3], keep_dims: true }));
    let graphs = [
        graph(Arc::new(Conv2dIntegers { window, sum: scaled(1) }), &[DType::I8; 2], DType::I8),
        graph(Arc::new(DepthwiseConv2dIntegers { window, sum: scaled(7) }), &[DType::U8; 2], DType::U8),
        graph(Arc::new(wide), &[DType::I16, DType::I8], DType::I16),
        graph(reduce(ReduceKind::Sum), &[DType::I32], DType::I32),
        graph(reduce(ReduceKind::Mean), &[DType::I64], DType::I64),
        graph(reduce(ReduceKind::Product), &[DType::U8], DType::U8),
    ];
    for graph in &graphs {
        devices.iter().for_each(|caps| check(graph, caps));
    }
}

/// Every value has an integer element, every buffer its size, and every kernel what it needs.
fn check(graph: &Graph, caps: &Caps) {
    for precision in [Precision::Fp32, Precision::Fp16] {
        let mix = Mix::of(precision);
        let storage = Storage::assign(graph, caps, &mix);
        let compiled = compile(graph.clone(), caps, &mix, &heuristic).expect("the graph compiles");
        let program = &compiled.program;
        assert!(caps.features.contains(program.needs()), "{program}");
        let small = caps.features.contains(Features::STORAGE_8);
        for (id, value) in graph.values() {
            let element = storage.element(id);
            let bytes = if small { value.ty.dtype.bytes() } else { value.ty.dtype.bytes().max(4) };
            assert!(element.store().is_none() && element.bytes() == bytes, "{} is {element:?}", value.ty);
        }
        for buffer in &program.buffers {
            if let (BufferKind::Input(_) | BufferKind::Output(_), Some(host)) = (&buffer.kind, buffer.host) {
                assert!(host.element.store().is_none(), "{host:?}");
                assert_eq!(buffer.bytes, (host.elements * host.element.bytes()).next_multiple_of(4));
                assert!(host.element == Element::native(host.dtype) || !small, "{host:?}");
            }
        }
    }
}
