//! Lets convolutions and poolings read beyond the border instead of a padded copy.

use super::Outcome;
use crate::graph::Graph;
use crate::ir::SpatialPadding;

pub fn run(graph: &mut Graph) -> Outcome {
    let mut outcome = Outcome { pass: "fold padding", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(pad) = graph.node(id) else { continue };
        let Some((border, value)) = pad.op.border() else { continue };
        let Some(padding) = SpatialPadding::of(&border) else { continue };
        let (label, output) = (pad.label.clone(), pad.outputs[0]);
        if !graph.has_one_use(output) {
            outcome.declined.push(format!("{label} #{}: its result has several uses", id.0));
            continue;
        }
        let reader = graph.consumers(output)[0];
        let Some(node) = graph.node(reader) else { continue };
        let absorbed =
            (node.inputs[0] == Some(output)).then(|| node.op.absorb_border(padding, value)).flatten();
        match absorbed {
            Some(op) => {
                graph.fuse_before(id, reader, op);
                outcome.applied += 1;
            }
            None => outcome.declined.push(format!("{label} #{}: {} does not absorb it", id.0, node.label)),
        }
    }
    outcome
}
