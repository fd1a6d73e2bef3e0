//! One variant of a kernel file through shaderc.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use shaderc::{
    CompileOptions, Compiler, EnvVersion, OptimizationLevel, ResolvedInclude, ShaderKind, TargetEnv,
};

use super::variant::Variant;

/// One kernel file.
pub struct Source {
    /// The folder below which `#include` looks.
    pub root: PathBuf,
    /// The file's name without `.glsl`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

impl Source {
    /// The file's path, as messages show it.
    pub fn path(&self) -> String {
        self.root.join(format!("{}.glsl", self.name)).display().to_string()
    }

    /// The kernel's name with the variant's values, as `conv2d_f16_4`.
    pub fn variant_name(&self, variant: &Variant) -> String {
        [std::slice::from_ref(&self.name), &variant.values].concat().join("_")
    }

    /// The text after the preprocessor, with `#line` directives.
    ///
    /// # Errors
    ///
    /// The compiler's messages, a line each.
    pub fn preprocess(&self, variant: &Variant) -> Result<String, String> {
        let options = options(&self.root, variant, OptimizationLevel::Zero);
        let result = COMPILER.preprocess(&self.text, &self.path(), "main", Some(&options));
        result.map(|artifact| artifact.as_text()).map_err(message)
    }

    /// The SPIR-V module: unoptimised with all names, or optimised for speed without any.
    ///
    /// # Errors
    ///
    /// The compiler's messages, a line each. A warning is an error.
    pub fn compile(&self, variant: &Variant, optimise: bool) -> Result<Vec<u32>, String> {
        let level = if optimise { OptimizationLevel::Performance } else { OptimizationLevel::Zero };
        let options = options(&self.root, variant, level);
        let result = COMPILER.compile_into_spirv(
            &self.text,
            ShaderKind::Compute,
            &self.path(),
            "main",
            Some(&options),
        );
        result.map(|artifact| artifact.as_binary().to_vec()).map_err(message)
    }
}

// One for the whole process: with the last compiler goes the parsed table of GLSL's built-in functions.
static COMPILER: LazyLock<Compiler> =
    LazyLock::new(|| Compiler::new().expect("shaderc starts unless memory is exhausted"));

fn options<'a>(root: &'a Path, variant: &Variant, level: OptimizationLevel) -> CompileOptions<'a> {
    let mut options = CompileOptions::new().expect("shaderc makes options unless memory is exhausted");
    options.set_target_env(TargetEnv::Vulkan, EnvVersion::Vulkan1_1 as u32);
    options.set_optimization_level(level);
    options.set_warnings_as_errors();
    options.set_include_callback(move |name, _, _, _| include(root, name));
    for (name, value) in &variant.defines {
        options.add_macro_definition(name, Some(value));
    }
    options
}

fn include(root: &Path, name: &str) -> Result<ResolvedInclude, String> {
    if Path::new(name).components().any(|part| !matches!(part, Component::Normal(_))) {
        return Err(format!("{name:?} is not a path below {}", root.display()));
    }
    let path = root.join(name);
    let content = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(ResolvedInclude { resolved_name: path.display().to_string(), content })
}

fn message(error: shaderc::Error) -> String {
    match error {
        shaderc::Error::CompilationError(_, text)
        | shaderc::Error::InternalError(text)
        | shaderc::Error::InvalidStage(text)
        | shaderc::Error::InvalidAssembly(text)
        | shaderc::Error::NullResultObject(text)
        | shaderc::Error::InitializationError(text)
        | shaderc::Error::ParseError(text) => text.trim_end().to_owned(),
    }
}
