//! MEAN, SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, SOFTMAX, LOG_SOFTMAX, L2_NORMALIZATION.

use std::sync::Arc;

use tflite_vulkan::caps::{Caps, DeviceKind};
use tflite_vulkan::compile::{Compiled, compile};
use tflite_vulkan::graph::{Graph, Node};
use tflite_vulkan::ir::{Broadcast, Operand, Shape, Step, StepOp, TensorType};
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::l2_normalization::L2Normalization;
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::options::{Options, Precision};
use tflite_vulkan::runtime::Session;
use tflite_vulkan::vk::Device;

use crate::harness::{Arg, Case, check, tensor};

const REDUCTIONS: &[(&[u32], &[i64])] = &[
    (&[], &[]),
    (&[1], &[0]),
    (&[1000], &[0]),
    (&[3, 5], &[]),
    (&[3, 37], &[1]),
    (&[3, 37], &[0]),
    (&[130, 4], &[-1]),
    (&[1, 7, 5, 3], &[1, 2]),
    (&[2, 7, 5, 8], &[1, 2]),
    (&[1, 29, 11, 64], &[2, 1]),
    (&[2, 3, 4, 260], &[1, 2]),
    (&[2, 3, 4, 8], &[3]),
    (&[2, 3, 4, 8], &[0, 3]),
    (&[2, 3, 4, 8], &[0, 1, 2]),
    (&[2, 3, 4, 8], &[0, 1, 2, 3]),
    (&[2, 3, 4, 3, 2, 5], &[0, 2, 4]),
    (&[2, 3, 4, 3, 2, 4], &[0, 2, 4]),
    (&[2, 3, 4, 3, 2, 5], &[1, 3, 5]),
    // Several workgroups share these.
    (&[5003], &[0]),
    (&[2, 701, 3], &[1]),
    (&[1, 67, 61, 16], &[1, 2]),
    (&[3, 40, 33, 68], &[1, 2]),
];

#[test]
fn reduce() {
    let kinds =
        [ReduceKind::Mean, ReduceKind::Sum, ReduceKind::Product, ReduceKind::Largest, ReduceKind::Smallest];
    let cases = REDUCTIONS.iter().flat_map(|(x, axes)| {
        kinds.into_iter().enumerate().map(|(i, kind)| {
            let op = Reduce { kind, axes: axes.to_vec(), keep_dims: i % 2 == 0 };
            Case::new(op, [tensor(x)])
        })
    });
    check(cases);
}

#[test]
fn reduce_with_epilogue() {
    let cases = [8, 5].into_iter().flat_map(|c| {
        [true, false].map(|keep_dims| {
            let op = Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims };
            let channel = Operand::Input { input: 1, broadcast: Broadcast::Channel };
            Case::new(op, [tensor(&[3, 6, 4, c]), tensor(&[c])])
                .step(Step { op: StepOp::Add, operand: channel, swapped: false })
                .step(Step::unary(StepOp::HardSwish))
        })
    });
    check(cases);
}

const ROWS: &[&[u32]] =
    &[&[1], &[2], &[7], &[1, 1000], &[3, 4], &[65, 5], &[2, 29, 11, 37], &[2, 1, 3, 2, 2, 33], &[1, 300, 2]];

#[test]
fn softmax() {
    let cases = ROWS.iter().flat_map(|x| {
        [(1.0, false), (0.5, false), (8.0, false), (1.0, true)]
            .map(|(beta, logarithm)| Case::new(Softmax { beta, logarithm }, [tensor(x)]))
    });
    check(cases);
}

#[test]
fn l2_normalization() {
    check(ROWS.iter().map(|x| Case::new(L2Normalization, [tensor(x)])));
}

/// Rows with NaN and infinities, and rows of nothing else.
const SPECIAL_ROWS: [[f32; 4]; 8] = [
    [1.0, 2.0, f32::NAN, 3.0],
    [f32::NAN, 1.0, 2.0, 3.0],
    [f32::INFINITY, 1.0, f32::NAN, 3.0],
    [f32::NEG_INFINITY, 1.0, 2.0, 3.0],
    [f32::INFINITY, f32::NEG_INFINITY, 0.0, 1.0],
    [f32::NEG_INFINITY; 4],
    [f32::NAN; 4],
    [f32::INFINITY, f32::INFINITY, 1.0, 2.0],
];

#[test]
fn rows_of_special_values() {
    let data = |channels: usize| SPECIAL_ROWS.iter().flatten().flat_map(|x| vec![*x; channels]).collect();
    let x = |channels: u32| Arg::Numbers(Shape::from([8, 4, channels]), data(channels as usize));
    let kinds = [ReduceKind::Mean, ReduceKind::Product, ReduceKind::Largest, ReduceKind::Smallest];
    let reductions = [1, 8].into_iter().flat_map(|channels| {
        let reduce = |(kind, axis)| {
            Case::new(Reduce { kind, axes: vec![axis], keep_dims: false }, [x(channels)]).values(1e-5)
        };
        kinds.into_iter().flat_map(|kind| [0, 1].map(|axis| (kind, axis))).map(reduce).collect::<Vec<_>>()
    });
    let rows = || Arg::Numbers(Shape::from([8, 4]), data(1));
    let softmax = [(1.0, false), (0.5, false), (1.0, true)]
        .map(|(beta, logarithm)| Case::new(Softmax { beta, logarithm }, [rows()]).values(1e-5));
    let norms = [Case::new(L2Normalization, [rows()]).values(1e-5)];
    check(reductions.chain(softmax).chain(norms));
}

/// Split-K: the number of workgroups for a sum differs from shape to shape.
#[test]
fn other_sizes_in_one_session() {
    let device = Device::open(&Options { allow_software: true, ..Options::default() }).unwrap();
    // CPUs get fewer parts than GPUs.
    let caps = Caps { kind: DeviceKind::Integrated, ..device.caps().clone() };
    let mut session = Session::new(device);
    for batch in [1, 9, 40, 3, 1] {
        let shape = Shape::from([batch, 64, 40, 8]);
        let op = Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: false };
        let mut graph = Graph::default();
        let x = graph.add_value("x", TensorType::f32(shape), None);
        let result = op.infer(&[Some(shape)]).unwrap().remove(0);
        let y = graph.add_value("y", TensorType::f32(result), None);
        graph.add_node(Node {
            op: Arc::new(op),
            inputs: vec![Some(x)],
            outputs: vec![y],
            epilogue: Vec::new(),
            origin: [0].into(),
            label: "MEAN".into(),
        });
        graph.set_interface(vec![x], vec![y]);
        let Compiled { program, memory, barriers, .. } =
            compile(graph, &caps, &Precision::Fp32.into(), &heuristic).unwrap();
        let recording = session.prepare(&program, &memory, &barriers).unwrap();
        let numbers = (0..shape.elements()).map(|i| (i / 20480) as f32 + (i % 8) as f32);
        let x: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        let mut y = vec![0xff; batch as usize * 32];
        session.run(&recording, &[&x], &mut [&mut y]).unwrap();
        let expected: Vec<u8> =
            (0..batch * 8).flat_map(|i| ((i / 8) as f32 + (i % 8) as f32).to_le_bytes()).collect();
        assert_eq!(y, expected, "batch {batch}");
    }
}
