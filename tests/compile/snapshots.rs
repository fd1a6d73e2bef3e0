//! What small graphs compile to, as text: graph, passes, program, memory, barriers.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test --test compile` writes the files anew.

use std::fmt::Write;
use std::path::PathBuf;

use tflite_vulkan::caps::{Caps, DeviceKind, Features, Machine};
use tflite_vulkan::compile::compile;
use tflite_vulkan::graph::Graph;
use tflite_vulkan::ir::{Broadcast, Operand, Padding, Scalar, Step, StepOp};
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;
use tflite_vulkan::ops::dequantize::Dequantize;
use tflite_vulkan::ops::pad::{Border, Growth, Pad};
use tflite_vulkan::ops::reduce::{Reduce, ReduceKind};
use tflite_vulkan::ops::reshape::Reshape;
use tflite_vulkan::ops::unary::Unary;
use tflite_vulkan::options::Precision;

use crate::net::{Net, RELU, RELU6, window};

/// A desktop GPU of today.
fn desktop() -> Caps {
    Caps {
        name: "desktop".into(),
        kind: DeviceKind::Discrete,
        machine: Machine::new(DeviceKind::Discrete, 0, None, 48 << 10),
        features: Features(u32::MAX),
        subgroup_size: 32,
        max_invocations: 1024,
        max_workgroup: [1024, 1024, 64],
        max_shared_bytes: 48 << 10,
        max_storage_range: u64::from(u32::MAX),
        buffer_alignment: 16,
        max_storage_buffers: 1 << 20,
        cooperative_matrix: vec![(16, 16, 16)],
        ..Caps::minimum()
    }
}

/// Compares what `graph` compiles to with the file of this name.
fn check(name: &str, build: impl Fn() -> Graph) {
    let mut text = format!("imported\n{}", build());
    let devices =
        [(Caps::minimum(), Precision::Fp32), (desktop(), Precision::Fp32), (desktop(), Precision::Fp16)];
    for (caps, precision) in devices {
        let compiled = compile(build(), &caps, &precision.into(), &heuristic).expect("the graph compiles");
        if !text.contains("\npasses\n") {
            text += "\npasses\n";
            for outcome in &compiled.outcomes {
                let _ = writeln!(text, "{outcome}");
            }
            let _ = write!(text, "\nafter the passes\n{}", compiled.graph);
        }
        let _ = write!(
            text,
            "\n{} {precision:?}\n{}{}{}",
            caps.name, compiled.program, compiled.memory, compiled.barriers
        );
    }
    let file =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compile/snapshots").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&file, text).expect("the folder can be written");
        return;
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = difference(&stored, &text);
    assert!(
        difference.is_empty(),
        "{name} changed (UPDATE_SNAPSHOTS=1 accepts it):\n{}",
        difference.join("\n")
    );
}

/// The lines that go and come, with `-` and `+`, in order: what is left of a longest common subsequence.
fn difference(old: &str, new: &str) -> Vec<String> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // common[i][j]: lines that old[i..] and new[j..] have in common.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("-{}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+{}", new[j]));
            j += 1;
        }
    }
    lines
}

#[test]
fn differences_are_lines() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\nc\nd\n"), ["-b", "+x", "+d"]);
    assert!(difference("a\nb", "a\nb\n").is_empty());
}

/// Bias, activation and the residual become one dispatch.
#[test]
fn residual_convolution() {
    check("residual_convolution", || {
        let mut net = Net::default();
        let x = net.input(&[1, 8, 8, 16]);
        let y = net.conv(x, 3, 16, &[RELU6]);
        let sum = net.node("ADD", Binary(StepOp::Add), &[x, y], &[]);
        net.outputs(&[sum])
    });
}

/// The padded copy disappears, and the layer behind it runs in the arena.
#[test]
fn padded_depthwise() {
    check("padded_depthwise", || {
        let mut net = Net::default();
        let x = net.input(&[1, 16, 16, 8]);
        let growth = vec![Growth::Add(0, 0), Growth::Add(0, 1), Growth::Add(0, 1), Growth::Add(0, 0)];
        let padded = net.node("PAD", Pad { border: Border::Constant(Scalar::f32(0.0)), growth }, &[x], &[]);
        let (w, b) = (net.constant(&[1, 3, 3, 8]), net.constant(&[8]));
        let op = DepthwiseConv2d { window: window([3, 3], [2, 2], Padding::Valid) };
        let y = net.node("DEPTHWISE_CONV_2D", op, &[padded, w, b], &[Step::bias(2), RELU6]);
        let z = net.conv(y, 1, 24, &[]);
        net.outputs(&[z])
    });
}

/// With cooperative matrices, all three convolutions are one dispatch.
#[test]
fn inverted_residual() {
    check("inverted_residual", || {
        let mut net = Net::default();
        let x = net.input(&[1, 14, 14, 32]);
        let y = net.conv(x, 1, 192, &[RELU6]);
        let (w, b) = (net.constant(&[1, 3, 3, 192]), net.constant(&[192]));
        let op = DepthwiseConv2d { window: window([3, 3], [1, 1], Padding::Same) };
        let y = net.node("DEPTHWISE_CONV_2D", op, &[y, w, b], &[Step::bias(2), RELU6]);
        let y = net.conv(y, 1, 32, &[]);
        let sum = net.node("ADD", Binary(StepOp::Add), &[x, y], &[]);
        net.outputs(&[sum])
    });
}

