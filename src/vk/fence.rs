//! A fence: tells the host that a submission is done.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ash::vk;

use super::logical_device::LogicalDevice;
use crate::caps::DeviceKind;
use crate::error::{Error, Result};

/// How long to poll before the thread sleeps: waking up costs some 50 us.
fn spin(kind: DeviceKind) -> Duration {
    match kind {
        // It needs this very core for the work.
        DeviceKind::Software => Duration::ZERO,
        // Most networks are done by then.
        DeviceKind::Discrete => Duration::from_millis(1),
        // Polling takes power from the GPU.
        _ => Duration::from_micros(100),
    }
}

/// How long one sleep may last: another thread may find meanwhile that the device is lost.
const SLEEP: Duration = Duration::from_secs(1);

/// After how many of them the log hears of it.
const PATIENCE: u32 = 20;

/// How long a driver that cannot wait is asked again.
const TOLERANCE: Duration = Duration::from_millis(500);

/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(5);

/// A `VkFence`.
pub(super) struct Fence {
    device: Arc<LogicalDevice>,
    raw: vk::Fence,
}

impl Fence {
    pub fn new(device: &Arc<LogicalDevice>) -> Result<Self> {
        // SAFETY: the device is alive.
        let raw = unsafe { device.raw().create_fence(&vk::FenceCreateInfo::default(), None) };
        Ok(Self { raw: device.check("vkCreateFence", raw)?, device: device.clone() })
    }

    pub fn raw(&self) -> vk::Fence {
        self.raw
    }

    /// Makes it ready for the next submission; none may be pending.
    pub fn reset(&mut self) -> Result<()> {
        // SAFETY: the only submission that names the fence was waited for.
        self.device.check("vkResetFences", unsafe { self.device.raw().reset_fences(&[self.raw]) })
    }

    /// Whether its submission is done.
    ///
    /// # Errors
    /// If the driver does not tell.
    pub fn is_signalled(&self) -> Result<bool> {
        // SAFETY: the fence is alive.
        let done = unsafe { self.device.raw().get_fence_status(self.raw) };
        self.device.check("vkGetFenceStatus", done)
    }

    /// Waits for the submission, until `until` if that is given or the device counts as lost; whether it is done.
    /// What the driver runs cannot be cancelled.
    ///
    /// # Errors
    /// If the device is lost, or the driver does not tell.
    pub fn wait(&self, until: Option<Instant>) -> Result<bool> {
        let started = Instant::now();
        let spin = spin(self.device.info().kind);
        while started.elapsed() < spin {
            match self.is_signalled() {
                Ok(true) => return Ok(true),
                Ok(false) => std::hint::spin_loop(),
                Err(Error::DeviceLost) => return Err(Error::DeviceLost),
                Err(_) => break,
            }
        }
        let (mut failing, mut slept): (Option<Instant>, u32) = (None, 0);
        loop {
            // Without a time to end it is looked at one last time.
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let nanoseconds = left.unwrap_or(SLEEP).min(SLEEP).as_nanos() as u64;
            // SAFETY: the fence is alive.
            match unsafe { self.device.raw().wait_for_fences(&[self.raw], true, nanoseconds) } {
                Err(vk::Result::TIMEOUT) if left == Some(Duration::ZERO) || self.device.is_lost() => {
                    return Ok(false);
                }
                Err(vk::Result::TIMEOUT) => {
                    slept += 1;
                    if slept.is_multiple_of(PATIENCE) {
                        let seconds = started.elapsed().as_secs();
                        log::warn!("{} is busy for {seconds} s", self.device.info().name);
                    }
                }
                Err(e) if e != vk::Result::ERROR_DEVICE_LOST => {
                    match self.is_signalled() {
                        Ok(true) => return Ok(true),
                        Err(Error::DeviceLost) => return Err(Error::DeviceLost),
                        _ => {}
                    }
                    if failing.get_or_insert_with(Instant::now).elapsed() >= TOLERANCE {
                        return self.device.check("vkWaitForFences", Err(e));
                    }
                    thread::sleep(PAUSE);
                }
                result => return self.device.check("vkWaitForFences", result.map(|()| true)),
            }
        }
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // SAFETY: the owner waited for its submission.
        self.device.free(|device| unsafe { device.destroy_fence(self.raw, None) });
    }
}
