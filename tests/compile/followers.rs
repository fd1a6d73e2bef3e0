//! Functions of 8-bit integers are fused into the sums of products that they follow.

use tflite_vulkan::caps::Caps;
use tflite_vulkan::compile;
use tflite_vulkan::graph::{Graph, Storage, ValueId};
use tflite_vulkan::ir::requantize::{Scaling, Target};
use tflite_vulkan::ir::{DType, Data, FixedPoint, HostTensor, Padding, Shape};
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::ops::conv_2d_integers::Conv2dIntegers;
use tflite_vulkan::ops::depthwise_conv_2d_integers::DepthwiseConv2dIntegers;
use tflite_vulkan::ops::fully_connected::FullyConnected;
use tflite_vulkan::ops::fully_connected_integers::FullyConnectedIntegers;
use tflite_vulkan::ops::lookup::Lookup;
use tflite_vulkan::ops::quantized_binary::{Function, QuantizedBinary, QuantizedFunction, Rounding};
use tflite_vulkan::ops::scaled_sum::{Followers, ScaledSum};
use tflite_vulkan::options::Precision;
use tflite_vulkan::{passes, reference};

use crate::net::{Net, window};

pub fn sum(channels: u32) -> ScaledSum {
    let scaling = Scaling::fixed(0.02, 0.3, 1.0).expect("the scales are usual");
    ScaledSum {
        x_zero_point: 3,
        w_zero_point: 0,
        scalings: vec![scaling; channels as usize].into(),
        target: Target { zero_point: -5, bounds: [-128, 127] },
        followers: Followers::default(),
    }
}

fn weights(net: &mut Net, dims: &[u32]) -> ValueId {
    let bytes = (0..Shape::new(dims).elements()).map(|i| (i * 37 % 251) as u8).collect();
    net.integers(dims, bytes)
}

pub fn conv(net: &mut Net, x: ValueId, depth: u32, channels: u32) -> ValueId {
    let w = weights(net, &[channels, 1, 1, depth]);
    let op = Conv2dIntegers { window: window([1, 1], [1, 1], Padding::Same), sum: sum(channels) };
    net.node_of(DType::I8, "CONV", op, &[x, w], &[])
}

pub fn depthwise(net: &mut Net, x: ValueId, channels: u32) -> ValueId {
    let w = weights(net, &[1, 3, 3, channels]);
    let op = DepthwiseConv2dIntegers { window: window([3, 3], [1, 1], Padding::Same), sum: sum(channels) };
    net.node_of(DType::I8, "DEPTHWISE", op, &[x, w], &[])
}

fn product(net: &mut Net, x: ValueId, w: ValueId, channels: u32) -> ValueId {
    let op = FullyConnectedIntegers {
        shapes: FullyConnected { keep_num_dims: false },
        sum: sum(channels),
        dtype: DType::I8,
    };
    net.node_of(DType::I8, "FULLY_CONNECTED", op, &[x, w], &[])
}

pub fn binary(net: &mut Net, function: Function, a: ValueId, b: ValueId) -> ValueId {
    let factor = |x| FixedPoint::new(x).expect("it is positive");
    let last = if function == Function::Mul { 0.02 } else { 2.0 / f64::from(1 << 20) };
    let op = QuantizedFunction {
        function,
        dtype: DType::I8,
        rounding: Rounding::Twice,
        zero_points: [-5, 3, 7],
        factors: [factor(0.5), factor(0.31), factor(last)],
        bounds: [-128, 120],
    };
    let label = if function == Function::Add { "ADD" } else { "OTHER" };
    net.node_of(DType::I8, label, QuantizedBinary(op), &[a, b], &[])
}

pub fn table(net: &mut Net, x: ValueId) -> ValueId {
    let numbers = (0..256).map(|i| (i * 71 + 13) % 256 - 128).collect();
    net.node_of(DType::I8, "TABLE", Lookup::Numbers { dtype: DType::I8, numbers }, &[x], &[])
}

fn input(net: &mut Net) -> ValueId {
    net.input_of(DType::I8, &[1, 5, 7, 8])
}

