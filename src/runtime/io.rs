//! Inputs or outputs of a recording: one buffer for all, mapped or with a mapped staging buffer.

use super::transfers::TransferPath;
use crate::error::Result;
use crate::program::{self, BufferId, HostForm};
use crate::vk::{Buffer, Device, MemoryUsage, Recorder, Region, Slot, Stage};

/// Inputs and outputs start at multiples of this: the longest cache line in use.
const SPACING: u64 = 128;

/// Where the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// Where the data of one input or output lies in mapped memory, and how the host has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct IoSlice {
    offset: usize,
    bytes: usize,
    host: Option<HostForm>,
    host_bytes: usize,
}

impl IoSlice {
    /// The data of `buffer`, which starts at `offset`.
    pub fn new(buffer: &program::Buffer, offset: u64) -> Self {
        Self {
            offset: offset as usize,
            bytes: buffer.bytes as usize,
            host: buffer.host,
            host_bytes: buffer.host_bytes() as usize,
        }
    }

    /// Its bytes for the host.
    pub fn host_bytes(&self) -> usize {
        self.host_bytes
    }

    /// Brings what the host has to its place.
    pub fn write(&self, from: &[u8], mapped: &mut [u8]) {
        let to = &mut mapped[self.offset..][..self.bytes];
        match self.host {
            Some(host) => host.element.write(host.dtype, from, to),
            None => to[..from.len()].copy_from_slice(from),
        }
    }

    /// Brings what lies at its place to the host.
    pub fn read(&self, mapped: &[u8], to: &mut [u8]) {
        let from = &mapped[self.offset..][..self.bytes];
        match self.host {
            Some(host) => host.element.read(host.dtype, from, to),
            None => to.copy_from_slice(&from[..to.len()]),
        }
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
}

/// Offsets for buffers of these sizes, and the end of the last.
pub(super) fn layout(sizes: impl Iterator<Item = u64>, alignment: u64) -> (Vec<u64>, u64) {
    let mut end: u64 = 0;
    let offsets = sizes
        .map(|bytes| {
            let offset = end.next_multiple_of(alignment.max(SPACING));
            end = offset + bytes;
            offset
        })
        .collect();
    (offsets, end)
}

impl Io {
    /// Allocates `bytes` for the direction.
    pub fn new(
        recorder: &mut Recorder,
        device: &Device,
        direction: Direction,
        bytes: u64,
        path: TransferPath,
    ) -> Result<Self> {
        let what = match direction {
            Direction::In => "inputs",
            Direction::Out => "outputs",
        };
        let usage = match (path, direction) {
            (TransferPath::Mapped, Direction::In) => MemoryUsage::HostToDevice,
            (TransferPath::Mapped, Direction::Out) => MemoryUsage::DeviceToHost,
            (TransferPath::HostMemory | TransferPath::Staged, _) => MemoryUsage::Staging,
        };
        let host = recorder.own(Buffer::new(device, bytes, usage, what)?);
        let device = match path {
            TransferPath::Mapped | TransferPath::HostMemory => host,
            TransferPath::Staged => recorder.own(Buffer::new(device, bytes, MemoryUsage::Device, what)?),
        };
        Ok(Self { direction, host, device, bytes })
    }

    /// The whole of it, as the host and as the shaders see it, unless that is the same.
    fn copy(&self) -> Option<(Region, Region)> {
        let region = |slot| Region { slot, offset: 0, bytes: self.bytes };
        (self.host != self.device && self.bytes > 0).then(|| (region(self.host), region(self.device)))
    }

    /// Before the first dispatch: brings inputs to where the shaders read.
    pub fn record_before(&self, recorder: &mut Recorder) {
        if let (Direction::In, Some((host, device))) = (self.direction, self.copy()) {
            recorder.copy(host, device);
            recorder.barrier(Stage::Transfer, Stage::Compute);
        }
    }

    /// After the last dispatch: brings outputs to where the host reads.
    pub fn record_after(&self, recorder: &mut Recorder) {
        if self.direction == Direction::In {
            return;
        }
        if let Some((host, device)) = self.copy() {
            recorder.barrier(Stage::Compute, Stage::Transfer);
            recorder.copy(device, host);
            recorder.barrier(Stage::Transfer, Stage::Host);
        } else {
            recorder.barrier(Stage::Compute, Stage::Host);
        }
    }

    pub fn host(&self) -> Slot {
        self.host
    }

    pub fn device(&self) -> Slot {
        self.device
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The buffers of a direction that exist.
pub(super) fn ids(of: &[Option<BufferId>]) -> impl Iterator<Item = BufferId> + '_ {
    of.iter().flatten().copied()
}
