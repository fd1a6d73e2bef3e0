//! What stands for a partition in the interpreter: it keeps what was compiled and recorded for the
//! last few shapes of its inputs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::Setup;
use super::partition::Refusal;
use super::precision::{self, Probe, Verdict};
use crate::compile::{Compiled, compile, lower, reshape, store};
use crate::error::{Error, Result};
use crate::graph::{Graph, ValueId};
use crate::ir::{DType, HostTensor, Shape};
use crate::logging::timed;
use crate::options::{Options, Precision, Tune};
use crate::profile::Profile;
use crate::program::{Choice, Store};
use crate::reference;
use crate::runtime::{Recording, Session};
use crate::tflite::{Buffers, Context};
use crate::tune;

/// For so many shapes of the inputs a recording, with its memory, is kept.
const KEPT: usize = 4;

/// A delegated partition.
pub struct Kernel {
    /// As imported: shapes change, the rest does not.
    graph: Graph,
    /// The tensor of each of the graph's inputs.
    inputs: Vec<i32>,
    /// The tensor of each of the graph's outputs.
    outputs: Vec<i32>,
    setup: Arc<Setup>,
    options: Options,
    /// Present if fp16 has yet to prove itself.
    unproven: Option<Unproven>,
    session: Session,
    /// Made while the host was asking what can be taken, for the shapes of that moment.
    compiled: Option<(Vec<Shape>, Program)>,
    /// The one in use first.
    recorded: Vec<Recorded>,
    /// By class of choice, the ways that were taken for the first shapes: other shapes take them too, as
    /// their pipelines are there.
    taken: HashMap<String, Vec<String>>,
}

/// What is asked of a partition that may turn out too steep for it.
struct Unproven {
    /// What the verdict is remembered as.
    identity: String,
    /// fp16, in one of its ways.
    asked: Precision,
}

/// What was compiled for one set of shapes.
struct Program {
    /// The graph with these shapes.
    graph: Graph,
    /// `None`: there is nothing to compute.
    compiled: Option<Compiled>,
}

/// What was recorded for one set of shapes.
struct Recorded {
    shapes: Vec<Shape>,
    /// The graph with these shapes.
    graph: Graph,
    run: Run,
}

enum Run {
    /// Nothing is to be computed.
    Nothing,
    /// On the device.
    Device(Box<Recording>, Option<Box<Profile>>),
    /// On the CPU: the device was lost before there was a recording.
    Host,
}

impl Kernel {
    /// Compiles the graph for the shapes that it has now, pipelines included; `inputs` and `outputs`
    /// are the tensors that its own stand for. Where fp16 is known to be too coarse it is fp32.
    ///
    /// # Errors
    /// If an operator or the driver refuses.
    pub(super) fn new(
        graph: Graph,
        inputs: Vec<i32>,
        outputs: Vec<i32>,
        setup: &Arc<Setup>,
    ) -> Result<Self, Refusal> {
        let unknown = |e: Error| Refusal { nodes: Vec::new(), why: e.to_string() };
        let shapes: Vec<Shape> = graph.inputs().iter().map(|id| graph.value(*id).ty.shape).collect();
        let mut kernel = Self {
            graph,
            inputs,
            outputs,
            options: setup.options.clone(),
            unproven: None,
            session: Session::new(setup.device.clone()),
            compiled: None,
            recorded: Vec::new(),
            taken: HashMap::new(),
            setup: setup.clone(),
        };
        kernel.remember();
        let program = kernel.compile(&shapes).map_err(unknown)?;
        if let Some(compiled) = &program.compiled {
            let dispatches = &compiled.program.dispatches;
            let reasons = kernel.session.check(dispatches).map_err(unknown)?;
            let mut refused = dispatches.iter().zip(reasons).filter_map(|(d, why)| Some((d, why?)));
            if let Some((dispatch, why)) = refused.next() {
                return Err(Refusal {
                    nodes: dispatch.origin.iter().map(|n| *n as i32).collect(),
                    why: why.0,
                });
            }
        }
        kernel.compiled = Some((shapes, program));
        Ok(kernel)
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
        match self.recorded.iter().position(|recorded| recorded.shapes == shapes) {
            Some(at) => self.recorded[..=at].rotate_right(1),
            None => {
                // Before the new one: the memory of both may be too much.
                self.recorded.truncate(KEPT - 1);
                let recorded = self.record(shapes)?;
                self.recorded.insert(0, recorded);
            }
        }
        let graph = &self.recorded[0].graph;
        for (tensor, id) in self.outputs.iter().zip(graph.outputs()) {
            context.resize(*tensor, &graph.value(*id).ty.shape)?;
        }
        Ok(())
    }

