//! A program recorded for one set of shapes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::external::{External, Input, Output};
use super::io::{Direction, Io, Layout, Part, WORD};
use super::pipelines::{Pipelines, key};
use super::script::{Step, play};
use super::transfers::{TransferPolicy, inputs_are_read_once, outputs_are_only_written};
use super::weights::WeightStore;
use crate::caps::Submission;
use crate::error::{Error, Result};
use crate::plan::{self, Barriers, MemoryPlan};
use crate::program::{BufferId, BufferKind, Peaks, Program};
use crate::vk::{Buffer, Capacity, Commands, Device, MemoryUsage, Recorder, Region, Semaphores, Slot};

/// A program that is ready to run, with its memory. Dropping it waits until it is idle, a second at most: what is
/// not idle by then is freed later.
pub struct Recording {
    state: Mutex<State>,
    submissions: usize,
    io_bytes: u64,
}

struct State {
    /// `None` after they could not be recorded again.
    commands: Option<Commands>,
    inputs: Io,
    outputs: Io,
    steps: Vec<Step>,
    /// Buffers of inputs and outputs may be exchanged in what is recorded.
    recorded_late: bool,
}

/// What a run did besides its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Bytes of inputs and outputs that the host has copied.
    pub by_host: u64,
    /// Bytes of them that the device has copied.
    pub by_device: u64,
    /// The commands were recorded again.
    pub again: bool,
}

/// What a program needs to be recorded: its pipelines and weights are there.
pub(super) struct Resources<'a> {
    pub device: &'a Arc<Device>,
    pub pipelines: &'a Pipelines,
    pub weights: &'a WeightStore,
    pub transfers: TransferPolicy,
    /// The most work of one submission.
    pub submission: Submission,
    /// What the device reaches, measured or guessed.
    pub peaks: Peaks,
}

impl Resources<'_> {
    /// Allocates the memory of `program` and records its dispatches.
    pub fn record(
        &self,
        program: &Program,
        memory: &MemoryPlan,
        barriers: &Barriers,
        profiled: bool,
    ) -> Result<Recording> {
        let device = self.device;
        let limit = device.caps().max_storage_range;
        if let Some(buffer) = program.buffers.iter().find(|buffer| buffer.bytes > limit) {
            return Err(Error::OutOfMemory {
                what: format!("{}, as one binding", buffer.name),
                bytes: buffer.bytes,
            });
        }
        let is_io = |id: &BufferId| {
            matches!(program.buffer(program.whole(*id).0).kind, BufferKind::Input(_) | BufferKind::Output(_))
        };
        let late = program.dispatches.iter().filter(|d| d.bindings.iter().any(is_io));
        let capacity = Capacity {
            // Besides the program's own, a conversion of each input and output.
            dispatches: program.dispatches.len() + program.inputs.len() + program.outputs.len(),
            bindings: program.dispatches.iter().map(|d| d.bindings.len()).sum::<usize>()
                + 2 * (program.inputs.len() + program.outputs.len()),
            late_dispatches: late.clone().count() + program.inputs.len() + program.outputs.len(),
            late_bindings: late.map(|d| d.bindings.len()).sum::<usize>()
                + 2 * (program.inputs.len() + program.outputs.len()),
            timestamps: if profiled { program.dispatches.len() + 1 } else { 0 },
            seconds: plan::expected_seconds(program, &self.peaks),
        };
        let mut recorder = Recorder::new(device, capacity)?;
        let alignment = device.caps().buffer_alignment;
        let ins = Layout::new(program, Direction::In, program.inputs.iter().copied(), alignment);
        let outs = Layout::new(program, Direction::Out, program.outputs.iter().copied().map(Some), alignment);
        let path_in = self.transfers.inputs(ins.bytes(), inputs_are_read_once(program));
        let path_out = self.transfers.outputs(outs.bytes(), outputs_are_only_written(program));
        log::debug!(
            "inputs {path_in:?}, {} bytes; outputs {path_out:?}, {} bytes",
            ins.bytes(),
            outs.bytes()
        );
        let (inputs, in_slots) = Io::new(&mut recorder, device, program, &ins, path_in)?;
        let (outputs, out_slots) = Io::new(&mut recorder, device, program, &outs, path_out)?;
        let arena = Arc::new(Buffer::new(device, memory.arena_bytes, MemoryUsage::Device, "arena")?);

        let mut regions = Regions {
            program,
            memory,
            weights: self.weights,
            arena: recorder.share(&arena),
            io: in_slots.into_iter().chain(out_slots).collect(),
            blocks: HashMap::new(),
        };
        let starts = plan::submissions(program, &self.peaks, self.submission);
        let mut steps = Vec::new();
        for (i, dispatch) in program.dispatches.iter().enumerate() {
            if starts.contains(&i) {
                steps.push(Step::Split);
            }
            if profiled {
                steps.extend([Step::Barrier, Step::Timestamp]);
            } else if barriers.0.get(i).is_some_and(Option::is_some) {
                steps.push(Step::Barrier);
            }
            steps.push(Step::Dispatch {
                pipeline: self.pipelines.get(&key(dispatch))?.clone(),
                regions: dispatch.bindings.iter().map(|id| regions.of(*id, &mut recorder)).collect(),
                push: dispatch.push.clone(),
                grid: dispatch.grid,
            });
        }
        if profiled {
            steps.push(Step::Timestamp);
        }
        let io_bytes = inputs.bytes() + outputs.bytes();
        let mut state = State { commands: None, inputs, outputs, steps, recorded_late: false };
        state.record(recorder)?;
        Ok(Recording { state: Mutex::new(state), submissions: starts.len() + 1, io_bytes })
    }
}

