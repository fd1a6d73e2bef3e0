//! A recorded command buffer with all that it names: submitted, waited for, submitted again.

use std::mem::ManuallyDrop;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ash::vk;

use super::buffer::Buffer;
use super::descriptor::Descriptors;
use super::fence::Fence;
use super::logical_device::{LogicalDevice, Queue};
use super::parked::{self, Work};
use super::pipeline::Pipeline;
use super::process;
use super::region::Slot;
use super::semaphores::Semaphores;
use super::timestamps::Timestamps;
use crate::caps::DeviceKind;
use crate::error::{Error, Result};

/// What a slot stands for when it is no whole buffer.
#[derive(Clone)]
pub enum Place {
    /// What lies behind this byte of another slot's buffer.
    Stretch(Slot, u64),
    /// What lies behind this byte of a buffer, which stays alive with the commands.
    Buffer(Arc<Buffer>, u64),
}

/// A buffer that the commands keep alive.
enum Held {
    Owned(Buffer),
    Placed(Place),
}

/// What a submission may take at least, before the device counts as lost.
const LEAST_BOUND: Duration = Duration::from_secs(10);
/// What it may take, over the time that is expected of it.
const BOUND: f64 = 20.0;

/// What dropping waits for pending work.
const GRACE: Duration = Duration::from_secs(1);

/// `VkCommandBuffer`s that were recorded once.
pub struct Commands(ManuallyDrop<Recorded>);

/// Command buffers with all that they name. Dropped only when nothing of it is pending.
pub(super) struct Recorded {
    device: Arc<LogicalDevice>,
    pool: vk::CommandPool,
    /// In the order of submission; while recording, the last one is open.
    raw: Vec<vk::CommandBuffer>,
    descriptors: Descriptors,
    timestamps: Option<Timestamps>,
    fence: Fence,
    /// How long a submission may take; for ever if `None`.
    bound: Option<Duration>,
    pending: Option<Pending>,
    ran: bool,
    buffers: Vec<Held>,
    pipelines: Vec<Arc<Pipeline>>,
    /// What the last submission waits for and signals.
    semaphores: Semaphores,
    /// Command buffers of an earlier recording, to be used again.
    spare: Vec<vk::CommandBuffer>,
}

/// A submission that was not waited for.
#[derive(Clone, Copy)]
struct Pending {
    /// When it should be done.
    until: Option<Instant>,
    /// The fence tells when it is done. Otherwise nothing does.
    fenced: bool,
}

impl Commands {
    /// Nothing yet. One submission is expected to take so many `seconds`.
    pub(super) fn new(
        device: &Arc<LogicalDevice>,
        descriptors: Descriptors,
        timestamps: Option<Timestamps>,
        seconds: f64,
    ) -> Result<Self> {
        let fence = Fence::new(device)?;
        let info = vk::CommandPoolCreateInfo::default().queue_family_index(device.family());
        // SAFETY: the device is alive and has this queue family.
        let pool = unsafe { device.raw().create_command_pool(&info, None) };
        Ok(Self(ManuallyDrop::new(Recorded {
            device: device.clone(),
            pool: device.check("vkCreateCommandPool", pool)?,
            raw: Vec::new(),
            descriptors,
            timestamps,
            fence,
            bound: bound(device.info().kind, seconds),
            pending: None,
            ran: false,
            buffers: Vec::new(),
            pipelines: Vec::new(),
            semaphores: Semaphores::default(),
            spare: Vec::new(),
        })))
    }

    /// Forgets what was recorded, once nothing is pending, but no buffer.
    pub(super) fn clear(&mut self) -> Result<()> {
        self.wait()?;
        let device = self.0.device.clone();
        device.alive()?;
        // SAFETY: nothing is pending, and the pool is ours alone.
        let reset =
            unsafe { device.raw().reset_command_pool(self.0.pool, vk::CommandPoolResetFlags::empty()) };
        device.check("vkResetCommandPool", reset)?;
        self.0.descriptors.clear()?;
        self.0.spare = std::mem::take(&mut self.0.raw);
        self.0.pipelines.clear();
        if let Some(timestamps) = &mut self.0.timestamps {
            timestamps.clear();
        }
        self.0.ran = false;
        Ok(())
    }

    /// Opens one more command buffer.
    pub(super) fn begin(&mut self) -> Result<()> {
        let device = self.0.device.clone();
        let raw = match self.0.spare.pop() {
            Some(raw) => raw,
            None => {
                let info = vk::CommandBufferAllocateInfo::default()
                    .command_pool(self.0.pool)
                    .level(vk::CommandBufferLevel::PRIMARY)
                    .command_buffer_count(1);
                // SAFETY: the pool is alive and ours alone.
                let buffers = unsafe { device.raw().allocate_command_buffers(&info) };
                device.check("vkAllocateCommandBuffers", buffers)?[0]
            }
        };
        let info = vk::CommandBufferBeginInfo::default();
        // SAFETY: the command buffer is new, or was reset.
        device.check("vkBeginCommandBuffer", unsafe { device.raw().begin_command_buffer(raw, &info) })?;
        self.0.raw.push(raw);
        Ok(())
    }

