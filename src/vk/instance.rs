//! The Vulkan instance: one for the whole process, made at the first use.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ash::{ext, khr, vk};

use super::debug;
use super::driver_error::{driver_error, name};
use super::loader;
use super::process;
use crate::error::{Error, Result};
use crate::logging::timed;

/// The newest Vulkan whose core features are used; devices may offer less.
pub(super) const NEWEST: u32 = vk::API_VERSION_1_3;

/// The oldest Vulkan that will do.
pub(super) const OLDEST: u32 = vk::API_VERSION_1_1;

/// A `VkInstance`.
pub(super) struct Instance {
    raw: ash::Instance,
    entry: ash::Entry,
    messenger: Option<(ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
    /// It belongs to the caller.
    lent: bool,
}

/// Kept for the life of the process if a device is usable. Destroying the instance unloads the drivers, and not
/// all can be loaded again: NVIDIA's fails after some twenty times.
static SHARED: Mutex<Option<Arc<Instance>>> = Mutex::new(None);

/// How often it was let go.
static RELEASED: AtomicU32 = AtomicU32::new(0);

/// How often it may be: drivers take tens of megabytes, which are for nothing where no device is usable.
const RELEASES: u32 = 4;

impl Instance {
    /// The process's instance.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is no Vulkan library, no driver, or only Vulkan 1.0. The next
    /// call tries again. [`Error::Forked`] in a forked child.
    pub fn shared() -> Result<Arc<Self>> {
        process::not_forked()?;
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = &*shared {
            return Ok(instance.clone());
        }
        let entry = timed("Vulkan library loaded", loader::entry)?;
        process::own();
        let instance = Arc::new(Self::create(entry)?);
        *shared = Some(instance.clone());
        Ok(instance)
    }

    /// Lets the process's instance go, with its drivers, unless somebody else uses it; the next call of
    /// [`shared`](Self::shared) makes another.
    pub fn release(self: Arc<Self>) {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self);
        let unused = shared.as_ref().is_some_and(|instance| Arc::strong_count(instance) == 1);
        if unused && RELEASED.fetch_add(1, Ordering::Relaxed) < RELEASES {
            timed("drivers unloaded", || *shared = None);
            process::disown();
        }
    }

    fn create(entry: ash::Entry) -> Result<Self> {
        // SAFETY: the library is loaded.
        let version = unsafe { entry.try_enumerate_instance_version() }
            .map_err(|e| driver_error("vkEnumerateInstanceVersion", e))?
            .unwrap_or(vk::API_VERSION_1_0);
        if version < OLDEST {
            return Err(Error::NoDevice("the Vulkan library offers Vulkan 1.0, 1.1 is needed".into()));
        }
        // SAFETY: as above.
        let list = || unsafe { entry.enumerate_instance_extension_properties(None) };
        let offered = timed("drivers loaded", list)
            .map_err(|e| no_instance("vkEnumerateInstanceExtensionProperties", e))?;
        let offers =
            |name: &CStr| offered.iter().any(|extension| extension.extension_name_as_c_str() == Ok(name));

        let mut extensions = Vec::new();
        let mut flags = vk::InstanceCreateFlags::empty();
        if offers(khr::portability_enumeration::NAME) {
            extensions.push(khr::portability_enumeration::NAME.as_ptr());
            flags |= vk::InstanceCreateFlags::ENUMERATE_PORTABILITY_KHR;
        }
        let debug = debug::wanted() && offers(ext::debug_utils::NAME);
        if debug {
            extensions.push(ext::debug_utils::NAME.as_ptr());
        }

        let application = vk::ApplicationInfo::default()
            .engine_name(c"tflite-vulkan")
            .engine_version(1)
            .api_version(NEWEST);
        let mut messenger_info = debug::messenger_info();
        let mut info = vk::InstanceCreateInfo::default()
            .flags(flags)
            .application_info(&application)
            .enabled_extension_names(&extensions);
        if debug {
            // Reports what happens inside vkCreateInstance and vkDestroyInstance.
            info = info.push_next(&mut messenger_info);
        }
        // SAFETY: everything that `info` points to lives until the end of this call.
        let create = || unsafe { entry.create_instance(&info, None) };
        let raw = timed("instance created", create).map_err(|e| no_instance("vkCreateInstance", e))?;
        let messenger = debug.then(|| {
            let functions = ext::debug_utils::Instance::new(&entry, &raw);
            // SAFETY: the extension is enabled; the callback is a function of ours.
            let made = unsafe { functions.create_debug_utils_messenger(&debug::messenger_info(), None) };
            let mute = |e| log::warn!("layers stay mute: vkCreateDebugUtilsMessengerEXT failed: {}", name(e));
            Some((functions, made.map_err(mute).ok()?))
        });
        Ok(Self { raw, entry, messenger: messenger.flatten(), lent: false })
    }

    /// An instance of the caller's, which is not destroyed here.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if no entry point is given and the Vulkan library cannot be opened.
    ///
    /// # Safety
    /// `raw` is a `VkInstance` that outlives what this returns, of the Vulkan behind `entry_point`, or else of the
    /// Vulkan library that is opened here.
    pub unsafe fn lent(entry_point: Option<loader::EntryPoint>, raw: u64) -> Result<Self> {
        let entry = match entry_point {
            // SAFETY: as the caller promises.
            Some(entry_point) => unsafe { loader::linked(entry_point) },
            None => loader::entry()?,
        };
        process::own();
        // SAFETY: as the caller promises.
        let raw = unsafe { ash::Instance::load(entry.static_fn(), vk::Handle::from_raw(raw)) };
        Ok(Self { raw, entry, messenger: None, lent: true })
    }

    /// The functions of the instance.
    pub fn raw(&self) -> &ash::Instance {
        &self.raw
    }

    /// The functions without instance.
    pub fn entry(&self) -> &ash::Entry {
        &self.entry
    }

    /// Every physical device, in the driver's order; the handles live as long as the instance.
    pub fn physical_devices(&self) -> Result<Vec<vk::PhysicalDevice>> {
        // SAFETY: the instance is alive.
        match unsafe { self.raw.enumerate_physical_devices() } {
            Ok(devices) => Ok(devices),
            // What some loaders answer when every driver failed.
            Err(vk::Result::ERROR_INITIALIZATION_FAILED) => Ok(Vec::new()),
            Err(e) => Err(driver_error("vkEnumeratePhysicalDevices", e)),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if self.lent || process::is_forked() {
            return;
        }
        // SAFETY: every device of the instance held an Arc of it and is gone.
        unsafe {
            if let Some((functions, messenger)) = &self.messenger {
                functions.destroy_debug_utils_messenger(*messenger, None);
            }
            self.raw.destroy_instance(None);
        }
    }
}

fn no_instance(call: &'static str, result: vk::Result) -> Error {
    match result {
        vk::Result::ERROR_INCOMPATIBLE_DRIVER => Error::NoDevice("no Vulkan driver is installed".into()),
        vk::Result::ERROR_INITIALIZATION_FAILED | vk::Result::ERROR_LAYER_NOT_PRESENT => {
            Error::NoDevice(format!("{call} failed: {}", name(result)))
        }
        _ => driver_error(call, result),
    }
}
