//! Semaphores of others, around a submission.

use ash::vk;

/// What a submission waits for before it begins, and signals when it is done.
#[derive(Clone, Debug, Default)]
pub struct Semaphores {
    /// Waited for, each once.
    pub waits: Vec<Semaphore>,
    /// Signalled.
    pub signals: Vec<Semaphore>,
}

/// A `VkSemaphore` that belongs to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semaphore {
    raw: vk::Semaphore,
    value: u64,
}

impl Semaphore {
    /// A binary semaphore if `value` is 0, else a timeline that is to reach `value`.
    ///
    /// # Safety
    /// `raw` is a semaphore of the device on which it will be used, of that type, which lives until the submission
    /// is done; a binary one is signalled, or about to be, when it is waited for, and unsignalled when it is signalled.
    pub unsafe fn new(raw: u64, value: u64) -> Self {
        Self { raw: ash::vk::Handle::from_raw(raw), value }
    }
}

impl Semaphores {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty() && self.signals.is_empty()
    }

    /// What `submit` answers for these command buffers, which are the first, the last, both or none of a run.
    pub(super) fn around<R>(
        &self,
        [first, last]: [bool; 2],
        buffers: &[vk::CommandBuffer],
        submit: impl FnOnce(vk::SubmitInfo<'_>) -> R,
    ) -> R {
        if self.is_empty() {
            return submit(vk::SubmitInfo::default().command_buffers(buffers));
        }
        let of = |all: &[Semaphore], used: bool| {
            let used = all.iter().filter(|_| used);
            used.map(|semaphore| (semaphore.raw, semaphore.value)).unzip()
        };
        let (waits, wait_values): (Vec<_>, Vec<_>) = of(&self.waits, first);
        let (signals, signal_values): (Vec<_>, Vec<_>) = of(&self.signals, last);
        let stages = vec![vk::PipelineStageFlags::ALL_COMMANDS; waits.len()];
        let mut work = vk::SubmitInfo::default()
            .command_buffers(buffers)
            .wait_semaphores(&waits)
            .wait_dst_stage_mask(&stages)
            .signal_semaphores(&signals);
        let mut values = vk::TimelineSemaphoreSubmitInfo::default()
            .wait_semaphore_values(&wait_values)
            .signal_semaphore_values(&signal_values);
        if wait_values.iter().chain(&signal_values).any(|value| *value != 0) {
            work = work.push_next(&mut values);
        }
        submit(work)
    }
}
