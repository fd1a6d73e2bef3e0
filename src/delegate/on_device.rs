//! A partition that runs on the device.

use super::bound::Job;
use super::compiler::{Compiler, Reshaped};
use super::precision::EffectivePrecision;
use super::recorded::Recorded;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mix};
use crate::ir::Shape;
use crate::options::Precision;
use crate::runtime::Session;

/// The most sets of input shapes whose recordings, with their memory, are kept.
const KEPT: usize = 4;

/// Runs on the device, in a precision that does not change any more.
pub struct OnDevice {
    compiler: Compiler,
    session: Session,
    precision: EffectivePrecision,
    /// Compiled ahead, for the shapes that are likely to come first.
    compiled: Option<Reshaped>,
    /// The most recently used one first; that one is in use.
    recorded: Vec<Recorded>,
}

impl OnDevice {
    /// A partition that is compiled, but not recorded.
    pub fn new(
        compiler: Compiler,
        session: Session,
        precision: EffectivePrecision,
        compiled: Reshaped,
    ) -> Self {
        Self { compiler, session, precision, compiled: Some(compiled), recorded: Vec::new() }
    }

    /// A partition that `session` has recorded.
    pub fn with_recorded(
        compiler: Compiler,
        session: Session,
        precision: EffectivePrecision,
        recorded: Recorded,
    ) -> Self {
        Self { compiler, session, precision, compiled: None, recorded: vec![recorded] }
    }

    /// The graph with the shapes in use; `None` before there are any.
    pub fn graph(&self) -> Option<&Graph> {
        self.recorded.first().map(|recorded| &recorded.graph)
    }

    /// Whether some values have 16 bits.
    pub fn is_narrow(&self) -> bool {
        *self.precision.mix() != Mix::of(Precision::Fp32)
    }

    /// Makes a recording for inputs of these shapes the one in use. Those for other shapes are given up where
    /// memory does not suffice beside them, or where they read other packings of the weights.
    ///
    /// # Errors
    /// If an operator refuses the shapes; see [`Session::prepare`] too.
    pub fn prepare(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        if let Some(at) = self.recorded.iter().position(|recorded| recorded.shapes == shapes) {
            self.recorded[..=at].rotate_right(1);
            return Ok(());
        }
        self.recorded.truncate(KEPT - 1);
        match self.record(imported, shapes) {
            Err(Error::OutOfMemory { .. }) if !self.recorded.is_empty() => {
                self.recorded.clear();
                self.record(imported, shapes)
            }
            result => result,
        }
    }

    fn record(&mut self, imported: &Graph, shapes: &[Shape]) -> Result<()> {
        let reshaped = match self.compiled.take() {
            Some(reshaped) if reshaped.shapes == shapes => reshaped,
            _ => self.compiler.compile(imported, shapes, self.precision.mix())?,
        };
        if let Some(compiled) = &reshaped.compiled
            && !self.session.has_room(&compiled.program)
        {
            log::debug!("weights are packed anew: these shapes read others than those before");
            self.recorded.clear();
            self.session.clear_weights();
        }
        let profile = self.compiler.setup.options.profile.as_deref();
        let recorded = Recorded::new(&mut self.session, reshaped, profile)?;
        self.recorded.insert(0, recorded);
        Ok(())
    }

    /// Computes the outputs; inputs and outputs may lie in buffers of the device.
    ///
    /// # Errors
    /// See [`Session::run_bound`].
    pub fn run_bound(&mut self, job: &mut Job<'_>) -> Result<()> {
        let Some(recorded) = self.recorded.first_mut() else {
            return Err(Error::Host("invoke without prepare".into()));
        };
        recorded.run_bound(&mut self.session, job)
    }

    /// See [`Recording::refuses`](crate::runtime::Recording::refuses).
    pub fn refuses(&self, job: &Job<'_>) -> Option<String> {
        self.recorded.first().and_then(|recorded| recorded.refuses(job))
    }

    /// Computes the outputs.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn run(&mut self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        let Some(recorded) = self.recorded.first_mut() else {
            return Err(Error::Host("invoke without prepare".into()));
        };
        recorded.run(&mut self.session, inputs, outputs)
    }
}