    /// Computes the outputs. If the device is lost meanwhile they are computed on the CPU, slowly.
    ///
    /// # Errors
    /// If a tensor has another size than in [`prepare`](Self::prepare), or the driver fails.
    pub fn invoke(&mut self, context: &mut Context<'_>) -> Result<()> {
        let Some(current) = self.recorded.first_mut() else {
            return Err(Error::Host("invoke without prepare".into()));
        };
        let mut buffers = context.buffers(&self.inputs, &self.outputs)?;
        let graph = &current.graph;
        let sizes = |ids: &[ValueId]| ids.iter().map(|id| graph.value(*id).ty.bytes()).collect::<Vec<_>>();
        check(&self.inputs, &sizes(graph.inputs()), buffers.inputs.iter().map(|b| b.len()))?;
        check(&self.outputs, &sizes(graph.outputs()), buffers.outputs.iter().map(|b| b.len()))?;
        match &mut current.run {
            Run::Nothing => Ok(()),
            Run::Host => on_host(graph, &mut buffers),
            Run::Device(recording, profile) => {
                let start = Instant::now();
                match self.session.run(recording, &buffers.inputs, &mut buffers.outputs) {
                    Ok(()) => {
                        let wall = start.elapsed();
                        if let Some(profile) = profile
                            && let Some(times) = recording.times()?
                        {
                            profile.add(start, wall, times);
                        }
                        Ok(())
                    }
                    Err(Error::DeviceLost) => {
                        log::error!("the device is lost: this partition runs on the CPU from now on, slowly");
                        on_host(graph, &mut buffers)
                    }
                    result => result,
                }
            }
        }
    }

    fn compile(&mut self, shapes: &[Shape]) -> Result<Program> {
        let mut graph = self.graph.clone();
        reshape(&mut graph, shapes)?;
        let empty = |id: &ValueId| graph.value(*id).ty.shape.elements() == 0;
        if graph.outputs().iter().all(empty) {
            return Ok(Program { graph, compiled: None });
        }
        let Setup { device, tuning, .. } = &*self.setup;
        let (caps, options) = (device.caps(), &self.options);
        let known = |key: &str, candidates: &[String]| {
            let taken = self.taken.get(&Choice::class(key))?;
            candidates.iter().position(|name| taken.contains(name))
        };
        let tuned = |key: &str, candidates: &[String]| {
            known(key, candidates).unwrap_or_else(|| tune::tactic(tuning, key, candidates))
        };
        let mut compiled = timed("partition compiled", || compile(graph.clone(), caps, options, &tuned))?;
        let is_new = |choice: &Choice| !self.taken.contains_key(&Choice::class(&choice.key));
        if options.tune != Tune::Off && compiled.program.choices.iter().any(is_new) {
            let lower = |forced: &str, taken: usize| {
                let tactics = |key: &str, candidates: &[String]| {
                    if key == forced { taken } else { tuned(key, candidates) }
                };
                lower(&compiled.graph, caps, options, &tactics)
            };
            tune::tune(device, options.tune, store(caps, options), &compiled.program, tuning, &lower)?;
            compiled = compile(graph.clone(), caps, options, &tuned)?;
        }
        let mut first: HashMap<String, Vec<String>> = HashMap::new();
        for choice in &compiled.program.choices {
            let name = choice.candidates[choice.taken].clone();
            first.entry(Choice::class(&choice.key)).or_default().push(name);
        }
        for (class, names) in first {
            self.taken.entry(class).or_insert(names);
        }
        Ok(Program { graph, compiled: Some(compiled) })
    }

    fn record(&mut self, shapes: Vec<Shape>) -> Result<Recorded> {
        let Program { graph, compiled } = match self.compiled.take() {
            Some((known, program)) if known == shapes => program,
            _ => self.compile(&shapes)?,
        };
        let Some(compiled) = compiled else { return Ok(Recorded { shapes, graph, run: Run::Nothing }) };
        let ready = self.ready(&shapes, compiled);
        // Hosts are killed more often than they close their delegates.
        if let Some(disk) = &self.setup.disk {
            disk.save();
        }
        let run = match ready {
            Ok(run) => run,
            Err(Error::DeviceLost) => Run::Host,
            Err(e) => return Err(e),
        };
        Ok(Recorded { shapes, graph, run })
    }

    fn ready(&mut self, shapes: &[Shape], compiled: Compiled) -> Result<Run> {
        let (compiled, recording) = match self.unproven.take() {
            None => (compiled, None),
            Some(unproven) => self.settle(&unproven, shapes, compiled)?,
        };
        let Compiled { program, memory, barriers, .. } = &compiled;
        let (recording, profile) = match (self.options.profile.clone(), recording) {
            (None, Some(recording)) => (recording, None),
            (None, None) => (self.session.prepare(program, memory, barriers)?, None),
            (Some(prefix), _) => self.profiled(&compiled, &prefix)?,
        };
        report(&compiled);
        Ok(Run::Device(Box::new(recording), profile))
    }

