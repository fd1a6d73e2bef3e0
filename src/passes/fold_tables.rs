//! Folds functions of one 8-bit integer into one table: chains of functions, sums and products with numbers, and what
//! reads both an integer and its function, as `x · σ(x)` does. No device computes with the integers between.

use std::collections::HashMap;
use std::sync::Arc;

use super::Outcome;
use crate::graph::{Graph, Node, NodeId, ValueId};
use crate::ir::{DType, Scalar};
use crate::ops::lookup::Lookup;

/// A value as a function of another one's elements.
#[derive(Clone)]
struct Derived {
    source: ValueId,
    /// By the source's element: of 0 and more, then of negative integers, in order.
    numbers: Vec<i32>,
}

pub fn run(graph: &mut Graph) -> Outcome {
    let mut outcome = Outcome { pass: "fold tables", applied: 0, declined: Vec::new() };
    let mut known: HashMap<ValueId, Derived> = HashMap::new();
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        let Some(derived) = derived(graph, node, &known) else { continue };
        let (source, result) = (derived.source, node.outputs[0]);
        let whole = node.inputs.len() == 1 && node.inputs[0] == Some(source);
        known.insert(result, derived.clone());
        // One function of what is stored anyway is as good as its table.
        if whole {
            continue;
        }
        let spared: Vec<ValueId> =
            node.inputs.iter().flatten().copied().filter(|value| *value != source).collect();
        let dtype = graph.value(result).ty.dtype;
        let op = Arc::new(Lookup::Numbers { dtype, numbers: derived.numbers });
        graph.replace(id, op, vec![Some(source)]);
        spared.into_iter().for_each(|value| remove(graph, value));
        outcome.applied += 1;
    }
    outcome
}

/// The result of a node as a function of one value's elements; `None` if it is none.
fn derived(graph: &Graph, node: &Node, known: &HashMap<ValueId, Derived>) -> Option<Derived> {
    let ([result], true) = (&node.outputs[..], node.epilogue.is_empty()) else { return None };
    let ty = &graph.value(*result).ty;
    if !matches!(ty.dtype, DType::I8 | DType::U8) {
        return None;
    }
    let (mut source, mut operands) = (None, Vec::new());
    for value in &node.inputs {
        let id = (*value)?;
        let value = graph.value(id);
        if value.ty.dtype != ty.dtype {
            return None;
        }
        if let Some(constant) = &value.constant {
            let numbers = (constant.shape.elements() == 1).then(|| constant.to_i64().ok()).flatten()?;
            operands.push(vec![numbers[0] as i32; 256]);
            continue;
        }
        if value.ty.shape != ty.shape {
            return None;
        }
        let every = |bits| Scalar { dtype: ty.dtype, bits }.to_i64() as i32;
        let own = || Derived { source: id, numbers: (0..256).map(every).collect() };
        let derived = known.get(&id).cloned().unwrap_or_else(own);
        if source.is_some_and(|source| source != derived.source) {
            return None;
        }
        source = Some(derived.source);
        operands.push(derived.numbers);
    }
    let operands: Vec<&[i32]> = operands.iter().map(Vec::as_slice).collect();
    Some(Derived { source: source?, numbers: node.op.of_integers(&operands)? })
}

/// Removes what computes a value that nothing reads any more, and what only that had read.
fn remove(graph: &mut Graph, value: ValueId) {
    let unread = graph.consumers(value).is_empty() && !graph.outputs().contains(&value);
    let Some(id) = graph.producer(value).filter(|_| unread) else { return };
    let operands = operands_of(graph, id);
    graph.remove(id);
    operands.into_iter().for_each(|value| remove(graph, value));
}

fn operands_of(graph: &Graph, id: NodeId) -> Vec<ValueId> {
    graph.node(id).map_or(Vec::new(), |node| node.inputs.iter().flatten().copied().collect())
}