    /// Closes the open command buffer.
    pub(super) fn end(&self) -> Result<()> {
        let device = &self.0.device;
        // SAFETY: the command buffer is recording.
        device.check("vkEndCommandBuffer", unsafe { device.raw().end_command_buffer(self.raw()) })
    }

    /// Starts the work. What the host wrote into mapped memory before is visible to it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], at once if it was lost before.
    pub fn submit(&mut self) -> Result<()> {
        self.submit_between(&Semaphores::default())
    }

    /// As [`submit`](Self::submit), after what `semaphores` says and before what it signals.
    ///
    /// # Errors
    /// As there; then nothing may be waited for or signalled.
    pub fn submit_between(&mut self, semaphores: &Semaphores) -> Result<()> {
        self.wait()?;
        self.0.device.alive()?;
        self.0.semaphores = semaphores.clone();
        self.0.fence.reset()?;
        self.0.submit()
    }

    /// Returns when nothing is pending. On devices other than software that takes at most ten seconds, or
    /// twenty times what is expected of all that was submitted, whichever is more.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]; results are undefined then.
    pub fn wait(&mut self) -> Result<()> {
        self.0.wait()
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
        self.0.device.alive()?;
        self.0.timestamps.as_ref().filter(|_| self.0.ran).map(Timestamps::read).transpose()
    }

    fn owned(&mut self, slot: Slot) -> &mut Buffer {
        match &mut self.0.buffers[slot.0] {
            Held::Owned(buffer) => buffer,
            Held::Placed(_) => unreachable!("{slot:?} is shared with other commands"),
        }
    }

    pub(super) fn own(&mut self, buffer: Buffer) -> Slot {
        self.0.buffers.push(Held::Owned(buffer));
        Slot(self.0.buffers.len() - 1)
    }

    pub(super) fn slot(&mut self, place: Place) -> Slot {
        self.0.buffers.push(Held::Placed(place));
        Slot(self.0.buffers.len() - 1)
    }

    pub(super) fn place(&mut self, slot: Slot, place: Place) {
        self.0.buffers[slot.0] = Held::Placed(place);
    }

    pub(super) fn hold(&mut self, pipeline: &Arc<Pipeline>) {
        self.0.pipelines.push(pipeline.clone());
    }

    /// The buffer of a slot, and where the slot begins in it.
    pub(super) fn buffer(&self, slot: Slot) -> (&Buffer, u64) {
        match &self.0.buffers[slot.0] {
            Held::Owned(buffer) => (buffer, 0),
            Held::Placed(Place::Buffer(buffer, start)) => (buffer, *start),
            Held::Placed(Place::Stretch(of, start)) => {
                let (buffer, whole) = self.buffer(*of);
                (buffer, whole + start)
            }
        }
    }

    pub(super) fn timestamps(&self) -> Option<&Timestamps> {
        self.0.timestamps.as_ref()
    }

    pub(super) fn timestamps_mut(&mut self) -> Option<&mut Timestamps> {
        self.0.timestamps.as_mut()
    }

    pub(super) fn descriptors(&self) -> &Descriptors {
        &self.0.descriptors
    }

    pub(super) fn descriptors_mut(&mut self) -> &mut Descriptors {
        &mut self.0.descriptors
    }

    pub(super) fn device(&self) -> &Arc<LogicalDevice> {
        &self.0.device
    }

    /// The open command buffer.
    pub(super) fn raw(&self) -> vk::CommandBuffer {
        *self.0.raw.last().unwrap_or_else(|| unreachable!("recording begins with a command buffer"))
    }
}

impl Drop for Commands {
    /// Takes at most a second: what is still pending then is parked.
    fn drop(&mut self) {
        // SAFETY: nobody uses the field afterwards.
        let mut recorded = unsafe { ManuallyDrop::take(&mut self.0) };
        if process::is_forked() {
            // It belongs to the parent.
            std::mem::forget(recorded);
        } else if recorded.wait_until(Some(Instant::now() + GRACE)) == Ok(true) || recorded.is_idle() {
            drop(recorded);
        } else {
            parked::park(Box::new(recorded));
        }
    }
}

