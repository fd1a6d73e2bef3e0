//! Copies between the host and buffers of the caller, for what cannot be used where it lies.

use super::external::External;
use crate::error::{Error, Result};
use crate::vk::{Buffer, Capacity, Device, MemoryUsage, Place, Recorder, Region, Semaphores, Stage};

/// Waits for and signals semaphores, without any work between.
///
/// # Errors
/// [`Error::DeviceLost`]; [`Error::OutOfMemory`].
pub fn synchronise(device: &Device, semaphores: &Semaphores) -> Result<()> {
    if semaphores.is_empty() {
        return Ok(());
    }
    let mut commands = Recorder::new(device, Capacity::default())?.finish()?;
    commands.submit_between(semaphores)?;
    commands.wait()
}

impl External {
    /// Copies the first bytes to the host.
    ///
    /// # Errors
    /// [`Error::Host`] if there are fewer bytes, or if the buffer is of another device; [`Error::DeviceLost`];
    /// [`Error::OutOfMemory`].
    pub fn read(&self, device: &Device, to: &mut [u8]) -> Result<()> {
        let Some((mut recorder, host, own)) = self.begin(device, to.len())? else { return Ok(()) };
        recorder.barrier(Stage::Others, Stage::Transfer);
        recorder.copy(own, host);
        recorder.barrier(Stage::Transfer, Stage::Host);
        let mut commands = recorder.finish()?;
        commands.submit()?;
        commands.invalidate(host.slot)?;
        to.copy_from_slice(&commands.mapped(host.slot)?[..to.len()]);
        Ok(())
    }

    /// Copies bytes of the host to where the buffer's stretch begins.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write(&self, device: &Device, from: &[u8]) -> Result<()> {
        let Some((mut recorder, host, own)) = self.begin(device, from.len())? else { return Ok(()) };
        recorder.barrier(Stage::Others, Stage::Transfer);
        recorder.copy(host, own);
        recorder.barrier(Stage::Transfer, Stage::Others);
        let mut commands = recorder.finish()?;
        commands.mapped(host.slot)?[..from.len()].copy_from_slice(from);
        commands.flush(host.slot)?;
        commands.submit()?;
        commands.wait()
    }

    /// Begins a copy of so many bytes between memory that is mapped and the stretch; `None` for none.
    fn begin(&self, device: &Device, bytes: usize) -> Result<Option<(Recorder, Region, Region)>> {
        if !self.buffer.is_of(device) {
            return Err(Error::Host(format!("{self} belongs to another device, or to one that was lost")));
        }
        let bytes = bytes as u64;
        let room = self.buffer.bytes().saturating_sub(self.offset).min(self.bytes);
        if bytes > room {
            return Err(Error::Host(format!("{self} has room for {room} bytes, {bytes} are needed")));
        }
        if bytes == 0 {
            return Ok(None);
        }
        let mut recorder = Recorder::new(device, Capacity::default())?;
        let host = Buffer::new(device, bytes, MemoryUsage::Staging, "a copy of an input or output")?;
        let host = recorder.own(host);
        let own = recorder.slot(Place::Buffer(self.buffer.clone(), self.offset));
        let region = |slot| Region { slot, offset: 0, bytes };
        Ok(Some((recorder, region(host), region(own))))
    }
}
