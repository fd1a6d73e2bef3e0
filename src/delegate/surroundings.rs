//! What is known of a partition's inputs and outputs from the nodes around it.

use std::collections::{BTreeMap, BTreeSet};

use super::partition::Outline;
use crate::graph::{Graph, Reader};
use crate::ir::{DType, StepOp};
use crate::ops;
use crate::tflite::{NodeView, Partition, Subgraph, sys};

/// Tells `graph`, as imported from `partition`, the bounds of its inputs and the readers of its outputs, which
/// stand for the tensors `inputs` and `outputs`.
pub fn describe(
    graph: &mut Graph,
    subgraph: &Subgraph<'_>,
    nodes: &BTreeMap<i32, Outline>,
    partition: &Partition,
    [inputs, outputs]: [&[i32]; 2],
) {
    let own: BTreeSet<i32> = partition.nodes.iter().copied().collect();
    let around = || nodes.iter().filter(|(index, _)| !own.contains(index));
    for (tensor, id) in inputs.iter().zip(graph.inputs().to_vec()) {
        let producer = around().find(|(_, node)| node.outputs.contains(tensor));
        let bounds = producer.and_then(|(index, _)| bounds(&subgraph.node(*index).ok()?));
        if let Some(bounds) = bounds {
            graph.set_bounds(id, bounds);
        }
    }
    for (tensor, id) in outputs.iter().zip(graph.outputs().to_vec()) {
        let readers = around().filter(|(_, node)| node.inputs.contains(tensor));
        let readers = readers.filter_map(|(index, _)| Some(reader(&subgraph.node(*index).ok()?, *tensor)));
        graph.set_reader(id, readers.max_by_key(|reader| strictness(*reader)).unwrap_or_default());
    }
}

/// Between which numbers the results of a node are, if something bounds them.
fn bounds(node: &NodeView<'_>) -> Option<[f32; 2]> {
    match node.builtin() {
        sys::kTfLiteBuiltinDequantize => {
            let ty = node.input(0)?.ty().ok()?;
            let [lo, hi] = match ty.dtype {
                DType::I8 => [i8::MIN.into(), i8::MAX.into()],
                DType::U8 => [u8::MIN.into(), u8::MAX.into()],
                DType::I16 => [i16::MIN.into(), i16::MAX.into()],
                _ => return None,
            };
            let quant = ty.quant?;
            let ([scale], [zero_point]) = (&quant.scale[..], &quant.zero_point[..]) else { return None };
            let real = |q: i32| scale * (q - zero_point) as f32;
            Some([real(lo), real(hi)])
        }
        sys::kTfLiteBuiltinSoftmax => Some([0.0, 1.0]),
        sys::kTfLiteBuiltinL2Normalization => Some([-1.0, 1.0]),
        _ => {
            let parsed = ops::parse(node).ok()?;
            let last = parsed.steps.last().map(|step| step.op);
            match last.or(parsed.op.fusion().elementwise())? {
                StepOp::Logistic => Some([0.0, 1.0]),
                StepOp::Tanh | StepOp::Sin | StepOp::Cos | StepOp::Sign => Some([-1.0, 1.0]),
                StepOp::Clamp { lo, hi } => (lo.is_finite() && hi.is_finite()).then_some([lo, hi]),
                _ => None,
            }
        }
    }
}

/// The most places of a ranking that are compared, if the node does not tell.
const PLACES: u32 = 32;

/// How a node reads a tensor.
fn reader(node: &NodeView<'_>, tensor: i32) -> Reader {
    let dtype = |i: usize| node.input(i).and_then(|t| Some(t.ty().ok()?.dtype));
    let is_main = node.input(0).is_some_and(|t| t.index() == tensor);
    match node.builtin() {
        sys::kTfLiteBuiltinTopkV2 => {
            let count = node.ints(1).ok().and_then(|k| k.first().copied());
            Reader::Picks(count.and_then(|k| k.try_into().ok()).unwrap_or(PLACES))
        }
        sys::kTfLiteBuiltinArgMax | sys::kTfLiteBuiltinArgMin => Reader::Picks(1),
        sys::kTfLiteBuiltinNonMaxSuppressionV4 | sys::kTfLiteBuiltinNonMaxSuppressionV5 => {
            Reader::Picks(PLACES)
        }
        sys::kTfLiteBuiltinQuantize => Reader::Rounds,
        sys::kTfLiteBuiltinCast if node.output_type(0).is_ok_and(|ty| ty.dtype != DType::F32) => {
            Reader::Rounds
        }
        // It quantises its operand each time that it runs.
        _ if is_main && dtype(0) == Some(DType::F32) && dtype(1) == Some(DType::I8) => Reader::Rounds,
        _ if node.custom_name() == Some("TFLite_Detection_PostProcess") => Reader::Picks(PLACES),
        _ => Reader::Any,
    }
}

fn strictness(reader: Reader) -> u32 {
    match reader {
        Reader::Any => 0,
        Reader::Picks(count) => count.clamp(1, u32::MAX - 1),
        Reader::Rounds => u32::MAX,
    }
}
