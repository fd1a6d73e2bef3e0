//! What the passes do to small graphs, and what they decline with which reason.

use tflite_vulkan::caps::Caps;
use tflite_vulkan::graph::{Graph, Storage, ValueId};
use tflite_vulkan::ir::{HostTensor, Padding, Scalar, Step, StepOp};
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;
use tflite_vulkan::ops::dequantize::Dequantize;
use tflite_vulkan::ops::pad::{Border, Growth, Pad};
use tflite_vulkan::ops::pool_2d::{Pool2d, PoolKind};
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::ops::unary::Unary;
use tflite_vulkan::options::Precision;
use tflite_vulkan::passes;
use tflite_vulkan::reference;

use crate::net::{Net, RELU, RELU6, window};

/// Builds a graph and returns its outputs.
type Build = fn(&mut Net) -> Vec<ValueId>;

/// The graph before the passes, the one after them, and what they did.
fn around(build: Build) -> (Graph, Graph, Vec<passes::Outcome>) {
    let mut net = Net::default();
    let outputs = build(&mut net);
    let before = net.outputs(&outputs);
    let mut graph = before.clone();
    let caps = Caps::minimum();
    let storage = Storage::assign(&graph, &caps, &Precision::Fp32.into());
    let outcomes = passes::run(&mut graph, &caps, &storage).expect("the passes run");
    (before, graph, outcomes)
}

/// What a graph makes of the same small numbers as any other graph with its inputs.
fn results(graph: &Graph) -> Vec<f32> {
    let inputs = graph.inputs().iter().map(|id| {
        let shape = graph.value(*id).ty.shape;
        let data = (0..shape.elements()).map(|i| (i * 5 % 13) as f32 / 4.0 - 1.5).collect();
        HostTensor::f32(shape, data)
    });
    let outputs = reference::run(graph, &inputs.collect::<Vec<_>>()).expect("the reference runs");
    outputs.into_iter().flat_map(|output| output.floats().to_vec()).collect()
}

/// `x · s + t`, as a depthwise convolution of single pixels is read.
fn scale(net: &mut Net, x: ValueId) -> ValueId {
    let (s, t) = (net.constant(&[1, 1, 1, 8]), net.constant(&[8]));
    net.node("MUL", Binary(StepOp::Mul), &[x, s, t], &[Step::bias(2)])
}

fn prelu(net: &mut Net, x: ValueId) -> ValueId {
    let slope = net.constant(&[8]);
    net.node("PRELU", Binary(StepOp::Prelu), &[x, slope], &[])
}

/// What is left of a graph: the nodes' labels, each with the number of its fused steps.
fn left(graph: &Graph) -> String {
    let show = |label: &str, steps: usize| if steps == 0 { label.into() } else { format!("{label}/{steps}") };
    graph.nodes().map(|(_, n)| show(&n.label, n.epilogue.len())).collect::<Vec<_>>().join(" ")
}

fn pad(net: &mut Net, x: ValueId, border: Border, growth: [[u32; 2]; 4]) -> ValueId {
    let growth = growth.map(|[before, after]| Growth::Add(before, after)).to_vec();
    net.node("PAD", Pad { border, growth }, &[x], &[])
}

const ZERO: Border = Border::Constant(Scalar::f32(0.0));
const SPATIAL: [[u32; 2]; 4] = [[0, 0], [1, 1], [1, 1], [0, 0]];

