//! Questions about devices, without a delegate.

use std::ffi::{c_char, c_int};

use super::guard::guard;
use super::options::TfLiteVulkanDelegateOptions;
use crate::caps::DeviceKind;
use crate::error::{Error, Result};
use crate::vk::{self, DeviceInfo};

pub use layout::TfLiteVulkanDevice;

/// The struct as `include/tflite_vulkan.h` lays it out, which says what the fields mean.
mod layout {
    #![allow(missing_docs, reason = "generated from C, which documents it")]
    include!(concat!(env!("OUT_DIR"), "/device.rs"));
}

/// A struct of this size is no newer version of ours: something else was passed.
const TOO_LARGE: usize = 16 << 10;

impl TfLiteVulkanDevice {
    fn new(info: &DeviceInfo, size: usize) -> Self {
        let mut device = Self {
            size,
            index: info.index as c_int,
            type_: match info.kind {
                DeviceKind::Other => 0,
                DeviceKind::Integrated => 1,
                DeviceKind::Discrete => 2,
                DeviceKind::Virtual => 3,
                DeviceKind::Software => 4,
            },
            api_version: info.api_version,
            stores_16: info.stores_16.into(),
            uuid: [0; 37],
            name: [0; 256],
            driver: [0; 512],
            unusable: [0; 256],
        };
        write(&mut device.uuid, &info.uuid_text());
        write(&mut device.name, &info.name);
        write(&mut device.driver, &info.driver);
        write(&mut device.unusable, info.unusable.as_deref().unwrap_or_default());
        device
    }

    /// Writes it into element `i` of a caller's array, whose elements have `size` bytes.
    ///
    /// # Safety
    /// `array` points to more than `i` elements of `size` bytes.
    unsafe fn write(&self, array: *mut Self, i: usize, size: usize) {
        // SAFETY: the caller promises the element, and of ours no more than all bytes are read.
        unsafe {
            let to = array.cast::<u8>().add(i * size);
            to.write_bytes(0, size);
            to.copy_from_nonoverlapping((&raw const *self).cast(), size.min(size_of::<Self>()));
        }
    }
}

/// As much of `text` as fits, with a NUL behind it and no character cut in two.
fn write(to: &mut [c_char], text: &str) {
    let text = text.split('\0').next().unwrap_or_default();
    let fits = |end: &usize| *end < to.len() && text.is_char_boundary(*end);
    let end = (0..=text.len()).rev().find(fits).unwrap_or_default();
    for (to, byte) in to.iter_mut().zip(text[..end].bytes()) {
        *to = byte as c_char;
    }
}

/// The sizes of the struct that callers may have.
fn check(size: usize) -> Result<()> {
    if (size_of::<usize>()..=TOO_LARGE).contains(&size) {
        return Ok(());
    }
    Err(Error::Option(format!("a device of {size} bytes: pass the size of the struct")))
}

/// Lists the devices; gives their number, -1 if that fails.
///
/// # Safety
/// `devices` is NULL or points to `capacity` elements of `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanListDevices(
    devices: *mut TfLiteVulkanDevice,
    size: usize,
    capacity: c_int,
) -> c_int {
    guard(
        -1,
        |_| {},
        || {
            check(size)?;
            let infos = vk::devices()?;
            let room = if devices.is_null() { 0 } else { usize::try_from(capacity).unwrap_or_default() };
            for (i, info) in infos.iter().enumerate().take(room) {
                // SAFETY: as the caller promises.
                unsafe { TfLiteVulkanDevice::new(info, size).write(devices, i, size) };
            }
            Ok(infos.len() as c_int)
        },
    )
}

/// Whether there is a device for a delegate with these options, and which.
///
/// # Safety
/// `options` is NULL or as the header says; `device` is NULL or points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanFindDevice(
    options: *const TfLiteVulkanDelegateOptions,
    device: *mut TfLiteVulkanDevice,
    size: usize,
) -> c_int {
    guard(
        0,
        |_| {},
        || {
            // SAFETY: as the caller promises.
            let options = unsafe { TfLiteVulkanDelegateOptions::read(options)?.parse()? };
            if !device.is_null() {
                check(size)?;
            }
            let info = vk::find(&options)?;
            if !device.is_null() {
                // SAFETY: as the caller promises.
                unsafe { TfLiteVulkanDevice::new(&info, size).write(device, 0, size) };
            }
            Ok(1)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> DeviceInfo {
        DeviceInfo {
            index: 2,
            name: "é".repeat(200),
            kind: DeviceKind::Discrete,
            uuid: [0xab; 16],
            driver: "driver 1.2\0rest".into(),
            driver_version: 0,
            vendor: 0,
            device: 0,
            api_version: 1 << 22,
            pipeline_cache_uuid: [0; 16],
            stores_16: true,
            max_storage_range: 0,
            max_invocations: 0,
            unusable: None,
        }
    }

    fn text(of: &[c_char]) -> String {
        let bytes: Vec<u8> = of.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
        assert!(bytes.len() < of.len(), "no NUL");
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let device = TfLiteVulkanDevice::new(&info(), 8);
        assert_eq!(text(&device.name), "é".repeat(127));
        assert_eq!(text(&device.uuid), "abababab-abab-abab-abab-abababababab");
        assert_eq!((text(&device.driver), text(&device.unusable)), ("driver 1.2".into(), String::new()));
        assert_eq!((device.index, device.type_, device.stores_16), (2, 2, 1));
    }

    #[test]
    fn callers_of_any_version_get_as_much_as_they_know() {
        let whole = size_of::<TfLiteVulkanDevice>();
        for size in [16, whole, whole + 24] {
            let mut array = vec![0x77_u8; 2 * size + 8];
            for i in 0..2 {
                let device = TfLiteVulkanDevice::new(&info(), size);
                // SAFETY: the array has two elements and more.
                unsafe { device.write(array.as_mut_ptr().cast(), i, size) };
            }
            assert_eq!(array[..size], array[size..2 * size]);
            assert_eq!(array[..8], size.to_ne_bytes());
            assert_eq!(array[8..12], 2_i32.to_ne_bytes());
            assert!(array[whole.min(size)..size].iter().all(|byte| *byte == 0), "{size}");
            assert!(array[2 * size..].iter().all(|byte| *byte == 0x77), "{size}");
        }
    }

    #[test]
    fn null_and_nonsense_are_answers() {
        let null = std::ptr::null_mut;
        // SAFETY: NULL is allowed, and nothing is written to a struct of a wrong size.
        unsafe {
            assert_eq!(TfLiteVulkanListDevices(null(), 0, 4), -1);
            assert_eq!(TfLiteVulkanListDevices(null(), usize::MAX, 4), -1);
            let options = TfLiteVulkanDelegateOptions { precision: 9, ..Default::default() };
            assert_eq!(TfLiteVulkanFindDevice(&raw const options, null(), 0), 0);
            let mut byte = 0x77_u8;
            assert_eq!(TfLiteVulkanFindDevice(std::ptr::null(), (&raw mut byte).cast(), 1), 0);
            assert_eq!(byte, 0x77);
        }
    }
}
