//! Fuses elementwise nodes into the epilogue of what computes their operand: activations, residual additions,
//! scaling by a vector, and chains of these. An addend may have fewer channels: the PAD that fills them up
//! with zeros is fused too.

use super::Outcome;
use crate::graph::{Graph, Node, NodeId, Storage, ValueId};
use crate::ir::{Broadcast, DType, Operand, Shape, Step, StepOp};
use crate::lower::{MAX_OPERANDS, MAX_PADDED, MAX_STEPS};
use crate::op::Fusion;

pub fn run(graph: &mut Graph, storage: &Storage) -> Outcome {
    let mut outcome = Outcome { pass: "fuse elementwise", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        let Some(op) = node.op.fusion().elementwise() else { continue };
        match candidates(graph, storage, node, op) {
            Ok(fusion) => {
                graph.fuse_behind(fusion.producer, id, fusion.step, fusion.operand);
                if let Some(pad) = fusion.pad {
                    graph.remove(pad);
                }
                outcome.applied += 1;
            }
            Err(why) => outcome.declined.push(format!("{} #{}: {why}", node.label, id.0)),
        }
    }
    outcome
}

struct Candidate {
    producer: NodeId,
    step: Step,
    operand: Option<ValueId>,
    /// The PAD that nothing reads any more then.
    pad: Option<NodeId>,
}

/// The operand whose producer takes the node in, latest producer first: then the other one is
/// computed already where the merged node stands.
fn candidates(graph: &Graph, storage: &Storage, node: &Node, op: StepOp) -> Result<Candidate, String> {
    let mains: &[usize] = if op.is_binary() { &[0, 1] } else { &[0] };
    let (mut found, mut why) = (None::<Candidate>, None);
    for &main in mains {
        match fusion(graph, storage, node, op, main) {
            Ok(fusion) if found.as_ref().is_none_or(|best| best.producer <= fusion.producer) => {
                found = Some(fusion);
            }
            Ok(_) => {}
            Err(reason) => why = reason.or(why),
        }
    }
    found.ok_or_else(|| why.unwrap_or_else(|| "no operand is computed by a node that fuses".into()))
}

/// `Err(None)` if operand `main` has no producer to speak of.
fn fusion(
    graph: &Graph,
    storage: &Storage,
    node: &Node,
    op: StepOp,
    main: usize,
) -> Result<Candidate, Option<String>> {
    let value = node.inputs[main].ok_or(None)?;
    let producer = graph.producer(value).ok_or(None)?;
    let Some(behind) = graph.node(producer) else { return Err(None) };
    let label = &behind.label;
    match behind.op.fusion() {
        Fusion::None => return Err(Some(format!("{label} takes no epilogue"))),
        Fusion::Common if !op.is_common() || !node.epilogue.iter().all(|s| s.op.is_common()) => {
            return Err(Some(format!("{op:?} is not among the steps that {label} takes")));
        }
        _ => {}
    }
    if !graph.has_one_use(value) {
        return Err(Some(format!("the result of {label} has several uses")));
    }
    let (from, to) = (&graph.value(value).ty, &graph.value(node.outputs[0]).ty);
    if from.shape != to.shape || to.dtype != DType::F32 {
        return Err(Some(format!("{from} becomes {to}")));
    }
    let (operand, other, pad) = if op.is_binary() {
        other_operand(graph, storage, node, op, main)?
    } else {
        (Operand::None, None, None)
    };
    let own = usize::from(behind.op.fusion().elementwise().is_some());
    let own_operands = usize::from(behind.op.fusion().elementwise().is_some_and(StepOp::is_binary));
    let steps = own + behind.epilogue.len() + 1 + node.epilogue.len();
    let operands = own_operands
        + behind.epilogue.iter().chain(&node.epilogue).filter(|s| is_input(&s.operand)).count()
        + usize::from(is_input(&operand));
    if steps > MAX_STEPS || operands > MAX_OPERANDS {
        return Err(Some(format!("{steps} steps with {operands} operands are too many for {label}")));
    }
    let mut batches: Vec<u32> =
        [behind, node].into_iter().flat_map(|n| batches(graph, n, &to.shape)).collect();
    batches.sort_unstable();
    batches.dedup();
    if batches.len() > 1 {
        return Err(Some(format!("its operands and those of {label} spread over different batches")));
    }
    let step = Step { op, operand, swapped: main == 1 && !op.commutes() };
    Ok(Candidate { producer, step, operand: other, pad })
}

