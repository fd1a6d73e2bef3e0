//! Fuses functions of 8-bit integers into what computes their operand, a sum of products: tables, and sums and products
//! with another value. The results between are rounded as if they were stored.

use super::Outcome;
use crate::graph::{Graph, Node, NodeId, ValueId};
use crate::ir::{Broadcast, DType};
use crate::op::{Follower, Operator};
use std::sync::Arc;

pub fn run(graph: &mut Graph) -> Outcome {
    let mut outcome = Outcome { pass: "fuse followers", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        match candidate(graph, node) {
            Ok(fusion) => {
                graph.fuse_follower(fusion.producer, id, fusion.op, fusion.operand);
                outcome.applied += 1;
            }
            Err(Some(why)) => outcome.declined.push(format!("{} #{}: {why}", node.label, id.0)),
            Err(None) => {}
        }
    }
    outcome
}

struct Candidate {
    producer: NodeId,
    op: Arc<dyn Operator>,
    /// The other operand, and its number for the producer.
    operand: Option<(usize, ValueId)>,
}

/// The fusion with the operand that is computed last; `Err(None)` if the node follows nothing that takes it in.
fn candidate(graph: &Graph, node: &Node) -> Result<Candidate, Option<String>> {
    let ([result], [_] | [_, _], true) = (&node.outputs[..], &node.inputs[..], node.epilogue.is_empty())
    else {
        return Err(None);
    };
    if !matches!(graph.value(*result).ty.dtype, DType::I8 | DType::U8) {
        return Err(None);
    }
    let (mut best, mut why) = (None::<Candidate>, None);
    for main in 0..node.inputs.len() {
        match fusion(graph, node, *result, main) {
            Ok(fusion) if best.as_ref().is_none_or(|best| best.producer < fusion.producer) => {
                best = Some(fusion);
            }
            Ok(_) => {}
            Err(reason) => why = reason.or(why),
        }
    }
    best.ok_or(why)
}

/// The fusion with what computes operand `main`.
fn fusion(graph: &Graph, node: &Node, result: ValueId, main: usize) -> Result<Candidate, Option<String>> {
    let value = node.inputs[main].ok_or(None)?;
    let producer = graph.producer(value).ok_or(None)?;
    let behind = graph.node(producer).ok_or(None)?;
    let other = match node.inputs.len() {
        2 => Some(node.inputs[1 - main].ok_or(None)?),
        _ => None,
    };
    let (from, to) = (&graph.value(value).ty, &graph.value(result).ty);
    // Operands 1 and 2 of a sum of products are its weights and its bias.
    let at = behind.inputs.len().max(3);
    let operand = other.map(|_| at);
    let follower = Follower { op: &*node.op, dtype: to.dtype, operand, swapped: main == 1 };
    let op = behind.op.followed_by(&follower).ok_or(None)?;
    let label = &behind.label;
    if !graph.has_one_use(value) {
        return Err(Some(format!("the result of {label} has several uses")));
    }
    if from.shape != to.shape || from.dtype != to.dtype {
        return Err(Some(format!("{from} becomes {to}")));
    }
    let weights = behind.inputs.iter().skip(1).take(2).flatten();
    if let Some(weights) = weights.copied().find(|weights| graph.value(*weights).constant.is_none()) {
        return Err(Some(format!("{label} has computed weights {}", graph.value(weights).name)));
    }
    if let Some(other) = other {
        let ty = &graph.value(other).ty;
        let spread = Broadcast::of(&ty.shape, &to.shape);
        let rows = matches!(spread, Some(Broadcast::Full | Broadcast::Channel | Broadcast::Batch));
        if !rows || ty.dtype != to.dtype {
            return Err(Some(format!("{ty} does not spread over {to} in rows")));
        }
    }
    Ok(Candidate { producer, op, operand: other.map(|other| (at, other)) })
}
