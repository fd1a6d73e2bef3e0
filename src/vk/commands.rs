//! A recorded command buffer with all that it names: submitted, waited for, submitted again.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use ash::vk;

use super::buffer::Buffer;
use super::descriptor::DescriptorPool;
use super::fence::Fence;
use super::logical_device::LogicalDevice;
use super::pipeline::Pipeline;
use super::timestamps::Timestamps;
use crate::error::Result;

/// A buffer that the commands own or share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

/// A buffer that the commands keep alive.
enum Held {
    Owned(Buffer),
    Shared(Arc<Buffer>),
}

/// One or several `VkCommandBuffer`s that were recorded once.
pub struct Commands {
    device: Arc<LogicalDevice>,
    pool: vk::CommandPool,
    /// In the order of submission; while recording, the last one is open.
    raw: Vec<vk::CommandBuffer>,
    descriptors: DescriptorPool,
    timestamps: Option<Timestamps>,
    fence: Fence,
    pending: bool,
    ran: bool,
    buffers: Vec<Held>,
    pipelines: Vec<Arc<Pipeline>>,
}

impl Commands {
    pub(super) fn new(
        device: &Arc<LogicalDevice>,
        descriptors: DescriptorPool,
        timestamps: Option<Timestamps>,
    ) -> Result<Self> {
        let fence = Fence::new(device)?;
        let info = vk::CommandPoolCreateInfo::default().queue_family_index(device.family());
        // SAFETY: the device is alive and has this queue family.
        let pool = unsafe { device.raw().create_command_pool(&info, None) };
        Ok(Self {
            device: device.clone(),
            pool: device.check("vkCreateCommandPool", pool)?,
            raw: Vec::new(),
            descriptors,
            timestamps,
            fence,
            pending: false,
            ran: false,
            buffers: Vec::new(),
            pipelines: Vec::new(),
        })
    }

    /// Opens one more command buffer.
    pub(super) fn begin(&mut self) -> Result<()> {
        let device = &self.device;
        let info = vk::CommandBufferAllocateInfo::default()
            .command_pool(self.pool)
            .level(vk::CommandBufferLevel::PRIMARY)
            .command_buffer_count(1);
        // SAFETY: the pool is alive and ours alone.
        let buffers = unsafe { device.raw().allocate_command_buffers(&info) };
        let raw = device.check("vkAllocateCommandBuffers", buffers)?[0];
        let info = vk::CommandBufferBeginInfo::default();
        // SAFETY: the command buffer is new.
        device.check("vkBeginCommandBuffer", unsafe { device.raw().begin_command_buffer(raw, &info) })?;
        self.raw.push(raw);
        Ok(())
    }

    /// Closes the open command buffer.
    pub(super) fn end(&self) -> Result<()> {
        // SAFETY: the command buffer is recording.
        let ended = unsafe { self.device.raw().end_command_buffer(self.raw()) };
        self.device.check("vkEndCommandBuffer", ended)
    }

    /// Starts the work. What the host wrote into mapped memory before is visible to it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::error::Error::DeviceLost), at once if it was lost before.
    pub fn submit(&mut self) -> Result<()> {
        self.wait()?;
        self.device.alive()?;
        self.fence.reset()?;
        let queue = self.device.queue().lock().unwrap_or_else(PoisonError::into_inner);
        for (i, raw) in self.raw.iter().enumerate() {
            let buffers = [*raw];
            let submit = [vk::SubmitInfo::default().command_buffers(&buffers)];
            // The queue works in order: when the last one is done, all are.
            let fence = if i + 1 == self.raw.len() { self.fence.raw() } else { vk::Fence::null() };
            // SAFETY: the command buffer is complete, not pending, and holds all that it names; the lock
            // keeps the queue to this thread.
            let submitted = unsafe { self.device.raw().queue_submit(*queue, &submit, fence) };
            if submitted.is_err() && i > 0 {
                // SAFETY: as above. No fence tells when those before are done.
                let idle = unsafe { self.device.raw().queue_wait_idle(*queue) };
                self.device.check("vkQueueWaitIdle", idle)?;
            }
            self.device.check("vkQueueSubmit", submitted)?;
        }
        drop(queue);
        self.pending = true;
        Ok(())
    }

    /// Returns when nothing is pending.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::error::Error::DeviceLost); results are undefined then.
    pub fn wait(&mut self) -> Result<()> {
        if !self.pending {
            return Ok(());
        }
        let result = self.fence.wait();
        // A lost device executes nothing anymore. After any other failure it is still at work.
        self.pending = result.is_err() && !self.device.is_lost();
        self.ran |= result.is_ok();
        result
    }

    /// The mapped memory of a buffer that the commands own, once nothing is pending; empty for one
    /// that is not mapped. After writing, [`flush`](Self::flush).
    pub fn mapped(&mut self, slot: Slot) -> Result<&mut [u8]> {
        self.wait()?;
        Ok(self.owned(slot).mapped())
    }

    /// Makes what the host wrote visible to the next submission.
    pub fn flush(&mut self, slot: Slot) -> Result<()> {
        self.wait()?;
        self.owned(slot).flush()
    }

    /// Makes what the last submission wrote visible to the host.
    pub fn invalidate(&mut self, slot: Slot) -> Result<()> {
        self.wait()?;
        self.owned(slot).invalidate()
    }

    /// The times between the timestamps of the last submission; `None` without a clock, before the
    /// first submission, or if no time was to be taken.
    pub fn times(&mut self) -> Result<Option<Vec<Duration>>> {
        self.wait()?;
        self.device.alive()?;
        self.timestamps.as_ref().filter(|_| self.ran).map(Timestamps::read).transpose()
    }

    fn owned(&mut self, slot: Slot) -> &mut Buffer {
        match &mut self.buffers[slot.0] {
            Held::Owned(buffer) => buffer,
            Held::Shared(_) => unreachable!("{slot:?} is shared, its content is not for the host"),
        }
    }

    pub(super) fn own(&mut self, buffer: Buffer) -> Slot {
        self.buffers.push(Held::Owned(buffer));
        Slot(self.buffers.len() - 1)
    }

    pub(super) fn share(&mut self, buffer: &Arc<Buffer>) -> Slot {
        self.buffers.push(Held::Shared(buffer.clone()));
        Slot(self.buffers.len() - 1)
    }

    pub(super) fn hold(&mut self, pipeline: &Arc<Pipeline>) {
        self.pipelines.push(pipeline.clone());
    }

    pub(super) fn buffer(&self, slot: Slot) -> &Buffer {
        match &self.buffers[slot.0] {
            Held::Owned(buffer) => buffer,
            Held::Shared(buffer) => buffer,
        }
    }

    pub(super) fn timestamps(&self) -> Option<&Timestamps> {
        self.timestamps.as_ref()
    }

    pub(super) fn timestamps_mut(&mut self) -> Option<&mut Timestamps> {
        self.timestamps.as_mut()
    }

    pub(super) fn descriptors(&mut self) -> &mut DescriptorPool {
        &mut self.descriptors
    }

    pub(super) fn device(&self) -> &Arc<LogicalDevice> {
        &self.device
    }

    /// The open command buffer.
    pub(super) fn raw(&self) -> vk::CommandBuffer {
        *self.raw.last().unwrap_or_else(|| unreachable!("recording begins with a command buffer"))
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        while self.pending {
            if let Err(e) = self.wait() {
                log::error!("waiting for the device: {e}");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        // SAFETY: nothing is pending. The pool frees its command buffers; fence, descriptors, buffers
        // and pipelines follow as fields.
        unsafe { self.device.raw().destroy_command_pool(self.pool, None) };
    }
}
