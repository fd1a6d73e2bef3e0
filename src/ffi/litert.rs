//! LiteRT's accelerator interface: `CompiledModel` loads this library under the name `libLiteRtGpuAccelerator.so`,
//! and finds the data symbol `LiteRtAcceleratorImpl`.
//!
//! Layouts: LiteRT's `litert/c/internal/litert_accelerator_def.h` and the runtime's table of functions, versions 2.2
//! to 2.4, where fields are only ever appended.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::callbacks::Handle;
use super::guard::guard_creation;
use super::litert_buffers as buffers;
use super::litert_lender::Lender;
use crate::delegate::Delegate;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::tflite::sys::TfLiteDelegate;
use crate::vk;

/// LiteRT's status codes.
type Status = c_int;
const OK: Status = 0;
const INVALID_ARGUMENT: Status = 1;
const RUNTIME_FAILURE: Status = 3;

/// The bit of GPUs in LiteRT's sets of accelerators.
const GPU: c_int = 2;

/// No option of an environment has this number.
const NO_OPTION: c_int = 255;

/// How LiteRT's structures begin.
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    /// Size of the structure in bytes.
    size: u16,
    major: u16,
    minor: u16,
    reserved: u16,
}

type Create =
    unsafe extern "C" fn(*const Runtime, *mut c_void, *mut c_void, *mut c_void, *mut *mut c_void) -> Status;

/// What an accelerator is.
#[derive(Debug)]
#[repr(C)]
pub struct Accelerator {
    header: Header,
    name: unsafe extern "C" fn(*mut c_void, *mut *const c_char) -> Status,
    version: unsafe extern "C" fn(*mut c_void, *mut [c_int; 3]) -> Status,
    hardware: unsafe extern "C" fn(*mut c_void, *mut c_int) -> Status,
    compiles_itself: unsafe extern "C" fn(*mut c_void, *mut bool) -> Status,
    create: Create,
    metrics: [*const c_void; 2],
    buffers: BufferHandlers,
}

// SAFETY: nothing of it ever changes.
unsafe impl Sync for Accelerator {}

/// How an accelerator makes tensor buffers of its own.
#[derive(Debug)]
#[repr(C)]
struct BufferHandlers {
    header: Header,
    functions: buffers::Handlers,
    /// What of the environment is handed to them: nothing.
    tags: [c_int; 2],
    types_count: usize,
    types: [c_int; 16],
}

/// The runtime's table of functions, as far as it is called here.
#[derive(Debug)]
#[repr(C)]
pub struct Runtime {
    header: Header,
    before: [*const c_void; 9],
    get_opaque_options: Option<unsafe extern "C" fn(*mut c_void, *mut *mut c_void) -> Status>,
    find_opaque_options: Option<unsafe extern "C" fn(*mut c_void, *const c_char, *mut *mut c_void) -> Status>,
    between: [*const c_void; 6],
    wrap_delegate: Option<
        unsafe extern "C" fn(
            *mut TfLiteDelegate,
            unsafe extern "C" fn(*mut TfLiteDelegate),
            *mut *mut c_void,
        ) -> Status,
    >,
}

const _: () = assert!(size_of::<Accelerator>() == 200 && size_of::<BufferHandlers>() == 136);
const _: () = assert!(std::mem::offset_of!(Runtime, get_opaque_options) == 80);
const _: () = assert!(std::mem::offset_of!(Runtime, wrap_delegate) == 144);

/// The accelerator.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "LiteRT's name")]
pub static LiteRtAcceleratorImpl: Accelerator = Accelerator {
    header: Header { size: size_of::<Accelerator>() as u16, major: 1, minor: 0, reserved: 0 },
    name,
    version,
    hardware,
    compiles_itself,
    create,
    metrics: [ptr::null(); 2],
    buffers: BufferHandlers {
        header: Header { size: size_of::<BufferHandlers>() as u16, major: 1, minor: 0, reserved: 0 },
        functions: buffers::HANDLERS,
        tags: [NO_OPTION; 2],
        types_count: 1,
        types: {
            let mut types = [0; 16];
            types[0] = buffers::PACKED;
            types
        },
    },
};

/// Writes `value`, unless the caller gives no place for it.
///
/// # Safety
/// `to` is NULL or may be written.
unsafe fn give<T>(to: *mut T, value: T) -> Status {
    if to.is_null() {
        return INVALID_ARGUMENT;
    }
    // SAFETY: as the caller promises.
    unsafe { to.write(value) };
    OK
}

unsafe extern "C" fn name(_accelerator: *mut c_void, name: *mut *const c_char) -> Status {
    // SAFETY: LiteRT gives a place or NULL.
    unsafe { give(name, c"tflite-vulkan".as_ptr()) }
}

unsafe extern "C" fn version(_accelerator: *mut c_void, version: *mut [c_int; 3]) -> Status {
    // SAFETY: as above.
    unsafe { give(version, [1, 0, 0]) }
}

unsafe extern "C" fn hardware(_accelerator: *mut c_void, supported: *mut c_int) -> Status {
    // SAFETY: as above.
    unsafe { give(supported, GPU) }
}

unsafe extern "C" fn compiles_itself(_accelerator: *mut c_void, does: *mut bool) -> Status {
    // SAFETY: as above.
    unsafe { give(does, true) }
}

