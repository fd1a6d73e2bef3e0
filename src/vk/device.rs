//! A device in use, shared by everything in the process that asks for the same physical one.

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ash::vk;

use super::device_info::{self, DeviceInfo};
use super::driver_error::driver_error;
use super::features;
use super::instance::{Instance, NEWEST, OLDEST};
use super::loader::EntryPoint;
use super::logical_device::{LogicalDevice, Origin, QueueLock};
use super::memory::{Mapping, Memory};
use super::parked;
use super::pipeline::{Pipeline, PipelineKey};
use super::process;
use super::properties;
use super::select::{ambiguity, select};
use super::shared_pipelines::SharedPipelines;
use crate::caps::Caps;
use crate::error::{Error, Result};
use crate::logging::timed;
use crate::options::Options;

/// A logical device with its pipelines.
pub struct Device {
    caps: Caps,
    pipelines: SharedPipelines,
    logical: Arc<LogicalDevice>,
}

/// A device of the caller's, with what nobody can ask Vulkan for.
#[derive(Clone, Copy, Debug)]
pub struct CallersDevice {
    /// `vkGetInstanceProcAddr`; `None` for that of the Vulkan library.
    pub entry_point: Option<EntryPoint>,
    /// A `VkInstance`, made for Vulkan `api_version`.
    pub instance: u64,
    /// See `instance`.
    pub api_version: u32,
    /// The `VkPhysicalDevice` of `device`.
    pub physical_device: u64,
    /// A `VkDevice`.
    pub device: u64,
    /// The `VkDeviceCreateInfo` that it was made with, whole; only read while the device is adopted.
    pub create_info: *const c_void,
    /// A `VkQueue` of the device.
    pub queue: u64,
    /// Its family.
    pub family: u32,
    /// Keeps other users from the queue.
    pub lock: Option<QueueLock>,
}

/// The Vulkan handles of a device.
#[expect(missing_docs, reason = "the names say it")]
#[derive(Clone, Copy, Debug)]
pub struct Handles {
    pub instance: u64,
    pub physical_device: u64,
    pub device: u64,
    pub queue: u64,
    /// Of the queue.
    pub family: u32,
    /// Of instance and device, whichever is older.
    pub api_version: u32,
    /// `vkGetInstanceProcAddr`.
    pub entry_point: EntryPoint,
}

/// The devices in use.
static SHARED: Mutex<Vec<Weak<Device>>> = Mutex::new(Vec::new());

impl Device {
    /// Opens the device that `options` ask for, or shares it if it is in use in this process. A
    /// device that was lost is opened anew.
    ///
    /// # Errors
    /// [`Error::NoDevice`] says why none fits: no Vulkan library, no driver, no device, only software devices
    /// without `allow_software`, nothing that matches `device`. Without the option `device`, the best device
    /// that opens is taken. [`Error::Forked`] in a forked child.
    pub fn open(options: &Options) -> Result<Arc<Self>> {
        process::not_forked()?;
        parked::free_idle();
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let instance = Instance::shared()?;
        let opened = Self::open_with(&instance, options, &mut shared);
        if opened.is_err() {
            instance.release();
        }
        opened
    }

