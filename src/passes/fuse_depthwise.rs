//! Fuses depthwise convolutions into the pointwise ones behind them, where the device has a kernel for it.

mod inverted_residual;
mod separable_conv_2d;

use std::any::Any;
use std::sync::Arc;

use super::Outcome;
use crate::caps::Caps;
use crate::graph::{Graph, Node, NodeId, Storage, ValueId};
use crate::ir::{StepOp, Window};
use crate::op::Operator;
use crate::ops::conv_2d::Conv2d;
use crate::ops::conv_2d::cooperative::{self, Depthwise};
use crate::ops::depthwise_conv_2d::DepthwiseConv2d;
pub use inverted_residual::{InvertedResidual, Pointwise};
pub use separable_conv_2d::SeparableConv2d;

/// The kernel unrolls all taps, so that their loads overlap.
const MAX_TAPS: u32 = 25;

pub fn run(graph: &mut Graph, caps: &Caps, storage: &Storage) -> Outcome {
    let mut outcome = Outcome { pass: "fuse depthwise", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        let Some(window) = depthwise(graph, node) else { continue };
        if window.taps() > MAX_TAPS {
            outcome.declined.push(format!("{} #{}: {} taps are too many", node.label, id.0, window.taps()));
            continue;
        }
        let (label, output) = (format!("{} #{}", node.label, id.0), node.outputs[0]);
        if !graph.has_one_use(output) {
            outcome.declined.push(format!("{label}: its result has several uses"));
            continue;
        }
        let Some((weights, bias, clamp)) = plain(graph, node) else {
            outcome.declined.push(format!("{label}: more than a bias and a clamp stands behind it"));
            continue;
        };
        let reader = graph.consumers(output)[0];
        let Some(behind) = graph.node(reader) else { continue };
        let depth = graph.value(output).ty.shape.channels();
        let fits = |node: &Node| cooperative::fits(caps, storage.of_node(graph, node));
        // What is fused is kept in 16 bits.
        let fits = |node: &Node| storage.is_narrow(output) && fits(node);
        if !depth.is_multiple_of(4) || !fits(node) || !fits(behind) {
            outcome.declined.push(format!("{label}: the device has no kernel for {depth} channels"));
            continue;
        }
        let at = behind.inputs.len();
        match behind.inputs[0] == Some(output) && pointwise(behind) {
            true => {
                let depthwise = Depthwise { window, clamp, inputs: [at, at + 1] };
                graph.fuse_before(id, reader, Arc::new(SeparableConv2d { depthwise }));
                graph.append_inputs(reader, &[weights, bias]);
                outcome.applied += 1;
                match expand(graph, reader, caps, storage) {
                    None => outcome.applied += 1,
                    Some(why) => outcome.declined.push(format!("{label}: {why}")),
                }
            }
            false => outcome.declined.push(format!("{label}: {} does not absorb it", behind.label)),
        }
    }
    outcome
}

/// The node's operator, if it is a `T`.
fn concrete<T: Operator>(node: &Node) -> Option<&T> {
    let op: &dyn Any = &*node.op;
    op.downcast_ref()
}

/// The window of a depthwise convolution whose result has as many channels as its operand.
fn depthwise(graph: &Graph, node: &Node) -> Option<Window> {
    let conv: &DepthwiseConv2d = concrete(node)?;
    let [Some(x), Some(w), ..] = node.inputs[..] else { return None };
    conv.keeps_channels(&graph.value(x).ty.shape, &graph.value(w).ty.shape).then_some(conv.window)
}

fn pointwise(node: &Node) -> bool {
    concrete(node).is_some_and(Conv2d::pointwise)
}

/// Fuses the pointwise convolution in front of a separable convolution into it; else returns the reason.
fn expand(graph: &mut Graph, id: NodeId, caps: &Caps, storage: &Storage) -> Option<String> {
    let node = graph.node(id)?;
    let behind: &SeparableConv2d = concrete(node)?;
    let x = node.inputs[0]?;
    let Some(first) = graph.producer(x) else { return Some("nothing stands in front".into()) };
    let before = graph.node(first)?;
    if !pointwise(before) || !graph.has_one_use(x) {
        return Some(format!("{} in front stays apart", before.label));
    }
    let Some((weights, bias, clamp)) = plain(graph, before) else {
        return Some(format!("{}: more than a bias and a clamp stands behind it", before.label));
    };
    let (depth, middle) =
        (graph.value(before.inputs[0]?).ty.shape.channels(), graph.value(x).ty.shape.channels());
    let channels = [depth, middle, graph.value(node.outputs[0]).ty.shape.channels()];
    if graph.value(weights).ty.shape.channels() != depth {
        return Some(format!("{}: it has groups", before.label));
    }
    let store = storage.of_node(graph, before);
    if !storage.is_narrow(x) || !inverted_residual::fits(caps, store, &behind.depthwise.window, channels) {
        return Some(format!("the device has no kernel for channels {channels:?}"));
    }
    let at = node.inputs.len();
    let op = InvertedResidual { expand: Pointwise { clamp, inputs: [at, at + 1] }, behind: behind.clone() };
    graph.fuse_before(first, id, Arc::new(op));
    graph.append_inputs(id, &[weights, bias]);
    None
}

/// The node's weights, its bias and the bounds of its clamp, if nothing but a bias and perhaps a clamp
/// follows it.
fn plain(graph: &Graph, node: &Node) -> Option<(ValueId, ValueId, [f32; 2])> {
    let (bias, _) = graph.bias(node)?;
    let clamp = match &node.epilogue[1..] {
        [] => [f32::NEG_INFINITY, f32::INFINITY],
        [step] => match step.op {
            StepOp::Clamp { lo, hi } => [lo, hi],
            _ => return None,
        },
        _ => return None,
    };
    let weights = node.inputs[1].filter(|id| graph.value(*id).constant.is_some())?;
    Some((weights, bias, clamp))
}
