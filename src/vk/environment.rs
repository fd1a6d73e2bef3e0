//! The environment variables that this library reads.

use std::ffi::OsString;

/// The value of a variable. None in a process that has more rights than the user who started it, as a
/// set-user-id program has: that user chose the environment, and could make it load or log anything.
pub(super) fn variable(name: &str) -> Option<OsString> {
    trusted(name, is_privileged())
}

/// The value of a variable as text, under the same rule.
pub fn environment_text(name: &str) -> Option<String> {
    variable(name).and_then(|value| value.into_string().ok())
}

fn trusted(name: &str, privileged: bool) -> Option<OsString> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    if privileged {
        log::warn!("{name} is ignored: this program runs with rights that its user does not have");
        return None;
    }
    Some(value)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_privileged() -> bool {
    // SAFETY: it only reads what the kernel told the process.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

#[cfg(any(target_os = "macos", target_os = "ios"))]
fn is_privileged() -> bool {
    unsafe extern "C" {
        fn issetugid() -> libc::c_int;
    }
    // SAFETY: it only reads.
    unsafe { issetugid() != 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "ios")))]
fn is_privileged() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileged_processes_have_no_environment() {
        assert!(!is_privileged());
        assert_eq!(trusted("PATH", false), std::env::var_os("PATH"));
        assert_eq!(trusted("PATH", true), None);
        assert_eq!(variable("TFLITE_VULKAN_NO_SUCH_VARIABLE"), None);
    }

    /// Every variable is read here.
    #[test]
    fn nothing_else_reads_the_environment() {
        fn search(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    search(&path, found);
                } else if std::fs::read_to_string(&path).unwrap().contains(concat!("env::", "var")) {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        search(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        assert!(matches!(&found[..], [only] if only.ends_with("vk/environment.rs")), "{found:?}");
    }
}
