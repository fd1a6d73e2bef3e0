//! Runs a graph on the CPU with the operators' naive `reference` implementations. Tests compare kernels with
//! it, and it takes over when the device is lost.

use std::collections::HashMap;

use crate::error::{Error, Result, Unsupported};
use crate::graph::{Graph, Node, ValueId};
use crate::ir::bounded::filled;
use crate::ir::{Broadcast, HostTensor, Operand, Shape};
use crate::op::Fold;

/// Computes the graph's outputs from its inputs, each in the graph's order. Works on a graph
/// before or after the passes.
pub fn run(graph: &Graph, inputs: &[HostTensor]) -> Result<Vec<HostTensor>> {
    let mut values: HashMap<ValueId, HostTensor> =
        graph.inputs().iter().copied().zip(inputs.iter().cloned()).collect();
    for (id, value) in graph.values() {
        if let Some(constant) = &value.constant {
            let model = |e: Unsupported| Error::Model { node: value.name.to_string(), what: e.0 };
            values.insert(id, constant.on_host().map_err(model)?);
        }
    }
    for (id, node) in graph.nodes() {
        let model = |e: Unsupported| Error::Model { node: format!("#{} {}", id.0, node.label), what: e.0 };
        let constant = node.inputs.iter().flatten().all(|i| graph.value(*i).constant.is_some());
        let results = match node.op.fold().filter(|_| constant) {
            Some(fold) => folded(graph, node, &fold),
            None => evaluate(node, &values),
        };
        let results = results.map_err(model)?;
        values.extend(node.outputs.iter().copied().zip(results));
    }
    let output = |id: &ValueId| {
        values.get(id).cloned().ok_or_else(|| Error::Model {
            node: graph.value(*id).name.to_string(),
            what: "no node computes this output".into(),
        })
    };
    graph.outputs().iter().map(output).collect()
}

fn folded(graph: &Graph, node: &Node, fold: &Fold) -> Result<Vec<HostTensor>, Unsupported> {
    let inputs: Vec<_> = node.inputs.iter().map(|i| graph.value((*i)?).constant.as_ref()).collect();
    let constant = fold(&inputs)?;
    Ok(vec![constant.on_host()?])
}

/// The node's results, fused steps included.
fn evaluate(node: &Node, values: &HashMap<ValueId, HostTensor>) -> Result<Vec<HostTensor>, Unsupported> {
    let inputs: Vec<_> = node.inputs.iter().map(|i| values.get(&(*i)?)).collect();
    let mut results = node.op.reference(&inputs)?;
    if node.epilogue.is_empty() {
        return Ok(results);
    }
    let first = &mut results[0];
    for step in &node.epilogue {
        let count = first.floats().len();
        let tensor = |input: usize| {
            inputs[input].unwrap_or_else(|| unreachable!("{}: operand {input} of {step}", node.label))
        };
        let operand = match step.operand {
            Operand::None => filled(count as u64, 0.0, step)?,
            Operand::Scalar(x) => filled(count as u64, x, step)?,
            Operand::Input { input, broadcast: Broadcast::Padded } => padded(tensor(input), &first.shape),
            Operand::Input { input, .. } => tensor(input).expand(&first.shape)?.floats().to_vec(),
        };
        for (v, e) in first.floats_mut().iter_mut().zip(operand) {
            *v = if step.swapped { step.op.apply(e, *v) } else { step.op.apply(*v, e) };
        }
    }
    Ok(results)
}

/// The elements of `t` with zeros behind the channels of each row, as many as `shape` has more.
fn padded(t: &HostTensor, shape: &Shape) -> Vec<f32> {
    let channels = t.shape.channels() as usize;
    let zeros = shape.channels() as usize - channels;
    let row = |row: &[f32]| row.iter().copied().chain(std::iter::repeat_n(0.0, zeros)).collect::<Vec<_>>();
    t.floats().chunks_exact(channels.max(1)).flat_map(row).collect()
}
