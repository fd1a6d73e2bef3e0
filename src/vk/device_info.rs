//! Physical devices as the user sees them.

use std::fmt::{self, Write};

use ash::{khr, vk};

use super::instance::{Instance, OLDEST};
use crate::caps::DeviceKind;
use crate::error::Result;

/// What a device calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its place in the driver's list.
    pub index: usize,
    /// The driver's name for it.
    pub name: String,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// `deviceUUID`: the same in every process, until the driver or the machine changes.
    pub uuid: [u8; 16],
    /// Name and version of the driver, for people.
    pub driver: String,
    /// `driverVersion`, in the vendor's own encoding.
    pub driver_version: u32,
    /// `vendorID`.
    pub vendor: u32,
    /// `deviceID`.
    pub device: u32,
    /// The Vulkan version that it offers, in Vulkan's encoding.
    pub api_version: u32,
    /// `pipelineCacheUUID`: changes whenever compiled pipelines become unusable.
    pub pipeline_cache_uuid: [u8; 16],
    /// Whether it can store 16-bit floats.
    pub stores_16: bool,
    /// `maxStorageBufferRange` in bytes.
    pub max_storage_range: u32,
    /// `maxComputeWorkGroupInvocations`.
    pub max_invocations: u32,
    /// Why it can never be used, if so.
    pub unusable: Option<String>,
}

impl fmt::Display for DeviceInfo {
    /// As `#0 llvmpipe (LLVM 15.0.6, 256 bits) (software, uuid 6d657361-…)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceKind::Discrete => "discrete",
            DeviceKind::Integrated => "integrated",
            DeviceKind::Virtual => "virtual",
            DeviceKind::Software => "software",
            DeviceKind::Other => "other",
        };
        write!(f, "#{} {} ({kind}, uuid {})", self.index, self.name, self.uuid_text())
    }
}

impl DeviceInfo {
    /// The UUID as `6d657361-3232-2e33-2e36-000000000000`.
    pub fn uuid_text(&self) -> String {
        self.uuid.iter().enumerate().fold(String::new(), |mut text, (i, byte)| {
            let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
            let _ = write!(text, "{dash}{byte:02x}");
            text
        })
    }
}

/// The facts of one physical device of `instance`.
pub(super) fn read(instance: &Instance, physical: vk::PhysicalDevice, index: usize) -> DeviceInfo {
    // SAFETY: the handle was enumerated from this instance.
    let basic = unsafe { instance.raw().get_physical_device_properties(physical) };
    let mut info = DeviceInfo {
        index,
        name: basic.device_name_as_c_str().unwrap_or_default().to_string_lossy().into_owned(),
        kind: match basic.device_type {
            vk::PhysicalDeviceType::DISCRETE_GPU => DeviceKind::Discrete,
            vk::PhysicalDeviceType::INTEGRATED_GPU => DeviceKind::Integrated,
            vk::PhysicalDeviceType::VIRTUAL_GPU => DeviceKind::Virtual,
            vk::PhysicalDeviceType::CPU => DeviceKind::Software,
            _ => DeviceKind::Other,
        },
        uuid: [0; 16],
        driver: String::new(),
        driver_version: basic.driver_version,
        vendor: basic.vendor_id,
        device: basic.device_id,
        api_version: basic.api_version,
        pipeline_cache_uuid: basic.pipeline_cache_uuid,
        stores_16: false,
        max_storage_range: basic.limits.max_storage_buffer_range,
        max_invocations: basic.limits.max_compute_work_group_invocations,
        unusable: None,
    };
    if basic.api_version < OLDEST {
        info.unusable = Some("offers Vulkan 1.0, 1.1 is needed".into());
        return info;
    }
    let named = basic.api_version >= vk::API_VERSION_1_2
        || extensions(instance, physical).iter().any(|name| name == khr::driver_properties::NAME.to_bytes());
    let mut ids = vk::PhysicalDeviceIDProperties::default();
    let mut driver = vk::PhysicalDeviceDriverProperties::default();
    let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut ids);
    if named {
        all = all.push_next(&mut driver);
    }
    // SAFETY: the device offers Vulkan 1.1, and the driver properties are chained only if known.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    info.uuid = ids.device_uuid;
    let mut storage = vk::PhysicalDevice16BitStorageFeatures::default();
    let mut features = vk::PhysicalDeviceFeatures2::default().push_next(&mut storage);
    // SAFETY: the device offers Vulkan 1.1, which knows the structure.
    unsafe { instance.raw().get_physical_device_features2(physical, &mut features) };
    info.stores_16 = storage.storage_buffer16_bit_access != 0;
    let text = |name: Result<&std::ffi::CStr, _>| name.unwrap_or_default().to_string_lossy().into_owned();
    let driver = format!("{} {}", text(driver.driver_name_as_c_str()), text(driver.driver_info_as_c_str()));
    info.driver = match driver.trim() {
        "" => format!("{:#x}", basic.driver_version),
        known => known.to_owned(),
    };
    if queue_family(instance, physical).is_none() {
        info.unusable = Some("has no compute queue".into());
    }
    info
}

/// The names of the extensions of a device; none if the driver does not say.
pub(super) fn extensions(instance: &Instance, physical: vk::PhysicalDevice) -> Vec<Vec<u8>> {
    // SAFETY: the handle was enumerated from this instance.
    let offered =
        unsafe { instance.raw().enumerate_device_extension_properties(physical) }.unwrap_or_default();
    offered.iter().filter_map(|e| Some(e.extension_name_as_c_str().ok()?.to_bytes().to_vec())).collect()
}

/// Whether there is such a queue family, and whether it computes.
pub(super) fn computes(instance: &Instance, physical: vk::PhysicalDevice, family: u32) -> bool {
    // SAFETY: the handle was enumerated from this instance.
    let families = unsafe { instance.raw().get_physical_device_queue_family_properties(physical) };
    families.get(family as usize).is_some_and(|family| family.queue_flags.contains(vk::QueueFlags::COMPUTE))
}

/// The first queue family that computes. It may draw as well: on desktop drivers that one is the
/// best tested.
pub(super) fn queue_family(instance: &Instance, physical: vk::PhysicalDevice) -> Option<u32> {
    // SAFETY: the handle was enumerated from this instance.
    let families = unsafe { instance.raw().get_physical_device_queue_family_properties(physical) };
    let computes =
        |f: &vk::QueueFamilyProperties| f.queue_flags.contains(vk::QueueFlags::COMPUTE) && f.queue_count > 0;
    families.iter().position(computes).map(|index| index as u32)
}
