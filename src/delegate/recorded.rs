//! A partition recorded for one set of shapes.

use std::collections::HashSet;
use std::time::Instant;

use super::bound::Job;
use super::compiler::Reshaped;
use crate::compile::Compiled;
use crate::error::Result;
use crate::graph::Graph;
use crate::ir::{DType, Shape};
use crate::profile::Profile;
use crate::runtime::{Recording, Session, synchronise};

/// What the device can run for one set of shapes.
pub struct Recorded {
    /// Shapes of the inputs.
    pub shapes: Vec<Shape>,
    /// The graph as imported, with these shapes.
    pub graph: Graph,
    /// `None` if all outputs are empty.
    run: Option<Run>,
}

struct Run {
    recording: Recording,
    profile: Option<Profile>,
}

impl Recorded {
    /// Records what was compiled. With `profile` every dispatch is timed, for files with this prefix.
    ///
    /// # Errors
    /// See [`Session::prepare`].
    pub fn new(session: &mut Session, reshaped: Reshaped, profile: Option<&str>) -> Result<Self> {
        let Reshaped { shapes, graph, compiled } = reshaped;
        let run = compiled.as_ref().map(|compiled| record(session, compiled, profile)).transpose()?;
        Ok(Self { shapes, graph, run })
    }

    /// The partition whose program is in `recording`.
    pub fn with(recording: Recording, reshaped: Reshaped) -> Self {
        let Reshaped { shapes, graph, compiled } = reshaped;
        if let Some(compiled) = &compiled {
            report(compiled);
        }
        Self { shapes, graph, run: Some(Run { recording, profile: None }) }
    }

    /// Computes the outputs with the session that it was recorded with.
    ///
    /// # Errors
    /// See [`Session::run`].
    pub fn run(&mut self, session: &mut Session, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        self.timed(|recording| session.run(recording, inputs, outputs))
    }

    /// Computes the outputs; inputs and outputs may lie in buffers of the device.
    ///
    /// # Errors
    /// See [`Session::run_bound`].
    pub fn run_bound(&mut self, session: &mut Session, job: &mut Job<'_>) -> Result<()> {
        if self.run.is_none() {
            return synchronise(session.device(), &job.semaphores);
        }
        let Job { inputs, outputs, semaphores } = job;
        self.timed(|recording| session.run_bound(recording, inputs, outputs, semaphores))
    }

    /// See [`Recording::refuses`].
    pub fn refuses(&self, job: &Job<'_>) -> Option<String> {
        self.run.as_ref().and_then(|run| run.recording.refuses(&job.inputs, &job.outputs))
    }

    /// Runs and, if asked for, adds to the profile.
    fn timed(&mut self, run: impl FnOnce(&Recording) -> Result<()>) -> Result<()> {
        let Some(Run { recording, profile }) = &mut self.run else { return Ok(()) };
        let start = Instant::now();
        run(recording)?;
        let wall = start.elapsed();
        if let Some(profile) = profile
            && let Some(times) = recording.times()?
        {
            profile.add(start, wall, times);
        }
        Ok(())
    }
}

fn record(session: &mut Session, compiled: &Compiled, profile: Option<&str>) -> Result<Run> {
    let Compiled { program, memory, barriers, .. } = compiled;
    let peaks = if profile.is_some() { session.peaks()? } else { None };
    let run = match (profile, peaks) {
        (Some(prefix), Some(peaks)) => {
            let recording = session.prepare_profiled(program, memory, barriers)?;
            let device = &session.device().info().name;
            Run { recording, profile: Some(Profile::new(program, prefix, device, Some(peaks))) }
        }
        (wanted, _) => {
            if wanted.is_some() {
                log::warn!("no profile: the device has no clock");
            }
            Run { recording: session.prepare(program, memory, barriers)?, profile: None }
        }
    };
    report(compiled);
    Ok(run)
}

/// Tells the log what was compiled.
fn report(compiled: &Compiled) {
    if !log::log_enabled!(log::Level::Info) {
        return;
    }
    let Compiled { graph, storage, outcomes, program, memory, barriers } = compiled;
    let pipelines: HashSet<_> = program.dispatches.iter().map(|d| (d.kernel.name, &d.spec)).collect();
    let ratio = memory.arena_bytes as f64 / memory.lower_bound.max(1) as f64;
    let ratio = if memory.arena_bytes == 0 { 1.0 } else { ratio };
    log::info!(
        "arena {} bytes, lower bound {} ({ratio:.2}x), {} dispatches, {} barriers, {} pipelines, \
         {:.0} % of the arithmetic on fp16 operands",
        memory.arena_bytes,
        memory.lower_bound,
        program.dispatches.len(),
        barriers.count(),
        pipelines.len(),
        100.0 * program.fp16_share(),
    );
    if storage.has_narrow() {
        let wide = graph.values().filter(|(id, value)| {
            value.ty.dtype == DType::F32 && value.constant.is_none() && !storage.is_narrow(*id)
        });
        log::info!("{} values in 32 bits beside fp16", wide.count());
    }
    outcomes.iter().for_each(|outcome| log::debug!("{outcome}"));
    log::trace!("graph\n{graph}program\n{program}memory\n{memory}barriers\n{barriers}");
}
