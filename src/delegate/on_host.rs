//! A partition that the device cannot run, for now or in these shapes.

use super::compiler::{computes_nothing, reshaped};
use crate::error::Result;
use crate::graph::{Graph, ValueId};
use crate::ir::{HostTensor, Shape};
use crate::reference;

/// Runs on the CPU, slowly, with the operators' `reference` implementations.
#[derive(Default)]
pub struct OnHost {
    /// With the shapes in use; `None` before there are any.
    graph: Option<Graph>,
}

impl OnHost {
    /// A partition whose graph has these shapes.
    pub fn new(graph: Option<Graph>) -> Self {
        Self { graph }
    }

    /// The graph with the shapes in use.
    pub fn graph(&self) -> Option<&Graph> {
        self.graph.as_ref()
    }

    /// The inputs' shapes in use; `None` before there are any.
    pub fn shapes(&self) -> Option<Vec<Shape>> {
        let graph = self.graph.as_ref()?;
        Some(graph.inputs().iter().map(|id| graph.value(*id).ty.shape).collect())
    }

    /// Takes inputs of these shapes from now on.
    ///
    /// # Errors
    /// If an operator refuses them.
    pub fn prepare(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        self.graph = Some(reshaped(imported, shapes)?);
        Ok(())
    }

    /// Computes the outputs.
    ///
    /// # Errors
    /// If an operator refuses, or memory does not suffice.
    pub fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        let Some(graph) = self.graph.as_ref().filter(|graph| !computes_nothing(graph)) else { return Ok(()) };
        let input = |(id, bytes): (&ValueId, &&[u8])| HostTensor::from_bytes(&graph.value(*id).ty, bytes);
        let inputs = graph.inputs().iter().zip(inputs).map(input).collect::<Result<Vec<_>, _>>()?;
        for (to, from) in outputs.iter_mut().zip(reference::run(graph, &inputs)?) {
            from.write_bytes(to);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::graph::Node;
    use crate::ir::{StepOp, TensorType};
    use crate::ops::binary::Binary;

    /// x · x.
    fn square(ty: &TensorType) -> Graph {
        let mut graph = Graph::default();
        let [x, y] = ["x", "y"].map(|name| graph.add_value(name, ty.clone(), None));
        graph.add_node(Node {
            op: Arc::new(Binary(StepOp::Mul)),
            inputs: vec![Some(x), Some(x)],
            outputs: vec![y],
            epilogue: Vec::new(),
            origin: [0].into(),
            label: "MUL".into(),
        });
        graph.set_interface(vec![x], vec![y]);
        graph
    }

    #[test]
    fn any_shape_is_computed() {
        let imported = square(&TensorType::f32([1]));
        let mut partition = OnHost::default();
        assert!(partition.graph().is_none());
        for elements in [2, 0, 3] {
            partition.prepare(&imported, &[Shape::from([elements])]).unwrap();
            let x: Vec<u8> = (0..elements).flat_map(|i| (i as f32 + 1.0).to_le_bytes()).collect();
            let mut y = vec![0xff; x.len()];
            partition.run(&[&x], &mut [&mut y]).unwrap();
            let want: Vec<u8> = (0..elements).flat_map(|i| (i as f32 + 1.0).powi(2).to_le_bytes()).collect();
            assert_eq!(y, want);
        }
    }
}