    /// Looks up whether fp16 has proved itself in an earlier partition like this. Until it has, everything
    /// is in fp32.
    fn remember(&mut self) {
        if store(self.session.device().caps(), &self.options) == Store::F32 {
            return;
        }
        let asked = self.options.precision;
        let mut identity = timed("weights hashed", || precision::identity(&self.graph));
        if asked == Precision::Fp16Fast {
            identity += "-fast";
        }
        match self.setup.verdicts.get(&identity).map(Verdict::from_text) {
            None => {
                self.unproven = Some(Unproven { identity, asked });
                self.options.precision = Precision::Fp32;
            }
            Some(Verdict::Holds) => {}
            Some(Verdict::Moves(what)) => self.widen(&format!("fp16 moves {what}")),
        }
    }

    /// Lets the partition run in fp32.
    fn widen(&mut self, why: &str) {
        log::warn!("{why}: this partition runs in fp32");
        self.options.precision = Precision::Fp32;
    }

    /// Finds out whether the partition, compiled in fp32, can run in fp16; what it will run, and the
    /// recording if there is one. One is tried after the other, so that weights and pipelines of both
    /// are never in memory together.
    fn settle(
        &mut self,
        unproven: &Unproven,
        shapes: &[Shape],
        wide: Compiled,
    ) -> Result<(Compiled, Option<Recording>)> {
        let (_, fp32) = probe(&mut self.session, &wide)?;
        self.session = Session::new(self.setup.device.clone());
        self.options.precision = unproven.asked;
        let tried = self.compile(shapes).and_then(|program| {
            let compiled = program.compiled.unwrap_or_else(|| unreachable!("fp32 had something to compute"));
            let (recording, fp16) = probe(&mut self.session, &compiled)?;
            Ok((compiled, recording, fp16))
        });
        match tried {
            Ok((compiled, recording, fp16)) => {
                let verdict = precision::compare(&compiled.graph, &fp16, &fp32);
                let fact = (unproven.identity.clone(), verdict.text().to_owned());
                self.setup.verdicts.learn([fact]);
                match verdict {
                    Verdict::Holds => return Ok((compiled, Some(recording))),
                    Verdict::Moves(what) => self.widen(&format!("fp16 moves {what}")),
                }
            }
            Err(Error::DeviceLost) => return Err(Error::DeviceLost),
            Err(e) => self.widen(&e.to_string()),
        }
        self.session = Session::new(self.setup.device.clone());
        Ok((wide, None))
    }

    fn profiled(&mut self, compiled: &Compiled, prefix: &str) -> Result<(Recording, Option<Box<Profile>>)> {
        let Compiled { program, memory, barriers, .. } = compiled;
        let Some(peaks) = self.session.peaks()? else {
            log::warn!("no profile: the device has no clock");
            return Ok((self.session.prepare(program, memory, barriers)?, None));
        };
        let recording = self.session.prepare_profiled(program, memory, barriers)?;
        let device = &self.session.device().info().name;
        Ok((recording, Some(Box::new(Profile::new(program, prefix, device, Some(peaks))))))
    }
}

/// Records a partition and runs it on noise.
fn probe(session: &mut Session, compiled: &Compiled) -> Result<(Recording, Probe)> {
    let recording = session.prepare(&compiled.program, &compiled.memory, &compiled.barriers)?;
    let probe = Probe::new(session, &recording, &compiled.graph)?;
    Ok((recording, probe))
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

/// Computes the graph with the operators' naive twins.
fn on_host(graph: &Graph, buffers: &mut Buffers<'_>) -> Result<()> {
    let ids = graph.inputs().iter().chain(graph.outputs());
    if ids.into_iter().any(|id| graph.value(*id).ty.dtype != DType::F32) {
        return Err(Error::DeviceLost);
    }
    let floats = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let input = |(id, bytes): (&ValueId, &&[u8])| HostTensor {
        shape: graph.value(*id).ty.shape,
        data: floats(bytes),
    };
    let inputs: Vec<HostTensor> = graph.inputs().iter().zip(&buffers.inputs).map(input).collect();
    for (to, from) in buffers.outputs.iter_mut().zip(reference::run(graph, &inputs)?) {
        for (to, x) in to.as_chunks_mut().0.iter_mut().zip(from.data) {
            *to = x.to_le_bytes();
        }
    }
    Ok(())
}

/// Tells the log what was compiled.
fn report(compiled: &Compiled) {
    let Compiled { graph, outcomes, program, memory, barriers } = compiled;
    let pipelines: HashSet<_> = program.dispatches.iter().map(|d| (d.kernel.name, &d.spec)).collect();
    let ratio = memory.arena_bytes as f64 / memory.lower_bound.max(1) as f64;
    let ratio = if memory.arena_bytes == 0 { 1.0 } else { ratio };
    log::info!(
        "arena {} bytes, lower bound {} ({ratio:.2}x), {} dispatches, {} barriers, {} pipelines",
        memory.arena_bytes,
        memory.lower_bound,
        program.dispatches.len(),
        barriers.count(),
        pipelines.len(),
    );
    outcomes.iter().for_each(|outcome| log::debug!("{outcome}"));
    log::trace!("graph\n{graph}program\n{program}memory\n{memory}barriers\n{barriers}");
}
