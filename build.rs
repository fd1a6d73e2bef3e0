//! Compiles the kernels to SPIR-V with a Rust table, and binds the C structs of TensorFlow Lite.

#[path = "kernels/compile/mod.rs"]
mod compile;

use std::path::{Path, PathBuf};

/// Errors beyond these are left out.
const SHOWN: usize = 10;

fn main() {
    println!("cargo::rerun-if-changed=kernels");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    if let Err(errors) = compile::build(Path::new("kernels"), &out) {
        for line in errors.iter().take(SHOWN).flat_map(|error| error.lines()) {
            println!("cargo::error={line}");
        }
        if errors.len() > SHOWN {
            println!("cargo::error={} more kernel errors", errors.len() - SHOWN);
        }
    }
}
