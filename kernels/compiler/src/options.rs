//! How the compiler is called. The text of this file is part of every archive's key.

use shaderc::{CompileOptions, EnvVersion, OptimizationLevel, TargetEnv};

/// The options of all kernels: Vulkan 1.1 (SPIR-V 1.3), a warning is an error.
pub fn options<'a>(optimise: bool) -> CompileOptions<'a> {
    let mut options = CompileOptions::new().expect("shaderc makes options unless memory is exhausted");
    options.set_target_env(TargetEnv::Vulkan, EnvVersion::Vulkan1_1 as u32);
    options.set_optimization_level(if optimise {
        OptimizationLevel::Performance
    } else {
        OptimizationLevel::Zero
    });
    options.set_warnings_as_errors();
    options
}
