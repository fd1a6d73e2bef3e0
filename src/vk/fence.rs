//! A fence: tells the host that a submission is done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ash::vk;

use super::logical_device::LogicalDevice;
use crate::caps::DeviceKind;
use crate::error::Result;

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

/// How long one sleep may last before the log hears of it.
const PATIENCE: Duration = Duration::from_secs(20);

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

    /// Returns when the submission is done, or the device lost. There is no limit: what the driver
    /// runs cannot be cancelled.
    pub fn wait(&self) -> Result<()> {
        let started = Instant::now();
        let spin = spin(self.device.info().kind);
        while started.elapsed() < spin {
            // SAFETY: the fence is alive.
            let done = unsafe { self.device.raw().get_fence_status(self.raw) };
            if self.device.check("vkGetFenceStatus", done)? {
                return Ok(());
            }
            std::hint::spin_loop();
        }
        loop {
            // SAFETY: as above.
            match unsafe { self.device.raw().wait_for_fences(&[self.raw], true, PATIENCE.as_nanos() as u64) }
            {
                Err(vk::Result::TIMEOUT) => {
                    log::warn!("{} is busy for {} s", self.device.info().name, started.elapsed().as_secs());
                }
                result => return self.device.check("vkWaitForFences", result),
            }
        }
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        // SAFETY: the owner waited for its submission.
        unsafe { self.device.raw().destroy_fence(self.raw, None) };
    }
}
