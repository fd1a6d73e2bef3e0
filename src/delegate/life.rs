//! The life of a partition.
//!
//! A partition for which fp16 is asked is [`Proving`] until its first run, which tries fp16. Then, or from the
//! beginning, it is [`OnDevice`]. When the device is lost, fails or lacks memory the partition is [`OnHost`], the
//! last resort, until it can begin again.

use std::sync::Arc;
use std::time::Instant;

use super::bound::Job;
use super::compiler::Compiler;
use super::on_device::OnDevice;
use super::on_host::OnHost;
use super::partition::Refusal;
use super::precision::{EffectivePrecision, Trial};
use super::proving::Proving;
use super::retry::Retry;
use super::setup::Setup;
use crate::error::{Error, Result, caught};
use crate::graph::Graph;
use crate::ir::Shape;
use crate::options::Precision;
use crate::program::Cost;
use crate::runtime::Recording;
use crate::vk;

/// A partition in one of its states.
pub struct Life {
    setup: Arc<Setup>,
    state: State,
    /// What its dispatches cost for the shapes with which it began.
    cost: Cost,
    /// When to leave the host again.
    retry: Retry,
    /// Whether the log knows that it was on the host.
    warned: bool,
    /// Whether the log knows that bound buffers are copied.
    copies: bool,
}

enum State {
    /// fp16 was asked for and is not tried yet.
    Proving(Box<Proving>),
    /// It runs on the device.
    OnDevice(Box<OnDevice>),
    /// It runs on the CPU.
    OnHost(OnHost, Until),
}

/// How long a partition stays on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Until a run finds the device well again.
    Recovery,
    /// Until its inputs have other shapes: for these the device will not do.
    Resize,
}

impl Until {
    /// What a failure calls for.
    fn after(e: &Error) -> Self {
        match e {
            Error::DeviceLost | Error::Driver { .. } => Self::Recovery,
            _ => Self::Resize,
        }
    }
}

impl Life {
    /// Compiles the partition for the shapes that it was imported with, pipelines included.
    ///
    /// # Errors
    /// If an operator or the driver refuses.
    pub fn begin(imported: &Graph, setup: &Arc<Setup>) -> Result<Self, Refusal> {
        let shapes: Vec<Shape> = imported.inputs().iter().map(|id| imported.value(*id).ty.shape).collect();
        let (state, cost) = State::begin(imported, &shapes, setup)?;
        Ok(Self { setup: setup.clone(), state, cost, retry: Retry::default(), warned: false, copies: false })
    }

    /// What its dispatches cost for the shapes with which it began.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The graph with the shapes in use; `None` before there are any.
    pub fn graph(&self) -> Option<&Graph> {
        match &self.state {
            State::Proving(proving) => proving.graph(),
            State::OnDevice(on_device) => on_device.graph(),
            State::OnHost(on_host, _) => on_host.graph(),
        }
    }

    /// Whether fp16 is still to be tried.
    pub fn is_proving(&self) -> bool {
        matches!(self.state, State::Proving(_))
    }

    /// Makes the partition ready for inputs of these shapes, on the host if the device will not do.
    ///
    /// # Errors
    /// If an operator refuses the shapes; those in use stay then.
    pub fn prepare(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        vk::not_forked()?;
        let prepared = match &mut self.state {
            State::OnHost(on_host, Until::Resize) if on_host.shapes().as_deref() != Some(shapes) => {
                self.resume(imported, shapes)
            }
            State::OnHost(on_host, _) => return on_host.prepare(imported, shapes),
            state => caught(|| state.prepare(imported, shapes)).map_err(Error::from).and_then(|done| done),
        };
        let Err(e) = prepared else { return Ok(()) };
        let mut on_host = OnHost::default();
        on_host.prepare(imported, shapes)?;
        self.fall_back(on_host, &e);
        Ok(())
    }

    /// Computes the outputs, on the host if the device fails meanwhile. The first time it does so in fp32,
    /// and tries fp16 if it was asked for and no verdict on it is known.
    ///
    /// # Errors
    /// If nothing was prepared, or the host cannot compute it; [`Error::Forked`] in a forked child.
    pub fn run(&mut self, imported: &Graph, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        vk::not_forked()?;
        self.recover(imported);
        let result = match &mut self.state {
            State::Proving(proving) => match proving.run(inputs, outputs) {
                Ok(Some(recording)) => return self.settle(imported, recording, inputs, outputs),
                result => result.map(|_| ()),
            },
            State::OnDevice(on_device) => on_device.run(inputs, outputs),
            State::OnHost(on_host, _) => return self.setup.on_host(|| on_host.run(inputs, outputs)),
        };
        let Err(e) = result else { return Ok(()) };
        let on_host = OnHost::new(self.graph().cloned());
        let computed = self.setup.on_host(|| on_host.run(inputs, outputs));
        self.fall_back(on_host, &e);
        computed
    }

