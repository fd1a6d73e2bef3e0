//! The logical device and its queue: what everything that is made on a device stands on.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ash::vk;

use super::device_info::DeviceInfo;
use super::driver_error::driver_error;
use super::instance::Instance;
use super::memory::Memory;
use super::process;
use super::sharing::Sharing;
use crate::error::{Error, Result};

/// A `VkDevice` with its one compute queue. Whatever is made on it holds an `Arc` of it.
pub(super) struct LogicalDevice {
    /// Destroyed after the device.
    instance: Arc<Instance>,
    physical: vk::PhysicalDevice,
    raw: ash::Device,
    info: DeviceInfo,
    limits: Limits,
    memory: Memory,
    sharing: Sharing,
    family: u32,
    queue: Mutex<Queue>,
    /// The device belongs to the caller.
    lent: bool,
    /// Nothing more is to be done on it.
    lost: AtomicBool,
    /// The driver says that it is lost: nothing runs on it any more.
    dead: AtomicBool,
}

/// The queue, and how long what was submitted to it may take.
pub(super) struct Queue {
    raw: vk::Queue,
    lock: Option<QueueLock>,
    /// The bounds of all pending submissions together.
    pub bounds: Duration,
}

/// How a caller's queue is locked against its other users.
#[derive(Clone, Copy, Debug)]
pub struct QueueLock {
    /// Called before the queue is used.
    pub lock: unsafe extern "C" fn(*mut c_void),
    /// Called afterwards.
    pub unlock: unsafe extern "C" fn(*mut c_void),
    /// What both get.
    pub user_data: *mut c_void,
}

// SAFETY: whoever gives the functions promises that any thread may call them.
unsafe impl Send for QueueLock {}

/// Where the device comes from, and its queue.
pub(super) struct Origin {
    pub physical: vk::PhysicalDevice,
    pub queue: vk::Queue,
    pub family: u32,
    pub lock: Option<QueueLock>,
    /// The device belongs to the caller, who destroys it.
    pub lent: bool,
}

impl Queue {
    /// The queue itself, which nobody else uses while `f` runs.
    pub fn exclusive<R>(&mut self, f: impl FnOnce(vk::Queue) -> R) -> R {
        // SAFETY: as promised by whoever gave the functions.
        self.lock.inspect(|lock| unsafe { (lock.lock)(lock.user_data) });
        let result = f(self.raw);
        // SAFETY: as above.
        self.lock.inspect(|lock| unsafe { (lock.unlock)(lock.user_data) });
        result
    }
}

/// Limits that only this module respects.
pub(super) struct Limits {
    /// `maxMemoryAllocationSize` in bytes.
    pub allocation: u64,
    /// `nonCoherentAtomSize` in bytes.
    pub atom: u64,
    /// `minImportedHostPointerAlignment` in bytes.
    pub host_import: u64,
    /// `timestampValidBits` of the queue; 0 if it has no clock.
    pub timestamp_bits: u32,
    /// `timestampPeriod`: nanoseconds of a tick.
    pub timestamp_period: f32,
}

impl LogicalDevice {
    /// Takes a device over.
    ///
    /// # Safety
    /// `raw` was created with the queue of `origin`, from `instance` and from the physical device that the other
    /// arguments describe, with everything of `sharing` enabled. Unless it is lent nobody else uses it.
    pub unsafe fn new(
        instance: Arc<Instance>,
        raw: ash::Device,
        origin: Origin,
        info: DeviceInfo,
        sharing: Sharing,
        (limits, memory): (Limits, Memory),
    ) -> Self {
        let Origin { physical, queue, family, lock, lent } = origin;
        let queue = Mutex::new(Queue { raw: queue, lock, bounds: Duration::ZERO });
        let (lost, dead) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { instance, physical, raw, info, limits, memory, sharing, family, queue, lent, lost, dead }
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The physical device.
    pub fn physical(&self) -> vk::PhysicalDevice {
        self.physical
    }

    /// How it shares memory and semaphores.
    pub fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// Whether the device belongs to the caller.
    pub fn is_lent(&self) -> bool {
        self.lent
    }

    /// The functions of the device.
    pub fn raw(&self) -> &ash::Device {
        &self.raw
    }

    /// What it calls itself.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The family of its queue.
    pub fn family(&self) -> u32 {
        self.family
    }

    /// Its queue, for one thread at a time.
    pub fn queue(&self) -> &Mutex<Queue> {
        &self.queue
    }

    /// Whether the device is lost; it stays so.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Whether the driver says so, and not only we: nothing is pending then.
    pub fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Acquire)
    }

    /// Declares the device lost; the first time the log tells why.
    pub fn lose(&self, why: &str) {
        if !self.lost.swap(true, Ordering::AcqRel) {
            log::error!(
                "{} is lost ({why}): its work is done on the host, slowly, until it is back",
                self.info
            );
        }
    }

    /// # Errors
    /// [`Error::DeviceLost`] if the device is lost; [`Error::Forked`] in a forked child.
    pub fn alive(&self) -> Result<()> {
        process::not_forked()?;
        if self.is_lost() { Err(Error::DeviceLost) } else { Ok(()) }
    }

    /// Turns the answer of a driver call into ours, and remembers if the device is lost.
    pub fn check<T>(&self, call: &'static str, result: ash::prelude::VkResult<T>) -> Result<T> {
        result.map_err(|e| {
            if e == vk::Result::ERROR_DEVICE_LOST {
                self.dead.store(true, Ordering::Release);
                self.lose(call);
            }
            driver_error(call, e)
        })
    }

    /// Frees something, but nothing in a forked child: it belongs to the parent.
    pub fn free(&self, free: impl FnOnce(&ash::Device)) {
        if !process::is_forked() {
            free(&self.raw);
        }
    }
}

impl Drop for LogicalDevice {
    fn drop(&mut self) {
        if self.lent {
            return;
        }
        // SAFETY: whatever was made on the device held an Arc of it and is gone, submissions included: their
        // owners waited for them. The instance is destroyed later.
        self.free(|device| unsafe { device.destroy_device(None) });
        log::debug!("closed {}", self.info);
    }
}
