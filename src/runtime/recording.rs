//! A program recorded for one set of shapes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Session;
use super::io::{self, Direction, Io, Part};
use super::transfers::{inputs_are_read_once, outputs_are_only_written};
use crate::error::{Error, Result};
use crate::plan::{self, Barriers, MemoryPlan};
use crate::program::{BufferId, BufferKind, Peaks, Program};
use crate::vk::{Buffer, Capacity, Commands, Place, Recorder, Region, Slot, Stage};

/// A program that is ready to run, with its memory. Dropping it waits until it is idle.
pub struct Recording {
    commands: Mutex<Commands>,
    inputs: Io,
    outputs: Io,
    input_parts: Vec<Option<Part>>,
    output_parts: Vec<Part>,
    submissions: usize,
}

/// A binding covers whole words: kernels that pack small values write them so.
const WORD: u64 = 4;

/// Allocates the memory of `program` and records its dispatches; pipelines and weights are there.
pub(super) fn record(
    session: &Session,
    program: &Program,
    memory: &MemoryPlan,
    barriers: &Barriers,
    profiled: bool,
) -> Result<Recording> {
    let device = &session.device;
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
    };
    let mut recorder = Recorder::new(device, capacity)?;
    let alignment = device.caps().buffer_alignment;
    let sizes = |ids: &mut dyn Iterator<Item = BufferId>| {
        io::layout(ids.map(|id| program.buffer(id).bytes.next_multiple_of(WORD)), alignment)
    };
    let (in_offsets, in_bytes) = sizes(&mut io::ids(&program.inputs));
    let (out_offsets, out_bytes) = sizes(&mut program.outputs.iter().copied());
    let way_in = session.transfers.inputs(in_bytes, inputs_are_read_once(program));
    let way_out = session.transfers.outputs(out_bytes, outputs_are_only_written(program));
    log::debug!("inputs {way_in:?}, {in_bytes} bytes; outputs {way_out:?}, {out_bytes} bytes");
    let inputs = Io::new(&mut recorder, device, Direction::In, in_bytes, way_in)?;
    let outputs = Io::new(&mut recorder, device, Direction::Out, out_bytes, way_out)?;
    let arena = Arc::new(Buffer::new(device, memory.arena_bytes, Place::Device, "arena")?);

    let mut places = Places { arena: recorder.share(&arena), io: HashMap::new(), blocks: HashMap::new() };
    places.io.extend(io::ids(&program.inputs).zip(in_offsets.iter().map(|at| (inputs.device(), *at))));
    places
        .io
        .extend(program.outputs.iter().copied().zip(out_offsets.iter().map(|at| (outputs.device(), *at))));

    let peaks = super::peaks::known(device).unwrap_or_else(|| Peaks::guess(device.caps().kind));
    let starts = plan::submissions(program, &peaks, session.submission);
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
        let mut regions = Vec::with_capacity(dispatch.bindings.len());
        for id in &dispatch.bindings {
            regions.push(places.region(session, &mut recorder, program, memory, *id));
        }
        let pipeline = session.pipelines.get(&super::key(dispatch))?;
        recorder.dispatch(pipeline, &regions, &dispatch.push, dispatch.grid)?;
    }
    if profiled {
        recorder.timestamp();
    }
    outputs.record_after(&mut recorder);

    let part = |id: BufferId, offset: u64| Part {
        offset: offset as usize,
        bytes: program.buffer(id).bytes as usize,
        floats: program.buffer(id).floats.map(|n| n as usize),
    };
    let mut offsets = in_offsets.iter();
    let input_parts = program.inputs.iter().map(|id| Some(part((*id)?, *offsets.next()?))).collect();
    let output_parts = program.outputs.iter().zip(&out_offsets).map(|(id, at)| part(*id, *at)).collect();
    let commands = Mutex::new(recorder.finish()?);
    let submissions = starts.len() + 1;
    Ok(Recording { commands, inputs, outputs, input_parts, output_parts, submissions })
}

/// Where the buffers of a program lie on the device.
struct Places {
    arena: Slot,
    io: HashMap<BufferId, (Slot, u64)>,
    /// Blocks of weights that the commands share, by their address.
    blocks: HashMap<*const Buffer, Slot>,
}

impl Places {
    fn region(
        &mut self,
        session: &Session,
        recorder: &mut Recorder,
        program: &Program,
        memory: &MemoryPlan,
        id: BufferId,
    ) -> Region {
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
                let placed = session.weights.get(&program.weights[n].key);
                assert_eq!(placed.bytes, program.weights[n].bytes, "the same key means the same bytes");
                let block = self.blocks.entry(Arc::as_ptr(&placed.block));
                (*block.or_insert_with(|| recorder.share(&placed.block)), placed.offset)
            }
            BufferKind::Part(..) => unreachable!("a part is not the whole"),
        };
        Region { slot, offset: offset + start, bytes: buffer.bytes.next_multiple_of(WORD) }
    }
}

impl Recording {
    /// See [`Session::run`].
    pub(super) fn run(&self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> Result<()> {
        self.check_lengths(inputs, outputs)?;
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let mapped = commands.mapped(self.inputs.host())?;
        for (input, part) in inputs.iter().zip(&self.input_parts) {
            if let Some(part) = part {
                part.write(input, mapped);
            }
        }
        commands.flush(self.inputs.host())?;
        commands.submit()?;
        commands.wait()?;
        commands.invalidate(self.outputs.host())?;
        let mapped = commands.mapped(self.outputs.host())?;
        for (output, part) in outputs.iter_mut().zip(&self.output_parts) {
            part.read(mapped, output);
        }
        Ok(())
    }

    /// How long each dispatch of the last run took on the device; `None` before the first run, and
    /// unless the recording was made by [`Session::prepare_profiled`] and the device has a clock.
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
        if inputs.len() != self.input_parts.len() {
            return wrong("number of inputs", inputs.len(), self.input_parts.len());
        }
        if outputs.len() != self.output_parts.len() {
            return wrong("number of outputs", outputs.len(), self.output_parts.len());
        }
        for (i, (input, part)) in inputs.iter().zip(&self.input_parts).enumerate() {
            if let Some(part) = part.filter(|part| part.host_bytes() != input.len()) {
                return wrong(&format!("bytes of input {i}"), input.len(), part.host_bytes());
            }
        }
        for (i, (output, part)) in outputs.iter().zip(&self.output_parts).enumerate() {
            if part.host_bytes() != output.len() {
                return wrong(&format!("bytes of output {i}"), output.len(), part.host_bytes());
            }
        }
        Ok(())
    }
}