/// Finds the buffers of a program on the device.
struct Regions<'a> {
    program: &'a Program,
    memory: &'a MemoryPlan,
    weights: &'a WeightStore,
    arena: Slot,
    io: HashMap<BufferId, Slot>,
    /// Blocks of weights that the commands share, by their address.
    blocks: HashMap<*const Buffer, Slot>,
}

impl Regions<'_> {
    /// Where a buffer lies. Blocks of weights are shared with the commands when they are first asked for.
    fn of(&mut self, id: BufferId, recorder: &mut Recorder) -> Region {
        let Self { program, memory, weights, .. } = *self;
        let buffer = program.buffer(id);
        let (whole, start) = program.whole(id);
        let (slot, offset) = match program.buffer(whole).kind {
            BufferKind::Input(_) | BufferKind::Output(_) => {
                let slot = self.io.get(&whole);
                (*slot.unwrap_or_else(|| unreachable!("{} is in no list", buffer.name)), 0)
            }
            BufferKind::Temp => {
                let placement = memory.placements[whole.0 as usize];
                let placement = placement.unwrap_or_else(|| unreachable!("planner left {whole:?} unplaced"));
                (self.arena, placement.offset)
            }
            BufferKind::Weights(n) => {
                let uploaded = weights.get(&program.weights[n].key);
                assert_eq!(uploaded.bytes, program.weights[n].bytes, "the same key means the same bytes");
                let block = self.blocks.entry(Arc::as_ptr(&uploaded.block));
                (*block.or_insert_with(|| recorder.share(&uploaded.block)), uploaded.offset)
            }
            BufferKind::Part(..) => unreachable!("a part is not the whole"),
        };
        Region { slot, offset: offset + start, bytes: buffer.bytes.next_multiple_of(WORD) }
    }
}

impl State {
    /// Records everything, inputs and outputs where they lie now.
    fn record(&mut self, mut recorder: Recorder) -> Result<()> {
        let Self { inputs, outputs, .. } = self;
        for (slot, place) in inputs.places().chain(outputs.places()) {
            recorder.place(slot, place);
        }
        inputs.record_before(&mut recorder)?;
        outputs.record_before(&mut recorder)?;
        play(&self.steps, &mut recorder)?;
        inputs.record_after(&mut recorder)?;
        outputs.record_after(&mut recorder)?;
        self.commands = Some(recorder.finish()?);
        Ok(())
    }

