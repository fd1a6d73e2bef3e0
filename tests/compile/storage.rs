//! Masks, integers and quantised numbers are stored as what they are, not as floats.

use tflite_vulkan::caps::{Caps, DeviceKind, Features, Machine};
use tflite_vulkan::compile::compile;
use tflite_vulkan::graph::{Graph, Mix, ValueId};
use tflite_vulkan::ir::{DType, Shape, StepOp};
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::ops::arithmetic::{Arithmetic, Function};
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::cast::Cast;
use tflite_vulkan::ops::comparison::{Comparison, Relation};
use tflite_vulkan::ops::logical::Logical;
use tflite_vulkan::ops::quantize::{Quantize, Scale};
use tflite_vulkan::ops::select::Select;
use tflite_vulkan::options::Precision;
use tflite_vulkan::program::{BufferKind, Element};

use crate::net::Net;

/// A graph that computes with every kind of element, and these values with their types.
fn graph() -> (Graph, Vec<(ValueId, DType)>) {
    use DType::{Bool, F32, I8, I32, I64};
    let mut net = Net::default();
    let (x, n, m) = (net.input(&[3, 7]), net.input_of(I32, &[3, 7]), net.input_of(I64, &[7]));
    let less = Comparison { relation: Relation::Less, scaling: None };
    let mask = net.node_of(Bool, "LESS", less, &[x, x], &[]);
    let not = net.node_of(Bool, "LOGICAL_NOT", Logical::Not, &[mask], &[]);
    let sum = net.node_of(I32, "ADD", Arithmetic::new(Function::Add), &[n, n], &[]);
    let wide = net.node_of(I64, "CAST", Cast { from: I32, to: I64 }, &[sum], &[]);
    let product = net.node_of(I64, "MUL", Arithmetic::new(Function::Mul), &[wide, m], &[]);
    let chosen = net.node_of(
        I64,
        "SELECT_V2",
        Select { spreads: true, declared: Shape::from([1]) },
        &[not, product, m],
        &[],
    );
    let op = Quantize { from: Scale::Float(0.1), to: I8, zero_point: 3 };
    let quantised = net.node_of(I8, "QUANTIZE", op, &[x], &[]);
    let float = net.node("CAST", Cast { from: I8, to: F32 }, &[quantised], &[]);
    let result = net.node("MUL", Binary(StepOp::Mul), &[float, x], &[]);
    let typed = vec![
        (n, I32),
        (m, I64),
        (mask, Bool),
        (not, Bool),
        (sum, I32),
        (wide, I64),
        (product, I64),
        (chosen, I64),
        (quantised, I8),
        (result, F32),
    ];
    (net.outputs(&[chosen, result]), typed)
}

#[test]
fn integers_are_stored_as_integers() {
    let narrow = Features::STORAGE_8.with(Features::STORAGE_16);
    let base = Caps::minimum();
    for (features, precision) in [
        (base.features.with(narrow), Precision::Fp32),
        (base.features.with(narrow), Precision::Fp16),
        (base.features.without(narrow), Precision::Fp16),
    ] {
        let caps = Caps { features, ..base.clone() };
        let (graph, typed) = graph();
        let compiled = compile(graph, &caps, &Mix::of(precision), &heuristic).unwrap();
        let has_8 = features.contains(Features::STORAGE_8);
        let halves = precision == Precision::Fp16 && has_8;
        for (id, dtype) in typed {
            let expected = match dtype {
                DType::Bool if has_8 => Element::U8,
                DType::I8 if has_8 => Element::I8,
                DType::Bool | DType::I8 | DType::I32 => Element::I32,
                DType::I64 => Element::I64,
                _ if halves => Element::F16,
                _ => Element::F32,
            };
            assert_eq!(compiled.storage.element(id), expected, "{dtype} with {features}");
        }
        // 21 booleans or bytes in six words, or one word each.
        let small =
            compiled.program.buffers.iter().filter(|b| b.kind == BufferKind::Temp && b.bytes == 24).count();
        assert_eq!(small, if has_8 { 3 } else { 0 }, "{precision:?} with {features}");
    }
}

#[test]
fn their_kernels_need_no_feature() {
    use tflite_vulkan::kernel::table::{cast, integer_binary, select};
    for kernel in [cast::kernel(), integer_binary::kernel(), select::kernel()] {
        assert_eq!(kernel.needs, Features::NONE, "{}", kernel.name);
    }
}

/// Winograd's algorithm needs up to four times the weights: beyond 64 MiB more, convolutions do without it.
#[test]
fn faster_algorithms_have_bounded_weights() {
    let kind = DeviceKind::Software;
    let machine = Machine::new(kind, 0, None, 32 << 10);
    let features = Features::SUBGROUP_BASIC.with(Features::SUBGROUP_QUAD);
    let caps = Caps { kind, machine, features, subgroup_size: 8, ..Caps::minimum() };
    let of = |layers: usize| {
        let mut net = Net::default();
        let x = net.input(&[1, 32, 32, 256]);
        let y = (0..layers).fold(x, |x, _| net.conv(x, 3, 256, &[]));
        let program = compile(net.outputs(&[y]), &caps, &Precision::Fp32.into(), &heuristic).unwrap().program;
        program.weights.iter().map(|w| w.bytes).sum::<u64>()
    };
    let own = |layers: u64| layers * (9 * 256 * 256 + 256) * 4;
    assert!(of(1) > 3 * own(1), "one layer has transformed weights: {}", of(1));
    assert!(of(20) > own(20) + (50 << 20), "as many layers as the limit allows do: {}", of(20));
    assert!(of(20) <= own(20) + (64 << 20), "{} of {}", of(20), own(20));
}
