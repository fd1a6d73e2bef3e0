//! Inputs or outputs of a recording: one buffer for all, mapped or with a mapped twin.

use std::sync::Arc;

use super::transfers::Way;
use crate::error::Result;
use crate::halves;
use crate::program::BufferId;
use crate::vk::{Buffer, Device, Place, Recorder, Region, Slot, Stage};

/// Inputs and outputs start at multiples of this: the longest cache line in use.
const SPACING: u64 = 128;

/// Which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// Where the host finds the data of one input or output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub offset: usize,
    pub bytes: usize,
    /// How many 32-bit floats it is for the host, if it lies there in halves or is empty.
    pub floats: Option<usize>,
}

impl Part {
    /// Its bytes for the host.
    pub fn host_bytes(&self) -> usize {
        self.floats.map_or(self.bytes, |n| 4 * n)
    }

    /// Brings what the host has to its place.
    pub fn write(&self, from: &[u8], mapped: &mut [u8]) {
        let to = &mut mapped[self.offset..][..self.bytes];
        match self.floats {
            None => to.copy_from_slice(from),
            Some(_) => halves::narrow(from.as_chunks().0, to.as_chunks_mut().0),
        }
    }

    /// Brings what lies at its place to the host.
    pub fn read(&self, mapped: &[u8], to: &mut [u8]) {
        let from = &mapped[self.offset..][..self.bytes];
        match self.floats {
            None => to.copy_from_slice(from),
            Some(_) => halves::widen(from.as_chunks().0, to.as_chunks_mut().0),
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
        device: &Arc<Device>,
        direction: Direction,
        bytes: u64,
        way: Way,
    ) -> Result<Self> {
        let what = match direction {
            Direction::In => "inputs",
            Direction::Out => "outputs",
        };
        let place = match (way, direction) {
            (Way::Mapped, Direction::In) => Place::HostToDevice,
            (Way::Mapped, Direction::Out) => Place::DeviceToHost,
            (Way::Host | Way::Staged, _) => Place::Staging,
        };
        let host = recorder.own(Buffer::new(device, bytes, place, what)?);
        let device = match way {
            Way::Mapped | Way::Host => host,
            Way::Staged => recorder.own(Buffer::new(device, bytes, Place::Device, what)?),
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
