//! What stands for a partition in the interpreter: TensorFlow Lite calls it a delegate kernel.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::bound::{Interface, Job, Taken, Wait};
use super::fixed::Fixed;
use super::life::Life;
use super::partition::{Outline, Refusal};
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::ir::Shape;
use crate::program::{Cost, Element, Store};
use crate::runtime::{External, Input, Output};
use crate::tflite::Context;
use crate::vk::{self, Semaphores};

/// What kernels write at once, in bytes.
const WORD: u64 = 4;

/// A delegated partition.
pub struct DelegateKernel {
    /// As imported: shapes change, the rest does not.
    graph: Graph,
    /// The tensor of each of the graph's inputs.
    inputs: Vec<i32>,
    /// The tensor of each of the graph's outputs.
    outputs: Vec<i32>,
    /// Constants that may turn out to be inputs.
    fixed: Vec<Fixed>,
    interface: Interface,
    setup: Arc<Setup>,
    life: Life,
    /// Whether the host has asked for it.
    entered: bool,
}

impl DelegateKernel {
    /// Compiles the graph for the shapes that it has now, pipelines included; `inputs` and `outputs` are the
    /// tensors that its own stand for, `fixed` the constants among its values. A partition that is known to lose too much in fp16 is compiled in
    /// fp32.
    ///
    /// # Errors
    /// If an operator or the driver refuses.
    pub(super) fn new(
        graph: Graph,
        inputs: Vec<i32>,
        outputs: Vec<i32>,
        fixed: Vec<Fixed>,
        setup: &Arc<Setup>,
    ) -> Result<Self, Refusal> {
        let life = Life::begin(&graph, setup)?;
        let tensors = inputs.iter().chain(&outputs).copied().collect();
        let interface =
            Interface { context: 0, nodes: Vec::new(), tensors, on_cpu: Vec::new(), inner: Vec::new() };
        Ok(Self { graph, inputs, outputs, fixed, interface, setup: setup.clone(), life, entered: false })
    }

    /// Tells it which nodes of which subgraph it stands for; `nodes` are all of the subgraph, of which those `taken`
    /// are not on the CPU.
    pub(super) fn place(
        &mut self,
        context: usize,
        own: &[i32],
        nodes: &BTreeMap<i32, Outline>,
        taken: &HashSet<i32>,
    ) {
        let inside: HashSet<i32> = own.iter().copied().collect();
        let others = || nodes.iter().filter(|(node, _)| !inside.contains(node));
        let touches =
            |tensor: &i32, node: &Outline| node.inputs.contains(tensor) || node.outputs.contains(tensor);
        let on_cpu = |tensor: &i32| others().any(|(n, node)| !taken.contains(n) && touches(tensor, node));
        let computed = |tensor: &&i32| others().any(|(_, node)| node.outputs.contains(tensor));
        let read = |tensor: &&i32| others().any(|(_, node)| node.inputs.contains(tensor));
        let Interface { tensors, .. } = &self.interface;
        let inner = self.inputs.iter().filter(computed).chain(self.outputs.iter().filter(read));
        self.interface = Interface {
            context,
            nodes: own.to_vec(),
            tensors: tensors.clone(),
            on_cpu: tensors.iter().copied().filter(on_cpu).collect(),
            inner: inner.copied().collect(),
        };
    }

    /// From now on buffers may be bound to its tensors.
    pub(super) fn enter(mut self) -> Self {
        self.setup.bindings.enter(self.interface.clone());
        self.entered = true;
        self
    }

    /// What its dispatches cost for the shapes with which it was made.
    pub(super) fn cost(&self) -> Cost {
        self.life.cost()
    }

    /// Its inputs' and outputs' tensors.
    pub fn tensors(&self) -> &[i32] {
        &self.interface.tensors
    }

    /// The subgraph's inputs and outputs among its tensors that may lie in buffers of the device: the host has nothing
    /// to convert.
    pub fn direct_tensors(&self) -> Vec<i32> {
        let Ok(device) = self.setup.device() else { return Vec::new() };
        let features = device.caps().features;
        let same = |id: &ValueId| {
            let dtype = self.graph.value(*id).ty.dtype;
            Element::of(dtype, Store::F32, features) == Element::native(dtype)
        };
        let ids = self.graph.inputs().iter().chain(self.graph.outputs());
        let tensors = self.interface.tensors.iter().zip(ids);
        // What holds state is read and written by one run.
        let held = |tensor: &i32| self.inputs.contains(tensor) && self.outputs.contains(tensor);
        let direct = tensors.filter(|(tensor, id)| {
            same(id)
                && !held(tensor)
                && !self.interface.inner.contains(tensor)
                && !self.interface.on_cpu.contains(tensor)
        });
        direct.map(|(tensor, _)| *tensor).collect()
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
        self.invoke_with(context, HashMap::new())
    }

