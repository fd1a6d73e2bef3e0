//! Buffers for values: which share one, which are inputs or outputs, which need a copy at the end.

use std::collections::HashMap;
use std::sync::Arc;

use super::lower::add_buffer;
use super::pack;
use crate::ir::{Constant, DType, Graph, Shape, ValueId};
use crate::kernel::Store;
use crate::program::{BufferId, BufferKind, Program, WeightKey, Weights};

/// A copy at the end of the program that brings a value into an output buffer.
pub(super) struct Copy {
    pub shape: Shape,
    pub from: (BufferId, Store),
    pub to: BufferId,
}

/// Gives every value that a node reads or writes a buffer. Values that alias share one; an output
/// is written in place where it can be, else copied at the end.
pub(super) fn place_values(
    graph: &Graph,
    store: Store,
    program: &mut Program,
) -> (HashMap<ValueId, BufferId>, Vec<Copy>) {
    let mut root: HashMap<ValueId, ValueId> = HashMap::new();
    let resolve = |root: &HashMap<ValueId, ValueId>, id: ValueId| root.get(&id).copied().unwrap_or(id);
    for (_, node) in graph.nodes().filter(|(_, n)| n.op.is_alias()) {
        if let Some(input) = node.inputs[0] {
            let of = resolve(&root, input);
            root.insert(node.outputs[0], of);
        }
    }
    let is_float = |id: ValueId| matches!(graph.value(id).ty.dtype, DType::F32);
    let stored = |id: ValueId| if is_float(id) { store } else { Store::F32 };
    let mut buffers: HashMap<ValueId, BufferId> = HashMap::new();
    let wanted = |id: ValueId| {
        graph.outputs().iter().any(|o| resolve(&root, *o) == id)
            || graph.nodes().any(|(_, n)| n.inputs.iter().flatten().any(|i| resolve(&root, *i) == id))
    };
    for (n, &id) in graph.inputs().iter().enumerate() {
        let value = graph.value(id);
        if value.constant.is_some() || !wanted(id) {
            program.inputs.push(None);
            continue;
        }
        let input = add_buffer(program, value.ty.bytes(), BufferKind::Input(n), value.name.clone());
        program.inputs.push(Some(input));
        let bytes = value.ty.shape.elements() * store.bytes();
        let at = match stored(id) {
            Store::F32 => input,
            Store::F16 => add_buffer(program, bytes, BufferKind::Temp, value.name.clone()),
        };
        buffers.insert(id, at);
    }
    let mut copies = Vec::new();
    for (n, &id) in graph.outputs().iter().enumerate() {
        let value = graph.value(id);
        let output = add_buffer(program, value.ty.bytes(), BufferKind::Output(n), value.name.clone());
        program.outputs.push(output);
        let source = resolve(&root, id);
        let in_place = stored(source) == Store::F32 && graph.value(source).constant.is_none();
        if in_place && !buffers.contains_key(&source) {
            buffers.insert(source, output);
        } else if let Some(constant) = &graph.value(source).constant {
            let from = constant_buffer(program, source, constant, &value.name);
            copies.push(Copy { shape: value.ty.shape, from: (from, Store::F32), to: output });
        } else {
            let from = *buffers.entry(source).or_insert_with(|| {
                let bytes = value.ty.shape.elements() * store.bytes();
                add_buffer(program, bytes, BufferKind::Temp, value.name.clone())
            });
            copies.push(Copy { shape: value.ty.shape, from: (from, stored(source)), to: output });
        }
    }
    for (_, node) in graph.nodes().filter(|(_, n)| !n.op.is_alias()) {
        for &id in &node.outputs {
            let value = graph.value(id);
            buffers.entry(id).or_insert_with(|| {
                let size = if is_float(id) { store.bytes() } else { value.ty.dtype.bytes() };
                add_buffer(program, value.ty.shape.elements() * size, BufferKind::Temp, value.name.clone())
            });
        }
    }
    for (&alias, &of) in &root {
        if let Some(&buffer) = buffers.get(&of) {
            buffers.insert(alias, buffer);
        }
    }
    (buffers, copies)
}

/// A float32 weights buffer with a constant that the host wants as an output.
fn constant_buffer(program: &mut Program, id: ValueId, constant: &Constant, name: &str) -> BufferId {
    let (bytes, constant) = (constant.shape.elements() * 4, constant.clone());
    let fill = move |to: &mut [u8]| {
        let floats = constant.to_f32().unwrap_or_else(|e| unreachable!("folded to floats: {e}"));
        pack::write(&floats, Store::F32, to);
    };
    let key = WeightKey { constant: id.0, packing: "output".into() };
    program.weights.push(Weights { key, bytes: bytes.next_multiple_of(16).max(16), fill: Arc::new(fill) });
    add_buffer(program, bytes, BufferKind::Weights(program.weights.len() - 1), name.into())
}
