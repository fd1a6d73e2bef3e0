//! Compiles the kernels to SPIR-V with a Rust table, and binds the C structs of TensorFlow Lite.

#[path = "kernels/compile/mod.rs"]
mod compile;

use std::path::{Path, PathBuf};

/// The C header that `src/tflite/bindings.rs` mirrors.
const ABI: &str = "include/tflite_abi.h";

/// Kernel errors beyond these are left out.
const SHOWN: usize = 10;

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    println!("cargo::rerun-if-changed={ABI}");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    kernels(&out);
    bindings(&out);
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

/// Makes `tflite.rs`, for the target that cargo builds for.
fn bindings(out: &Path) {
    let bindings = bindgen::builder()
        .header(ABI)
        .allowlist_item("k?TfLite.*")
        .derive_default(true)
        .use_core()
        // The compiler's own stdint.h: no C library of the target is needed.
        .clang_arg("-ffreestanding")
        .generate();
    match bindings {
        Ok(bindings) => bindings.write_to_file(out.join("tflite.rs")).expect("cargo made OUT_DIR"),
        Err(error) => println!("cargo::error={ABI}: {error}"),
    }
}
