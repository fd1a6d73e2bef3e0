//! A node with any parameters, types, shapes and constants: it is refused, or it compiles, and the host computes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tflite_vulkan::caps::Caps;
use tflite_vulkan::compile::{compile, import, reshape};
use tflite_vulkan::ir::HostTensor;
use tflite_vulkan::op::Def;
use tflite_vulkan::options::Precision;
use tflite_vulkan::tflite::{Partition, Subgraph};
use tflite_vulkan::{ops, reference};

mod bytes;
mod forms;
mod host;

/// What the host computes at most, in elements of all values.
const MOST: u64 = 1 << 12;

fuzz_target!(|data: &[u8]| {
    let mut from = bytes::Bytes(data);
    let defs: Vec<&Def> = ops::ALL.iter().copied().flatten().collect();
    let mut host = host::Host::new(defs[from.below(defs.len())], &mut from);
    let tensors = host.tensor_count();
    let context = host.context();
    let subgraph = Subgraph::new(&context);
    let Ok(node) = subgraph.node(0) else { return };
    if ops::parse(&node).is_err() {
        return;
    }
    let outputs = node.output_tensors().to_vec();
    let partition = Partition { nodes: vec![0], inputs: (0..tensors).collect(), outputs };
    let view = subgraph.partition(&partition).expect("the node is there");
    let Ok((mut graph, _)) = import(&view) else { return };
    let shapes: Vec<_> = graph.inputs().iter().map(|id| graph.value(*id).ty.shape).collect();
    if reshape(&mut graph, &shapes).is_err() {
        return;
    }
    let heuristic = |_: &_, _: &[String]| 0;
    let _ = compile(graph.clone(), &Caps::minimum(), &Precision::Fp32.into(), &heuristic);
    let elements = graph.values().map(|(_, value)| value.ty.shape.elements()).fold(0, u64::saturating_add);
    if elements <= MOST {
        let zeros =
            |ty: &tflite_vulkan::ir::TensorType| HostTensor::from_bytes(ty, &vec![0; ty.bytes() as usize]);
        let inputs: Result<Vec<_>, _> = graph.inputs().iter().map(|id| zeros(&graph.value(*id).ty)).collect();
        if let Ok(inputs) = inputs {
            let _ = reference::run(&graph, &inputs);
        }
    }
});
