//! A program recorded for one set of shapes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::io::{self, Direction, Io, IoSlice};
use super::pipelines::{Pipelines, key};
use super::transfers::{TransferPolicy, inputs_are_read_once, outputs_are_only_written};
use super::weights::WeightStore;
use crate::caps::Submission;
use crate::error::{Error, Result};
use crate::plan::{self, Barriers, MemoryPlan};
use crate::program::{BufferId, BufferKind, Peaks, Program};
use crate::vk::{Buffer, Capacity, Commands, Device, MemoryUsage, Recorder, Region, Slot, Stage};

/// A program that is ready to run, with its memory. Dropping it waits until it is idle, a second at most: what is
/// not idle by then is freed later.
pub struct Recording {
    commands: Mutex<Commands>,
    inputs: Io,
    outputs: Io,
    input_slices: Vec<Option<IoSlice>>,
    output_slices: Vec<IoSlice>,
    submissions: usize,
}

/// A binding covers whole words: kernels that pack small values write them so.
const WORD: u64 = 4;

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
        let capacity = Capacity {
            dispatches: program.dispatches.len(),
            bindings: program.dispatches.iter().map(|d| d.bindings.len()).sum(),
            timestamps: if profiled { program.dispatches.len() + 1 } else { 0 },
            seconds: plan::expected_seconds(program, &self.peaks),
        };
        let mut recorder = Recorder::new(device, capacity)?;
        let alignment = device.caps().buffer_alignment;
        let sizes = |ids: &mut dyn Iterator<Item = BufferId>| {
            io::layout(ids.map(|id| program.buffer(id).bytes.next_multiple_of(WORD)), alignment)
        };
        let (in_offsets, in_bytes) = sizes(&mut io::ids(&program.inputs));
        let (out_offsets, out_bytes) = sizes(&mut program.outputs.iter().copied());
        let path_in = self.transfers.inputs(in_bytes, inputs_are_read_once(program));
        let path_out = self.transfers.outputs(out_bytes, outputs_are_only_written(program));
        log::debug!("inputs {path_in:?}, {in_bytes} bytes; outputs {path_out:?}, {out_bytes} bytes");
        let inputs = Io::new(&mut recorder, device, Direction::In, in_bytes, path_in)?;
        let outputs = Io::new(&mut recorder, device, Direction::Out, out_bytes, path_out)?;
        let arena = Arc::new(Buffer::new(device, memory.arena_bytes, MemoryUsage::Device, "arena")?);

        let ins = io::ids(&program.inputs).zip(in_offsets.iter().map(|at| (inputs.device(), *at)));
        let outs = program.outputs.iter().copied().zip(out_offsets.iter().map(|at| (outputs.device(), *at)));
        let mut regions = Regions {
            program,
            memory,
            weights: self.weights,
            arena: recorder.share(&arena),
            io: ins.chain(outs).collect(),
            blocks: HashMap::new(),
        };
        let starts = plan::submissions(program, &self.peaks, self.submission);
        inputs.record_before(&mut recorder);
        for (i, dispatch) in program.dispatches.iter().enumerate() {
            if starts.contains(&i) {
                recorder.split()?;
            }
            if profiled {
                recorder.barrier(Stage::Compute, Stage::Compute);
                recorder.timestamp();
            } else if barriers.0.get(i).is_some_and(Option::is_some) {
                recorder.barrier(Stage::Compute, Stage::Compute);
            }
            let bound: Vec<_> = dispatch.bindings.iter().map(|id| regions.of(*id, &mut recorder)).collect();
            let pipeline = self.pipelines.get(&key(dispatch))?;
            recorder.dispatch(pipeline, &bound, &dispatch.push, dispatch.grid)?;
        }
        if profiled {
            recorder.timestamp();
        }
        outputs.record_after(&mut recorder);

        let slice = |id: BufferId, offset: u64| IoSlice::new(program.buffer(id), offset);
        let mut offsets = in_offsets.iter();
        let input_slices = program.inputs.iter().map(|id| Some(slice((*id)?, *offsets.next()?))).collect();
        let output_slices =
            program.outputs.iter().zip(&out_offsets).map(|(id, at)| slice(*id, *at)).collect();
        let commands = Mutex::new(recorder.finish()?);
        let submissions = starts.len() + 1;
        Ok(Recording { commands, inputs, outputs, input_slices, output_slices, submissions })
    }
}

/// Finds the buffers of a program on the device.
struct Regions<'a> {
    program: &'a Program,
    memory: &'a MemoryPlan,
    weights: &'a WeightStore,
    arena: Slot,
    io: HashMap<BufferId, (Slot, u64)>,
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
                *self.io.get(&whole).unwrap_or_else(|| unreachable!("{} is in no list", buffer.name))
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

impl Recording {
    /// See [`Session::run`](super::Session::run).
    pub(super) fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        self.check_lengths(inputs, outputs)?;
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let mapped = commands.mapped(self.inputs.host())?;
        for (input, slice) in inputs.iter().zip(&self.input_slices) {
            if let Some(slice) = slice {
                slice.write(input, mapped);
            }
        }
        commands.flush(self.inputs.host())?;
        commands.submit()?;
        commands.wait()?;
        commands.invalidate(self.outputs.host())?;
        let mapped = commands.mapped(self.outputs.host())?;
        for (output, slice) in outputs.iter_mut().zip(&self.output_slices) {
            slice.read(mapped, output);
        }
        Ok(())
    }

    /// How long each dispatch of the last run took on the device; `None` before the first run, and
    /// unless the recording was made by [`Session::prepare_profiled`](super::Session::prepare_profiled)
    /// and the device has a clock.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn times(&self) -> Result<Option<Vec<Duration>>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).times()
    }

    /// Submissions per run.
    pub(super) fn submissions(&self) -> usize {
        self.submissions
    }

    /// Bytes of inputs and outputs.
    pub(super) fn io_bytes(&self) -> u64 {
        self.inputs.bytes() + self.outputs.bytes()
    }

    fn check_lengths(&self, inputs: &[&[u8]], outputs: &[&mut [u8]]) -> Result<()> {
        let wrong = |what: &str, given: usize, expected: usize| {
            Err(Error::Model {
                node: "partition".into(),
                what: format!("{what}: got {given}, expected {expected}"),
            })
        };
        if inputs.len() != self.input_slices.len() {
            return wrong("number of inputs", inputs.len(), self.input_slices.len());
        }
        if outputs.len() != self.output_slices.len() {
            return wrong("number of outputs", outputs.len(), self.output_slices.len());
        }
        for (i, (input, slice)) in inputs.iter().zip(&self.input_slices).enumerate() {
            if let Some(slice) = slice.filter(|slice| slice.host_bytes() != input.len()) {
                return wrong(&format!("bytes of input {i}"), input.len(), slice.host_bytes());
            }
        }
        for (i, (output, slice)) in outputs.iter().zip(&self.output_slices).enumerate() {
            if slice.host_bytes() != output.len() {
                return wrong(&format!("bytes of output {i}"), output.len(), slice.host_bytes());
            }
        }
        Ok(())
    }
}
