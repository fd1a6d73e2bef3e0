//! Compiles a partition for the shapes of its inputs.

use std::sync::Arc;

use super::setup::Setup;
use super::tactics::{PartitionTactics, Taken};
use crate::caps::Caps;
use crate::compile::{Compiled, compile, lower, reshape};
use crate::error::Result;
use crate::graph::{Graph, Mix};
use crate::ir::Shape;
use crate::logging::timed;
use crate::options::Tune;
use crate::program::TacticKey;
use crate::runtime::Session;
use crate::tune::tune;
use crate::vk::Device;

/// A partition compiled for one set of shapes.
pub struct Reshaped {
    /// Shapes of the inputs.
    pub shapes: Vec<Shape>,
    /// The graph as imported, with these shapes.
    pub graph: Graph,
    /// `None` if all outputs are empty.
    pub compiled: Option<Compiled>,
}

/// Compiles one partition for one device, again and again.
pub struct Compiler {
    /// What the delegate's kernels share.
    pub setup: Arc<Setup>,
    device: Arc<Device>,
    taken: Taken,
}

impl Compiler {
    /// A compiler for the device that is in use now.
    ///
    /// # Errors
    /// See [`Setup::device`].
    pub fn new(setup: &Arc<Setup>) -> Result<Self> {
        Ok(Self { setup: setup.clone(), device: setup.device()?, taken: Taken::default() })
    }

    /// What the device can do.
    pub fn caps(&self) -> &Caps {
        self.device.caps()
    }

    /// A session that can run what is compiled.
    pub fn session(&self) -> Session {
        Session::new(self.device.clone())
    }

    /// Compiles `imported` for inputs of these shapes. If the options ask for it, choices that have no winner
    /// yet are tuned first.
    ///
    /// # Errors
    /// If an operator refuses the shapes; see [`tune`] too.
    pub fn compile(&mut self, imported: &Graph, shapes: &[Shape], mix: &Mix) -> Result<Reshaped> {
        let graph = reshaped(imported, shapes)?;
        let shapes = shapes.to_vec();
        if computes_nothing(&graph) {
            return Ok(Reshaped { shapes, graph, compiled: None });
        }
        let mut compiled = timed("partition compiled", || self.draft(&graph, mix))?;
        if self.setup.options.tune != Tune::Off && self.taken.lacks(&compiled.program) {
            self.tune(&compiled)?;
            compiled = self.draft(&graph, mix)?;
        }
        self.taken.learn(&compiled.program);
        Ok(Reshaped { shapes, graph, compiled: Some(compiled) })
    }

    /// Compiles a graph with what is known of its choices, and tunes none.
    ///
    /// # Errors
    /// If an operator refuses.
    pub fn draft(&self, graph: &Graph, mix: &Mix) -> Result<Compiled> {
        compile(graph.clone(), self.caps(), mix, &self.tactics(None))
    }

    fn tune(&self, compiled: &Compiled) -> Result<()> {
        let (caps, effort) = (self.caps(), self.setup.options.tune);
        let lower = |key: &TacticKey, place: usize| {
            lower(&compiled.graph, &compiled.storage, caps, &self.tactics(Some((key, place))))
        };
        tune(&self.device, effort, &compiled.program, &self.setup.winners, &lower)
    }

    fn tactics<'a>(&'a self, forced: Option<(&'a TacticKey, usize)>) -> PartitionTactics<'a> {
        PartitionTactics { taken: &self.taken, winners: &self.setup.winners, forced }
    }
}

/// The graph with these shapes of its inputs.
///
/// # Errors
/// If an operator refuses them.
pub fn reshaped(imported: &Graph, shapes: &[Shape]) -> Result<Graph> {
    let mut graph = imported.clone();
    reshape(&mut graph, shapes)?;
    Ok(graph)
}

/// Whether all outputs are empty.
pub fn computes_nothing(graph: &Graph) -> bool {
    graph.outputs().iter().all(|id| graph.value(*id).ty.shape.elements() == 0)
}