impl Recorded {
    /// Submits every command buffer; none is pending.
    fn submit(&mut self) -> Result<()> {
        let device = self.device.clone();
        let mut queue = device.queue().lock().unwrap_or_else(PoisonError::into_inner);
        for (i, raw) in self.raw.iter().enumerate() {
            // The queue works in order: when the last one is done, all are.
            let fence = if i + 1 == self.raw.len() { self.fence.raw() } else { vk::Fence::null() };
            let buffers = [*raw];
            let ends = [i == 0, i + 1 == self.raw.len()];
            let submitted = self.semaphores.around(ends, &buffers, |work| {
                // SAFETY: the command buffer is complete, not pending, and holds all that it names; the lock
                // keeps the queue to this thread.
                queue.exclusive(|queue| unsafe { device.raw().queue_submit(queue, &[work], fence) })
            });
            if let Err(e) = submitted {
                let failed = device.check("vkQueueSubmit", Err(e));
                if i > 0 && !device.is_dead() {
                    self.close(&mut queue);
                }
                return failed;
            }
        }
        self.begin_waiting(&mut queue, true);
        Ok(())
    }

    /// Sees to it that something tells when the first parts are done, after a later one was not submitted.
    fn close(&mut self, queue: &mut MutexGuard<'_, Queue>) {
        let device = self.device.clone();
        // SAFETY: the fence is reset and nothing else names it; the lock keeps the queue to this thread.
        let submit = |queue| unsafe { device.raw().queue_submit(queue, &[], self.fence.raw()) };
        let fenced = queue.exclusive(submit).is_ok();
        // SAFETY: as above.
        if fenced || queue.exclusive(|queue| unsafe { device.raw().queue_wait_idle(queue) }).is_err() {
            self.begin_waiting(queue, fenced);
        }
    }

    fn begin_waiting(&mut self, queue: &mut Queue, fenced: bool) {
        // Those before it in the queue have their own time.
        queue.bounds += self.bound.unwrap_or_default();
        let until = self.bound.map(|_| Instant::now() + queue.bounds);
        self.pending = Some(Pending { until, fenced });
    }

    /// Returns when nothing is pending. What is not done by then makes the device count as lost, though it may
    /// still be at work.
    fn wait(&mut self) -> Result<()> {
        let Some(pending) = self.pending else { return Ok(()) };
        process::not_forked()?;
        let why = match self.wait_until(pending.until) {
            Ok(true) => return Ok(()),
            Ok(false) if pending.fenced => "it takes too long".to_owned(),
            Ok(false) => "nothing tells when it is done".to_owned(),
            Err(e) => e.to_string(),
        };
        self.device.lose(&why);
        Err(Error::DeviceLost)
    }

    /// Waits for what is pending; whether nothing is any more. Once the device is lost it only looks.
    fn wait_until(&mut self, until: Option<Instant>) -> Result<bool> {
        let Some(pending) = self.pending else { return Ok(true) };
        let until = if self.device.is_lost() { Some(Instant::now()) } else { until };
        let done = if pending.fenced { self.fence.wait(until) } else { Ok(false) };
        // A device that is dead executes nothing any more.
        if done == Ok(true) || self.device.is_dead() {
            let mut queue = self.device.queue().lock().unwrap_or_else(PoisonError::into_inner);
            queue.bounds = queue.bounds.saturating_sub(self.bound.unwrap_or_default());
            self.pending = None;
        }
        self.ran |= done == Ok(true);
        done
    }
}

impl Work for Recorded {
    fn is_idle(&self) -> bool {
        let done = |pending: Pending| pending.fenced && self.fence.is_signalled() == Ok(true);
        self.pending.is_none_or(done) || self.device.is_dead()
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        // SAFETY: nothing is pending. The pool frees its command buffers; fence, descriptors, buffers
        // and pipelines follow as fields.
        self.device.free(|device| unsafe { device.destroy_command_pool(self.pool, None) });
    }
}

/// How long a submission may take that is expected to take so many `seconds`. What a CPU runs may take
/// minutes, and it does not hang.
fn bound(kind: DeviceKind, seconds: f64) -> Option<Duration> {
    let expected = Duration::try_from_secs_f64(seconds * BOUND).unwrap_or(Duration::from_secs(3600));
    (kind != DeviceKind::Software).then_some(expected.max(LEAST_BOUND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_have_a_bound_and_cpus_none() {
        let seconds = |s| bound(DeviceKind::Integrated, s).map(|bound| bound.as_secs());
        assert_eq!([0.0, 0.4, 0.6, 10.0].map(seconds), [10, 10, 12, 200].map(Some));
        assert_eq!([f64::INFINITY, f64::NAN].map(seconds), [Some(3600); 2]);
        assert_eq!(bound(DeviceKind::Software, 0.0), None);
    }
}
