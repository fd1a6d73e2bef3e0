//! From TFLite's nodes to a [`Graph`].

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::{Error, Result, Unsupported};
use crate::graph::{Graph, Node, NodeId, ValueId};
use crate::ir::{Constant, DType, HostTensor, MAX_HOST_INTEGERS, Shape, TensorType};
use crate::ops;
use crate::tflite::{PartitionView, TensorView};
use crate::unsupported;

/// Builds the graph of a partition. Its inputs are the partition's non-constant input tensors in
/// TFLite's order, its outputs the partition's output tensors, then the tensors that hold state, which are given too.
pub fn import(partition: &PartitionView<'_>) -> Result<(Graph, Vec<i32>)> {
    let mut graph = Graph::default();
    let (mut states, mut next_states) = (Vec::new(), Vec::new());
    let mut values: HashMap<i32, ValueId> = HashMap::new();
    let mut value = |graph: &mut Graph, tensor: TensorView<'_>, node: &str| -> Result<ValueId> {
        if let Some(id) = values.get(&tensor.index()) {
            return Ok(*id);
        }
        let model = |e: crate::error::Unsupported| Error::Model { node: node.into(), what: e.0 };
        let id =
            graph.add_value(tensor.name(), tensor.ty().map_err(model)?, tensor.constant().map_err(model)?);
        values.insert(tensor.index(), id);
        Ok(id)
    };
    for view in partition.nodes() {
        let label = format!("#{} {}", view.index(), view.name());
        let parsed = ops::parse(&view).map_err(|e| Error::Model { node: label.clone(), what: e.0 })?;
        let mut inputs = Vec::new();
        for i in 0..view.input_count() {
            let input = view.input(i).map(|t| value(&mut graph, t, &label)).transpose()?;
            inputs.push(match input {
                Some(id) if parsed.dequantized == Some(i) => Some(dequantized(&mut graph, id)),
                input => input,
            });
        }
        let mut outputs = Vec::new();
        for i in 0..view.output_count() {
            let Some(tensor) = view.output(i) else { continue };
            outputs.push(value(&mut graph, tensor, &label)?);
        }
        for &i in parsed.op.states() {
            let Some(tensor) = view.input(i) else { continue };
            let id = value(&mut graph, tensor, &label)?;
            let state = graph.value(id);
            let (name, ty) = (format!("next {}", state.name), state.ty.clone());
            states.push(tensor.index());
            next_states.push(graph.add_value(name, ty, None));
            outputs.extend(next_states.last());
        }
        graph.add_node(Node {
            op: parsed.op,
            inputs,
            outputs,
            epilogue: parsed.steps,
            origin: Arc::new([view.index() as u32]),
            label: view.name().into(),
        });
    }
    let mut interface = |tensors: Vec<TensorView<'_>>| -> Result<Vec<ValueId>> {
        tensors.into_iter().map(|t| value(&mut graph, t, "partition")).collect()
    };
    let (inputs, mut outputs) = (interface(partition.inputs())?, interface(partition.outputs())?);
    outputs.extend(next_states);
    graph.set_interface(inputs, outputs);
    Ok((graph, states))
}

/// A value of the floats that the integers of a constant stand for.
fn dequantized(graph: &mut Graph, id: ValueId) -> ValueId {
    let value = graph.value(id).clone();
    let constant = value.constant.map(|constant| Constant { quant: value.ty.quant.clone(), ..constant });
    graph.add_value(value.name, TensorType::f32(value.ty.shape), constant)
}

/// Gives the graph's inputs these shapes and infers all others anew.
pub fn reshape(graph: &mut Graph, inputs: &[Shape]) -> Result<()> {
    for (id, shape) in graph.inputs().to_vec().into_iter().zip(inputs) {
        if shape.elements() > u32::MAX.into() {
            unsupported!("input {shape} has more elements than a kernel can count");
        }
        let ty = graph.value(id).ty.with_shape(*shape);
        graph.set_type(id, ty);
    }
    for id in graph.node_ids() {
        settle(graph, id)?;
        let Some(node) = graph.node(id) else { continue };
        let model = |what: String| Error::Model { node: format!("{} {:?}", node.label, node.origin), what };
        let inferred = node.op.infer(&graph.input_shapes(node)).map_err(|e| model(e.0))?;
        if inferred.len() != node.outputs.len() {
            return Err(model(format!("{} outputs, {} expected", node.outputs.len(), inferred.len())));
        }
        if let Some(shape) = inferred.iter().find(|shape| shape.elements() > u32::MAX.into()) {
            return Err(model(format!("{shape} has more elements than a kernel can count")));
        }
        for (output, shape) in node.outputs.clone().into_iter().zip(inferred) {
            // Element type and quantisation are the model's own.
            let ty = graph.value(output).ty.with_shape(shape);
            graph.set_type(output, ty);
        }
        fold_integers(graph, id)?;
    }
    Ok(())
}

/// Gives an operator the attributes that its operands hold, where they are known.
fn settle(graph: &mut Graph, id: NodeId) -> Result<()> {
    let Some(node) = graph.node(id) else { return Ok(()) };
    let numbers = |i: usize| graph.value((*node.inputs.get(i)?)?).constant.as_ref()?.to_i64().ok();
    if let Some(op) = node.op.settle(&numbers).map_err(|e| refused(node, &e))? {
        let inputs = node.inputs.clone();
        graph.replace(id, op, inputs);
    }
    Ok(())
}

/// Makes the results of a node constant, if they are a few integers that are known now.
fn fold_integers(graph: &mut Graph, id: NodeId) -> Result<()> {
    let Some(node) = graph.node(id) else { return Ok(()) };
    let few = |id: &ValueId| {
        let ty = &graph.value(*id).ty;
        !matches!(ty.dtype, DType::F32 | DType::F16) && ty.shape.elements() <= MAX_HOST_INTEGERS
    };
    if !node.outputs.iter().all(few) {
        return Ok(());
    }
    let results = match node.op.of_shapes(&graph.input_shapes(node)) {
        Some(result) => vec![result],
        None => {
            let known = |id: &Option<ValueId>| id.is_none_or(|id| graph.value(id).constant.is_some());
            if !node.inputs.iter().all(known) {
                return Ok(());
            }
            let constant = |id: &Option<ValueId>| Some(graph.value((*id)?).constant.as_ref()?.on_host());
            let inputs: Vec<Option<HostTensor>> = node
                .inputs
                .iter()
                .map(|id| constant(id).transpose())
                .collect::<Result<_, _>>()
                .map_err(|e| refused(node, &e))?;
            let inputs: Vec<Option<&HostTensor>> = inputs.iter().map(Option::as_ref).collect();
            node.op.reference(&inputs).map_err(|e| refused(node, &e))?
        }
    };
    let outputs = node.outputs.clone();
    for (output, result) in outputs.into_iter().zip(results) {
        graph.set_constant(output, Constant::from_host(&result));
    }
    graph.remove(id);
    Ok(())
}

fn refused(node: &Node, why: &Unsupported) -> Error {
    Error::Model { node: format!("{} {:?}", node.label, node.origin), what: why.0.clone() }
}