/// What is left of the graph on a device; its results are as before, and each node is one dispatch.
pub fn left(caps: &Caps, build: fn(&mut Net) -> Vec<ValueId>) -> String {
    let mut net = Net::default();
    let outputs = build(&mut net);
    let before = net.outputs(&outputs);
    let compiled = compile::compile(before.clone(), caps, &Precision::Fp32.into(), &heuristic)
        .expect("the graph compiles");
    let after = &compiled.graph;
    let results = |graph: &Graph| {
        let inputs = graph.inputs().iter().enumerate().map(|(n, id)| {
            let shape = graph.value(*id).ty.shape;
            let numbers = (0..shape.elements()).map(|i| (i as i8).wrapping_mul(29 + n as i8));
            HostTensor { shape, data: Data::I8(numbers.collect()) }
        });
        reference::run(graph, &inputs.collect::<Vec<_>>()).expect("the reference runs")
    };
    assert_eq!(results(&before), results(after), "{after}");
    assert_eq!(compiled.program.dispatches.len(), after.nodes().count());
    after.nodes().map(|(_, node)| node.label.clone()).collect::<Vec<_>>().join(" ")
}

#[test]
fn followers_disappear_into_sums_of_products() {
    type Row = (&'static str, fn(&mut Net) -> Vec<ValueId>, &'static str);
    let rows: &[Row] = &[
        (
            "an inverted residual is three dispatches",
            |net| {
                let x = input(net);
                let y = conv(net, x, 8, 24);
                let y = depthwise(net, y, 24);
                let y = conv(net, y, 24, 8);
                vec![binary(net, Function::Add, y, x)]
            },
            "CONV DEPTHWISE CONV+ADD",
        ),
        (
            "tables around a function",
            |net| {
                let (x, e) = (input(net), input(net));
                let y = depthwise(net, x, 8);
                let y = table(net, y);
                let y = binary(net, Function::Sub, e, y);
                vec![table(net, y)]
            },
            "DEPTHWISE+TABLE+OTHER+TABLE",
        ),
        (
            "of two convolutions the one that is computed last",
            |net| {
                let (x, e) = (input(net), input(net));
                let a = conv(net, x, 8, 8);
                let b = conv(net, e, 8, 8);
                vec![binary(net, Function::Sub, a, b)]
            },
            "CONV CONV+OTHER",
        ),
        (
            "a row of channels for each image",
            |net| {
                let (x, e) = (input(net), net.input_of(DType::I8, &[1, 1, 1, 8]));
                let y = conv(net, x, 8, 8);
                vec![binary(net, Function::Mul, y, e)]
            },
            "CONV+OTHER",
        ),
        (
            "a matrix product without bias",
            |net| {
                let (x, e) = (net.input_of(DType::I8, &[3, 8]), net.input_of(DType::I8, &[3, 5]));
                let w = weights(net, &[5, 8]);
                let y = product(net, x, w, 5);
                vec![binary(net, Function::Add, y, e)]
            },
            "FULLY_CONNECTED+ADD",
        ),
        (
            "what is wanted is stored, and a sum with itself is a table",
            |net| {
                let x = input(net);
                let (a, b) = (conv(net, x, 8, 8), conv(net, x, 8, 8));
                let c = table(net, b);
                vec![binary(net, Function::Add, a, a), b, c]
            },
            "CONV TABLE CONV+ADD",
        ),
        (
            "what is read twice is stored",
            |net| {
                let (x, e) = (input(net), input(net));
                let y = conv(net, x, 8, 8);
                vec![binary(net, Function::Add, y, e), binary(net, Function::Add, e, y)]
            },
            "CONV ADD ADD",
        ),
        (
            "one function of two operands",
            |net| {
                let (x, e) = (input(net), input(net));
                let y = conv(net, x, 8, 8);
                let y = binary(net, Function::Mul, y, e);
                vec![binary(net, Function::Add, y, x)]
            },
            "CONV+OTHER ADD",
        ),
        (
            "a result that spreads over another one",
            |net| {
                let (x, e) = (net.input_of(DType::I8, &[1, 1, 1, 8]), input(net));
                let y = conv(net, x, 8, 8);
                vec![binary(net, Function::Mul, y, e)]
            },
            "CONV OTHER",
        ),
    ];
    for (what, build, want) in rows {
        assert_eq!(left(&Caps::minimum(), *build), *want, "{what}");
    }
}

#[test]
fn computed_weights_take_no_follower() {
    let mut net = Net::default();
    let (x, w) = (net.input_of(DType::I8, &[3, 8]), net.input_of(DType::I8, &[5, 8]));
    let y = product(&mut net, x, w, 5);
    let outputs = [table(&mut net, y)];
    let mut graph = net.outputs(&outputs);
    let caps = Caps::minimum();
    let storage = Storage::assign(&graph, &caps, &Precision::Fp32.into());
    let outcomes = passes::run(&mut graph, &caps, &storage).expect("the passes run");
    assert_eq!(graph.nodes().count(), 2);
    let declined = outcomes.into_iter().flat_map(|outcome| outcome.declined).collect::<Vec<_>>();
    assert_eq!(declined, ["TABLE #1: FULLY_CONNECTED has computed weights x"]);
}
