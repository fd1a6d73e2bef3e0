//! A session: what a partition needs on the device, whatever its shapes.

use std::sync::Arc;

use super::external::{Input, Output};
use super::fits::fits;
use super::peaks;
use super::pipelines::{Pipelines, key};
use super::recording::{Recording, Resources};
use super::transfers::{TransferPath, TransferPolicy};
use super::weights::WeightStore;
use crate::caps::Submission;
use crate::error::{Error, Result, Unsupported};
use crate::logging::timed;
use crate::plan::{Barriers, MemoryPlan};
use crate::program::{Dispatch, Peaks, Program};
use crate::vk::{Device, Semaphores};

/// What a session holds and did; those from `arena_bytes` to `submissions` are of the recording made last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Pipelines that the session holds.
    pub pipelines: usize,
    /// Pipelines that the driver had to create for it.
    pub pipelines_created: usize,
    /// Weights on the device.
    pub weights: usize,
    /// Their size in bytes.
    pub weight_bytes: u64,
    /// Recordings made.
    pub recordings: usize,
    /// Finished runs.
    pub runs: u64,
    /// Runs before which the commands were recorded again, since an input or output lay elsewhere.
    pub recorded_again: u64,
    /// Size of the arena in bytes.
    pub arena_bytes: u64,
    /// Size of all inputs and outputs in bytes, staging not counted.
    pub io_bytes: u64,
    /// Dispatches per run.
    pub dispatches: usize,
    /// Barriers between them.
    pub barriers: usize,
    /// Submissions per run.
    pub submissions: usize,
    /// Bytes of inputs and outputs that the host has copied in the last run.
    pub copied_by_host: u64,
    /// Bytes of them that the device has copied in the last run.
    pub copied_by_device: u64,
}

/// The weights and pipelines of one delegated partition, whatever its shapes.
pub struct Session {
    device: Arc<Device>,
    transfers: TransferPolicy,
    submission: Submission,
    weights: WeightStore,
    pipelines: Pipelines,
    stats: Stats,
}

impl Session {
    /// A session without anything yet. Any number of sessions may use a device, on any threads.
    pub fn new(device: Arc<Device>) -> Self {
        Self {
            transfers: TransferPolicy::Best(device.mapping()),
            submission: device.caps().submission,
            weights: WeightStore::new(device.clone()),
            pipelines: Pipelines::new(device.clone()),
            stats: Stats::default(),
            device,
        }
    }

    /// A session whose inputs and outputs, and where possible weights, always take the same path. For
    /// tests and measurements.
    #[doc(hidden)]
    pub fn with_path(device: Arc<Device>, path: TransferPath) -> Self {
        Self { transfers: TransferPolicy::Always(path), ..Self::new(device) }
    }

    /// The session, but with at most so much work in a submission. For tests.
    #[doc(hidden)]
    pub fn with_submission(self, submission: Submission) -> Self {
        Self { submission, ..self }
    }