    fn commands(&mut self) -> Result<&mut Commands> {
        self.commands.as_mut().ok_or(Error::Driver {
            call: "vkBeginCommandBuffer",
            result: "an earlier recording failed".into(),
        })
    }

    /// Lets inputs and outputs lie in the buffers that are given. If that is new, buffers are exchanged where the device
    /// allows that, or else everything is recorded again: whether it was.
    fn bind(
        &mut self,
        device: &Device,
        pipelines: &mut Pipelines,
        inputs: &[Input<'_>],
        outputs: &[Output<'_>],
    ) -> Result<bool> {
        let lent = inputs.iter().any(|input| input.external().is_some())
            || outputs.iter().any(|output| output.external().is_some());
        if !lent && !self.inputs.has_external() && !self.outputs.has_external() {
            return Ok(false);
        }
        let ins: Vec<_> = inputs.iter().map(Input::external).collect();
        let outs: Vec<_> = outputs.iter().map(Output::external).collect();
        if !self.inputs.differs(&ins) && !self.outputs.differs(&outs) {
            return Ok(false);
        }
        self.inputs.check(device, &ins)?;
        self.outputs.check(device, &outs)?;
        apart(&ins, &outs)?;
        self.commands()?;
        let late = device.has_update_after_bind() && self.use_late(pipelines)?;
        let parts = self.inputs.parts().iter().zip(&ins).chain(self.outputs.parts().iter().zip(&outs));
        let used = parts.filter_map(|(part, external)| external.and(part.as_ref())?.conversion());
        let used: Vec<_> = used.map(|conversion| conversion.key(late)).collect();
        pipelines.create(used.clone())?;
        used.iter().try_for_each(|key| pipelines.get(key).map(drop))?;
        let same_tensors = self.inputs.has_external_at(&ins) && self.outputs.has_external_at(&outs);
        self.inputs.bind(&ins, pipelines, late)?;
        self.outputs.bind(&outs, pipelines, late)?;
        if let (Some(commands), true) = (&mut self.commands, same_tensors && self.recorded_late) {
            commands.exchange(self.inputs.places().chain(self.outputs.places()))?;
            return Ok(false);
        }
        let Some(commands) = self.commands.take() else { return Ok(false) };
        self.record(Recorder::again(commands)?)?;
        self.recorded_late = late;
        Ok(true)
    }

    /// Gives dispatches of inputs and outputs pipelines whose buffers may be exchanged, as of the next recording. Whether
    /// the driver has them all.
    fn use_late(&mut self, pipelines: &mut Pipelines) -> Result<bool> {
        if self.recorded_late {
            return Ok(true);
        }
        let slots: Vec<_> = self.inputs.places().chain(self.outputs.places()).map(|(slot, _)| slot).collect();
        let keys: Vec<_> = self.steps.iter().map(|step| step.late_key(&slots)).collect();
        pipelines.create(keys.iter().flatten().cloned().collect())?;
        let made: Result<Vec<_>> = keys.iter().flatten().map(|key| pipelines.get(key).cloned()).collect();
        let Ok(made) = made else { return Ok(false) };
        let steps = self.steps.iter_mut().zip(&keys).filter(|(_, key)| key.is_some());
        for ((step, _), late) in steps.zip(made) {
            if let Step::Dispatch { pipeline, .. } = step {
                *pipeline = late;
            }
        }
        Ok(true)
    }
}

/// Requires that no output shares a byte with an input or another output: barriers do not know of it.
fn apart(inputs: &[Option<&External>], outputs: &[Option<&External>]) -> Result<()> {
    for (i, output) in outputs.iter().enumerate() {
        let Some(output) = output else { continue };
        let others = inputs.iter().chain(&outputs[..i]).flatten();
        if let Some(other) = others.into_iter().find(|other| other.overlaps(output)) {
            return Err(Error::Host(format!(
                "output {i} in {output} shares memory with an input or output in {other}"
            )));
        }
    }
    Ok(())
}

impl Recording {
    /// See [`Session::run_bound`](super::Session::run_bound).
    pub(super) fn run(
        &self,
        device: &Device,
        pipelines: &mut Pipelines,
        inputs: &[Input<'_>],
        outputs: &mut [Output<'_>],
        semaphores: &Semaphores,
    ) -> Result<Moved> {
        let mut state = self.state();
        state.check_lengths(inputs, outputs)?;
        let again = state.bind(device, pipelines, inputs, outputs)?;
        state.commands()?;
        let State { commands: Some(commands), inputs: ins, outputs: outs, .. } = &mut *state else {
            return Err(Error::DeviceLost);
        };
        let mut moved = Moved { by_host: 0, by_device: ins.copied_bytes() + outs.copied_bytes(), again };
        if ins.has_own() {
            let mapped = commands.mapped(ins.host())?;
            for (input, part) in inputs.iter().zip(ins.parts()) {
                if let (Input::Host(input), Some(part)) = (input, part) {
                    part.write(input, mapped);
                    moved.by_host += input.len() as u64;
                }
            }
            commands.flush(ins.host())?;
        }
        commands.submit_between(semaphores)?;
        commands.wait()?;
        if outs.has_own() {
            commands.invalidate(outs.host())?;
            let mapped = commands.mapped(outs.host())?;
            for (output, part) in outputs.iter_mut().zip(outs.parts()) {
                if let (Output::Host(output), Some(part)) = (output, part) {
                    part.read(mapped, output);
                    moved.by_host += output.len() as u64;
                }
            }
        }
        Ok(moved)
    }

    /// How long each dispatch of the last run took on the device; `None` before the first run, and
    /// unless the recording was made by [`Session::prepare_profiled`](super::Session::prepare_profiled)
    /// and the device has a clock.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn times(&self) -> Result<Option<Vec<Duration>>> {
        self.state().commands()?.times()
    }

    /// Why some of these buffers cannot be used where they lie, though they are in order: kernels see other elements
    /// than the caller.
    pub fn refuses(&self, inputs: &[Input<'_>], outputs: &[Output<'_>]) -> Option<String> {
        let state = self.state();
        let ins = inputs.iter().map(Input::external).zip(state.inputs.parts());
        let outs = outputs.iter().map(Output::external).zip(state.outputs.parts());
        let converted = ins.chain(outs).filter_map(|(external, part)| external.and(part.as_ref()));
        let part = converted.into_iter().find(|part: &&Part| part.needs_host())?;
        Some(format!("the elements of {} have another type on the device", part.name()))
    }

    /// Submissions per run.
    pub(super) fn submissions(&self) -> usize {
        self.submissions
    }

    /// Bytes of inputs and outputs.
    pub(super) fn io_bytes(&self) -> u64 {
        self.io_bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_lengths(&self, inputs: &[Input<'_>], outputs: &[Output<'_>]) -> Result<()> {
        let wrong = |what: &str, given: usize, expected: usize| {
            Err(Error::Model {
                node: "partition".into(),
                what: format!("{what}: got {given}, expected {expected}"),
            })
        };
        let (ins, outs) = (self.inputs.parts(), self.outputs.parts());
        if inputs.len() != ins.len() {
            return wrong("number of inputs", inputs.len(), ins.len());
        }
        if outputs.len() != outs.len() {
            return wrong("number of outputs", outputs.len(), outs.len());
        }
        let hosts = |part: &Option<Part>| part.as_ref().map(Part::host_bytes);
        for (i, (input, part)) in inputs.iter().zip(ins).enumerate() {
            if let (Input::Host(_), Some(bytes)) = (input, hosts(part))
                && input.bytes() != bytes
            {
                return wrong(&format!("bytes of input {i}"), input.bytes(), bytes);
            }
        }
        for (i, (output, part)) in outputs.iter().zip(outs).enumerate() {
            if let (Output::Host(_), Some(bytes)) = (output, hosts(part))
                && output.bytes() != bytes
            {
                return wrong(&format!("bytes of output {i}"), output.bytes(), bytes);
            }
        }
        Ok(())
    }
}
