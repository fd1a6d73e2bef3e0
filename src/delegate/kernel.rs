//! What stands for a partition in the interpreter: TensorFlow Lite calls it a delegate kernel.

use std::sync::Arc;

use super::life::Life;
use super::partition::Refusal;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::ir::Shape;
use crate::program::Cost;
use crate::tflite::Context;

/// A delegated partition.
pub struct DelegateKernel {
    /// As imported: shapes change, the rest does not.
    graph: Graph,
    /// The tensor of each of the graph's inputs.
    inputs: Vec<i32>,
    /// The tensor of each of the graph's outputs.
    outputs: Vec<i32>,
    setup: Arc<Setup>,
    life: Life,
}

impl DelegateKernel {
    /// Compiles the graph for the shapes that it has now, pipelines included; `inputs` and `outputs` are the
    /// tensors that its own stand for. A partition that is known to lose too much in fp16 is compiled in
    /// fp32.
    ///
    /// # Errors
    /// If an operator or the driver refuses.
    pub(super) fn new(
        graph: Graph,
        inputs: Vec<i32>,
        outputs: Vec<i32>,
        setup: &Arc<Setup>,
    ) -> Result<Self, Refusal> {
        let life = Life::begin(&graph, setup)?;
        Ok(Self { graph, inputs, outputs, setup: setup.clone(), life })
    }

    /// What its dispatches cost for the shapes with which it was made.
    pub(super) fn cost(&self) -> Cost {
        self.life.cost()
    }

    /// How many of the model's nodes it stands for.
    pub fn node_count(&self) -> usize {
        self.graph.nodes().map(|(_, node)| node.origin.len()).sum()
    }

    /// Makes it ready for the present shapes of its inputs, and gives its outputs theirs.
    ///
    /// # Errors
    /// If an operator refuses these shapes, or memory does not suffice.
    pub fn prepare(&mut self, context: &mut Context<'_>) -> Result<()> {
        let shapes: Vec<Shape> = self.inputs.iter().map(|i| context.shape(*i)).collect::<Result<_>>()?;
        let prepared = self.life.prepare(&self.graph, &shapes);
        // Hosts are killed more often than they close their delegates.
        if !self.life.is_proving() {
            self.setup.save();
        }
        prepared?;
        let graph = self.prepared()?;
        for (tensor, id) in self.outputs.iter().zip(graph.outputs()) {
            context.resize(*tensor, &graph.value(*id).ty.shape)?;
        }
        Ok(())
    }

    /// Computes the outputs. If the device is lost meanwhile they are computed on the CPU, slowly. The first
    /// time, a partition for which fp16 is to be tried computes them in fp32.
    ///
    /// # Errors
    /// If a tensor has another size than in [`prepare`](Self::prepare), or the driver fails.
    pub fn invoke(&mut self, context: &mut Context<'_>) -> Result<()> {
        let graph = self.prepared()?;
        let mut buffers = context.buffers(&self.inputs, &self.outputs)?;
        let sizes = |ids: &[ValueId]| ids.iter().map(|id| graph.value(*id).ty.bytes()).collect::<Vec<_>>();
        check(&self.inputs, &sizes(graph.inputs()), buffers.inputs.iter().map(|b| b.len()))?;
        check(&self.outputs, &sizes(graph.outputs()), buffers.outputs.iter().map(|b| b.len()))?;
        let inputs: Vec<&[u8]> = buffers.inputs.iter().map(|input| &**input).collect();
        let was_proving = self.life.is_proving();
        let run = self.life.run(&self.graph, &inputs, &mut buffers.outputs);
        if was_proving {
            self.setup.save();
        }
        run
    }

    /// The graph with the shapes in use.
    fn prepared(&self) -> Result<&Graph> {
        self.life.graph().ok_or_else(|| Error::Host("invoke without prepare".into()))
    }
}

/// Requires that tensors have as many bytes as their values.
fn check(tensors: &[i32], want: &[u64], got: impl Iterator<Item = usize>) -> Result<()> {
    for ((tensor, want), got) in tensors.iter().zip(want).zip(got) {
        if *want != got as u64 {
            return Err(Error::Host(format!("tensor {tensor} has {got} bytes, {want} expected")));
        }
    }
    Ok(())
}
