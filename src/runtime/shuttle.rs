//! Copies between a buffer of the device and memory that the host maps, recorded once and run again and again.

use super::external::External;
use crate::error::Result;
use crate::vk::{Buffer, Capacity, Commands, Device, MemoryUsage, Place, Recorder, Region, Slot, Stage};

/// A way in one direction, with mapped memory of its own.
pub struct Shuttle {
    commands: Commands,
    host: Slot,
}

impl Shuttle {
    /// The way from a buffer to the host.
    ///
    /// # Errors
    /// If the device is lost, or memory does not suffice.
    pub fn down(device: &Device, external: &External) -> Result<Self> {
        Self::record(device, external, |recorder, host, own| {
            recorder.barrier(Stage::Others, Stage::Transfer);
            recorder.copy(own, host);
            recorder.barrier(Stage::Transfer, Stage::Host);
        })
    }

    /// The way from the host to a buffer.
    ///
    /// # Errors
    /// As [`down`](Self::down).
    pub fn up(device: &Device, external: &External) -> Result<Self> {
        Self::record(device, external, |recorder, host, own| {
            recorder.barrier(Stage::Others, Stage::Transfer);
            recorder.copy(host, own);
            recorder.barrier(Stage::Transfer, Stage::Others);
        })
    }

    fn record(
        device: &Device,
        external: &External,
        copy: impl FnOnce(&mut Recorder, Region, Region),
    ) -> Result<Self> {
        let mut recorder = Recorder::new(device, Capacity::default())?;
        let bytes = external.bytes.max(1);
        let host = recorder.own(Buffer::new(device, bytes, MemoryUsage::Staging, "a tensor's copy")?);
        let own = recorder.slot(Place::Buffer(external.buffer.clone(), external.offset));
        let region = |slot| Region { slot, offset: 0, bytes };
        copy(&mut recorder, region(host), region(own));
        Ok(Self { commands: recorder.finish()?, host })
    }

    /// Copies, and waits until that is done.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::error::Error::DeviceLost).
    pub fn run(&mut self) -> Result<()> {
        self.commands.flush(self.host)?;
        self.commands.submit()?;
        self.commands.wait()?;
        self.commands.invalidate(self.host)
    }

    /// The mapped memory.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn mapped(&mut self) -> Result<&mut [u8]> {
        self.commands.mapped(self.host)
    }
}
