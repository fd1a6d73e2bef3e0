//! The Vulkan instance, shared by everything in the process that is alive.

use std::ffi::CStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ash::{ext, khr, vk};

use super::debug;
use super::driver_error::{driver_error, name};
use super::loader;
use crate::error::{Error, Result};

/// The newest Vulkan whose core features are used; devices may offer less.
pub(super) const NEWEST: u32 = vk::API_VERSION_1_3;

/// The oldest Vulkan that will do.
pub(super) const OLDEST: u32 = vk::API_VERSION_1_1;

/// A `VkInstance`.
pub(super) struct Instance {
    raw: ash::Instance,
    messenger: Option<(ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)>,
    entry: ash::Entry,
}

static SHARED: Mutex<Weak<Instance>> = Mutex::new(Weak::new());

impl Instance {
    /// The process's instance: the one that exists, or a new one.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is no Vulkan library, no driver, or only Vulkan 1.0.
    pub fn shared() -> Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instance) = shared.upgrade() {
            return Ok(instance);
        }
        let instance = Arc::new(Self::create(loader::entry()?)?);
        *shared = Arc::downgrade(&instance);
        Ok(instance)
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
        let offered = unsafe { entry.enumerate_instance_extension_properties(None) }
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
        let raw =
            unsafe { entry.create_instance(&info, None) }.map_err(|e| no_instance("vkCreateInstance", e))?;
        let mut instance = Self { raw, messenger: None, entry };
        if debug {
            instance.messenger = instance.messenger();
        }
        Ok(instance)
    }

    fn messenger(&self) -> Option<(ext::debug_utils::Instance, vk::DebugUtilsMessengerEXT)> {
        let functions = ext::debug_utils::Instance::new(&self.entry, &self.raw);
        // SAFETY: the extension is enabled; the callback is a function of ours.
        match unsafe { functions.create_debug_utils_messenger(&debug::messenger_info(), None) } {
            Ok(messenger) => Some((functions, messenger)),
            Err(e) => {
                log::warn!("layers stay mute: vkCreateDebugUtilsMessengerEXT failed: {}", name(e));
                None
            }
        }
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
        // SAFETY: devices hold an Arc of the instance, so none is left; nobody can call it anymore.
        unsafe {
            if let Some((functions, messenger)) = self.messenger.take() {
                functions.destroy_debug_utils_messenger(messenger, None);
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
