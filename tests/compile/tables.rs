//! Functions of one integer become one table.

use tflite_vulkan::caps::Caps;
use tflite_vulkan::graph::{Graph, Storage, ValueId};
use tflite_vulkan::ir::{DType, Data, FixedPoint, HostTensor};
use tflite_vulkan::ops::affine::Affine;
use tflite_vulkan::ops::lookup::{Function, Lookup, Mapping};
use tflite_vulkan::ops::quantized_binary::{self, QuantizedBinary, QuantizedFunction, Rounding};
use tflite_vulkan::options::{Integers, Precision};
use tflite_vulkan::{passes, reference};

use crate::net::Net;

fn table(net: &mut Net, function: Function, x: ValueId) -> ValueId {
    let (from, to) = (Affine { scale: 0.05, zero_point: 3 }, Affine { scale: 1.0 / 256.0, zero_point: -128 });
    let op = Mapping { function, dtype: DType::I8, from, to, kernels: Integers::Reference };
    net.node_of(DType::I8, "TABLE", Lookup::Function(op), &[x], &[])
}

fn product(net: &mut Net, a: ValueId, b: ValueId) -> ValueId {
    let factor = FixedPoint::new(0.01).expect("it is positive");
    let op = QuantizedFunction {
        function: quantized_binary::Function::Mul,
        dtype: DType::I8,
        rounding: Rounding::Twice,
        zero_points: [3, -128, 5],
        factors: [factor; 3],
        bounds: [-100, 127],
    };
    net.node_of(DType::I8, "MUL", QuantizedBinary(op), &[a, b], &[])
}

/// What is left of the graph; its results are as before.
fn left(build: fn(&mut Net) -> Vec<ValueId>) -> String {
    let mut net = Net::default();
    let outputs = build(&mut net);
    let before = net.outputs(&outputs);
    let mut after = before.clone();
    let caps = Caps::minimum();
    let storage = Storage::assign(&before, &caps, &Precision::Fp32.into());
    passes::run(&mut after, &caps, &storage).expect("the passes run");
    let results = |graph: &Graph| {
        let inputs = graph.inputs().iter().map(|id| HostTensor {
            shape: graph.value(*id).ty.shape,
            data: Data::I8((i8::MIN..=i8::MAX).collect()),
        });
        reference::run(graph, &inputs.collect::<Vec<_>>()).expect("the reference runs")
    };
    assert_eq!(results(&before), results(&after), "{after}");
    after.nodes().map(|(_, node)| node.label.clone()).collect::<Vec<_>>().join(" ")
}

#[test]
fn functions_of_one_integer_become_one_table() {
    let rows: &[(fn(&mut Net) -> Vec<ValueId>, &str)] = &[
        (
            |net| {
                let x = net.input_of(DType::I8, &[2, 128]);
                let y = table(net, Function::Logistic, x);
                vec![table(net, Function::Abs, y)]
            },
            "TABLE",
        ),
        (
            |net| {
                let x = net.input_of(DType::I8, &[256]);
                let y = table(net, Function::Logistic, x);
                vec![product(net, x, y)]
            },
            "MUL",
        ),
        (
            |net| {
                let (x, n) = (net.input_of(DType::I8, &[256]), net.number(7));
                let y = product(net, n, x);
                let z = table(net, Function::Tanh, y);
                vec![product(net, z, z), product(net, y, x)]
            },
            "MUL MUL",
        ),
        (
            |net| {
                let x = net.input_of(DType::I8, &[256]);
                let y = table(net, Function::Logistic, x);
                vec![y, product(net, x, y)]
            },
            "TABLE MUL",
        ),
        (
            |net| {
                let (x, y) = (net.input_of(DType::I8, &[256]), net.input_of(DType::I8, &[256]));
                let y = table(net, Function::Tanh, y);
                vec![product(net, x, y)]
            },
            "TABLE MUL",
        ),
    ];
    for (n, (build, want)) in rows.iter().enumerate() {
        assert_eq!(left(*build), *want, "graph {n}");
    }
}
