//! The life of a partition.
//!
//! A partition for which fp16 is asked is [`Proving`] until its first run, which tries fp16. Then, or from the
//! beginning, it is [`OnDevice`]. When the device is lost it becomes [`OnHost`] for good.

use std::mem;
use std::sync::Arc;

use super::compiler::Compiler;
use super::on_device::OnDevice;
use super::on_host::OnHost;
use super::partition::Refusal;
use super::precision::{EffectivePrecision, Trial};
use super::proving::Proving;
use super::setup::Setup;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ir::Shape;
use crate::options::Precision;
use crate::runtime::Recording;

/// A state of a partition.
pub enum Life {
    /// fp16 was asked for and is not tried yet.
    Proving(Box<Proving>),
    /// It runs on the device.
    OnDevice(Box<OnDevice>),
    /// It runs on the CPU.
    OnHost(OnHost),
}

impl Default for Life {
    fn default() -> Self {
        Self::OnHost(OnHost::default())
    }
}

impl Life {
    /// Compiles the partition for the shapes that it was imported with, pipelines included.
    ///
    /// # Errors
    /// If an operator or the driver refuses.
    pub fn begin(imported: &Graph, setup: &Arc<Setup>) -> Result<Self, Refusal> {
        let mut compiler = Compiler::new(setup);
        let mut session = compiler.session();
        let asked = setup.options.precision;
        let start = match Trial::needed(imported, asked, compiler.caps()) {
            None => Ok(EffectivePrecision::untried(asked, compiler.caps())),
            Some(trial) => match setup.verdicts.get(&trial) {
                Some(verdict) => Ok(EffectivePrecision::tried(asked, verdict)),
                None => Err(trial),
            },
        };
        let shapes: Vec<Shape> = imported.inputs().iter().map(|id| imported.value(*id).ty.shape).collect();
        let mix = start.as_ref().map_or(Precision::Fp32.into(), |precision| precision.mix().clone());
        let first = compiler.compile(imported, &shapes, &mix).map_err(Refusal::unknown)?;
        let dispatches = first.compiled.as_ref().map_or(&[][..], |compiled| &compiled.program.dispatches);
        let reasons = session.check(dispatches).map_err(Refusal::unknown)?;
        let mut refused = dispatches.iter().zip(reasons).filter_map(|(d, why)| Some((d, why?)));
        if let Some((dispatch, why)) = refused.next() {
            let nodes = dispatch.origin.iter().map(|n| *n as i32).collect();
            return Err(Refusal { nodes, why: why.0 });
        }
        Ok(match start {
            Ok(precision) => Self::OnDevice(Box::new(OnDevice::new(compiler, session, precision, first))),
            Err(trial) => Self::Proving(Box::new(Proving::new(compiler, session, trial, first))),
        })
    }

    /// The graph with the shapes in use; `None` before there are any.
    pub fn graph(&self) -> Option<&Graph> {
        match self {
            Self::Proving(proving) => proving.graph(),
            Self::OnDevice(on_device) => on_device.graph(),
            Self::OnHost(on_host) => on_host.graph(),
        }
    }

    /// Makes the partition ready for inputs of these shapes.
    ///
    /// # Errors
    /// If an operator refuses the shapes, or memory does not suffice; the shapes in use stay then.
    pub fn prepare(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        match self.prepare_on_device(imported, shapes) {
            Err(Error::DeviceLost) => self.fall_back().prepare(imported, shapes),
            result => result,
        }
    }

    fn prepare_on_device(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        match self {
            Self::Proving(proving) => proving.prepare(imported, shapes),
            Self::OnDevice(on_device) => on_device.prepare(imported, shapes),
            Self::OnHost(on_host) => on_host.prepare(imported, shapes),
        }
    }

    /// Whether fp16 is still to be tried.
    pub fn is_proving(&self) -> bool {
        matches!(self, Self::Proving(_))
    }

    /// Computes the outputs, on the CPU if the device is lost meanwhile. The first time it does so in fp32,
    /// and tries fp16 if it was asked for and no verdict on it is known.
    ///
    /// # Errors
    /// If the driver fails, or nothing was prepared.
    pub fn run(&mut self, imported: &Graph, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        let result = match self {
            Self::Proving(proving) => match proving.run(inputs, outputs) {
                Ok(Some(recording)) => return self.settle(imported, recording, inputs, outputs),
                result => result.map(|_| ()),
            },
            Self::OnDevice(on_device) => on_device.run(inputs, outputs),
            Self::OnHost(on_host) => return on_host.run(inputs, outputs),
        };
        match result {
            Err(Error::DeviceLost) => self.fall_back().run(inputs, outputs),
            result => result,
        }
    }

    /// Tries fp16 on inputs for which `recording`, in fp32, has computed the outputs, and leaves [`Proving`].
    /// The outputs stay as they are, even if the device is lost.
    fn settle(
        &mut self,
        imported: &Graph,
        recording: Recording,
        inputs: &[&[u8]],
        outputs: &[&mut [u8]],
    ) -> Result<()> {
        let Self::Proving(proving) = mem::take(self) else { unreachable!("only that state has a trial") };
        let shapes = proving.shapes().to_vec();
        match proving.settle(imported, recording, inputs, outputs) {
            Some(on_device) => *self = Self::OnDevice(Box::new(on_device)),
            None => _ = self.fall_back(),
        }
        self.prepare(imported, &shapes)
    }

    /// Moves to the CPU, because the device is lost.
    fn fall_back(&mut self) -> &mut OnHost {
        log::error!("the device is lost: this partition runs on the CPU from now on, slowly");
        let on_host = match mem::take(self) {
            Self::Proving(proving) => proving.lost(),
            Self::OnDevice(on_device) => on_device.lost(),
            Self::OnHost(on_host) => on_host,
        };
        *self = Self::OnHost(on_host);
        match self {
            Self::OnHost(on_host) => on_host,
            _ => unreachable!("it was just put there"),
        }
    }
}
