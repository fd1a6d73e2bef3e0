//! Buffers for values: which share one, which are inputs or outputs, which need a copy at the end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::graph::{Graph, NodeId, Storage, Value, ValueId};
use crate::ir::{Constant, DType};
use crate::lower::pack;
use crate::op::Aliasing;
use crate::program::{Buffer, BufferId, BufferKind, Element, HostForm, Program, Store, WeightKey, Weights};

/// A copy at the end of the program that brings a value into an output buffer.
pub(super) struct OutputCopy {
    /// In words of 32 bits.
    pub words: u64,
    pub from: BufferId,
    pub to: BufferId,
}

/// Where values lie.
pub(super) struct Places {
    pub buffers: HashMap<ValueId, BufferId>,
    pub copies: Vec<OutputCopy>,
    /// Nodes whose operands are computed in place, as ranges of the result's buffer.
    pub joined: HashSet<NodeId>,
}

/// Gives every value that a node reads or writes a buffer. Values that alias share one; an output
/// is written in place where it can be, else copied at the end; so are the operands of a node that puts them
/// one behind the other. Buffers can start at multiples of `alignment`.
pub(super) fn place_values(
    graph: &Graph,
    storage: &Storage,
    alignment: u64,
    program: &mut Program,
) -> Places {
    let mut root: HashMap<ValueId, ValueId> = HashMap::new();
    let resolve = |root: &HashMap<ValueId, ValueId>, id: ValueId| root.get(&id).copied().unwrap_or(id);
    for (_, node) in graph.nodes().filter(|(_, n)| graph.aliasing(n) == Aliasing::Operand) {
        if let Some(input) = node.inputs[0] {
            let of = resolve(&root, input);
            root.insert(node.outputs[0], of);
        }
    }
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
        let input = add_io(program, value, BufferKind::Input(n), storage.element(id));
        program.inputs.push(Some(input));
        buffers.insert(id, input);
    }
    let mut copies = Vec::new();
    for (n, &id) in graph.outputs().iter().enumerate() {
        let value = graph.value(id);
        let source = resolve(&root, id);
        let constant = graph.value(source).constant.as_ref();
        let element = constant.map_or(storage.element(source), |_| Element::native(value.ty.dtype));
        let output = add_io(program, value, BufferKind::Output(n), element);
        program.outputs.push(output);
        let from = match constant {
            Some(constant) => constant_buffer(program, source, value.ty.dtype, constant, &value.name),
            None => *buffers.entry(source).or_insert(output),
        };
        if from != output {
            copies.push(OutputCopy { words: program.buffer(output).bytes / 4, from, to: output });
        }
    }
    let bytes = |id: ValueId| graph.value(id).ty.shape.elements() * storage.element(id).bytes();
    let temp = |program: &mut Program, id: ValueId, kind: BufferKind| {
        program.add_buffer(bytes(id), kind, graph.value(id).name.clone())
    };
    let nodes: Vec<_> = graph.nodes().filter(|(_, n)| graph.aliasing(n) != Aliasing::Operand).collect();
    let computed: HashSet<ValueId> = nodes.iter().flat_map(|(_, n)| n.outputs.iter().copied()).collect();
    let mut joined = HashSet::new();
    // From the last node on: an operand that is a range of a result may consist of ranges itself.
    for (node_id, node) in nodes.iter().rev() {
        if graph.aliasing(node) != Aliasing::Sequence {
            continue;
        }
        let parts: Vec<ValueId> = node.inputs.iter().flatten().map(|i| resolve(&root, *i)).collect();
        let starts = parts.iter().scan(0, |end, id| Some(std::mem::replace(end, *end + bytes(*id))));
        let starts: Vec<u64> = starts.collect();
        let element = storage.element(node.outputs[0]);
        let own = |(i, id): (usize, &ValueId)| {
            let free = computed.contains(id) && !buffers.contains_key(id) && !parts[..i].contains(id);
            free && bytes(*id) > 0 && storage.element(*id) == element
        };
        if parts.iter().enumerate().all(own) && starts.iter().all(|start| start.is_multiple_of(alignment)) {
            let y = node.outputs[0];
            let whole = *buffers.entry(y).or_insert_with(|| temp(program, y, BufferKind::Temp));
            for (id, start) in parts.into_iter().zip(starts) {
                buffers.insert(id, temp(program, id, BufferKind::Part(whole, start)));
            }
            joined.insert(*node_id);
        }
    }
    for id in nodes.iter().flat_map(|(_, node)| &node.outputs) {
        buffers.entry(*id).or_insert_with(|| temp(program, *id, BufferKind::Temp));
    }
    for (&alias, &of) in &root {
        if let Some(&buffer) = buffers.get(&of) {
            buffers.insert(alias, buffer);
        }
    }
    Places { buffers, copies, joined }
}

/// An input or output.
fn add_io(program: &mut Program, value: &Value, kind: BufferKind, element: Element) -> BufferId {
    let host = HostForm { elements: value.ty.shape.elements(), dtype: value.ty.dtype, element };
    program.add(Buffer::of_host(host, kind, value.name.clone()))
}

/// A weights buffer with a constant that the host wants as an output of type `dtype`, as it is stored there.
fn constant_buffer(
    program: &mut Program,
    id: ValueId,
    dtype: DType,
    constant: &Constant,
    name: &str,
) -> BufferId {
    let (bytes, constant) = (constant.shape.elements() * dtype.bytes(), constant.clone());
    let packing = format!("output{}", pack::identity(&constant));
    let fill = move |to: &mut [u8]| {
        let known = "checked by parse";
        if constant.quant.is_some() {
            return pack::write(&constant.to_f32().expect(known), Store::F32, to);
        }
        // Halves may stand for floats.
        Element::native(dtype).write(constant.stored, &constant.dense().expect(known), to);
    };
    let key = WeightKey { constant: id.0, packing };
    program.weights.push(Weights { key, bytes: bytes.next_multiple_of(16).max(16), fill: Arc::new(fill) });
    program.add_buffer(bytes, BufferKind::Weights(program.weights.len() - 1), name)
}
