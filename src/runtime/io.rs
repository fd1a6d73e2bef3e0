//! Inputs or outputs of a recording. Each has a slot of its own: a stretch of one buffer for all, which is mapped or
//! has a mapped staging buffer, or a stretch of a buffer that the caller keeps it in.

use super::conversion::Conversion;
use super::external::External;
use super::pipelines::Pipelines;
use super::script::{Step, play};
use super::transfers::TransferPath;
use crate::error::{Error, Result};
use crate::program::{BufferId, Element, HostForm, Program};
use crate::vk::{Buffer, Device, MemoryUsage, Place, Recorder, Region, Slot, Stage};

/// Inputs and outputs start at multiples of this: the longest cache line in use.
const SPACING: u64 = 128;

/// A binding covers whole words: kernels that pack small values write them so.
pub(super) const WORD: u64 = 4;

/// Where the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Self::In => "input",
            Self::Out => "output",
        }
    }
}

/// One input or output.
pub(super) struct Part {
    /// What kernels bind.
    slot: Slot,
    /// Where it lies in the buffer for all.
    offset: u64,
    /// Its size there, in whole words.
    bytes: u64,
    host: Option<HostForm>,
    host_bytes: usize,
    name: String,
    external: Option<External>,
    /// How elements of a caller's buffer get into the form of kernels or back, if they have another.
    conversion: Option<Conversion>,
    /// Stands for the caller's buffer then: kernels bind `slot` all the same.
    lent: Slot,
    /// The conversion, while there is such a buffer.
    convert: Option<Step>,
}

impl Part {
    /// Its bytes for the host.
    pub fn host_bytes(&self) -> usize {
        self.host_bytes
    }

    /// Brings what the host has to its place.
    pub fn write(&self, from: &[u8], mapped: &mut [u8]) {
        let to = &mut mapped[self.offset as usize..][..self.bytes as usize];
        match self.host {
            Some(host) => host.element.write(host.dtype, from, to),
            None => to[..from.len()].copy_from_slice(from),
        }
    }

    /// Brings what lies at its place to the host.
    pub fn read(&self, mapped: &[u8], to: &mut [u8]) {
        let from = &mapped[self.offset as usize..][..self.bytes as usize];
        match self.host {
            Some(host) => host.element.read(host.dtype, from, to),
            None => to.copy_from_slice(&from[..to.len()]),
        }
    }

    /// Whether kernels see the elements otherwise than the host.
    fn is_converted(&self) -> bool {
        self.host.is_some_and(|host| host.element != Element::native(host.dtype))
    }

    /// Whether the host has to convert the elements, since no kernel does.
    pub fn needs_host(&self) -> bool {
        self.is_converted() && self.conversion.is_none()
    }

    /// How elements of a caller's buffer are converted.
    pub fn conversion(&self) -> Option<&Conversion> {
        self.conversion.as_ref()
    }