/// Rows of the result per row of each operand that spreads over batches: a kernel knows one number.
fn batches(graph: &Graph, node: &Node, result: &Shape) -> Vec<u32> {
    let own = node.op.fusion().elementwise().is_some_and(StepOp::is_binary);
    let own = node.inputs.iter().take(if own { 2 } else { 0 }).flatten().map(|id| graph.value(*id).ty.shape);
    let own = own.filter(|shape| Broadcast::of(shape, result) == Some(Broadcast::Batch));
    let fused = node.epilogue.iter().filter_map(|step| match step.operand {
        Operand::Input { input, broadcast: Broadcast::Batch } => {
            Some(graph.value(node.inputs[input]?).ty.shape)
        }
        _ => None,
    });
    own.chain(fused).map(|shape| Broadcast::rows_per_batch(&shape, result)).collect()
}

fn is_input(operand: &Operand) -> bool {
    matches!(operand, Operand::Input { .. })
}

/// The operand of a binary node that is not `main`, as a step takes it, and the PAD that it spares.
type Other = (Operand, Option<ValueId>, Option<NodeId>);

fn other_operand(
    graph: &Graph,
    storage: &Storage,
    node: &Node,
    op: StepOp,
    main: usize,
) -> Result<Other, Option<String>> {
    let id = node.inputs[1 - main].ok_or(None)?;
    let (value, result) = (graph.value(id), &graph.value(node.outputs[0]).ty);
    if let Some(constant) = &value.constant
        && constant.shape.elements() == 1
    {
        let x = constant.to_f32().map_err(|e| Some(e.0))?[0];
        return Ok((Operand::Scalar(x), None, None));
    }
    // `fuse_behind` fills in the number.
    let input = |broadcast| Operand::Input { input: usize::MAX, broadcast };
    match Broadcast::of(&value.ty.shape, &result.shape) {
        Some(Broadcast::Full) if op == StepOp::Add => match padded(graph, id) {
            // Kernels that store floats in 16 bits pad no others.
            Some((pad, fewer)) if storage.is_narrow(fewer) || !storage.has_narrow() => {
                Ok((input(Broadcast::Padded), Some(fewer), Some(pad)))
            }
            _ => Ok((input(Broadcast::Full), Some(id), None)),
        },
        Some(broadcast) => Ok((input(broadcast), Some(id), None)),
        None => Err(Some(format!("{} does not spread over {} in a supported way", value.ty, result))),
    }
}

/// The PAD that fills up the channels of a value with zeros for one reader, and the value before it.
fn padded(graph: &Graph, value: ValueId) -> Option<(NodeId, ValueId)> {
    let id = graph.producer(value).filter(|_| graph.has_one_use(value))?;
    let pad = graph.node(id).filter(|pad| pad.op.zeros().is_some_and(|zeros| are_behind_channels(&zeros)))?;
    let fewer = pad.inputs[0]?;
    (graph.value(fewer).ty.shape.channels() <= MAX_PADDED).then_some((id, fewer))
}

/// Whether all zeros of a PAD stand behind the channels.
fn are_behind_channels(zeros: &[[u32; 2]]) -> bool {
    matches!(zeros.split_last(), Some(([0, _], outer)) if outer.iter().all(|n| *n == [0, 0]))
}

#[cfg(test)]
mod tests {
    use super::are_behind_channels;

    #[test]
    fn only_zeros_behind_the_last_dimension_pad_channels() {
        assert!(are_behind_channels(&[[0, 0], [0, 4]]));
        assert!(!are_behind_channels(&[[0, 0], [1, 4]]));
        assert!(!are_behind_channels(&[[1, 0], [0, 4]]));
        assert!(!are_behind_channels(&[]));
    }
}
