//! From `VkResult` to [`Error`].

use ash::vk;

use crate::error::Error;

/// The error for a driver call that failed.
pub(super) fn driver_error(call: &'static str, result: vk::Result) -> Error {
    match result {
        vk::Result::ERROR_DEVICE_LOST => Error::DeviceLost,
        _ => Error::Driver { call, result: name(result) },
    }
}

/// The error for an allocation that failed.
pub(super) fn allocation_error(call: &'static str, result: vk::Result, what: &str, bytes: u64) -> Error {
    if is_out_of_memory(result) {
        return Error::OutOfMemory { what: what.to_owned(), bytes };
    }
    driver_error(call, result)
}

/// Whether the driver lacks memory, whichever.
pub(super) fn is_out_of_memory(result: vk::Result) -> bool {
    matches!(
        result,
        vk::Result::ERROR_OUT_OF_DEVICE_MEMORY
            | vk::Result::ERROR_OUT_OF_HOST_MEMORY
            | vk::Result::ERROR_OUT_OF_POOL_MEMORY
            | vk::Result::ERROR_TOO_MANY_OBJECTS
    )
}

/// Vulkan's own name for the result.
pub(super) fn name(result: vk::Result) -> String {
    format!("VK_{result:?}")
}
