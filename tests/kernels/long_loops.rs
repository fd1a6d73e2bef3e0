//! Sums, maxima and products of more terms than one invocation may visit: Mesa's llvmpipe ends loops in silence
//! after some 65,500 rounds.

use std::sync::Arc;

use tflite_vulkan::caps::{Caps, DeviceKind, Features, Machine};
use tflite_vulkan::compile::compile;
use tflite_vulkan::graph::{Graph, Node};
use tflite_vulkan::ir::{Constant, Padding, Shape, SpatialPadding, Step, StepOp, TensorType, Window};
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::batch_matmul::BatchMatmul;
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;
use tflite_vulkan::ops::fully_connected::FullyConnected;
use tflite_vulkan::ops::l2_normalization::L2Normalization;
use tflite_vulkan::ops::pool_2d::{Pool2d, PoolKind};
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::ops::transpose_conv::{OutputShape, TransposeConv};
use tflite_vulkan::options::Precision;

use crate::harness::{Case, check, check_few_rounds, constant, tensor};

fn reduce(kind: ReduceKind, axes: &[i64]) -> Reduce {
    Reduce { kind, axes: axes.to_vec(), keep_dims: false }
}

fn window(size: [u32; 2], stride: [u32; 2], padding: Padding, zeros: SpatialPadding) -> Window {
    Window { size, stride, dilation: [1, 1], padding, zeros }
}

fn dense() -> FullyConnected {
    FullyConnected { keep_num_dims: false }
}

/// Each is beyond what llvmpipe would sum up in one piece.
#[test]
fn sums_of_millions() {
    let none = SpatialPadding::default();
    let pool = |kind| Pool2d { kind, window: window([300, 300], [7, 5], Padding::Same, none) };
    check([
        Case::new(reduce(ReduceKind::Sum, &[0]), [tensor(&[1_200_000, 3])]),
        Case::new(reduce(ReduceKind::Sum, &[1]), [tensor(&[1, 2_500_000])]),
        Case::new(reduce(ReduceKind::Sum, &[0, 2]), [tensor(&[900, 2, 1500])]),
        Case::new(pool(PoolKind::Average), [tensor(&[1, 301, 302, 1])]),
        Case::new(pool(PoolKind::Max), [tensor(&[1, 301, 302, 1])]),
        Case::new(Softmax { beta: 1.0, logarithm: true }, [tensor(&[1, 1_000_000])]),
        Case::new(L2Normalization, [tensor(&[1, 1_400_000])]),
        Case::new(dense(), [tensor(&[1, 2_400_000]), constant(&[1, 2_400_000])]).values(1e-3),
        Case::new(dense(), [tensor(&[6, 300_002]), constant(&[3, 300_002])]),
    ]);
}

#[test]
fn every_split_of_a_loop() {
    let kinds = [ReduceKind::Mean, ReduceKind::Product, ReduceKind::Largest, ReduceKind::Smallest];
    let shapes: [(&[u32], &[i64]); 5] = [
        (&[5003], &[0]),
        (&[3, 2001], &[1]),
        (&[2, 701, 3], &[1]),
        (&[1, 67, 61, 16], &[1, 2]),
        (&[3, 40, 2, 68], &[1, 3]),
    ];
    let sums =
        shapes.iter().flat_map(|(x, axes)| kinds.map(|kind| Case::new(reduce(kind, axes), [tensor(x)])));
    let zeros = [
        SpatialPadding::default(),
        SpatialPadding { h: [1, 2], w: [3, 0] },
        SpatialPadding { h: [0, 20], w: [0, 0] },
    ];
    let mut pools = Vec::new();
    for kind in [PoolKind::Average, PoolKind::Max] {
        for padding in [Padding::Same, Padding::Valid] {
            for zeros in zeros {
                for (size, stride, channels) in
                    [([7, 9], [2, 3], 4), ([12, 5], [1, 1], 3), ([2, 15], [5, 1], 8)]
                {
                    let pool = Pool2d { kind, window: window(size, stride, padding, zeros) };
                    let case = Case::new(pool, [tensor(&[2, 17, 16, channels]), constant(&[channels])]);
                    pools.push(case.step(Step::bias(1)).step(Step::unary(StepOp::HardSwish)));
                }
            }
        }
    }
    let rows = [&[3, 700], &[1, 2001]].into_iter().flat_map(|x: &[u32; 2]| {
        let softmax = [false, true].map(|logarithm| Case::new(Softmax { beta: 1.0, logarithm }, [tensor(x)]));
        softmax.into_iter().chain([Case::new(L2Normalization, [tensor(x)])])
    });
    let products = [(1, 6000, 5), (9, 1001, 4), (70, 516, 3)].into_iter().map(|(rows, depth, channels)| {
        Case::new(dense(), [tensor(&[rows, depth]), constant(&[channels, depth])])
    });
    check_few_rounds(40, sums.chain(pools).chain(rows).chain(products));
}

