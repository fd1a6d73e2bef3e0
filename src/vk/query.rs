//! What devices there are, without opening one.

use super::device_info::{DeviceInfo, read};
use super::instance::Instance;
use super::select::select;
use crate::error::{Error, Result};
use crate::options::Options;

/// Every Vulkan device of the machine, usable or not, in the driver's order.
///
/// # Errors
/// As [`Device::open`](super::Device::open), if there is no Vulkan library or no driver at all.
pub fn devices() -> Result<Vec<DeviceInfo>> {
    let instance = Instance::shared()?;
    let physical = instance.physical_devices();
    let infos =
        physical.map(|all| all.iter().enumerate().map(|(i, device)| read(&instance, *device, i)).collect());
    // Whoever forks after this question may still use Vulkan in the child.
    instance.release();
    infos
}

/// The device that [`Device::open`](super::Device::open) would try first.
///
/// # Errors
/// As there, except for what happens while a device is opened.
pub fn find(options: &Options) -> Result<DeviceInfo> {
    let devices = devices()?;
    let chosen = select(&devices, options).map_err(Error::NoDevice)?;
    Ok(devices[chosen[0]].clone())
}
