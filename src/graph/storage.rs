//! How each value of a graph is stored on the device.

use std::collections::BTreeSet;

use super::wide::{before_rounding, beyond_fp16};
use super::{Graph, Node, ValueId};
use crate::caps::{Caps, Features};
use crate::ir::{Broadcast, Operand, Step};
use crate::op::{Aliasing, Fusion};
use crate::options::Precision;
use crate::program::{Element, Store};

/// The precision of a graph, value by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// The precision of most values.
    pub asked: Precision,
    /// The float32 values of the graph, as imported, that stay in 32 bits beside those
    /// [beyond fp16](beyond_fp16).
    pub wide: BTreeSet<ValueId>,
}

impl Mix {
    /// One precision for all values.
    pub fn of(asked: Precision) -> Self {
        Self { asked, wide: BTreeSet::new() }
    }

    /// How floats that may be narrow are stored: fp16 needs 16-bit storage buffers, and stays fp32 without.
    pub fn store(&self, caps: &Caps) -> Store {
        match self.asked {
            Precision::Fp16 | Precision::Fp16Fast if caps.features.contains(Features::STORAGE_16) => {
                Store::F16
            }
            _ => Store::F32,
        }
    }

    fn sums_16(&self, caps: &Caps) -> bool {
        self.asked == Precision::Fp16Fast && caps.sums_16()
    }
}

impl From<Precision> for Mix {
    fn from(asked: Precision) -> Self {
        Self::of(asked)
    }
}

/// How each value of a graph is stored. Values that share memory are stored alike.
#[derive(Clone, Debug)]
pub struct Storage {
    elements: Vec<Element>,
    /// Whether sums of a few products may be 16 bits wide.
    pub sums_16: bool,
}

impl Storage {
    /// The storage of all values, before any pass: what lies inside of a fusion can have its own.
    pub fn assign(graph: &Graph, caps: &Caps, mix: &Mix) -> Self {
        let store = mix.store(caps);
        let wide = match store {
            Store::F16 => {
                let wide = &(&mix.wide | &beyond_fp16(graph)) | &before_rounding(graph);
                classes(graph, joined(graph, classes(graph, wide)))
            }
            Store::F32 => BTreeSet::new(),
        };
        let element = |(id, value): (ValueId, &super::Value)| {
            let store = if wide.contains(&id) { Store::F32 } else { store };
            Element::of(value.ty.dtype, store, caps.features)
        };
        Self { elements: graph.values().map(element).collect(), sums_16: mix.sums_16(caps) }
    }

    /// How the value is stored. Constants of floats, among them all values that passes add, are stored as
    /// each kernel wants them.
    pub fn element(&self, id: ValueId) -> Element {
        self.elements.get(id.0 as usize).copied().unwrap_or(Element::F32)
    }

    /// How the kernels of a node see its floats: narrow only where all of them are. What an epilogue adds and
    /// the result behind it may be wide beside narrow operands, and elementwise kernels take any of both.
    pub fn of_node(&self, graph: &Graph, node: &Node) -> Store {
        let in_epilogue = |i: usize| {
            let at = |step: &Step| matches!(step.operand, Operand::Input { input, .. } if input == i);
            node.epilogue.iter().any(at)
        };
        let store = |id: ValueId| graph.value(id).constant.is_none().then(|| self.element(id).store())?;
        let inputs = node.inputs.iter().enumerate().filter_map(|(i, id)| Some((i, store((*id)?)?)));
        let outputs = node.outputs.iter().filter_map(|id| store(*id));
        let stores: Vec<Store> = match node.op.fusion() {
            Fusion::Common => inputs.filter(|(i, _)| !in_epilogue(*i)).map(|(_, store)| store).collect(),
            _ => inputs.map(|(_, store)| store).chain(outputs).collect(),
        };
        let narrow = match node.op.fusion() {
            Fusion::Elementwise(_) if self.spreads(graph, node) => stores.contains(&Store::F16),
            _ => !stores.is_empty() && !stores.contains(&Store::F32),
        };
        if narrow { Store::F16 } else { Store::F32 }
    }

    /// Whether a kernel can read the operands of an elementwise node as they are.
    fn spreads(&self, graph: &Graph, node: &Node) -> bool {
        let result = graph.value(node.outputs[0]).ty.shape;
        let shapes = || node.inputs.iter().take(2).flatten().map(|id| graph.value(*id).ty.shape);
        shapes().any(|shape| shape == result)
            && shapes().all(|shape| Broadcast::of(&shape, &result).is_some())
    }

    /// Whether any value is stored in 16 bits.
    pub fn has_narrow(&self) -> bool {
        self.elements.contains(&Element::F16)
    }

    /// Whether the value is stored in 16 bits.
    pub fn is_narrow(&self, id: ValueId) -> bool {
        self.element(id) == Element::F16
    }
}

/// The values, and what else only they are put together from: it can be computed in their memory then.
fn joined(graph: &Graph, mut values: BTreeSet<ValueId>) -> BTreeSet<ValueId> {
    for (_, node) in graph.nodes().rev() {
        if values.contains(&node.outputs[0]) && graph.aliasing(node) == Aliasing::Sequence {
            values.extend(node.inputs.iter().flatten().filter(|id| graph.has_one_use(**id)));
        }
    }
    values
}

/// The values and all that share memory with one of them.
fn classes(graph: &Graph, mut values: BTreeSet<ValueId>) -> BTreeSet<ValueId> {
    let aliases: Vec<[ValueId; 2]> = graph
        .nodes()
        .filter(|(_, node)| graph.aliasing(node) == Aliasing::Operand)
        .filter_map(|(_, node)| Some([node.inputs[0]?, node.outputs[0]]))
        .collect();
    loop {
        let before = values.len();
        for pair in &aliases {
            if pair.iter().any(|id| values.contains(id)) {
                values.extend(pair);
            }
        }
        if values.len() == before {
            return values;
        }
    }
}
