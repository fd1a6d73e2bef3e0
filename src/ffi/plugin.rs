//! The functions by which TFLite loads an external delegate from a library.

use std::ffi::c_char;

use super::callbacks::Handle;
use super::guard::{c_text, guard, guard_creation};
use super::options;
use crate::delegate::Delegate;
use crate::tflite::sys::TfLiteDelegate;

/// Takes a text; the host's, and only valid during the call.
pub type ReportError = Option<unsafe extern "C" fn(*const c_char)>;

/// Creates a delegate. If that fails `report_error` is told why and the answer is NULL. Without a reporter
/// the answer is a delegate that fails in `Prepare` with the reason: TFLite's own tools, which give none,
/// crash at NULL.
///
/// # Safety
/// As `include/tflite_vulkan.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tflite_plugin_create_delegate(
    keys: *const *const c_char,
    values: *const *const c_char,
    count: usize,
    report_error: ReportError,
) -> *mut TfLiteDelegate {
    let tell = |why: &str| {
        if let Some(report) = report_error {
            // SAFETY: the function is the caller's.
            unsafe { report(c_text(why).as_ptr()) }
        }
    };
    let failed = |why: &str| match report_error {
        Some(_) => std::ptr::null_mut(),
        None => Handle::give_failed(why),
    };
    guard_creation(failed, tell, || {
        // SAFETY: as the caller promises.
        let options = unsafe { options::parse(keys, values, count)? };
        Ok(Handle::give(Delegate::new(options)?))
    })
}

/// Deletes a delegate.
///
/// # Safety
/// `delegate` is NULL or was created here and not deleted yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tflite_plugin_destroy_delegate(delegate: *mut TfLiteDelegate) {
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