    /// As [`run`](Self::run), but inputs and outputs may lie in buffers of the device. They are used where they lie;
    /// while the partition cannot do so they are copied to the host and back.
    ///
    /// # Errors
    /// As there; [`Error::Host`] for buffers that cannot be used; [`Error::DeviceLost`], after which the host can
    /// compute no outputs as long as the inputs lie there.
    pub fn run_bound(&mut self, imported: &Graph, mut job: Job<'_>) -> Result<()> {
        vk::not_forked()?;
        self.recover(imported);
        let why = match &mut self.state {
            State::OnDevice(on_device) => match on_device.refuses(&job) {
                None => {
                    let run = on_device.run_bound(&mut job);
                    if let Err(e @ Error::DeviceLost) = &run {
                        let on_host = OnHost::new(self.graph().cloned());
                        self.fall_back(on_host, e);
                    }
                    return run;
                }
                why => why,
            },
            State::Proving(_) => None,
            State::OnHost(..) => Some("the partition runs on the host".into()),
        };
        if let Some(why) = why
            && !std::mem::replace(&mut self.copies, true)
        {
            log::warn!("bound buffers are copied to the host and back: {why}");
        }
        let setup = self.setup.clone();
        job.through_host(&*setup.device()?, |inputs, outputs| self.run(imported, inputs, outputs))
    }

    /// Leaves the host if it is time to try that.
    fn recover(&mut self, imported: &Graph) {
        if let State::OnHost(on_host, Until::Recovery) = &self.state
            && let Some(shapes) = on_host.shapes()
            && self.retry.is_due(Instant::now())
            && let Err(e) = self.resume(imported, &shapes)
        {
            log::debug!("still on the host: {e}");
        }
    }

    /// Tries fp16 on inputs for which `recording`, in fp32, has computed the outputs, and leaves [`Proving`].
    /// The outputs become those of the precision that is chosen, so that the same inputs always give the same;
    /// they stay as they are if the device is lost meanwhile.
    fn settle(
        &mut self,
        imported: &Graph,
        recording: Recording,
        inputs: &[&[u8]],
        outputs: &mut [&mut [u8]],
    ) -> Result<()> {
        let elsewhere = State::OnHost(OnHost::new(self.graph().cloned()), Until::Recovery);
        let State::Proving(proving) = std::mem::replace(&mut self.state, elsewhere) else {
            unreachable!("only that state has a trial")
        };
        let shapes = proving.shapes().to_vec();
        if let Some(on_device) = proving.settle(imported, recording, inputs, outputs) {
            self.state = State::OnDevice(Box::new(on_device));
        }
        self.prepare(imported, &shapes)?;
        match &mut self.state {
            State::OnDevice(on_device) if on_device.is_narrow() => {
                on_device.run(inputs, outputs).or_else(|e| {
                    log::debug!("fp32's outputs stay: {e}");
                    Ok(())
                })
            }
            _ => Ok(()),
        }
    }

    /// Begins again on the device.
    fn resume(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        let begun = || {
            let (mut state, _) =
                State::begin(imported, shapes, &self.setup).map_err(|failure| failure.error)?;
            state.prepare(imported, shapes)?;
            Ok(state)
        };
        self.state = caught(begun).map_err(Error::from).and_then(|begun| begun)?;
        Ok(())
    }

    /// Moves to the host, because of `e`. Of a lost device the log knows already.
    fn fall_back(&mut self, on_host: OnHost, e: &Error) {
        if *e != Error::DeviceLost && !self.warned {
            log::warn!("a partition runs on the host, slowly: {e}");
            self.warned = true;
        } else {
            log::debug!("a partition runs on the host: {e}");
        }
        self.state = State::OnHost(on_host, Until::after(e));
    }
}

/// Why a partition could not begin.
struct Failure {
    /// The nodes that cause it; none if unknown.
    nodes: Vec<i32>,
    error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { nodes: Vec::new(), error }
    }
}

impl From<Failure> for Refusal {
    fn from(Failure { nodes, error }: Failure) -> Self {
        Self { nodes, why: error.to_string() }
    }
}

impl State {
    /// Compiles the partition for inputs of these shapes, pipelines included. Gives what its dispatches cost too.
    fn begin(imported: &Graph, shapes: &[Shape], setup: &Arc<Setup>) -> Result<(Self, Cost), Failure> {
        let mut compiler = Compiler::new(setup)?;
        let mut session = compiler.session();
        let asked = setup.options.precision;
        let start = match Trial::needed(imported, asked, compiler.caps()) {
            None => Ok(EffectivePrecision::untried(asked, compiler.caps())),
            Some(trial) => match setup.verdicts.get(&trial) {
                Some(verdict) => Ok(EffectivePrecision::tried(asked, verdict)),
                None => Err(trial),
            },
        };
        let mix = start.as_ref().map_or(Precision::Fp32.into(), |precision| precision.mix().clone());
        let first = compiler.compile(imported, shapes, &mix)?;
        let dispatches = first.compiled.as_ref().map_or(&[][..], |compiled| &compiled.program.dispatches);
        let reasons = session.check(dispatches)?;
        let cost = dispatches.iter().map(|dispatch| dispatch.cost).sum();
        let mut refused = dispatches.iter().zip(reasons).filter_map(|(d, why)| Some((d, why?)));
        if let Some((dispatch, why)) = refused.next() {
            let nodes = dispatch.origin.iter().map(|n| *n as i32).collect();
            return Err(Failure { nodes, error: Error::Host(why.0) });
        }
        let state = match start {
            Ok(precision) => Self::OnDevice(Box::new(OnDevice::new(compiler, session, precision, first))),
            Err(trial) => Self::Proving(Box::new(Proving::new(compiler, session, trial, first))),
        };
        Ok((state, cost))
    }

    fn prepare(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        match self {
            Self::Proving(proving) => proving.prepare(imported, shapes),
            Self::OnDevice(on_device) => on_device.prepare(imported, shapes),
            Self::OnHost(on_host, _) => on_host.prepare(imported, shapes),
        }
    }
}
