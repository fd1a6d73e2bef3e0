//! Which values fp16 cannot hold, whatever the weights.

use std::collections::BTreeSet;

use super::{Graph, Node, Reader, ValueId};
use crate::ir::{Magnitude, Operand, Term};

/// The values of a graph, as imported, whose magnitude is beyond fp16's range, or in which it rounds to zero
/// what counts: squares and their sums, exponentials, reciprocals, epsilons, until they normalise something.
pub fn beyond_fp16(graph: &Graph) -> BTreeSet<ValueId> {
    let mut magnitudes = vec![Magnitude::RANGE; graph.values.len()];
    let mut constant: Vec<bool> = graph.values.iter().map(|value| value.constant.is_some()).collect();
    let mut wide = BTreeSet::new();
    for (_, node) in graph.nodes() {
        let term = |id: ValueId| {
            let at = id.0 as usize;
            let known = graph.value(id).constant.as_ref().filter(|known| known.shape.elements() == 1);
            Term {
                magnitude: if constant[at] { Magnitude::BOUNDED } else { magnitudes[at] },
                value: (!constant[at]).then_some(id.0),
                scalar: known.and_then(|known| known.to_f32().ok()?.first().copied()),
            }
        };
        let operands: Vec<Option<Term>> = node.inputs.iter().map(|id| id.map(term)).collect();
        let folded = node.op.fold().is_some();
        let base = node.op.magnitude(&operands);
        for (i, output) in node.outputs.iter().enumerate() {
            let magnitude = if i == 0 { behind(node, base, &operands) } else { base };
            (magnitudes[output.0 as usize], constant[output.0 as usize]) = (magnitude, folded);
            if !folded && !magnitude.is_narrow() {
                wide.insert(*output);
            }
        }
    }
    wide
}

/// What outputs are computed from that are rounded outside.
pub fn before_rounding(graph: &Graph) -> BTreeSet<ValueId> {
    let rounds = |id: &ValueId| graph.value(*id).reader == Reader::Rounds;
    let mut wide: BTreeSet<ValueId> = graph.outputs().iter().copied().filter(rounds).collect();
    for (_, node) in graph.nodes().rev() {
        if node.outputs.iter().any(|id| wide.contains(id)) {
            wide.extend(node.inputs.iter().flatten().filter(|id| graph.value(**id).constant.is_none()));
        }
    }
    wide
}

/// The magnitude behind a node's steps.
fn behind(node: &Node, base: Magnitude, operands: &[Option<Term>]) -> Magnitude {
    node.epilogue.iter().fold(base, |magnitude, step| {
        let v = Term { magnitude, value: None, scalar: None };
        let e = match step.operand {
            Operand::None => None,
            Operand::Scalar(x) => Some(Term { magnitude: Magnitude::BOUNDED, value: None, scalar: Some(x) }),
            // A bias of one channel is no epsilon.
            Operand::Input { input, .. } => {
                operands.get(input).copied().flatten().map(|e| Term { scalar: None, ..e })
            }
        };
        match (e, step.swapped) {
            (Some(e), true) => step.op.magnitude(e, Some(v)),
            _ => step.op.magnitude(v, e),
        }
    })
}
