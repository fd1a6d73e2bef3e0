//! The functions of `include/tflite_vulkan.h`.

use std::ffi::{c_char, c_int};

use super::callbacks::Handle;
use super::guard::{guard, guard_creation, last_error};
use super::options::TfLiteVulkanDelegateOptions;
use crate::delegate::Delegate;
use crate::error::Error;
use crate::tflite::sys::TfLiteDelegate;
use crate::vk;

/// Writes the default options.
///
/// # Safety
/// `options` is NULL or points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanDelegateOptionsInit(
    options: *mut TfLiteVulkanDelegateOptions,
    size: usize,
) {
    guard(
        (),
        |_| {},
        // SAFETY: as the caller promises.
        || unsafe { TfLiteVulkanDelegateOptions::write(options, size) },
    );
}

/// Creates a delegate; NULL if that fails.
///
/// # Safety
/// `options` is NULL or as the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanDelegateCreate(
    options: *const TfLiteVulkanDelegateOptions,
) -> *mut TfLiteDelegate {
    guard_creation(
        |_| std::ptr::null_mut(),
        |_| {},
        || {
            // SAFETY: as the caller promises.
            let options = unsafe { TfLiteVulkanDelegateOptions::read(options)?.parse()? };
            Ok(Handle::give(Delegate::new(options)?))
        },
    )
}

/// Deletes a delegate.
///
/// # Safety
/// `delegate` is NULL or was created here and not deleted yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanDelegateDelete(delegate: *mut TfLiteDelegate) {
    guard(
        (),
        |_| {},
        || {
            // SAFETY: as the caller promises.
            unsafe { Handle::take_back(delegate) };
            Ok(())
        },
    );
}

/// The version of the library, as `0.1.0`.
#[unsafe(no_mangle)]
pub extern "C" fn TfLiteVulkanDelegateVersion() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Why the last call on this thread failed.
#[unsafe(no_mangle)]
pub extern "C" fn TfLiteVulkanDelegateLastError() -> *const c_char {
    last_error()
}

/// Takes `vkGetInstanceProcAddr` from the application, whose Vulkan is linked statically. 0 if that comes too late, or
/// is NULL.
///
/// # Safety
/// `entry_point` is NULL, or Vulkan's function of that name, which stays valid until the process ends.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanUseEntryPoint(entry_point: Option<unsafe extern "C" fn()>) -> c_int {
    guard(
        0,
        |_| {},
        || {
            let Some(entry_point) = entry_point else {
                return Err(Error::Host("vkGetInstanceProcAddr is NULL".into()));
            };
            // SAFETY: as the caller promises.
            unsafe {
                vk::use_entry_point(std::mem::transmute::<unsafe extern "C" fn(), vk::EntryPoint>(
                    entry_point,
                ))?
            };
            Ok(1)
        },
    )
}
