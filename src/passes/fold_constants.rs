//! Replaces nodes that only unpack constants (fp16 DEQUANTIZE, DENSIFY) by their result.

use super::Outcome;
use crate::error::{Error, Result};
use crate::graph::Graph;

pub fn run(graph: &mut Graph) -> Result<Outcome> {
    let mut outcome = Outcome { pass: "fold constants", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        let Some(fold) = node.op.fold() else { continue };
        if graph.value(node.outputs[0]).constant.is_some() {
            // `parse` of a reader asked for it already.
            graph.remove(id);
            outcome.applied += 1;
            continue;
        }
        let inputs: Vec<_> = node.inputs.iter().map(|i| graph.value((*i)?).constant.as_ref()).collect();
        if inputs.iter().all(Option::is_none) {
            outcome.declined.push(format!("{}: its input is not constant", node.label));
            continue;
        }
        let constant = fold(&inputs)
            .map_err(|e| Error::Model { node: format!("#{} {}", node.origin[0], node.label), what: e.0 })?;
        let output = node.outputs[0];
        graph.set_constant(output, constant);
        graph.remove(id);
        outcome.applied += 1;
    }
    Ok(outcome)
}
