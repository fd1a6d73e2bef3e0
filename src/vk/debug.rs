//! Forwards what layers and drivers report (`VK_EXT_debug_utils`) to the log.

use std::borrow::Cow;
use std::ffi::{CStr, c_void};
use std::panic::catch_unwind;

use ash::vk;

use super::environment::variable;

/// Whether somebody asked for layers and somebody listens. Without a listener no messenger is made,
/// so that the validation layer prints to the standard output itself.
pub(super) fn wanted() -> bool {
    let asked = ["VK_INSTANCE_LAYERS", "VK_LOADER_LAYERS_ENABLE"].map(|name| variable(name).is_some());
    asked.contains(&true) && log::log_enabled!(log::Level::Error)
}

/// What to report: warnings and errors of every type.
pub(super) fn messenger_info() -> vk::DebugUtilsMessengerCreateInfoEXT<'static> {
    use vk::{DebugUtilsMessageSeverityFlagsEXT as Severity, DebugUtilsMessageTypeFlagsEXT as Type};
    vk::DebugUtilsMessengerCreateInfoEXT::default()
        .message_severity(Severity::WARNING | Severity::ERROR)
        .message_type(Type::GENERAL | Type::VALIDATION | Type::PERFORMANCE)
        .pfn_user_callback(Some(forward))
}

/// Called by layers on any thread.
unsafe extern "system" fn forward(
    severity: vk::DebugUtilsMessageSeverityFlagsEXT,
    _types: vk::DebugUtilsMessageTypeFlagsEXT,
    data: *const vk::DebugUtilsMessengerCallbackDataEXT<'_>,
    _user: *mut c_void,
) -> vk::Bool32 {
    // SAFETY: the caller passes a valid structure, or we take nothing from it.
    let Some(data) = (unsafe { data.as_ref() }) else { return vk::FALSE };
    // SAFETY: both are NULL or NUL-terminated strings that live during this call.
    let (id, message) = unsafe { (text(data.p_message_id_name), text(data.p_message)) };
    let level = if severity.contains(vk::DebugUtilsMessageSeverityFlagsEXT::ERROR) {
        log::Level::Error
    } else {
        log::Level::Warn
    };
    // A logger that panics must not unwind into the layer.
    let _ = catch_unwind(|| log::log!(target: "vulkan", level, "{id}: {message}"));
    vk::FALSE
}

/// # Safety
/// `text` must be NULL or a NUL-terminated string that outlives the result.
unsafe fn text<'a>(text: *const std::ffi::c_char) -> Cow<'a, str> {
    if text.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}
