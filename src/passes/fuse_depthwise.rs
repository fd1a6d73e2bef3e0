//! Lets pointwise convolutions compute the depthwise convolution in front of them on the way, where the
//! device has a kernel for it.

use super::Outcome;
use crate::caps::Caps;
use crate::ir::{Graph, Node, ValueId};
use crate::kernel::Store;
use crate::op::{Broadcast, Depthwise, Operand, StepOp, Window};
use crate::ops::conv_2d::cooperative;

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
        let Some((weights, bias, depthwise)) = first_half(graph, node, window) else {
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
            .then(|| behind.op.absorb_depthwise(Depthwise { inputs: [at, at + 1], ..depthwise }))
            .flatten();
        match absorbed {
            Some(op) => {
                graph.fuse_before(id, reader, op);
                graph.append_inputs(reader, &[weights, bias]);
                outcome.applied += 1;
            }
            None => outcome.declined.push(format!("{label}: {} does not absorb it", behind.label)),
        }
    }
    outcome
}

/// The node's weights, its bias and the rest, if nothing but a bias and then perhaps a clamp follows it.
fn first_half(graph: &Graph, node: &Node, window: Window) -> Option<(ValueId, ValueId, Depthwise)> {
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
    (bias.op == StepOp::Add && constant(weights) && constant(bias_value)).then_some((
        weights,
        bias_value,
        Depthwise { window, clamp, inputs: [0; 2] },
    ))
}
