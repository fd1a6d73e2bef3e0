//! From a graph to a program: buffers for values, dispatches for nodes.

use super::place::{OutputCopy, Places, place_values};
use crate::caps::Caps;
use crate::error::{Error, Result, Unsupported};
use crate::graph::{Graph, Node, Storage, ValueId};
use crate::kernel::table::copy::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::{Lower, Lowered, OperandSite, ResultSite, Site, Tactics, Target, grid};
use crate::op::{Aliasing, Fusion};
use crate::program::{Cost, Dispatch, Program};

/// Lowers every node of `graph`, after the passes, to dispatches; `tactics` picks a candidate for each
/// choice.
pub fn lower(graph: &Graph, storage: &Storage, caps: &Caps, tactics: &dyn Tactics) -> Result<Program> {
    let target = Target { caps, sums_16: storage.sums_16, tactics };
    let mut lowered = Lowered::default();
    let places = place_values(graph, storage, caps.buffer_alignment, &mut lowered.program);
    for (id, node) in graph.nodes() {
        if graph.aliasing(node) == Aliasing::Operand {
            continue;
        }
        let model = |e: Unsupported| Error::Model { node: format!("#{} {}", id.0, node.label), what: e.0 };
        let mut cx = Lower::new(site(graph, storage, node, &places), target, &mut lowered);
        if places.joined.contains(&id) {
            cx.spare(|cx| node.op.lower(cx)).map_err(model)?;
        } else {
            node.op.lower(&mut cx).map_err(model)?;
        }
        cx.finish().map_err(model)?;
    }
    let mut program = lowered.program;
    for copy in places.copies {
        program.dispatches.push(copy_output(caps, &copy)?);
    }
    bindable(&program, caps)?;
    Ok(program)
}

/// Requires that every buffer can be bound as a whole.
fn bindable(program: &Program, caps: &Caps) -> Result<()> {
    let limit = caps.max_storage_range;
    for Dispatch { bindings, label, origin, .. } in &program.dispatches {
        let large = bindings.iter().map(|id| program.buffer(*id)).find(|buffer| buffer.bytes > limit);
        if let Some(buffer) = large {
            let what = format!(
                "{} takes {} bytes, which exceeds maxStorageBufferRange {limit}",
                buffer.name, buffer.bytes
            );
            return Err(Error::Model { node: format!("{label} {origin:?}"), what });
        }
    }
    Ok(())
}

/// The node with its operands' types, constants and buffers.
fn site<'a>(graph: &'a Graph, storage: &Storage, node: &'a Node, places: &Places) -> Site<'a> {
    let operand = |id: &Option<ValueId>| {
        id.map(|id| {
            let value = graph.value(id);
            let (constant, buffer) = (value.constant.as_ref(), places.buffers.get(&id).copied());
            let element = storage.element(id);
            OperandSite { value: id.0, name: &value.name, ty: &value.ty, element, constant, buffer }
        })
    };
    let result = |id: &ValueId| ResultSite {
        value: id.0,
        ty: &graph.value(*id).ty,
        element: storage.element(*id),
        buffer: places.buffers[id],
    };
    Site {
        label: &node.label,
        origin: &node.origin,
        operands: node.inputs.iter().map(operand).collect(),
        results: node.outputs.iter().map(result).collect(),
        store: storage.of_node(graph, node),
        has_epilogue: node.op.fusion() != Fusion::None,
        steps: &node.epilogue,
    }
}

fn copy_output(caps: &Caps, copy: &OutputCopy) -> Result<Dispatch, Unsupported> {
    let OutputCopy { words, from, to } = *copy;
    let (grid, row_items, wg_x) = grid::linear(caps, words.div_ceil(4))?;
    let spec = Spec { wg_x, ..Default::default() };
    let push = Push { words: words as u32, row_items };
    let launch = dispatch(kernel(), spec, push, Bind { x: from, y: to }, grid);
    Ok(Dispatch::new(launch, "copy", [], Cost { ops: 0, bytes: 8 * words }))
}
