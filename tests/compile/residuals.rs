//! Depthwise convolutions of int8 are fused with the pointwise ones around them where that pays.

use tflite_vulkan::caps::{Caps, DeviceKind, Features, Machine, Registers};
use tflite_vulkan::graph::{Storage, ValueId};
use tflite_vulkan::ir::DType;
use tflite_vulkan::ops::quantized_binary::Function;
use tflite_vulkan::options::Precision;
use tflite_vulkan::passes;

use crate::followers::{binary, conv, depthwise, left, table};
use crate::net::Net;

/// A GPU of a kind.
fn gpu(kind: DeviceKind) -> Caps {
    let mut machine = Machine::new(kind, 0, None, 48 << 10);
    machine.fast_dot = true;
    Caps {
        kind,
        machine,
        features: Features::STORAGE_8.with(Features::INTEGER_DOT),
        max_invocations: 1024,
        max_workgroup: [1024, 1024, 64],
        max_shared_bytes: 48 << 10,
        max_storage_buffers: 16,
        ..Caps::minimum()
    }
}

fn input(net: &mut Net) -> ValueId {
    net.input_of(DType::I8, &[1, 5, 7, 8])
}

/// A block with a sum.
fn residual(net: &mut Net) -> Vec<ValueId> {
    let x = input(net);
    let y = conv(net, x, 8, 24);
    let y = depthwise(net, y, 24);
    let y = conv(net, y, 24, 8);
    vec![binary(net, Function::Add, x, y)]
}

const FUSED: &str = "CONV+DEPTHWISE+CONV+ADD";
const APART: &str = "CONV DEPTHWISE CONV+ADD";

#[test]
fn blocks_become_one_dispatch() {
    type Row = (&'static str, fn(&mut Net) -> Vec<ValueId>, &'static str);
    let rows: &[Row] = &[
        ("an inverted residual", residual, FUSED),
        (
            "nothing in front",
            |net| {
                let x = input(net);
                let y = depthwise(net, x, 8);
                vec![conv(net, y, 8, 12)]
            },
            "DEPTHWISE+CONV",
        ),
        (
            "two blocks",
            |net| {
                let x = input(net);
                let y = conv(net, x, 8, 24);
                let y = depthwise(net, y, 24);
                let y = conv(net, y, 24, 8);
                let z = conv(net, y, 8, 48);
                let z = depthwise(net, z, 48);
                let z = conv(net, z, 48, 8);
                vec![binary(net, Function::Add, y, z)]
            },
            "CONV+DEPTHWISE+CONV CONV+DEPTHWISE+CONV+ADD",
        ),
        (
            "an expansion that is read twice",
            |net| {
                let x = input(net);
                let y = conv(net, x, 8, 24);
                let z = depthwise(net, y, 24);
                vec![conv(net, z, 24, 8), y]
            },
            "CONV DEPTHWISE+CONV",
        ),
        (
            "a depthwise result that is wanted",
            |net| {
                let x = input(net);
                let y = conv(net, x, 8, 24);
                let y = depthwise(net, y, 24);
                vec![conv(net, y, 24, 8), y]
            },
            "CONV DEPTHWISE CONV",
        ),
        (
            "a table behind the depthwise convolution",
            |net| {
                let x = input(net);
                let y = depthwise(net, x, 8);
                let y = table(net, y);
                vec![conv(net, y, 8, 12)]
            },
            "DEPTHWISE+TABLE CONV",
        ),
        (
            "a table behind the expansion",
            |net| {
                let x = input(net);
                let y = conv(net, x, 8, 24);
                let y = table(net, y);
                let y = depthwise(net, y, 24);
                vec![conv(net, y, 24, 8)]
            },
            "CONV+TABLE DEPTHWISE+CONV",
        ),
        (
            "channels that fill no words",
            |net| {
                let x = input(net);
                let y = conv(net, x, 8, 24);
                let y = depthwise(net, y, 24);
                vec![conv(net, y, 24, 6)]
            },
            "CONV DEPTHWISE CONV",
        ),
    ];
    for (what, build, want) in rows {
        assert_eq!(left(&gpu(DeviceKind::Discrete), *build), *want, "{what}");
    }
}

#[test]
fn devices_without_room_compute_blocks_apart() {
    let base = || gpu(DeviceKind::Discrete);
    let with = |features: Features| Caps { features, ..base() };
    let machine = |change: fn(&mut Machine)| {
        let mut caps = base();
        change(&mut caps.machine);
        caps
    };
    let rows = [
        (base(), FUSED),
        (gpu(DeviceKind::Software), APART),
        (Caps { max_storage_buffers: 8, ..base() }, APART),
        (Caps { max_shared_bytes: 1024, ..base() }, APART),
        (Caps { max_invocations: 32, ..base() }, APART),
        (Caps { max_grid: [1, 1, 1], ..base() }, FUSED),
        // Elements are words then.
        (with(Features::INTEGER_DOT), FUSED),
        (with(Features::STORAGE_8), FUSED),
        (machine(|m| m.registers = Registers::Few), APART),
        (machine(|m| m.fuses_integers = Some(false)), APART),
    ];
    for (caps, want) in rows {
        assert_eq!(left(&caps, residual), want, "{caps:?}");
    }
}

/// Where dispatches cost less than what is computed twice, and on drivers that run on the CPU.
#[test]
fn blocks_that_do_not_pay_stay_apart_unless_they_must_not() {
    let left = |kind: DeviceKind, must: Option<bool>| {
        let mut caps = gpu(kind);
        caps.machine.fuses_integers = must;
        let mut net = Net::default();
        let x = net.input_of(DType::I8, &[1, 56, 56, 24]);
        let y = conv(&mut net, x, 24, 144);
        let y = depthwise(&mut net, y, 144);
        let y = conv(&mut net, y, 144, 24);
        let mut graph = net.outputs(&[y]);
        let storage = Storage::assign(&graph, &caps, &Precision::Fp32.into());
        passes::run(&mut graph, &caps, &storage).expect("the passes run");
        graph.nodes().count()
    };
    assert_eq!(left(DeviceKind::Discrete, None), 1);
    assert_eq!(left(DeviceKind::Integrated, None), 2, "the expansion stays apart");
    assert_eq!(left(DeviceKind::Integrated, Some(true)), 1);
    assert_eq!(left(DeviceKind::Software, Some(false)), 3);
    assert_eq!(left(DeviceKind::Software, Some(true)), 1);
}
