//! Numbers that shaders and the host share.
//!
//! One module for each file of `kernels/` and `kernels/lib/` that names such numbers, with the shader's own
//! names: `build.rs` reads them from the GLSL (`kernels/compile/codes.rs` says in which form). There is no
//! other list: a number that is missing in the shader does not compile here.

#![allow(missing_docs, reason = "generated: the names are the shaders' own")]

include!(concat!(env!("OUT_DIR"), "/codes.rs"));