/// Gives LiteRT a delegate. Where no device is usable it claims nothing, so that the CPU takes over.
unsafe extern "C" fn create(
    runtime: *const Runtime,
    _environment: *mut c_void,
    _accelerator: *mut c_void,
    options: *mut c_void,
    wrapped: *mut *mut c_void,
) -> Status {
    guard_creation(
        |_| RUNTIME_FAILURE,
        |_| {},
        || {
            // SAFETY: LiteRT's table outlives the call; it is only read as far as its header says.
            let runtime = unsafe { Table::new(runtime)? };
            // SAFETY: the options are LiteRT's own.
            let text = unsafe { runtime.gpu_options(options) };
            let own = vk::environment_text("TFLITE_VULKAN_OPTIONS").unwrap_or_default();
            let delegate = Delegate::new(options_of(&text, &own)?)?;
            let table = ptr::from_ref(runtime.runtime);
            // SAFETY: the table's functions outlive the delegate.
            let mut lender = unsafe { Lender::new(table.cast(), runtime.runtime.header.size.into()) };
            match delegate.device() {
                Ok(device) => buffers::serve(&device),
                Err(_) => lender = None,
            }
            let delegate = Handle::give_with(delegate, lender);
            // SAFETY: LiteRT calls the deleter once, when it is done with the delegate.
            Ok(unsafe { (runtime.wrap)(delegate, super::plugin::tflite_plugin_destroy_delegate, wrapped) })
        },
    )
}

type Wrap = unsafe extern "C" fn(
    *mut TfLiteDelegate,
    unsafe extern "C" fn(*mut TfLiteDelegate),
    *mut *mut c_void,
) -> Status;

/// The runtime's functions that are needed, once it is known to have them.
struct Table<'a> {
    runtime: &'a Runtime,
    wrap: Wrap,
}

impl Table<'_> {
    /// # Safety
    /// `runtime` is NULL or points to a table whose header tells its size.
    unsafe fn new<'a>(runtime: *const Runtime) -> Result<Table<'a>> {
        // SAFETY: as the caller promises; a table has a header at least.
        let size = unsafe { runtime.cast::<Header>().as_ref() }.map_or(0, |header| usize::from(header.size));
        if size < size_of::<Runtime>() {
            return Err(Error::Host(format!(
                "LiteRT's table has {size} bytes: version 2.2 or later is needed"
            )));
        }
        // SAFETY: it is as large as this structure at least.
        let runtime = unsafe { &*runtime };
        match runtime.wrap_delegate {
            Some(wrap) => Ok(Table { runtime, wrap }),
            None => Err(Error::Host("LiteRT's runtime wraps no delegates".into())),
        }
    }

    /// LiteRT's options for GPUs, as TOML; empty if the application gives none.
    ///
    /// # Safety
    /// `options` is NULL or LiteRT's own.
    unsafe fn gpu_options(&self, options: *mut c_void) -> String {
        let (Some(get), Some(find)) = (self.runtime.get_opaque_options, self.runtime.find_opaque_options)
        else {
            return String::new();
        };
        let (mut opaque, mut data) = (ptr::null_mut(), ptr::null_mut::<c_void>());
        if options.is_null() {
            return String::new();
        }
        // SAFETY: LiteRT's functions on LiteRT's objects; the text lives as long as the options.
        unsafe {
            if get(options, &raw mut opaque) != OK || opaque.is_null() {
                return String::new();
            }
            if find(opaque, c"gpu_options".as_ptr(), &raw mut data) != OK || data.is_null() {
                return String::new();
            }
            CStr::from_ptr(data.cast()).to_string_lossy().into_owned()
        }
    }
}

/// Options from LiteRT's and, with precedence, from `own`: our names and values, as `log_level=info;device=0`.
fn options_of(litert: &str, own: &str) -> Result<Options> {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for line in litert.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim().trim_matches(['"', '\'']));
        match (key, value) {
            (_, "") => {}
            ("precision", "1" | "3") => pairs.push(("precision", "fp16")),
            ("serialization_dir", folder) => pairs.push(("serialization_dir", folder)),
            ("model_cache_key", token) => pairs.push(("model_token", token)),
            ("preferred_device_substr", device) => pairs.push(("device", device)),
            (key, value) => log::debug!("LiteRT's option {key} = {value} has no meaning here"),
        }
    }
    for pair in own.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Error::Host(format!("TFLITE_VULKAN_OPTIONS: {pair:?} is not key=value")));
        };
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, value));
    }
    Options::parse(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Precision;

    #[test]
    fn options_of_litert_become_ours() {
        let text = "precision = 1\nserialization_dir = \"/tmp/x\"\nmodel_cache_key = 'm'\nother = true\n\n";
        let options = options_of(text, "").unwrap();
        assert_eq!(options.precision, Precision::Fp16);
        assert_eq!(options_of("precision = 2", "").unwrap().precision, Precision::Fp32);
        assert_eq!(
            options_of("precision = 1", "precision=fp32; allow_software=1").unwrap().precision,
            Precision::Fp32
        );
        assert!(options_of("", "precision=fp32;nonsense").is_err());
        assert!(options_of("", "nonsense=1").is_err());
    }

    #[test]
    fn a_table_that_is_too_small_is_an_error() {
        let header = Header { size: 100, major: 1, minor: 0, reserved: 0 };
        let mut wrapped = ptr::null_mut();
        for runtime in [ptr::null(), (&raw const header).cast()] {
            // SAFETY: NULL, or a table that consists of its header and says so.
            let status =
                unsafe { create(runtime, ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), &mut wrapped) };
            assert_eq!((status, wrapped.is_null()), (RUNTIME_FAILURE, true));
        }
    }
}