/// Squeeze and excitation: a vector per picture scales the channels.
#[test]
fn squeeze_and_excitation() {
    check("squeeze_and_excitation", || {
        let mut net = Net::default();
        let x = net.input(&[1, 14, 14, 32]);
        let y = net.conv(x, 1, 32, &[RELU]);
        let mean =
            net.node("MEAN", Reduce { kind: ReduceKind::Mean, axes: vec![1, 2], keep_dims: true }, &[y], &[]);
        let squeezed = net.conv(mean, 1, 8, &[RELU]);
        let scale = net.conv(squeezed, 1, 32, &[]);
        let scale = net.node("LOGISTIC", Unary(StepOp::Logistic), &[scale], &[]);
        let product = net.node("MUL", Binary(StepOp::Mul), &[y, scale], &[]);
        let z = net.conv(product, 1, 16, &[]);
        net.outputs(&[z])
    });
}

/// Aliases cost nothing inside; where the host wants both shapes, one is a copy.
#[test]
fn reshaped_outputs() {
    check("reshaped_outputs", || {
        let mut net = Net::default();
        let x = net.input(&[1, 4, 4, 8]);
        let y = net.conv(x, 1, 8, &[]);
        let rows = net.node("RESHAPE", Reshape::To(vec![-1, 8]), &[y], &[]);
        let exp = net.node("EXP", Unary(StepOp::Exp), &[rows], &[]);
        let flat = net.node("RESHAPE", Reshape::To(vec![-1]), &[exp], &[]);
        let same = net.node("RESHAPE", Reshape::To(vec![128]), &[x], &[]);
        net.outputs(&[y, flat, same])
    });
}

/// More steps than one epilogue holds, with operands of each kind.
#[test]
fn elementwise_chain() {
    check("elementwise_chain", || {
        let mut net = Net::default();
        let (x, other) = (net.input(&[2, 5, 12]), net.input(&[2, 5, 12]));
        let (channel, one, spread) = (net.constant(&[12]), net.constant(&[1]), net.constant(&[1, 5, 12]));
        let mut y = net.node("ABS", Unary(StepOp::Abs), &[x], &[]);
        y = net.node("MUL", Binary(StepOp::Mul), &[y, channel], &[]);
        y = net.node("SUB", Binary(StepOp::Sub), &[one, y], &[]);
        y = net.node("SQRT", Unary(StepOp::Sqrt), &[y], &[]);
        y = net.node("ADD", Binary(StepOp::Add), &[y, other], &[RELU]);
        y = net.node("EXP", Unary(StepOp::Exp), &[y], &[]);
        y = net.node("MUL", Binary(StepOp::Mul), &[y, spread], &[]);
        net.outputs(&[y])
    });
}

/// Weights stored as fp16, and a concatenation that the host reads.
#[test]
fn half_weights() {
    check("half_weights", || {
        let mut net = Net::default();
        let x = net.input(&[1, 6, 6, 8]);
        let stored = net.half(&[16, 1, 1, 8]);
        let w =
            net.node("DEQUANTIZE", Dequantize { quant: None, constant: true, long: false }, &[stored], &[]);
        let b = net.constant(&[16]);
        let op = Conv2d { window: window([1, 1], [1, 1], Padding::Same) };
        let y = net.node("CONV_2D", op, &[x, w, b], &[Step::bias(2)]);
        let scale = Operand::Input { input: 1, broadcast: Broadcast::Channel };
        let steps = [Step { op: StepOp::Prelu, operand: scale, swapped: false }];
        let alpha = net.constant(&[16]);
        let z = net.node("NEG", Unary(StepOp::Neg), &[y, alpha], &steps);
        let both = net.node("CONCATENATION", Concatenation { axis: 3, count: 2 }, &[x, z], &[]);
        net.outputs(&[both])
    });
}

/// Results that the host reads one behind the other: each is computed in its place.
#[test]
fn sequence() {
    check("sequence", || {
        let mut net = Net::default();
        let x = net.input(&[1, 8, 8, 16]);
        let mut branch = |name: &'static str, op| {
            let y = net.node(name, Unary(op), &[x], &[]);
            net.node("RESHAPE", Reshape::To(vec![1, -1, 16]), &[y], &[])
        };
        let (a, b, c) = (branch("NEG", StepOp::Neg), branch("EXP", StepOp::Exp), branch("ABS", StepOp::Abs));
        let two = net.node("CONCATENATION", Concatenation { axis: 1, count: 2 }, &[a, b], &[]);
        let three = net.node("CONCATENATION", Concatenation { axis: 1, count: 2 }, &[two, c], &[]);
        net.outputs(&[three])
    });
}
