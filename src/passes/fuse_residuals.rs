//! Fuses depthwise convolutions of integers with the pointwise ones around them, where the device has a kernel for it
//! and dispatches cost more than what is computed twice.

mod inverted_residual_integers;
mod slice_tile;

use std::any::Any;
use std::sync::Arc;

use super::Outcome;
use crate::caps::Caps;
use crate::graph::{Graph, Node, NodeId, ValueId};
use crate::ir::{DType, SpatialPadding};
use crate::op::Operator;
use crate::ops::conv_2d_integers::Conv2dIntegers;
use crate::ops::depthwise_conv_2d_integers::DepthwiseConv2dIntegers;
use crate::ops::scaled_sum::ScaledSum;
use inverted_residual_integers::{Inner, InvertedResidualIntegers};

pub fn run(graph: &mut Graph, caps: &Caps) -> Outcome {
    let mut outcome = Outcome { pass: "fuse residuals", applied: 0, declined: Vec::new() };
    if caps.machine.fuses_integers == Some(false) {
        return outcome;
    }
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        if concrete::<DepthwiseConv2dIntegers>(node).is_none() {
            continue;
        }
        let label = format!("{} #{}", node.label, id.0);
        match fusion(graph, id, caps) {
            Ok(fusion) => {
                outcome.applied += 1 + usize::from(fusion.first.is_some());
                outcome.declined.extend(fusion.declined.iter().map(|why| format!("{label}: {why}")));
                apply(graph, id, fusion);
            }
            Err(why) => outcome.declined.push(format!("{label}: {why}")),
        }
    }
    outcome
}

/// What a depthwise convolution becomes with its neighbours.
struct Fusion {
    /// The pointwise convolution in front, if it takes part.
    first: Option<NodeId>,
    /// The one behind.
    last: NodeId,
    op: InvertedResidualIntegers,
    inputs: Vec<Option<ValueId>>,
    /// Why the one in front stays apart.
    declined: Option<String>,
}

fn apply(graph: &mut Graph, id: NodeId, Fusion { first, last, op, inputs, .. }: Fusion) {
    let op: Arc<dyn Operator> = Arc::new(op);
    graph.fuse_before(id, last, op.clone());
    if let Some(first) = first {
        graph.fuse_before(first, last, op.clone());
    }
    graph.replace(last, op, inputs);
}

/// The node's operator, if it is a `T`.
fn concrete<T: Operator>(node: &Node) -> Option<&T> {
    let op: &dyn Any = &*node.op;
    op.downcast_ref()
}

/// The largest fusion around a depthwise convolution, or the reason why there is none.
fn fusion(graph: &Graph, id: NodeId, caps: &Caps) -> Result<Fusion, String> {
    let unknown = || String::from("a neighbour is missing");
    let node = graph.node(id).ok_or_else(unknown)?;
    let depthwise: &DepthwiseConv2dIntegers = concrete(node).ok_or_else(unknown)?;
    let middle = node.outputs[0];
    if !graph.has_one_use(middle) {
        return Err("its result has several uses".into());
    }
    let last = graph.consumers(middle)[0];
    let behind = graph.node(last).ok_or_else(unknown)?;
    let project = pointwise(graph, behind).filter(|_| behind.inputs[0] == Some(middle));
    let Some(project) = project else { return Err(format!("{} does not absorb it", behind.label)) };
    let [Some(x), Some(weights)] = node.inputs[..2] else { return Err(unknown()) };
    let shape = |id: ValueId| graph.value(id).ty.shape;
    if !is_plain(&depthwise.sum) || depthwise.sum.rounding() != project.rounding() {
        return Err("a function follows it, or it is rounded in another way".into());
    }
    if !is_constant(graph, weights) || shape(weights).channels() != shape(x).channels() {
        return Err("its weights are no constant for each channel".into());
    }
    let is_signed = |id: ValueId| graph.value(id).ty.dtype == DType::I8;
    let y = behind.outputs[0];
    if ![x, middle, y].into_iter().all(is_signed) {
        return Err("its elements are no int8".into());
    }
    let fused = |expand: Option<(&Node, &ScaledSum)>| {
        let mut inputs = behind.inputs.clone();
        inputs.resize(inputs.len().max(3), None);
        let mut append = |of: &Node| {
            inputs.extend([of.inputs[1], of.inputs.get(2).copied().flatten()]);
            [inputs.len() - 2, inputs.len() - 1]
        };
        let expand = expand
            .map(|(before, sum)| (before.inputs[0], Inner { sum: sum.clone(), inputs: append(before) }));
        let depthwise_inputs = append(node);
        inputs[0] = expand.as_ref().map_or(Some(x), |(x, _)| *x);
        let op = InvertedResidualIntegers {
            expand: expand.map(|(_, inner)| inner),
            window: depthwise.window,
            depthwise: Inner { sum: depthwise.sum.clone(), inputs: depthwise_inputs },
            project: project.clone(),
        };
        let shapes: Vec<_> = inputs.iter().map(|id| id.map(shape)).collect();
        let block = op.block(&shapes, &shape(y)).map_err(|e| e.0)?;
        block.must_pay(caps).map(|()| (op, inputs))
    };
    let before =
        expansion(graph, x, depthwise).filter(|(_, before, _)| before.inputs[0].is_some_and(is_signed));
    let larger = before.map(|(first, before, sum)| (first, fused(Some((before, sum)))));
    match larger {
        Some((first, Ok((op, inputs)))) => {
            Ok(Fusion { first: Some(first), last, op, inputs, declined: None })
        }
        other => {
            let (op, inputs) = fused(None)?;
            let declined = other.and_then(|(_, why)| why.err());
            Ok(Fusion { first: None, last, op, inputs, declined })
        }
    }
}

/// The pointwise convolution that computes the operand `x` of a depthwise one alone, with its sums.
fn expansion<'a>(
    graph: &'a Graph,
    x: ValueId,
    depthwise: &DepthwiseConv2dIntegers,
) -> Option<(NodeId, &'a Node, &'a ScaledSum)> {
    let first = graph.producer(x).filter(|_| graph.has_one_use(x))?;
    let before = graph.node(first)?;
    let sum = pointwise(graph, before).filter(|sum| is_plain(sum))?;
    (sum.rounding() == depthwise.sum.rounding()).then_some((first, before, sum))
}

/// The sums of a pointwise convolution of one group with constant weights.
fn pointwise<'a>(graph: &Graph, node: &'a Node) -> Option<&'a ScaledSum> {
    let Conv2dIntegers { window, sum } = concrete(node)?;
    let [Some(x), Some(w), ..] = node.inputs[..] else { return None };
    let one_group = graph.value(x).ty.shape.channels() == graph.value(w).ty.shape.channels();
    let own = window.size == [1, 1] && window.stride == [1, 1] && window.zeros == SpatialPadding::default();
    (own && one_group && is_constant(graph, w)).then_some(sum)
}

fn is_constant(graph: &Graph, id: ValueId) -> bool {
    graph.value(id).constant.is_some()
}

/// Whether nothing follows the sums.
fn is_plain(sum: &ScaledSum) -> bool {
    sum.followers == Default::default()
}
