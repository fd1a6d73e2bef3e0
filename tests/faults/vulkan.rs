//! A Vulkan library in which calls fail as a test wants, in front of the real one: `vulkan.c`.
#![allow(unsafe_code, reason = "calls C")]
#![allow(dead_code, reason = "each test program uses a part")]

use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::path::{Path, PathBuf};
use std::process::Command;

use libloading::Library;

/// Compiles the library for the children of one test.
pub fn compile(test: &str) -> PathBuf {
    let library = std::env::current_exe()
        .unwrap()
        .with_file_name(format!("libvulkan_{test}_{}.so", std::process::id()));
    let mut compiler = Command::new("cc");
    compiler.args([
        "-std=gnu11",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused",
        "-shared",
        "-fPIC",
        "-o",
    ]);
    compiler.arg(&library).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/vulkan.c"));
    assert!(compiler.arg("-ldl").arg("-lpthread").status().unwrap().success());
    library
}

/// Names the library for a child.
pub const LIBRARY: &str = "TFLITE_VULKAN_LIBRARY";

/// The library in front, in a child.
pub struct Vulkan(Library);

impl Vulkan {
    pub fn open() -> Self {
        // SAFETY: the library has no constructors.
        Self(unsafe { Library::new(std::env::var_os(LIBRARY).unwrap()) }.unwrap())
    }

    fn function<F: Copy>(&self, name: &str) -> F {
        // SAFETY: the callers below name functions of `vulkan.c` with their types.
        unsafe { *self.0.get::<F>(name.as_bytes()).unwrap() }
    }

    /// Forgets earlier plans; then the call number `first` of this name, or of any if it is empty, fails.
    pub fn plan(&self, call: &str, first: c_long, fault: Fault) {
        let plan: unsafe extern "C" fn(*const c_char, c_long, c_long, c_long) = self.function("fault_plan");
        let call = CString::new(call).unwrap();
        // SAFETY: the text outlives the call.
        unsafe { plan(call.as_ptr(), first, fault.times, fault.result) };
    }

    /// So many calls there were since the plan.
    pub fn calls(&self) -> c_long {
        // SAFETY: it takes nothing.
        unsafe { self.function::<unsafe extern "C" fn() -> c_long>("fault_calls")() }
    }

    /// The call that failed first.
    pub fn failed(&self) -> String {
        let failed: unsafe extern "C" fn() -> *const c_char = self.function("fault_failed");
        // SAFETY: it gives a C string that stays.
        unsafe { CStr::from_ptr(failed()) }.to_str().unwrap().to_owned()
    }

    /// Objects that are alive.
    pub fn live(&self) -> c_long {
        // SAFETY: it takes nothing.
        unsafe { self.function::<unsafe extern "C" fn() -> c_long>("fault_live")() }
    }

    /// `fault_hang`, `fault_kind` or `fault_range`.
    pub fn set(&self, name: &str, value: c_int) {
        // SAFETY: the callers name functions that take a number.
        unsafe { self.function::<unsafe extern "C" fn(c_int)>(name)(value) };
    }
}

/// How calls fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// For people.
    pub name: &'static str,
    /// The `VkResult`.
    pub result: c_long,
    /// How many calls fail; all that follow if negative.
    pub times: c_long,
}

pub const NONE: Fault = Fault { name: "none", result: 0, times: 0 };
pub const LOST: Fault = Fault { name: "lost", result: -4, times: 1 };