    /// As [`invoke`](Self::invoke), with these tensors in buffers of the device, besides those that are bound.
    ///
    /// # Errors
    /// As there, and if a buffer does not suit.
    pub fn invoke_with(&mut self, context: &mut Context<'_>, lent: HashMap<i32, External>) -> Result<()> {
        self.follow_changes(context)?;
        let taken = self.setup.bindings.take(&self.interface);
        if taken.is_some() || !lent.is_empty() {
            let mut taken = taken.unwrap_or_default();
            taken.bound.extend(lent);
            return self.invoke_bound(context, taken);
        }
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

    /// Makes inputs of the constants that the application has changed.
    fn follow_changes(&mut self, context: &Context<'_>) -> Result<()> {
        let changed = |fixed: &&Fixed| fixed.has_changed(context);
        let changed: Vec<&Fixed> = self.fixed.iter().filter(changed).collect();
        if changed.is_empty() {
            return Ok(());
        }
        let mut graph = self.graph.clone();
        changed.iter().for_each(|fixed| graph.make_input(fixed.value));
        let tensors: Vec<i32> = changed.iter().map(|fixed| fixed.tensor).collect();
        let inputs = [&self.inputs[..], &tensors].concat();
        let shapes: Vec<Shape> = inputs.iter().map(|i| context.shape(*i)).collect::<Result<_>>()?;
        let refused =
            |why| Error::Host(format!("the constants {tensors:?} have changed, and are no inputs: {why}"));
        let mut life = Life::begin(&graph, &self.setup).map_err(|refusal| refused(refusal.why))?;
        life.prepare(&graph, &shapes)?;
        log::info!("tensors {tensors:?} were taken for constants, and are inputs");
        self.fixed.retain(|fixed| !tensors.contains(&fixed.tensor));
        (self.graph, self.inputs, self.life) = (graph, inputs, life);
        self.interface.tensors = self.inputs.iter().chain(&self.outputs).copied().collect();
        Ok(())
    }

    /// As [`invoke`](Self::invoke), with some inputs or outputs in buffers of the device, or something to wait for.
    fn invoke_bound(&mut self, context: &mut Context<'_>, taken: Taken) -> Result<()> {
        let Taken { bound, waits, signals } = taken;
        let mut semaphores = Semaphores { waits: Vec::new(), signals };
        for wait in waits {
            match wait {
                Wait::Semaphore(semaphore) => semaphores.waits.push(semaphore),
                Wait::Fd(fd) => fd.wait()?,
            }
        }
        let graph = self.life.graph().ok_or_else(|| Error::Host("invoke without prepare".into()))?;
        let size = |id: &ValueId| graph.value(*id).ty.bytes();
        let given = |tensors: &[i32], ids: &[ValueId]| -> Result<Vec<Option<External>>> {
            let tensors = tensors.iter().zip(ids);
            tensors
                .map(|(t, id)| bound.get(t).map(|e| fitting(*t, e, size(id))).transpose())
                .collect::<Result<_>>()
        };
        let from_device = given(&self.inputs, graph.inputs())?;
        let to_device = given(&self.outputs, graph.outputs())?;
        let of_host = |tensors: &[i32], ids: &[ValueId]| -> (Vec<i32>, Vec<u64>) {
            let tensors = tensors.iter().zip(ids).filter(|(tensor, _)| !bound.contains_key(tensor));
            tensors.map(|(tensor, id)| (*tensor, size(id))).unzip()
        };
        let (ins, in_sizes) = of_host(&self.inputs, graph.inputs());
        let (outs, out_sizes) = of_host(&self.outputs, graph.outputs());
        let buffers = context.buffers(&ins, &outs)?;
        check(&ins, &in_sizes, buffers.inputs.iter().map(|b| b.len()))?;
        check(&outs, &out_sizes, buffers.outputs.iter().map(|b| b.len()))?;
        let mut from_host = buffers.inputs.iter();
        let mut to_host = buffers.outputs.into_iter();
        let inputs = from_device.iter().map_while(|external| match external {
            Some(external) => Some(Input::Device(external)),
            None => from_host.next().map(|bytes| Input::Host(bytes)),
        });
        let outputs = to_device.iter().map_while(|external| match external {
            Some(external) => Some(Output::Device(external)),
            None => to_host.next().map(Output::Host),
        });
        let job = Job { inputs: inputs.collect(), outputs: outputs.collect(), semaphores };
        let was_proving = self.life.is_proving();
        let run = self.life.run_bound(&self.graph, job);
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

/// The first `bytes` bytes of the buffer that a tensor is bound to. Kernels write whole words.
fn fitting(tensor: i32, external: &External, bytes: u64) -> Result<External> {
    let needed = bytes.next_multiple_of(WORD);
    if external.bytes < needed {
        let room = external.bytes;
        return Err(Error::Host(format!("tensor {tensor} is bound to {room} bytes, {needed} are needed")));
    }
    Ok(External { bytes, ..external.clone() })
}

impl Drop for DelegateKernel {
    fn drop(&mut self) {
        if self.entered && !vk::is_forked() {
            self.setup.bindings.leave(&self.interface);
        }
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
