//! The logical device, shared by everything in the process that uses the same physical one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ash::vk;

use super::device_info::{self, DeviceInfo};
use super::driver_error::driver_error;
use super::features::{self, Offer};
use super::instance::Instance;
use super::memory::{Mapping, Memory};
use super::pipeline::{Layout, Pipeline, PipelineKey};
use super::pipeline_cache::PipelineCache;
use super::select::select;
use crate::caps::{Caps, Submission};
use crate::error::{Error, Result};
use crate::logging::timed;
use crate::options::Options;

/// A `VkDevice` with its one compute queue and its pipelines.
pub struct Device {
    raw: ash::Device,
    physical: vk::PhysicalDevice,
    info: DeviceInfo,
    caps: Caps,
    limits: Limits,
    memory: Memory,
    family: u32,
    queue: Mutex<vk::Queue>,
    lost: AtomicBool,
    pipeline_cache: PipelineCache,
    layouts: Mutex<HashMap<(u32, u32), Layout>>,
    pipelines: Mutex<HashMap<PipelineKey, Weak<Pipeline>>>,
    created: AtomicU64,
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

/// Storage buffers are placed at multiples of at least this many bytes, so that kernels may read
/// four floats at once.
const ALIGNMENT: u64 = 16;

/// The devices in use.
static SHARED: Mutex<Vec<Weak<Device>>> = Mutex::new(Vec::new());

impl Device {
    /// Opens the device that `options` ask for, or shares it if it is in use in this process. A
    /// device that was lost is opened anew.
    ///
    /// # Errors
    /// [`Error::NoDevice`] says why none fits: no Vulkan library, no driver, no device, only
    /// software devices without `allow_software`, nothing that matches `device`. Without a wish the
    /// best device that opens is taken.
    pub fn open(options: &Options) -> Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let instance = Instance::shared()?;
        let physical = instance.physical_devices()?;
        let infos: Vec<DeviceInfo> =
            physical.iter().enumerate().map(|(i, device)| device_info::read(instance, *device, i)).collect();
        let candidates = select(&infos, options).map_err(Error::NoDevice)?;
        shared.retain(|device| device.strong_count() > 0);
        let mut failure = None;
        for i in candidates {
            // Handles are comparable: there is one instance.
            let mut alive = shared.iter().filter_map(Weak::upgrade);
            if let Some(device) = alive.find(|device| device.physical == physical[i] && !device.is_lost()) {
                return Ok(device);
            }
            match timed("device opened", || Self::create(instance, physical[i], infos[i].clone())) {
                Ok(device) => {
                    let device = Arc::new(device);
                    shared.push(Arc::downgrade(&device));
                    return Ok(device);
                }
                Err(e) => {
                    log::warn!("{} cannot be opened: {e}", infos[i]);
                    failure.get_or_insert(Error::NoDevice(format!("{} cannot be opened: {e}", infos[i])));
                }
            }
        }
        Err(failure.unwrap_or_else(|| unreachable!("the selection is empty")))
    }

    fn create(instance: &Instance, physical: vk::PhysicalDevice, info: DeviceInfo) -> Result<Self> {
        let family = device_info::queue_family(instance, physical)
            .unwrap_or_else(|| unreachable!("{info} has no compute queue, yet it was selected"));
        let offer = features::query(instance, physical, info.api_version);
        // SAFETY: the handle was enumerated from this instance.
        let properties = unsafe { instance.raw().get_physical_device_memory_properties(physical) };
        let memory = Memory::new(&properties, info.kind);
        let (caps, mut limits) = facts(instance, physical, &info, &offer);
        // SAFETY: as above.
        let families = unsafe { instance.raw().get_physical_device_queue_family_properties(physical) };
        limits.timestamp_bits = families[family as usize].timestamp_valid_bits;
        let raw = features::create_device(instance, physical, family, &offer, info.api_version)
            .map_err(|e| driver_error("vkCreateDevice", e))?;
        // SAFETY: the device was created with one queue of this family.
        let queue = unsafe { raw.get_device_queue(family, 0) };
        let pipeline_cache = PipelineCache::new(&raw);
        log::debug!("opened {info}, driver {}, features {}", info.driver, caps.features);
        Ok(Self {
            raw,
            physical,
            info,
            caps,
            limits,
            memory,
            family,
            queue: Mutex::new(queue),
            lost: AtomicBool::new(false),
            pipeline_cache,
            layouts: Mutex::default(),
            pipelines: Mutex::default(),
            created: AtomicU64::new(0),
        })
    }

