//! Folds a scale and shift of channels by constants, `s · v + t` as batch normalisation leaves it, into the
//! weights of the convolution that reads the result, or of the one that computes `v`. Behind the latter a
//! PRELU or RELU may lie between.

use std::sync::Arc;

use super::Outcome;
use crate::graph::{Graph, Node, NodeId, ValueId};
use crate::ir::{Constant, StepOp, TensorType};
use crate::op::WeightLayout;
use crate::ops::binary::Binary;

pub fn run(graph: &mut Graph) -> Outcome {
    let mut outcome = Outcome { pass: "fold scale", applied: 0, declined: Vec::new() };
    for id in graph.node_ids() {
        let Some(node) = graph.node(id) else { continue };
        let Some(scale) = Scale::of(graph, node) else { continue };
        let label = format!("{} #{}", node.label, id.0);
        let folded = match into_reader(graph, id, &scale) {
            Err(_) => into_producer(graph, id, &scale),
            done => done,
        };
        match folded {
            Ok(()) => outcome.applied += 1,
            Err(why) => outcome.declined.push(format!("{label}: {why}")),
        }
    }
    outcome
}

/// A node that computes `factors · x + shift`, and nothing else.
struct Scale {
    x: ValueId,
    factors: Vec<f32>,
    shift: ValueId,
}

impl Scale {
    fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let [Some(x), Some(factors), ..] = node.inputs[..] else { return None };
        let channels = graph.value(node.outputs[0]).ty.shape.channels();
        let (shift, _) = graph.bias(node).filter(|_| node.epilogue.len() == 1)?;
        let per_channel = graph.value(factors).ty.shape.elements() == u64::from(channels);
        let same = graph.value(x).ty == graph.value(node.outputs[0]).ty;
        if node.op.fusion().elementwise() != Some(StepOp::Mul) || !same || !per_channel {
            return None;
        }
        Some(Self { x, factors: floats(graph, factors)?, shift })
    }
}

fn floats(graph: &Graph, value: ValueId) -> Option<Vec<f32>> {
    graph.value(value).constant.as_ref()?.to_f32().ok()
}

/// A convolution whose constant weights and bias are to change.
struct Convolution {
    weights: ValueId,
    bias: ValueId,
    /// The number of the bias among the operands.
    bias_input: usize,
    kind: WeightLayout,
}

impl Convolution {
    fn of(graph: &Graph, node: &Node) -> Option<Self> {
        let kind = node.op.weights(&graph.input_shapes(node))?;
        let (weights, (bias, bias_input)) = (node.inputs[1]?, graph.bias(node)?);
        graph.value(weights).constant.as_ref()?;
        Some(Self { weights, bias, bias_input, kind })
    }

    /// Gives the node other weights and another bias.
    fn change(&self, graph: &mut Graph, id: NodeId, weights: &[f32], bias: &[f32]) {
        let weights = constant_like(graph, self.weights, weights);
        let bias = constant_like(graph, self.bias, bias);
        let Some(node) = graph.node(id) else { unreachable!("{id:?} was removed") };
        let (op, mut inputs) = (Arc::clone(&node.op), node.inputs.clone());
        (inputs[1], inputs[self.bias_input]) = (Some(weights), Some(bias));
        graph.replace(id, op, inputs);
    }
}

fn constant_like(graph: &mut Graph, like: ValueId, data: &[f32]) -> ValueId {
    let (name, ty) = (graph.value(like).name.clone(), TensorType::f32(graph.value(like).ty.shape));
    graph.add_value(name, ty.clone(), Some(Constant::from_f32(ty.shape, data)))
}

/// Folds it into the only reader, whose weights become `w · s` and whose bias becomes `bias + Σ w · t`. None
/// of its windows may see a border, where there is no `t`.
fn into_reader(graph: &mut Graph, id: NodeId, scale: &Scale) -> Result<(), &'static str> {
    const NONE: &str = "no convolution makes or alone reads what it scales";
    let output = graph.node(id).map(|node| node.outputs[0]).ok_or(NONE)?;
    let reader = *graph.consumers(output).first().filter(|_| graph.has_one_use(output)).ok_or(NONE)?;
    let node = graph.node(reader).ok_or(NONE)?;
    let convolution = Convolution::of(graph, node).ok_or(NONE)?;
    if convolution.kind != (WeightLayout::PerResult { inside: true }) || node.inputs[0] != Some(output) {
        return Err(NONE);
    }
    let (Some(mut weights), Some(mut bias), Some(shift)) =
        (floats(graph, convolution.weights), floats(graph, convolution.bias), floats(graph, scale.shift))
    else {
        return Err(NONE);
    };
    let products = weights.len() / bias.len().max(1);
    for (sums, b) in weights.chunks_exact_mut(products).zip(&mut bias) {
        for (k, w) in sums.iter_mut().enumerate() {
            *b += *w * shift[k % shift.len()];
            *w *= scale.factors[k % scale.factors.len()];
        }
    }
    let op = Arc::clone(&node.op);
    convolution.change(graph, reader, &weights, &bias);
    graph.fuse_before(id, reader, op);
    Ok(())
}

/// Folds the scale into the producer, which then computes `s · v`; the node adds `t`. What lies between has
/// to commute with positive factors.
fn into_producer(graph: &mut Graph, id: NodeId, scale: &Scale) -> Result<(), &'static str> {
    const NONE: &str = "no convolution makes or alone reads what it scales";
    let (mut value, mut between) = (scale.x, false);
    let producer = loop {
        if !graph.has_one_use(value) {
            return Err("what it scales has several uses");
        }
        let producer = graph.producer(value).ok_or(NONE)?;
        let node = graph.node(producer).ok_or(NONE)?;
        match node.op.fusion().elementwise() {
            Some(op) if op.is_homogeneous() && node.epilogue.is_empty() => {
                (value, between) = (node.inputs[0].ok_or(NONE)?, true);
            }
            _ => break producer,
        }
    };
    let node = graph.node(producer).ok_or(NONE)?;
    let convolution = Convolution::of(graph, node).ok_or(NONE)?;
    let steps = &node.epilogue[1..];
    if !steps.iter().all(|step| step.op.is_homogeneous()) {
        return Err("more than a bias and a homogeneous function stands behind the convolution");
    }
    if (between || !steps.is_empty()) && scale.factors.iter().any(|s| *s < 0.0) {
        return Err("a factor is negative");
    }
    let (Some(mut weights), Some(mut bias)) =
        (floats(graph, convolution.weights), floats(graph, convolution.bias))
    else {
        return Err(NONE);
    };
    let channels = bias.len();
    let products = weights.len() / channels.max(1);
    for (k, w) in weights.iter_mut().enumerate() {
        let channel = match convolution.kind {
            WeightLayout::PerResult { .. } => k / products,
            WeightLayout::PerChannel => k % channels,
        };
        *w *= scale.factors[channel];
    }
    bias.iter_mut().zip(&scale.factors).for_each(|(b, s)| *b *= s);
    convolution.change(graph, producer, &weights, &bias);
    graph.replace_step(id, Arc::new(Binary(StepOp::Add)), vec![Some(scale.x), Some(scale.shift)]);
    Ok(())
}
