//! spirv-val, out of the SPIRV-Tools that are linked into shaderc.

#![allow(unsafe_code, reason = "shaderc's crate does not bind SPIRV-Tools")]

use std::ffi::{CStr, c_char, c_int};
use std::ptr;

#[repr(C)]
struct Diagnostic {
    line: usize,
    column: usize,
    index: usize,
    error: *const c_char,
    is_text_source: bool,
}

#[repr(C)]
struct Context {
    opaque: [u8; 0],
}

// SAFETY: declared as in spirv-tools/libspirv.h, whose C interface is stable.
unsafe extern "C" {
    fn spvParseVulkanEnv(vulkan: u32, spirv: u32, env: *mut c_int) -> bool;
    fn spvContextCreate(env: c_int) -> *mut Context;
    fn spvContextDestroy(context: *mut Context);
    fn spvValidateBinary(
        context: *const Context,
        words: *const u32,
        count: usize,
        out: *mut *mut Diagnostic,
    ) -> c_int;
    fn spvDiagnosticDestroy(diagnostic: *mut Diagnostic);
}

// As Vulkan packs its version, and as a module's header holds SPIR-V's.
const VULKAN_1_1: u32 = 1 << 22 | 1 << 12;
const SPIRV_1_3: u32 = 0x1_0300;

/// Checks a module against the rules of SPIR-V and of Vulkan 1.1.
///
/// # Errors
///
/// The first broken rule, in SPIRV-Tools' words.
pub fn validate(words: &[u32]) -> Result<(), String> {
    let mut env = 0;
    // SAFETY: `env` is a live int.
    if !unsafe { spvParseVulkanEnv(VULKAN_1_1, SPIRV_1_3, &raw mut env) } {
        return Err("SPIRV-Tools does not know Vulkan 1.1".into());
    }
    let mut diagnostic: *mut Diagnostic = ptr::null_mut();
    // SAFETY: the context lives until its destroy below; `words` is as long as is said; the
    // diagnostic is null or owned by us, and destroyed after its text was copied.
    unsafe {
        let context = spvContextCreate(env);
        let status = spvValidateBinary(context, words.as_ptr(), words.len(), &raw mut diagnostic);
        let text = match diagnostic.as_ref() {
            Some(diagnostic) => CStr::from_ptr(diagnostic.error).to_string_lossy().trim_end().to_owned(),
            None => format!("SPIRV-Tools refuses the module with status {status}"),
        };
        spvDiagnosticDestroy(diagnostic);
        spvContextDestroy(context);
        if status == 0 { Ok(()) } else { Err(text) }
    }
}