    /// The device.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// For each dispatch, why the device cannot run it, if so. Creates the pipelines: one that the
    /// driver refuses is an unsupported kernel.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn check(&mut self, dispatches: &[Dispatch]) -> Result<Vec<Option<Unsupported>>> {
        let mut reasons: Vec<_> = dispatches.iter().map(|d| fits(d, self.device.caps()).err()).collect();
        let possible = dispatches.iter().zip(&reasons).filter(|(_, reason)| reason.is_none());
        self.pipelines.create(possible.map(|(d, _)| key(d)).collect())?;
        for (dispatch, reason) in dispatches.iter().zip(&mut reasons) {
            if reason.is_none() {
                *reason = self.pipelines.get(&key(dispatch)).err().map(|e| Unsupported(e.to_string()));
            }
        }
        Ok(reasons)
    }

    /// Whether the weights of `program` may be added to those that are there. Shapes may want other packings of the same
    /// constants: then all of these would be too many together, and [`clear_weights`](Self::clear_weights) is called
    /// for.
    pub fn has_room(&self, program: &Program) -> bool {
        self.weights.has_room(program)
    }

    /// Gives up all weights, which go with the last recording that reads them. What is prepared next uploads its own.
    pub fn clear_weights(&mut self) {
        self.weights.clear();
    }

    /// Makes `program` ready to run: uploads weights whose key is new, creates pipelines that are
    /// missing on several threads, allocates arena, inputs and outputs, and records the commands.
    /// Calling it for another shape creates no pipeline and uploads no weights.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] naming what did not fit, [`Error::Model`] for a dispatch beyond the
    /// device's abilities, [`Error::Driver`] naming the kernel that the driver refused,
    /// [`Error::DeviceLost`].
    pub fn prepare(
        &mut self,
        program: &Program,
        memory: &MemoryPlan,
        barriers: &Barriers,
    ) -> Result<Recording> {
        self.make(program, memory, barriers, false)
    }

    /// As [`prepare`](Self::prepare), but dispatches run one after the other and
    /// [`Recording::times`] tells how long each took. Runs are slower.
    pub fn prepare_profiled(
        &mut self,
        program: &Program,
        memory: &MemoryPlan,
        barriers: &Barriers,
    ) -> Result<Recording> {
        self.make(program, memory, barriers, true)
    }

    fn make(
        &mut self,
        program: &Program,
        memory: &MemoryPlan,
        barriers: &Barriers,
        profiled: bool,
    ) -> Result<Recording> {
        self.device.alive()?;
        for (i, dispatch) in program.dispatches.iter().enumerate() {
            fits(dispatch, self.device.caps())
                .map_err(|why| Error::Model { node: format!("#{i} {}", dispatch.label), what: why.0 })?;
        }
        self.pipelines.create(program.dispatches.iter().chain(&program.spare).map(key).collect())?;
        self.weights.upload(program, self.transfers.weights())?;
        let resources = Resources {
            device: &self.device,
            pipelines: &self.pipelines,
            weights: &self.weights,
            transfers: self.transfers,
            submission: self.submission,
            peaks: peaks::known(&self.device).unwrap_or_else(|| Peaks::guess(self.device.caps().kind)),
        };
        let recording = timed("commands recorded", || resources.record(program, memory, barriers, profiled))?;
        self.stats.recordings += 1;
        self.stats.arena_bytes = memory.arena_bytes;
        self.stats.io_bytes = recording.io_bytes();
        self.stats.dispatches = program.dispatches.len();
        self.stats.barriers = barriers.count();
        self.stats.submissions = recording.submissions();
        Ok(recording)
    }

    /// Copies the inputs in, runs, and copies the outputs out, each as long as its buffer in the
    /// program and in the program's order. An input that nothing reads may have any length.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], at once if it was lost before; [`Error::Model`] for a wrong length.
    /// After an error the content of `outputs` is undefined.
    pub fn run(&mut self, recording: &Recording, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        let inputs: Vec<_> = inputs.iter().map(|input| Input::Host(input)).collect();
        let mut outputs: Vec<_> = outputs.iter_mut().map(|output| Output::Host(output)).collect();
        self.run_bound(recording, &inputs, &mut outputs, &Semaphores::default())
    }

    /// As [`run`](Self::run), but inputs and outputs may lie in buffers of the device, which are used where they lie:
    /// no byte of these is copied. When one lies elsewhere than in the run before, the commands are recorded again; on a
    /// device with update after bind only when other tensors than before lie in such buffers. The device begins after
    /// what `semaphores` waits for, and signals them when it is done.
    ///
    /// # Errors
    /// As there; [`Error::Host`] for a buffer that is too small, misaligned, of another device or shared with an
    /// output.
    pub fn run_bound(
        &mut self,
        recording: &Recording,
        inputs: &[Input<'_>],
        outputs: &mut [Output<'_>],
        semaphores: &Semaphores,
    ) -> Result<()> {
        self.device.alive()?;
        let moved = recording.run(&self.device, &mut self.pipelines, inputs, outputs, semaphores)?;
        log::trace!("{} bytes copied by the host, {} by the device", moved.by_host, moved.by_device);
        self.stats.copied_by_host = moved.by_host;
        self.stats.copied_by_device = moved.by_device;
        self.stats.recorded_again += u64::from(moved.again);
        self.stats.runs += 1;
        Ok(())
    }

    /// What the session holds and did.
    pub fn stats(&self) -> Stats {
        Stats {
            pipelines: self.pipelines.len(),
            pipelines_created: self.pipelines.created(),
            weights: self.weights.len(),
            weight_bytes: self.weights.bytes(),
            ..self.stats
        }
    }
}