    /// Whether it lies in a buffer of the caller.
    pub fn is_external(&self) -> bool {
        self.external.is_some()
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Offsets of inputs or outputs in one buffer for all.
pub(super) struct Layout {
    direction: Direction,
    places: Vec<Option<(BufferId, u64)>>,
    bytes: u64,
}

impl Layout {
    /// Places the buffers of a direction that exist.
    pub fn new(
        program: &Program,
        direction: Direction,
        ids: impl Iterator<Item = Option<BufferId>>,
        alignment: u64,
    ) -> Self {
        let mut bytes: u64 = 0;
        let places = ids.map(|id| {
            let offset = bytes.next_multiple_of(alignment.max(SPACING));
            bytes = offset + program.buffer(id?).bytes.next_multiple_of(WORD);
            Some((id?, offset))
        });
        Self { direction, places: places.collect(), bytes }
    }

    /// The size of all.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// All inputs or all outputs.
pub(super) struct Io {
    direction: Direction,
    /// What the host maps.
    host: Slot,
    /// What the shaders use; the same where that can be mapped.
    device: Slot,
    bytes: u64,
    /// By number; `None` for an input that nothing reads.
    parts: Vec<Option<Part>>,
}

impl Io {
    /// Allocates the buffer for all, and makes the slots. Gives those by buffer too.
    pub fn new(
        recorder: &mut Recorder,
        device: &Device,
        program: &Program,
        layout: &Layout,
        path: TransferPath,
    ) -> Result<(Self, Vec<(BufferId, Slot)>)> {
        let Layout { direction, ref places, bytes } = *layout;
        let what = match direction {
            Direction::In => "inputs",
            Direction::Out => "outputs",
        };
        let usage = match (path, direction) {
            (TransferPath::Mapped, Direction::In) => MemoryUsage::HostToDevice,
            (TransferPath::Mapped, Direction::Out) => MemoryUsage::DeviceToHost,
            (TransferPath::HostMemory | TransferPath::Staged, _) => MemoryUsage::Staging,
        };
        let caps = device.caps();
        let host = recorder.own(Buffer::new(device, bytes, usage, what)?);
        let device = match path {
            TransferPath::Mapped | TransferPath::HostMemory => host,
            TransferPath::Staged => recorder.own(Buffer::new(device, bytes, MemoryUsage::Device, what)?),
        };
        let mut slots = Vec::new();
        let part = |place: &Option<(BufferId, u64)>| {
            let (id, offset) = (*place)?;
            let buffer = program.buffer(id);
            let slot = recorder.slot(Place::Stretch(device, offset));
            slots.push((id, slot));
            let to_kernels = direction == Direction::In;
            Some(Part {
                slot,
                conversion: buffer.host.and_then(|host| Conversion::new(host, caps, to_kernels)),
                lent: recorder.slot(Place::Stretch(device, offset)),
                convert: None,
                offset,
                bytes: buffer.bytes.next_multiple_of(WORD),
                host: buffer.host,
                host_bytes: buffer.host_bytes() as usize,
                name: buffer.name.to_string(),
                external: None,
            })
        };
        let parts = places.iter().map(part).collect();
        Ok((Self { direction, host, device, bytes, parts }, slots))
    }

    /// Requires that each of these buffers, by number, can take the place of its part.
    ///
    /// # Errors
    /// [`Error::Host`] says what is wrong with it.
    pub fn check(&self, device: &Device, wanted: &[Option<&External>]) -> Result<()> {
        for (number, (part, external)) in self.parts.iter().zip(wanted).enumerate() {
            let (Some(part), Some(external)) = (part, external) else { continue };
            let refused = |why: String| {
                let what = self.direction.name();
                Err(Error::Host(format!("{what} {number} ({}) cannot use {external}: {why}", part.name)))
            };
            let alignment = device.caps().buffer_alignment;
            if !external.buffer.is_of(device) {
                return refused("it belongs to another device, or to one that was lost".into());
            }
            if !external.offset.is_multiple_of(alignment) {
                return refused(format!("its offset is no multiple of {alignment}"));
            }
            let room = external.buffer.bytes().saturating_sub(external.offset);
            let bytes = part.conversion.as_ref().map_or(part.bytes, Conversion::bytes);
            if room < bytes || external.bytes < part.host_bytes as u64 {
                return refused(format!("{bytes} bytes are needed"));
            }
        }
        Ok(())
    }

    /// Whether some part lies elsewhere than in these buffers.
    pub fn differs(&self, wanted: &[Option<&External>]) -> bool {
        let parts = self.parts.iter().zip(wanted);
        parts
            .filter_map(|(part, wanted)| Some((part.as_ref()?, *wanted)))
            .any(|(part, wanted)| part.external.as_ref() != wanted)
    }

    /// Whether the same parts as now would lie in the caller's buffers.
    pub fn has_external_at(&self, wanted: &[Option<&External>]) -> bool {
        let parts = self.parts.iter().zip(wanted).filter_map(|(part, wanted)| Some((part.as_ref()?, wanted)));
        parts.into_iter().all(|(part, wanted)| part.is_external() == wanted.is_some())
    }

    /// Lets parts lie in these buffers, by number, as of the next recording or exchange. That may be an exchange if
    /// `late` says so.
    ///
    /// # Errors
    /// If the driver refused the pipeline of a conversion.
    pub fn bind(&mut self, wanted: &[Option<&External>], pipelines: &Pipelines, late: bool) -> Result<()> {
        for (number, (part, external)) in self.parts.iter_mut().zip(wanted).enumerate() {
            let Some(part) = part else { continue };
            part.external = external.cloned();
            part.convert = None;
            if let Some(external) = external {
                if let Some(conversion) = &part.conversion {
                    let own = Region { slot: part.slot, offset: 0, bytes: part.bytes };
                    let lent = Region { slot: part.lent, offset: 0, bytes: conversion.bytes() };
                    let (from, to) = if self.direction == Direction::In { (lent, own) } else { (own, lent) };
                    part.convert = Some(conversion.step(pipelines, late, from, to)?);
                }
                log::trace!("{} {number} ({}) is the caller's {external}", self.direction.name(), part.name);
            }
        }
        Ok(())
    }

    /// Where every slot lies now.
    pub fn places(&self) -> impl Iterator<Item = (Slot, Place)> {
        self.parts.iter().flatten().flat_map(|part| {
            let own = Place::Stretch(self.device, part.offset);
            let lent = part.external.as_ref().map_or(own.clone(), External::place);
            let slot = if part.conversion.is_some() { own } else { lent.clone() };
            [(part.slot, slot), (part.lent, lent)]
        })
    }

    /// What is copied between the buffer that the host sees and that of the shaders: all at once as a rule, what does
    /// not lie in the caller's buffers else.
    fn copies(&self) -> Vec<(Region, Region)> {
        let copy = |offset, bytes| {
            let region = |slot| Region { slot, offset, bytes };
            (region(self.host), region(self.device))
        };
        if self.host == self.device || self.bytes == 0 {
            return Vec::new();
        }
        if !self.has_external() {
            return vec![copy(0, self.bytes)];
        }
        let own = self.parts.iter().flatten().filter(|part| !part.is_external());
        own.map(|part| copy(part.offset, part.bytes)).collect()
    }

    /// How many bytes the device copies in a run.
    pub fn copied_bytes(&self) -> u64 {
        self.copies().iter().map(|(host, _)| host.bytes).sum()
    }

    /// Before the first dispatch: brings inputs to where the shaders read.
    pub fn record_before(&self, recorder: &mut Recorder) -> Result<()> {
        let copies = if self.direction == Direction::In { self.copies() } else { Vec::new() };
        for (host, device) in &copies {
            recorder.copy(*host, *device);
        }
        if !copies.is_empty() {
            recorder.barrier(Stage::Transfer, Stage::Compute);
        }
        if self.has_external() {
            recorder.barrier(Stage::Others, Stage::Compute);
        }
        if self.direction == Direction::In && self.convert(recorder)? {
            recorder.barrier(Stage::Compute, Stage::Compute);
        }
        Ok(())
    }

    /// Records the conversions; whether there are any.
    fn convert(&self, recorder: &mut Recorder) -> Result<bool> {
        let mut any = false;
        for step in self.parts.iter().flatten().filter_map(|part| part.convert.as_ref()) {
            play(std::slice::from_ref(step), recorder)?;
            any = true;
        }
        Ok(any)
    }

    /// After the last dispatch: brings outputs to where the host reads.
    pub fn record_after(&self, recorder: &mut Recorder) -> Result<()> {
        if self.direction == Direction::Out && self.parts.iter().flatten().any(|part| part.convert.is_some())
        {
            recorder.barrier(Stage::Compute, Stage::Compute);
            self.convert(recorder)?;
        }
        if self.has_external() {
            recorder.barrier(Stage::Compute, Stage::Others);
        }
        if self.direction == Direction::In || !self.has_own() {
            return Ok(());
        }
        let copies = self.copies();
        if copies.is_empty() {
            recorder.barrier(Stage::Compute, Stage::Host);
            return Ok(());
        }
        recorder.barrier(Stage::Compute, Stage::Transfer);
        for (host, device) in copies {
            recorder.copy(device, host);
        }
        recorder.barrier(Stage::Transfer, Stage::Host);
        Ok(())
    }

    /// Whether some part lies in a buffer of the caller.
    pub fn has_external(&self) -> bool {
        self.parts.iter().flatten().any(Part::is_external)
    }

    /// Whether the host has to bring or take something.
    pub fn has_own(&self) -> bool {
        self.parts.iter().flatten().any(|part| !part.is_external()) || self.parts.is_empty()
    }

    /// The parts by number.
    pub fn parts(&self) -> &[Option<Part>] {
        &self.parts
    }

    pub fn host(&self) -> Slot {
        self.host
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