/// Name, graph, what is left, a part of a reason for what is declined.
const CASES: &[(&str, Build, &str, Option<&str>)] = &[
    (
        "an activation behind a convolution",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 8, &[]);
            vec![net.node("RELU", Unary(RELU.op), &[y], &[])]
        },
        "CONV_2D+RELU/2",
        None,
    ),
    (
        "zeros behind the channels of what is added",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 12, &[]);
            let padded = pad(net, x, ZERO, [[0, 0], [0, 0], [0, 0], [0, 4]]);
            vec![net.node("ADD", Binary(StepOp::Add), &[y, padded], &[])]
        },
        "CONV_2D+ADD/2",
        None,
    ),
    (
        "zeros behind the channels for two readers",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 12, &[]);
            let padded = pad(net, x, ZERO, [[0, 0], [0, 0], [0, 0], [0, 4]]);
            vec![net.node("ADD", Binary(StepOp::Add), &[y, padded], &[]), padded]
        },
        "PAD CONV_2D+ADD/2",
        None,
    ),
    (
        "ones behind the channels of what is added",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 12, &[]);
            let padded = pad(net, x, Border::Constant(Scalar::f32(1.0)), [[0, 0], [0, 0], [0, 0], [0, 4]]);
            vec![net.node("ADD", Binary(StepOp::Add), &[y, padded], &[])]
        },
        "PAD CONV_2D+ADD/2",
        None,
    ),
    (
        "a function that convolutions do not know",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 8, &[]);
            vec![net.node("SIN", Unary(StepOp::Sin), &[y], &[])]
        },
        "CONV_2D/1 SIN",
        Some("Sin is not among the steps that CONV_2D takes"),
    ),
    (
        "a result that the host wants too",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 8, &[]);
            vec![net.node("RELU", Unary(RELU.op), &[y], &[]), y]
        },
        "CONV_2D/1 RELU",
        Some("the result of CONV_2D has several uses"),
    ),
    (
        "a value added to itself",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 8, &[]);
            vec![net.node("ADD", Binary(StepOp::Add), &[y, y], &[])]
        },
        "CONV_2D/1 ADD",
        Some("several uses"),
    ),
    (
        "the later of two producers takes the sum, which then finds the earlier one computed",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let (a, b) = (net.conv(x, 1, 8, &[]), net.conv(x, 3, 8, &[RELU]));
            vec![net.node("ADD", Binary(StepOp::Add), &[a, b], &[])]
        },
        "CONV_2D/1 CONV_2D+ADD/3",
        None,
    ),
    (
        "a node that takes no epilogue",
        |net| {
            let x = net.input(&[2, 8]);
            let y = net.node("SOFTMAX", Softmax { beta: 1.0, logarithm: false }, &[x], &[]);
            vec![net.node("NEG", Unary(StepOp::Neg), &[y], &[])]
        },
        "SOFTMAX NEG",
        Some("SOFTMAX takes no epilogue"),
    ),
    (
        "an operand that spreads over the result's first operand",
        |net| {
            let x = net.input(&[1, 1, 1, 8]);
            let other = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 8, &[]);
            vec![net.node("MUL", Binary(StepOp::Mul), &[y, other], &[])]
        },
        "CONV_2D/1 MUL",
        Some("f32[1,1,1,8] becomes f32[1,4,4,8]"),
    ),
    (
        "two kinds of batch",
        |net| {
            let (x, plane, column) =
                (net.input(&[2, 3, 4, 8]), net.input(&[2, 1, 1, 8]), net.input(&[2, 3, 1, 8]));
            let y = net.node("ABS", Unary(StepOp::Abs), &[x], &[]);
            let y = net.node("MUL", Binary(StepOp::Mul), &[y, plane], &[]);
            vec![net.node("ADD", Binary(StepOp::Add), &[y, column], &[])]
        },
        "ABS+MUL/1 ADD",
        Some("different batches"),
    ),
    (
        "zeros around a convolution",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = pad(net, x, ZERO, SPATIAL);
            vec![net.conv(y, 3, 8, &[])]
        },
        "PAD+CONV_2D/1",
        None,
    ),
    (
        "zeros around zeros around a pooling",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = pad(net, x, ZERO, SPATIAL);
            let y = pad(net, y, ZERO, SPATIAL);
            let op = Pool2d { kind: PoolKind::Max, window: window([2, 2], [2, 2], Padding::Valid) };
            vec![net.node("MAX_POOL_2D", op, &[y], &[])]
        },
        "PAD PAD+MAX_POOL_2D",
        Some("PAD does not absorb it"),
    ),
    (
        "a border that is not zero",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = pad(net, x, Border::Constant(Scalar::f32(1.0)), SPATIAL);
            vec![net.conv(y, 3, 8, &[])]
        },
        "PAD CONV_2D/1",
        None,
    ),
    (
        "zeros behind the channels",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = pad(net, x, ZERO, [[0, 0], [0, 0], [0, 0], [0, 8]]);
            vec![net.conv(y, 1, 8, &[])]
        },
        "PAD CONV_2D/1",
        None,
    ),
    (
        "zeros that two nodes read",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = pad(net, x, ZERO, SPATIAL);
            vec![net.conv(y, 3, 8, &[]), net.conv(y, 1, 8, &[])]
        },
        "PAD CONV_2D/1 CONV_2D/1",
        Some("its result has several uses"),
    ),
    (
        "a scale behind a convolution and its PRELU",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 3, 8, &[]);
            let y = prelu(net, y);
            vec![scale(net, y)]
        },
        "CONV_2D+PRELU+MUL/3",
        None,
    ),
    (
        "a scale behind a depthwise convolution",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let (w, b) = (net.constant(&[1, 3, 3, 8]), net.constant(&[8]));
            let op = DepthwiseConv2d { window: window([3, 3], [1, 1], Padding::Same) };
            let y = net.node("DEPTHWISE_CONV_2D", op, &[x, w, b], &[Step::bias(2), RELU]);
            vec![scale(net, y)]
        },
        "DEPTHWISE_CONV_2D+MUL/3",
        None,
    ),
    (
        "a scale in front of a convolution",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = prelu(net, x);
            let y = scale(net, y);
            vec![net.conv(y, 1, 4, &[RELU6])]
        },
        "PRELU MUL+CONV_2D/2",
        None,
    ),
    (
        "a scale in front of a convolution that sees the border",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = scale(net, x);
            vec![net.conv(y, 3, 4, &[])]
        },
        "MUL/1 CONV_2D/1",
        Some("no convolution makes or alone reads what it scales"),
    ),
    (
        "a scale behind a clamp that it would move",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let y = net.conv(x, 1, 8, &[RELU6]);
            vec![scale(net, y)]
        },
        "CONV_2D+MUL/4",
        Some("a homogeneous function"),
    ),
    (
        "weights stored as fp16",
        |net| {
            let x = net.input(&[1, 4, 4, 8]);
            let (stored, b) = (net.half(&[8, 1, 1, 8]), net.constant(&[8]));
            let w = net.node(
                "DEQUANTIZE",
                Dequantize { quant: None, constant: true, long: false },
                &[stored],
                &[],
            );
            let op = Conv2d { window: window([1, 1], [1, 1], Padding::Same) };
            vec![net.node("CONV_2D", op, &[x, w, b], &[Step::bias(2)])]
        },
        "CONV_2D/1",
        None,
    ),
];

#[test]
fn passes() {
    let mut wrong = Vec::new();
    for (name, build, expected, reason) in CASES {
        let (before, graph, outcomes) = around(*build);
        let declined: Vec<&String> = outcomes.iter().flat_map(|o| &o.declined).collect();
        let said = reason.is_none_or(|reason| declined.iter().any(|why| why.contains(reason)));
        let got = left(&graph);
        let pairs = results(&before).into_iter().zip(results(&graph));
        let apart = pairs.map(|(a, b)| (a - b).abs() / a.abs().max(1.0)).fold(0.0, f32::max);
        if apart > 1e-5 {
            wrong.push(format!("{name}: results are {apart} apart"));
        }
        if got != *expected || !said {
            wrong.push(format!("{name}: {got}, {expected} expected; declined: {declined:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
