//! The graph that is compiled: nodes and values, and the only functions that change them.

mod reader;
mod storage;
mod wide;

use std::fmt;
use std::sync::Arc;

use crate::ir::{Broadcast, Constant, Operand, Shape, Step, StepOp, TensorType};
use crate::op::{Aliasing, Operator};
pub use reader::Reader;
pub use storage::{Mix, Storage};
pub use wide::beyond_fp16;

/// A value of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// A node of a [`Graph`]; nodes are in an order that respects data flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub struct Value {
    /// The tensor's name in the model.
    pub name: Arc<str>,
    /// Its type.
    pub ty: TensorType,
    /// Its contents, if known.
    pub constant: Option<Constant>,
    /// Between which numbers what computes an input is known to keep it.
    pub bounds: Option<[f32; 2]>,
    /// How an output is read.
    pub reader: Reader,
}

/// An operator with its operands and what was fused behind it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The operator.
    pub op: Arc<dyn Operator>,
    /// Its operands by TFLite's position, then those of the epilogue. `None`: an optional one left out.
    pub inputs: Vec<Option<ValueId>>,
    /// Its results.
    pub outputs: Vec<ValueId>,
    /// Elementwise steps applied to the (first) result before it is stored.
    pub epilogue: Vec<Step>,
    /// The TFLite nodes that it stands for.
    pub origin: Arc<[u32]>,
    /// Their names, for people: `CONV_2D+RELU`.
    pub label: Arc<str>,
}

/// The nodes around a value.
#[derive(Clone, Debug, Default)]
struct Links {
    producer: Option<NodeId>,
    /// In order, once per reading operand.
    readers: Vec<NodeId>,
}

/// A partition of a model.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    values: Vec<Value>,
    /// Who computes and who reads each value; kept by [`link`](Self::link) and [`unlink`](Self::unlink).
    links: Vec<Links>,
    nodes: Vec<Option<Arc<Node>>>,
    inputs: Vec<ValueId>,
    outputs: Vec<ValueId>,
}

impl Graph {
    /// Adds a value.
    pub fn add_value(
        &mut self,
        name: impl Into<Arc<str>>,
        ty: TensorType,
        constant: Option<Constant>,
    ) -> ValueId {
        self.values.push(Value { name: name.into(), ty, constant, bounds: None, reader: Reader::Any });
        self.links.push(Links::default());
        ValueId(self.values.len() as u32 - 1)
    }