/// Why `op` is refused on a driver that runs on the CPU.
fn refusal(op: impl Operator + 'static, x: &[u32], w: Option<&[u32]>, is_constant: bool) -> String {
    let caps = Caps {
        kind: DeviceKind::Software,
        features: Features::SUBGROUP_QUAD,
        subgroup_size: 4,
        machine: Machine { max_rounds: 100, ..Machine::new(DeviceKind::Software, 0, None, 16384) },
        ..Caps::minimum()
    };
    let mut graph = Graph::default();
    let types: Vec<_> =
        [Some(x), w].into_iter().flatten().map(|dims| TensorType::f32(Shape::new(dims))).collect();
    let constant = |i: usize| {
        let shape = types[i].shape;
        (i == 1 && is_constant).then(|| Constant::from_f32(shape, &vec![0.0; shape.elements() as usize]))
    };
    let inputs: Vec<_> = types
        .iter()
        .enumerate()
        .map(|(i, ty)| graph.add_value(format!("x{i}"), ty.clone(), constant(i)))
        .collect();
    let shapes: Vec<_> = types.iter().map(|ty| Some(ty.shape)).collect();
    let y = graph.add_value("y", TensorType::f32(op.infer(&shapes).unwrap().remove(0)), None);
    graph.add_node(Node {
        op: Arc::new(op),
        inputs: inputs.iter().copied().map(Some).collect(),
        outputs: vec![y],
        epilogue: Vec::new(),
        origin: [0].into(),
        label: "NODE".into(),
    });
    let computed = if is_constant { &inputs[..1] } else { &inputs[..] };
    graph.set_interface(computed.to_vec(), vec![y]);
    compile(graph, &caps, &Precision::Fp32.into(), &heuristic)
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default()
}

/// What no kernel can split is refused while nodes are chosen.
#[test]
fn longer_loops_are_refused() {
    let none = SpatialPadding::default();
    let valid = |size| window(size, [1, 1], Padding::Valid, none);
    let transposed = TransposeConv { stride: [1, 1], padding: Padding::Valid, output: OutputShape::Computed };
    let matmul = BatchMatmul { swapped: [false; 2] };
    let pool = Pool2d { kind: PoolKind::Max, window: valid([60, 2]) };
    let softmax = Softmax { beta: 1.0, logarithm: false };
    let reasons = [
        refusal(matmul, &[4, 1000], Some(&[1000, 4]), false),
        refusal(Conv2d { window: valid([5, 5]) }, &[1, 9, 9, 64], Some(&[4, 5, 5, 64]), true),
        refusal(DepthwiseConv2d { window: valid([11, 11]) }, &[1, 20, 20, 3], Some(&[1, 11, 11, 3]), true),
        refusal(transposed, &[1, 9, 9, 64], Some(&[4, 3, 3, 64]), true),
        refusal(pool, &[1, 90, 9, 4], None, false),
        refusal(softmax, &[1, 100_000], None, false),
        refusal(dense(), &[1, 1_000_000], Some(&[1, 1_000_000]), true),
    ];
    for (i, reason) in reasons.iter().enumerate() {
        assert!(reason.contains("rounds of loops"), "{i}: {reason:?}");
    }
}
