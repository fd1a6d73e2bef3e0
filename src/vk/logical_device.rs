//! The logical device and its queue: what everything that is made on a device stands on.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ash::vk;

use super::device_info::DeviceInfo;
use super::driver_error::driver_error;
use super::memory::Memory;
use crate::error::{Error, Result};

/// A `VkDevice` with its one compute queue. Whatever is made on it holds an `Arc` of it.
pub(super) struct LogicalDevice {
    raw: ash::Device,
    info: DeviceInfo,
    limits: Limits,
    memory: Memory,
    family: u32,
    queue: Mutex<vk::Queue>,
    lost: AtomicBool,
}

/// Limits that only this module respects.
pub(super) struct Limits {
    /// `maxMemoryAllocationSize` in bytes.
    pub allocation: u64,
    /// `nonCoherentAtomSize` in bytes.
    pub atom: u64,
    /// `timestampValidBits` of the queue; 0 if it has no clock.
    pub timestamp_bits: u32,
    /// `timestampPeriod`: nanoseconds of a tick.
    pub timestamp_period: f32,
}

impl LogicalDevice {
    /// Takes a device over.
    ///
    /// # Safety
    /// Nobody else uses `raw`, which was created with one queue of `family`, from the process's instance and
    /// from the physical device that the other arguments describe.
    pub unsafe fn new(
        raw: ash::Device,
        family: u32,
        info: DeviceInfo,
        limits: Limits,
        memory: Memory,
    ) -> Self {
        // SAFETY: the caller vouches for the queue.
        let queue = Mutex::new(unsafe { raw.get_device_queue(family, 0) });
        Self { raw, info, limits, memory, family, queue, lost: AtomicBool::new(false) }
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
    pub fn queue(&self) -> &Mutex<vk::Queue> {
        &self.queue
    }

    /// Whether the device is lost; it stays so.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Declares the device lost.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// # Errors
    /// [`Error::DeviceLost`] if the device is lost.
    pub fn alive(&self) -> Result<()> {
        if self.is_lost() { Err(Error::DeviceLost) } else { Ok(()) }
    }

    /// Turns the answer of a driver call into ours, and remembers if the device is lost.
    pub fn check<T>(&self, call: &'static str, result: ash::prelude::VkResult<T>) -> Result<T> {
        result.map_err(|e| {
            if e == vk::Result::ERROR_DEVICE_LOST {
                log::error!("{call}: {} is lost", self.info);
                self.lose();
            }
            driver_error(call, e)
        })
    }
}

impl Drop for LogicalDevice {
    fn drop(&mut self) {
        // SAFETY: whatever was made on the device held an Arc of it and is gone, submissions included: their
        // owners waited for them. The instance lives as long as the process.
        unsafe { self.raw.destroy_device(None) };
        log::debug!("closed {}", self.info);
    }
}