    /// Adds a node behind all others; its operands must exist.
    pub fn add_node(&mut self, node: Node) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(None);
        self.link(id, node);
        id
    }

    /// Puts a node in its place.
    fn link(&mut self, id: NodeId, node: Node) {
        for value in node.inputs.iter().flatten() {
            let readers = &mut self.links[value.0 as usize].readers;
            readers.insert(readers.partition_point(|reader| *reader <= id), id);
        }
        for value in &node.outputs {
            self.links[value.0 as usize].producer = Some(id);
        }
        self.nodes[id.0 as usize] = Some(Arc::new(node));
    }

    /// Takes a node out of its place.
    fn unlink(&mut self, id: NodeId) -> Node {
        let node = self.nodes[id.0 as usize].take().unwrap_or_else(|| unreachable!("{id:?} was removed"));
        for value in node.inputs.iter().flatten() {
            let readers = &mut self.links[value.0 as usize].readers;
            if let Ok(at) = readers.binary_search(&id) {
                readers.remove(at);
            }
        }
        for value in &node.outputs {
            self.links[value.0 as usize].producer = None;
        }
        Arc::unwrap_or_clone(node)
    }

    /// Declares what the host provides and what it wants.
    pub fn set_interface(&mut self, inputs: Vec<ValueId>, outputs: Vec<ValueId>) {
        (self.inputs, self.outputs) = (inputs, outputs);
    }

    /// The values that the host provides.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The values that the host wants.
    pub fn outputs(&self) -> &[ValueId] {
        &self.outputs
    }

    /// The value with this id.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.0 as usize]
    }

    /// All values with their ids.
    pub fn values(&self) -> impl Iterator<Item = (ValueId, &Value)> {
        self.values.iter().enumerate().map(|(i, v)| (ValueId(i as u32), v))
    }

    /// The node with this id, if it still exists.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes[id.0 as usize].as_deref()
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().filter_map(|(i, n)| Some((NodeId(i as u32), n.as_deref()?)))
    }

    /// Ids of the nodes that exist now, in order.
    pub fn node_ids(&self) -> Vec<NodeId> {
        self.nodes().map(|(id, _)| id).collect()
    }

    /// Shapes of a node's operands; `None` for an optional one left out.
    pub fn input_shapes(&self, node: &Node) -> Vec<Option<Shape>> {
        node.inputs.iter().map(|i| i.map(|i| self.value(i).ty.shape)).collect()
    }

    /// How a node's result may share memory with its operands.
    pub fn aliasing(&self, node: &Node) -> Aliasing {
        node.op.aliasing(&self.input_shapes(node))
    }

    /// The constant that a node's first step adds to each channel, and its number among the node's operands.
    pub fn bias(&self, node: &Node) -> Option<(ValueId, usize)> {
        let first = node.epilogue.first().filter(|step| step.op == StepOp::Add)?;
        let Operand::Input { input, broadcast: Broadcast::Channel } = first.operand else { return None };
        let value = node.inputs[input]?;
        self.value(value).constant.is_some().then_some((value, input))
    }

    /// The node that computes a value.
    pub fn producer(&self, value: ValueId) -> Option<NodeId> {
        self.links[value.0 as usize].producer
    }

    /// The nodes that read a value, once per reading operand.
    pub fn consumers(&self, value: ValueId) -> &[NodeId] {
        &self.links[value.0 as usize].readers
    }

    /// Whether exactly one operand reads the value and the host does not want it.
    pub fn has_one_use(&self, value: ValueId) -> bool {
        self.consumers(value).len() == 1 && !self.outputs.contains(&value)
    }

    /// Makes a value a constant.
    pub fn set_constant(&mut self, value: ValueId, constant: Constant) {
        self.values[value.0 as usize].constant = Some(constant);
    }

    /// Makes a constant one more input.
    pub fn make_input(&mut self, value: ValueId) {
        self.values[value.0 as usize].constant = None;
        self.inputs.push(value);
    }

    /// Says between which numbers an input is.
    pub fn set_bounds(&mut self, value: ValueId, bounds: [f32; 2]) {
        self.values[value.0 as usize].bounds = Some(bounds);
    }

    /// Says how an output is read.
    pub fn set_reader(&mut self, value: ValueId, reader: Reader) {
        self.values[value.0 as usize].reader = reader;
    }

    /// Sets the type of a value.
    pub fn set_type(&mut self, value: ValueId, ty: TensorType) {
        self.values[value.0 as usize].ty = ty;
    }

    /// Removes a node whose results are constants now, or have no reader left.
    pub fn remove(&mut self, id: NodeId) {
        debug_assert!(self.node(id).is_some_and(|n| {
            n.outputs.iter().all(|o| self.value(*o).constant.is_some() || self.consumers(*o).is_empty())
        }));
        self.unlink(id);
    }

    /// Puts another operator in a node's place, with other operands.
    pub fn replace(&mut self, id: NodeId, op: Arc<dyn Operator>, inputs: Vec<Option<ValueId>>) {
        let node = self.unlink(id);
        self.link(id, Node { op, inputs, ..node });
    }

    /// Lets an elementwise node and its epilogue become the operator `op` alone.
    pub fn replace_step(&mut self, id: NodeId, op: Arc<dyn Operator>, inputs: Vec<Option<ValueId>>) {
        let node = self.unlink(id);
        self.link(id, Node { op, inputs, epilogue: Vec::new(), ..node });
    }

    /// Lets `follower` disappear into `node`: the merged node stands where `follower` stood, computes
    /// its result, applies `steps` (whose operands are values) and then the follower's own epilogue.
    pub fn fuse_behind(&mut self, node: NodeId, follower: NodeId, step: Step, operand: Option<ValueId>) {
        let (mut merged, behind) = (self.unlink(node), self.unlink(follower));
        let mut push = |mut step: Step, value: Option<ValueId>| {
            if let (Operand::Input { input, .. }, Some(value)) = (&mut step.operand, value) {
                *input = merged.inputs.len();
                merged.inputs.push(Some(value));
            }
            merged.epilogue.push(step);
        };
        push(step, operand);
        for step in &behind.epilogue {
            let value = match step.operand {
                Operand::Input { input, .. } => behind.inputs[input],
                _ => None,
            };
            push(*step, value);
        }
        (merged.origin, merged.label) = joined(&merged, &behind);
        merged.outputs = behind.outputs;
        self.link(follower, merged);
    }

    /// Lets `follower` disappear into `node`, whose operator becomes `op`: the merged node stands where `follower`
    /// stood, and computes its result. `operand` becomes an operand of this number, behind all others.
    pub fn fuse_follower(
        &mut self,
        node: NodeId,
        follower: NodeId,
        op: Arc<dyn Operator>,
        operand: Option<(usize, ValueId)>,
    ) {
        let (mut merged, behind) = (self.unlink(node), self.unlink(follower));
        if let Some((i, value)) = operand {
            merged.inputs.resize(i, None);
            merged.inputs.push(Some(value));
        }
        merged.op = op;
        (merged.origin, merged.label) = joined(&merged, &behind);
        merged.outputs = behind.outputs;
        self.link(follower, merged);
    }

    /// Gives a node more operands, behind those that it has.
    pub fn append_inputs(&mut self, id: NodeId, values: &[ValueId]) {
        let mut node = self.unlink(id);
        node.inputs.extend(values.iter().copied().map(Some));
        self.link(id, node);
    }

    /// Lets `first`, whose only reader is `node`, disappear into `node`, which takes over `op` and
    /// reads `first`'s first operand instead of its own first.
    pub fn fuse_before(&mut self, first: NodeId, node: NodeId, op: Arc<dyn Operator>) {
        let (before, mut merged) = (self.unlink(first), self.unlink(node));
        merged.inputs[0] = before.inputs[0];
        merged.op = op;
        (merged.origin, merged.label) = joined(&before, &merged);
        self.link(node, merged);
    }
}

