//! Finds and opens the Vulkan library, at the first use and never before.

use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

use ash::vk;

use super::environment::variable;
use crate::error::{Error, Result};

/// `vkGetInstanceProcAddr`.
pub type EntryPoint = vk::PFN_vkGetInstanceProcAddr;

/// Names the Vulkan library to open instead of the platform's own; an ICD without a loader will do.
/// Programs with more rights than their user ignore it.
const LIBRARY_VARIABLE: &str = "TFLITE_VULKAN_LIBRARY";

#[cfg(target_os = "android")]
const NAMES: &[&str] = &["libvulkan.so"];
#[cfg(target_os = "macos")]
const NAMES: &[&str] =
    &["libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib", "MoltenVK.framework/MoltenVK"];
#[cfg(target_os = "ios")]
const NAMES: &[&str] = &["@rpath/MoltenVK.framework/MoltenVK", "libMoltenVK.dylib"];
#[cfg(windows)]
const NAMES: &[&str] = &["vulkan-1.dll"];
#[cfg(not(any(target_os = "android", target_os = "macos", target_os = "ios", windows)))]
const NAMES: &[&str] = &["libvulkan.so.1", "libvulkan.so"];

/// The opened library. Kept for the life of the process, as the instance is.
static ENTRY: Mutex<Option<ash::Entry>> = Mutex::new(None);

/// The entry points of the Vulkan library, opening it if nobody did.
///
/// # Errors
/// [`Error::NoDevice`] with the dynamic linker's own words for each name that was tried. The next
/// call tries again.
pub(super) fn entry() -> Result<ash::Entry> {
    let mut slot = ENTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(entry) = slot.as_ref() {
        return Ok(entry.clone());
    }
    let entry = open()?;
    *slot = Some(entry.clone());
    Ok(entry)
}

/// Takes Vulkan's entry point from the application, whose Vulkan (MoltenVK) is linked statically.
///
/// # Errors
/// [`Error::Host`] if the Vulkan library is open already, by another entry point.
///
/// # Safety
/// `entry_point` must be a `vkGetInstanceProcAddr` that stays valid until the process ends.
pub unsafe fn use_entry_point(entry_point: EntryPoint) -> Result<()> {
    let mut slot = ENTRY.lock().unwrap_or_else(PoisonError::into_inner);
    match &*slot {
        None => {
            // SAFETY: as the caller promises.
            *slot = Some(unsafe { linked(entry_point) });
            Ok(())
        }
        Some(entry) if entry.static_fn().get_instance_proc_addr as usize == entry_point as usize => Ok(()),
        Some(_) => Err(Error::Host("Vulkan is in use: its entry point comes too late".into())),
    }
}

/// Vulkan behind its entry point.
///
/// # Safety
/// As for [`use_entry_point`].
pub(super) unsafe fn linked(entry_point: EntryPoint) -> ash::Entry {
    // SAFETY: the caller vouches for the function; the others are looked up through it.
    unsafe { ash::Entry::from_static_fn(ash::StaticFn { get_instance_proc_addr: entry_point }) }
}

/// Vulkan that is part of the application. Apple's systems have no loader, so applications link MoltenVK.
#[cfg(any(target_os = "macos", target_os = "ios"))]
fn in_process() -> Option<ash::Entry> {
    // SAFETY: only looks a symbol up.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"vkGetInstanceProcAddr".as_ptr()) };
    // SAFETY: a function of this name is Vulkan's, and what the process is linked with stays loaded.
    (!symbol.is_null())
        .then(|| unsafe { linked(std::mem::transmute::<*mut libc::c_void, EntryPoint>(symbol)) })
}

#[cfg(not(any(target_os = "macos", target_os = "ios")))]
fn in_process() -> Option<ash::Entry> {
    None
}

fn open() -> Result<ash::Entry> {
    let names = match variable(LIBRARY_VARIABLE) {
        Some(name) => vec![name],
        None => {
            if let Some(entry) = in_process() {
                return Ok(entry);
            }
            NAMES.iter().map(OsString::from).collect()
        }
    };
    let mut failures = Vec::new();
    for name in names {
        // SAFETY: a Vulkan library runs no code at load time that depends on us, and the entry
        // points are never used after unloading because ENTRY is never emptied.
        match unsafe { ash::Entry::load_from(&name) } {
            Ok(entry) => return Ok(entry),
            Err(e) => failures.push(reason(&name.to_string_lossy(), &e)),
        }
    }
    Err(Error::NoDevice(format!("the Vulkan library cannot be opened: {}", failures.join("; "))))
}

/// The linker's message, which names the library in most cases but not in all.
fn reason(name: &str, error: &ash::LoadingError) -> String {
    let source = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    if source.contains(name) { source } else { format!("{name}: {source}") }
}