    /// What it can do.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// What it calls itself.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The largest allocation in bytes.
    pub fn max_allocation(&self) -> u64 {
        self.limits.allocation
    }

    /// Whether it can take the time of dispatches.
    pub fn has_clock(&self) -> bool {
        self.limits.timestamp_bits > 0
    }

    /// How the host reaches its memory.
    pub fn mapping(&self) -> Mapping {
        self.memory.mapping()
    }

    /// How many pipelines the driver created in the life of this device.
    pub fn pipelines_created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// Whether the device is lost; it stays so.
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// # Errors
    /// [`Error::DeviceLost`] if the device is lost.
    pub fn alive(&self) -> Result<()> {
        if self.is_lost() { Err(Error::DeviceLost) } else { Ok(()) }
    }

    /// Declares the device lost, as the driver does when the GPU hangs. For tests of what follows.
    #[doc(hidden)]
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// Turns the answer of a driver call into ours, and remembers if the device is lost.
    pub(super) fn check<T>(&self, call: &'static str, result: ash::prelude::VkResult<T>) -> Result<T> {
        result.map_err(|e| {
            if e == vk::Result::ERROR_DEVICE_LOST {
                log::error!("{call}: {} is lost", self.info);
                self.lose();
            }
            driver_error(call, e)
        })
    }

    pub(super) fn raw(&self) -> &ash::Device {
        &self.raw
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn family(&self) -> u32 {
        self.family
    }

    pub(super) fn queue(&self) -> &Mutex<vk::Queue> {
        &self.queue
    }

    pub(super) fn pipeline_cache(&self) -> &PipelineCache {
        &self.pipeline_cache
    }

    pub(super) fn layouts(&self) -> &Mutex<HashMap<(u32, u32), Layout>> {
        &self.layouts
    }

    pub(super) fn pipelines(&self) -> &Mutex<HashMap<PipelineKey, Weak<Pipeline>>> {
        &self.pipelines
    }

    pub(super) fn count_pipeline(&self) {
        self.created.fetch_add(1, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.info)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let layouts = self.layouts.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: whatever came from the device held an Arc of it and is gone, submissions included:
        // their owners waited for them. The instance lives as long as the process.
        unsafe {
            for layout in layouts.values() {
                layout.destroy(&self.raw);
            }
            self.pipeline_cache.destroy(&self.raw);
            self.raw.destroy_device(None);
        }
        log::debug!("closed {}", self.info);
    }
}

fn facts(
    instance: &Instance,
    physical: vk::PhysicalDevice,
    info: &DeviceInfo,
    offer: &Offer,
) -> (Caps, Limits) {
    let mut maintenance = vk::PhysicalDeviceMaintenance3Properties::default();
    let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut maintenance);
    // SAFETY: the device offers Vulkan 1.1, which knows the structure.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    let limits = all.properties.limits;
    let caps = Caps {
        name: info.name.clone(),
        kind: info.kind,
        vendor: info.vendor,
        features: offer.features,
        subgroup_size: features::subgroup(instance, physical).0,
        max_invocations: limits.max_compute_work_group_invocations,
        max_workgroup: limits.max_compute_work_group_size,
        max_grid: limits.max_compute_work_group_count,
        max_shared_bytes: limits.max_compute_shared_memory_size,
        max_storage_range: limits.max_storage_buffer_range.into(),
        buffer_alignment: limits.min_storage_buffer_offset_alignment.max(ALIGNMENT),
        max_storage_buffers: limits.max_per_stage_descriptor_storage_buffers,
        submission: Submission::of(info.kind, info.vendor),
        cooperative_matrix: offer.cooperative_matrix.clone(),
    };
    let limits = Limits {
        allocation: maintenance.max_memory_allocation_size.max(1 << 30),
        atom: limits.non_coherent_atom_size.max(1),
        timestamp_bits: 0,
        timestamp_period: limits.timestamp_period,
    };
    (caps, limits)
}