/// What a node stands for, and its name, that computes what `first` and `second` do.
fn joined(first: &Node, second: &Node) -> (Arc<[u32]>, Arc<str>) {
    let origin = first.origin.iter().chain(&*second.origin).copied().collect();
    (origin, format!("{}+{}", first.label, second.label).into())
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |id: &ValueId| {
            let v = self.value(*id);
            let kind = if v.constant.is_some() { "c" } else { "%" };
            let bounds = v.bounds.map_or(String::new(), |[lo, hi]| format!(" in {lo}..{hi}"));
            let reader = match v.reader {
                Reader::Any => String::new(),
                reader => format!(" {reader:?}"),
            };
            format!("{kind}{}:{}{bounds}{reader}", id.0, v.ty)
        };
        let list = |ids: &[ValueId]| ids.iter().map(show).collect::<Vec<_>>().join(" ");
        writeln!(f, "in  {}", list(&self.inputs))?;
        for (id, n) in self.nodes() {
            let inputs: Vec<_> = n.inputs.iter().map(|i| i.as_ref().map_or("-".into(), show)).collect();
            write!(f, "#{} {} = {:?}({})", id.0, list(&n.outputs), n.op, inputs.join(" "))?;
            for step in &n.epilogue {
                write!(f, " {step}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "out {}", list(&self.outputs))
    }
}
