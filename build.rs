//! Unpacks the compiled kernels and writes their Rust table, and binds C structs: TensorFlow Lite's and
//! our own.

#[path = "kernels/compile/mod.rs"]
#[expect(dead_code, reason = "the compiler of kernels writes archives, the build script reads them")]
mod compile;

use std::path::{Path, PathBuf};

/// The C header that `src/tflite/sys.rs` mirrors.
const ABI: &str = "include/tflite_abi.h";

/// The header that C programs include; the library takes the options' layout from it.
const API: &str = "include/tflite_vulkan.h";

/// Kernel errors beyond these are left out.
const SHOWN: usize = 10;

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed={ABI}");
    println!("cargo::rerun-if-changed={API}");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    kernels(&out);
    keep_loaded();
    bind(ABI, "k?TfLite.*", true, &out.join("tflite.rs"));
    bind(API, "TfLiteVulkanDelegateOptions", false, &out.join("options.rs"));
    bind(API, "TfLiteVulkanDevice", false, &out.join("device.rs"));
    bind(API, "TfLiteVulkan(Handles|Import|Binding)", true, &out.join("zero_copy.rs"));
}

/// Lets the library stay in its process, whatever the host closes: the Vulkan instance, the drivers' threads and
/// the log live as long as the process, and another copy would make all of it anew. Where linkers know no such
/// wish, libraries stay as a rule.
fn keep_loaded() {
    let system = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if matches!(system.as_str(), "linux" | "android") {
        println!("cargo::rustc-link-arg-cdylib=-Wl,-z,nodelete");
    }
}

/// Makes `kernels.rs`, or reports what is wrong with the kernels.
fn kernels(out: &Path) {
    if let Err(errors) = compile::build(Path::new("kernels"), out) {
        for line in errors.iter().take(SHOWN).flat_map(|error| error.lines()) {
            println!("cargo::error={line}");
        }
        if errors.len() > SHOWN {
            println!("cargo::error={} more kernel errors", errors.len() - SHOWN);
        }
    }
}

/// Binds what is named `pattern` in a C header, for the target that cargo builds for.
fn bind(header: &str, pattern: &str, derive_default: bool, to: &Path) {
    let bindings = bindgen::builder()
        .header(header)
        .allowlist_item(pattern)
        .derive_default(derive_default)
        .use_core()
        .formatter(bindgen::Formatter::None)
        // The compiler's own stdint.h: no C library of the target is needed.
        .clang_arg("-ffreestanding")
        .generate();
    match bindings {
        Ok(bindings) => bindings.write_to_file(to).expect("cargo made OUT_DIR"),
        Err(error) => println!("cargo::error={header}: {error}"),
    }
}