    fn open_with(
        instance: &Arc<Instance>,
        options: &Options,
        shared: &mut Vec<Weak<Self>>,
    ) -> Result<Arc<Self>> {
        let physical = instance.physical_devices()?;
        let infos: Vec<DeviceInfo> =
            physical.iter().enumerate().map(|(i, device)| device_info::read(instance, *device, i)).collect();
        let candidates = select(&infos, options).map_err(Error::NoDevice)?;
        if let Some(text) = ambiguity(&infos, &candidates, options) {
            log::warn!("{text}");
        }
        shared.retain(|device| device.strong_count() > 0);
        let mut failure = None;
        for i in candidates {
            // Handles are comparable: there is one instance.
            let mut alive = shared.iter().filter_map(Weak::upgrade);
            if let Some(device) =
                alive.find(|device| device.logical.physical() == physical[i] && !device.is_lost())
            {
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

    fn create(instance: &Arc<Instance>, physical: vk::PhysicalDevice, info: DeviceInfo) -> Result<Self> {
        let family = device_info::queue_family(instance, physical)
            .unwrap_or_else(|| unreachable!("{info} has no compute queue, yet it was selected"));
        let offer = features::query(instance, physical, info.api_version);
        // SAFETY: the handle was enumerated from this instance.
        let memory = unsafe { instance.raw().get_physical_device_memory_properties(physical) };
        let memory = Memory::new(&memory, info.kind);
        let (caps, limits) = properties::query(instance, physical, family, &info, &offer);
        let raw = features::create_device(instance, physical, family, &offer, info.api_version)
            .map_err(|e| driver_error("vkCreateDevice", e))?;
        log::debug!("opened {info}, driver {}, features {}", info.driver, caps.features);
        log::debug!("{}: {:?}", info.name, caps.machine);
        // SAFETY: the device is new, with one queue of this family.
        let queue = unsafe { raw.get_device_queue(family, 0) };
        let origin = Origin { physical, queue, family, lock: None, lent: false };
        // SAFETY: as above.
        let logical = unsafe {
            LogicalDevice::new(instance.clone(), raw, origin, info, offer.sharing, (limits, memory))
        };
        Ok(Self::over(caps, logical))
    }

    fn over(caps: Caps, logical: LogicalDevice) -> Self {
        let logical = Arc::new(logical);
        Self { caps, pipelines: SharedPipelines::new(logical.clone()), logical }
    }

    /// Uses a device of the caller's, which nothing here destroys. It is shared with nobody.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if it offers Vulkan 1.0 only, or if the queue does not compute; [`Error::Forked`].
    ///
    /// # Safety
    /// As [`CallersDevice`] says of each field; the device outlives what this returns and all that is made on it.
    pub unsafe fn adopt(callers: &CallersDevice) -> Result<Arc<Self>> {
        process::not_forked()?;
        // SAFETY: as the caller promises.
        let instance = Arc::new(unsafe { Instance::lent(callers.entry_point, callers.instance)? });
        let physical: vk::PhysicalDevice = vk::Handle::from_raw(callers.physical_device);
        let mut info = device_info::read(&instance, physical, 0);
        info.api_version = info.api_version.min(callers.api_version);
        if let Some(why) = &info.unusable {
            return Err(Error::NoDevice(format!("{}: {why}", info.name)));
        }
        if info.api_version < OLDEST {
            return Err(Error::NoDevice(format!(
                "{}: the instance is of Vulkan 1.0, 1.1 is needed",
                info.name
            )));
        }
        if !device_info::computes(&instance, physical, callers.family) {
            return Err(Error::NoDevice(format!(
                "{}: queue family {} does not compute",
                info.name, callers.family
            )));
        }
        // SAFETY: as the caller promises.
        let offer = unsafe {
            let offer = features::query(&instance, physical, info.api_version);
            offer.enabled_by(&*callers.create_info.cast::<vk::DeviceCreateInfo<'_>>())
        };
        // SAFETY: the handle is the caller's.
        let memory = unsafe { instance.raw().get_physical_device_memory_properties(physical) };
        let memory = Memory::new(&memory, info.kind);
        let (caps, limits) = properties::query(&instance, physical, callers.family, &info, &offer);
        log::debug!("the caller's {info}, driver {}, features {}", info.driver, caps.features);
        let queue = vk::Handle::from_raw(callers.queue);
        let origin = Origin { physical, queue, family: callers.family, lock: callers.lock, lent: true };
        // SAFETY: as the caller promises.
        let logical = unsafe {
            let raw = ash::Device::load(instance.raw().fp_v1_0(), vk::Handle::from_raw(callers.device));
            LogicalDevice::new(instance, raw, origin, info, offer.sharing, (limits, memory))
        };
        Ok(Arc::new(Self::over(caps, logical)))
    }

    /// Whether the device belongs to the caller: it cannot be opened again.
    pub fn is_lent(&self) -> bool {
        self.logical.is_lent()
    }

    /// Whether timeline semaphores are enabled.
    pub fn has_timelines(&self) -> bool {
        self.logical.sharing().timeline
    }

    /// Whether recorded commands may be given other buffers.
    pub fn has_update_after_bind(&self) -> bool {
        self.logical.sharing().update_after_bind
    }

    /// Its Vulkan handles.
    pub fn handles(&self) -> Handles {
        let raw = self.logical.raw();
        let queue =
            self.logical.queue().lock().unwrap_or_else(PoisonError::into_inner).exclusive(|queue| queue);
        Handles {
            instance: vk::Handle::as_raw(self.logical.instance().raw().handle()),
            physical_device: vk::Handle::as_raw(self.logical.physical()),
            device: vk::Handle::as_raw(raw.handle()),
            queue: vk::Handle::as_raw(queue),
            family: self.logical.family(),
            api_version: self.info().api_version.min(NEWEST),
            entry_point: self.logical.instance().entry().static_fn().get_instance_proc_addr,
        }
    }

    /// Does `f` while nothing here uses the queue.
    pub fn with_queue<R>(&self, f: impl FnOnce(u64) -> R) -> R {
        let mut queue = self.logical.queue().lock().unwrap_or_else(PoisonError::into_inner);
        queue.exclusive(|queue| f(vk::Handle::as_raw(queue)))
    }

    /// What it can do.
    pub fn caps(&self) -> &Caps {
        &self.caps
    }

    /// What it calls itself.
    pub fn info(&self) -> &DeviceInfo {
        self.logical.info()
    }

    /// The largest allocation in bytes.
    pub fn max_allocation(&self) -> u64 {
        self.logical.limits().allocation
    }

    /// Whether it can take the time of dispatches.
    pub fn has_clock(&self) -> bool {
        self.logical.limits().timestamp_bits > 0
    }

    /// How the host reaches its memory.
    pub fn mapping(&self) -> Mapping {
        self.logical.memory().mapping()
    }

    /// Whether the device is lost; it stays so.
    pub fn is_lost(&self) -> bool {
        self.logical.is_lost()
    }

    /// # Errors
    /// [`Error::DeviceLost`] if the device is lost; [`Error::Forked`] in a forked child.
    pub fn alive(&self) -> Result<()> {
        self.logical.alive()
    }

    /// Declares the device lost, as the driver does when the GPU hangs. For tests of what follows.
    #[doc(hidden)]
    pub fn lose(&self) {
        self.logical.lose("a test");
    }

    /// The pipeline for `key` if some session of the device holds it.
    pub fn pipeline(&self, key: &PipelineKey) -> Option<Arc<Pipeline>> {
        self.pipelines.get(key)
    }

    /// Creates the pipeline for `key` from its [`module`](PipelineKey::module), which may take seconds,
    /// and shares it. Any number of threads may create pipelines at the same time.
    ///
    /// # Errors
    /// [`Error::Driver`] naming the kernel, if the driver refuses it.
    pub fn create_pipeline(&self, key: &PipelineKey, spirv: &[u32]) -> Result<Arc<Pipeline>> {
        self.pipelines.create(key, spirv)
    }

    /// How many pipelines the driver created in the life of this device.
    pub fn pipelines_created(&self) -> u64 {
        self.pipelines.created()
    }

    /// Lets the driver know what it had compiled in another process: `data` is what
    /// [`compiled`](Self::compiled) gave there, on the same device with the same driver. Only whole
    /// and matching data may be given: not every driver checks it.
    ///
    /// # Errors
    /// If the driver does not want it, or memory does not suffice.
    pub fn add_compiled(&self, data: &[u8]) -> Result<()> {
        self.pipelines.cache().add(data)
    }

    /// All that the driver has compiled for this device in this process, as far as it tells.
    ///
    /// # Errors
    /// If the driver does not tell.
    pub fn compiled(&self) -> Result<Vec<u8>> {
        self.pipelines.cache().data()
    }

    pub(super) fn logical(&self) -> &Arc<LogicalDevice> {
        &self.logical
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.info())
    }
}
