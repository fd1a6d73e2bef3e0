//! The version of the host, where its library tells: C libraries of TFLite do, Python's packages do not.

use std::ffi::c_void;

use crate::options::Integers;

/// The first version whose library cannot be told from today's: LiteRT, built without a version, says so too.
const UNSURE: [u32; 2] = [2, 19];

/// The kernels that `integers` asks for, of a host of this version: the reference kernels are its own.
pub(super) fn of_host(integers: Integers, version: Option<[u32; 2]>) -> Integers {
    match version {
        Some(version) if integers == Integers::Reference && version < UNSURE => Integers::Reference214,
        _ => integers,
    }
}

/// Major and minor number of the library that holds this function.
#[cfg(unix)]
pub(super) fn of_library(function: *const c_void) -> Option<[u32; 2]> {
    use std::ffi::{CStr, c_char};

    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: looks an address up; what it finds is written to `info`.
    let found = unsafe { libc::dladdr(function, info.as_mut_ptr()) };
    if found == 0 {
        return None;
    }
    // SAFETY: it was found.
    let path = unsafe { info.assume_init() }.dli_fname;
    if path.is_null() {
        return None;
    }
    // SAFETY: the library is loaded, and only looked at; its name is a string.
    let library = unsafe { libc::dlopen(path, libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if library.is_null() {
        return None;
    }
    // SAFETY: the library is open.
    let symbol = unsafe { libc::dlsym(library, c"TfLiteVersion".as_ptr()) };
    let version = (!symbol.is_null()).then(|| {
        // SAFETY: a function of this name is TFLite's, which gives a string that stays.
        unsafe {
            let version = std::mem::transmute::<*mut c_void, extern "C" fn() -> *const c_char>(symbol)();
            if version.is_null() {
                String::new()
            } else {
                CStr::from_ptr(version).to_string_lossy().into_owned()
            }
        }
    });
    // SAFETY: opened above; the host has it open still.
    unsafe { libc::dlclose(library) };
    parsed(&version?)
}

/// Nothing is known elsewhere.
#[cfg(not(unix))]
pub(super) fn of_library(_: *const c_void) -> Option<[u32; 2]> {
    None
}

#[cfg(any(unix, test))]
fn parsed(version: &str) -> Option<[u32; 2]> {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some([major, minor]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_hosts_have_kernels_of_their_own() {
        let of = |version: &str| of_host(Integers::Reference, parsed(version));
        for old in ["2.14.0", "2.18.0-rc1", "1.15.3"] {
            assert_eq!(of(old), Integers::Reference214, "{old}");
        }
        for other in ["2.19.1", "2.20.0", "2.22.0-dev0+selfbuilt", "3.0.0", "", "new", "2"] {
            assert_eq!(of(other), Integers::Reference, "{other}");
        }
        assert_eq!(of_host(Integers::Xnnpack, Some([2, 14])), Integers::Xnnpack);
    }

    #[test]
    fn libraries_of_others_tell_nothing() {
        assert_eq!(of_library(std::ptr::null()), None);
        assert_eq!(of_library((libraries_of_others_tell_nothing as fn()) as *const c_void), None);
        #[cfg(unix)]
        assert_eq!(of_library(libc::getpid as *const c_void), None);
    }
}
