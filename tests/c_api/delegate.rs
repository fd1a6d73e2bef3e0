//! The functions of `include/tflite_vulkan.h`, as a C program sees them.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

pub use tflite_vulkan::ffi::{TfLiteVulkanDelegateOptions as Options, TfLiteVulkanDevice as Device};
use tflite_vulkan::tflite::sys::TfLiteDelegate;

pub type ReportError = Option<unsafe extern "C" fn(*const c_char)>;

unsafe extern "C" {
    fn TfLiteVulkanDelegateOptionsInit(options: *mut Options, size: usize);
    fn TfLiteVulkanDelegateCreate(options: *const Options) -> *mut TfLiteDelegate;
    fn TfLiteVulkanDelegateDelete(delegate: *mut TfLiteDelegate);
    fn TfLiteVulkanListDevices(devices: *mut Device, size: usize, capacity: c_int) -> c_int;
    fn TfLiteVulkanFindDevice(options: *const Options, device: *mut Device, size: usize) -> c_int;
    fn TfLiteVulkanDelegateVersion() -> *const c_char;
    fn TfLiteVulkanDelegateLastError() -> *const c_char;
    fn tflite_plugin_create_delegate(
        keys: *const *const c_char,
        values: *const *const c_char,
        count: usize,
        report_error: ReportError,
    ) -> *mut TfLiteDelegate;
    fn tflite_plugin_destroy_delegate(delegate: *mut TfLiteDelegate);
}

/// A delegate that is deleted when dropped.
#[derive(Debug)]
pub struct Delegate(*mut TfLiteDelegate);

// SAFETY: the header allows every function on every thread.
unsafe impl Send for Delegate {}
// SAFETY: as above.
unsafe impl Sync for Delegate {}

/// The defaults.
pub fn defaults() -> Options {
    let mut options = std::mem::MaybeUninit::uninit();
    // SAFETY: as the header says; all of it is written.
    unsafe {
        TfLiteVulkanDelegateOptionsInit(options.as_mut_ptr(), size_of::<Options>());
        options.assume_init()
    }
}

/// Any device, software included, but there must be one; only errors are logged.
pub fn for_tests() -> Options {
    Options { allow_software: 1, require_device: 1, log_level: 1, ..defaults() }
}

impl Delegate {
    /// By the factory; the error is the library's last one.
    pub fn create(options: &Options) -> Result<Self, String> {
        // SAFETY: as the header says.
        let raw = unsafe { TfLiteVulkanDelegateCreate(options) };
        if raw.is_null() { Err(last_error()) } else { Ok(Self(raw)) }
    }

    /// Any device.
    pub fn new() -> Self {
        Self::create(&for_tests()).unwrap()
    }

    /// As an external delegate; the error is what was reported.
    pub fn plugin(pairs: &[(&str, &str)]) -> Result<Self, String> {
        thread_local!(static REPORTED: RefCell<Vec<String>> = RefCell::default());
        unsafe extern "C" fn report(text: *const c_char) {
            // SAFETY: the library gives a C string.
            let text = unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned();
            REPORTED.with(|all| all.borrow_mut().push(text));
        }
        let delegate = Self::plugin_with(pairs, Some(report));
        let reported = REPORTED.with(RefCell::take);
        match (delegate, reported.as_slice()) {
            (Some(delegate), []) => Ok(delegate),
            (None, [text]) => Err(text.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// The same with any reporter.
    pub fn plugin_with(pairs: &[(&str, &str)], report: ReportError) -> Option<Self> {
        let text: Vec<[CString; 2]> =
            pairs.iter().map(|(k, v)| [CString::new(*k).unwrap(), CString::new(*v).unwrap()]).collect();
        let keys: Vec<_> = text.iter().map(|[k, _]| k.as_ptr()).collect();
        let values: Vec<_> = text.iter().map(|[_, v]| v.as_ptr()).collect();
        // SAFETY: as the header says.
        let raw =
            unsafe { tflite_plugin_create_delegate(keys.as_ptr(), values.as_ptr(), pairs.len(), report) };
        (!raw.is_null()).then_some(Self(raw))
    }

    /// Takes over what was created otherwise.
    pub fn of(raw: *mut TfLiteDelegate) -> Self {
        Self(raw)
    }

    /// For an interpreter.
    pub fn raw(&self) -> *mut TfLiteDelegate {
        self.0
    }

    /// Deletes it by the other name.
    pub fn destroy(self) {
        // SAFETY: as the header says.
        unsafe { tflite_plugin_destroy_delegate(self.0) };
        std::mem::forget(self);
    }
}

impl Drop for Delegate {
    fn drop(&mut self) {
        // SAFETY: as the header says.
        unsafe { TfLiteVulkanDelegateDelete(self.0) };
    }
}

/// Why the last call on this thread failed.
pub fn last_error() -> String {
    // SAFETY: as the header says.
    unsafe { CStr::from_ptr(TfLiteVulkanDelegateLastError()) }.to_str().unwrap().to_owned()
}

/// The library's version.
pub fn version() -> &'static str {
    // SAFETY: as the header says.
    unsafe { CStr::from_ptr(TfLiteVulkanDelegateVersion()) }.to_str().unwrap()
}

/// Both ways to delete a delegate take NULL.
pub fn delete_null() {
    // SAFETY: as the header says.
    unsafe {
        TfLiteVulkanDelegateDelete(std::ptr::null_mut());
        tflite_plugin_destroy_delegate(std::ptr::null_mut());
    }
}

/// How many devices there are, -1 if that is unknown; as many as fit are written.
pub fn list_devices(to: &mut [Device]) -> c_int {
    // SAFETY: as the header says.
    unsafe { TfLiteVulkanListDevices(to.as_mut_ptr(), size_of::<Device>(), to.len() as c_int) }
}

/// Whether there is a device for these options, and which.
pub fn find_device(options: &Options, device: &mut Device) -> c_int {
    // SAFETY: both are whole.
    unsafe { find_any(options, device) }
}

/// The same, also with NULL.
///
/// # Safety
/// Each is NULL or points to a whole struct.
pub unsafe fn find_any(options: *const Options, device: *mut Device) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { TfLiteVulkanFindDevice(options, device, size_of::<Device>()) }
}
