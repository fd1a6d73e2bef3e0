//! Lets pointwise convolutions compute the depthwise convolution in front of them on the way, where the
//! device has a kernel for it.

use super::Outcome;
use crate::caps::Caps;
use crate::ir::{Graph, Node, NodeId, ValueId};
use crate::kernel::Store;
use crate::op::{Broadcast, Depthwise, Operand, Pointwise, StepOp, Window};
use crate::ops::conv_2d::cooperative;
use crate::ops::inverted_residual;

/// The kernel writes out all taps, so that their loads are under way together.
const MAX_TAPS: u32 = 25;

pub fn run(graph: &mut Graph, caps: &Caps, store: Store) -> Outcome {
    let mut outcome = Outcome { pass: "fuse depthwise", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        let types: Vec<_> = node.inputs.iter().map(|i| i.map(|i| &graph.value(i).ty)).collect();
        let Some(window) = node.op.depthwise(&types) else { continue };
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
        if !depth.is_multiple_of(4) || !cooperative::fits(caps, store) {
            outcome.declined.push(format!("{label}: the device has no kernel for {depth} channels"));
            continue;
        }
        let at = behind.inputs.len();
        let absorbed = (behind.inputs[0] == Some(output))
            .then(|| behind.op.absorb_depthwise(Depthwise { window, clamp, inputs: [at, at + 1] }))
            .flatten();
        match absorbed {
            Some(op) => {
                graph.fuse_before(id, reader, op);
                graph.append_inputs(reader, &[weights, bias]);
                outcome.applied += 1;
                match expand(graph, reader, caps, store, &window) {
                    None => outcome.applied += 1,
                    Some(why) => outcome.declined.push(format!("{label}: {why}")),
                }
            }
            None => outcome.declined.push(format!("{label}: {} does not absorb it", behind.label)),
        }
    }
    outcome
}

/// Lets `node`, a separable convolution, compute the pointwise convolution in front of it too, or says why
/// not.
fn expand(graph: &mut Graph, id: NodeId, caps: &Caps, store: Store, window: &Window) -> Option<String> {
    let node = graph.node(id)?;
    let x = node.inputs[0]?;
    let Some(first) = graph.producer(x) else { return Some("nothing stands in front".into()) };
    let before = graph.node(first)?;
    if !before.op.pointwise() || !graph.has_one_use(x) {
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
    if !inverted_residual::fits(caps, store, window, channels) {
        return Some(format!("the device has no kernel for channels {channels:?}"));
    }
    let at = node.inputs.len();
    let op = node.op.absorb_pointwise(Pointwise { clamp, inputs: [at, at + 1] })?;
    graph.fuse_before(first, id, op);
    graph.append_inputs(id, &[weights, bias]);
    None
}

/// The node's weights, its bias and the rest, if nothing but a bias and then perhaps a clamp follows it.
fn plain(graph: &Graph, node: &Node) -> Option<(ValueId, ValueId, [f32; 2])> {
    let (bias, rest) = node.epilogue.split_first()?;
    let Operand::Input { input, broadcast: Broadcast::Channel } = bias.operand else { return None };
    let clamp = match rest {
        [] => [f32::NEG_INFINITY, f32::INFINITY],
        [step] => match step.op {
            StepOp::Clamp { lo, hi } => [lo, hi],
            _ => return None,
        },
        _ => return None,
    };
    let (weights, bias_value) = (node.inputs[1]?, node.inputs[input]?);
    let constant = |id: ValueId| graph.value(id).constant.is_some();
    (bias.op == StepOp::Add && constant(weights) && constant(bias_value))
        .then_some((weights, bias_value, clamp))
}
