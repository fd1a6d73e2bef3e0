//! One variant of a kernel file through shaderc.

use std::fs;
use std::path::{Component, Path};
use std::sync::LazyLock;

use shaderc::{CompileOptions, Compiler, ResolvedInclude, ShaderKind};

use crate::compile::Compiled;
use crate::compile::source::Source;
use crate::compile::variant::Variant;
use crate::options::options;
use crate::reflect;
use crate::validate::validate;

/// The variant as SPIR-V that is valid, with its interface.
///
/// # Errors
///
/// What is wrong, with file and line as far as they are known; the compiler's messages, a line each.
pub fn compile(source: &Source, variant: &Variant) -> Result<Compiled, String> {
    let within = |error: String| format!("{}: error: {error}", source.path());
    // Names and the interface are those of the unoptimised module.
    let (words, names) = (spirv(source, variant, true)?, spirv(source, variant, false)?);
    validate(&names).map_err(within)?;
    validate(&words).map_err(within)?;
    let interface = reflect::interface(&names, &preprocess(source, variant)?).map_err(within)?;
    let needs = reflect::needs(&words).map_err(within)?;
    let needs = needs.into_iter().map(str::to_owned).collect();
    Ok(Compiled {
        name: source.variant_name(variant),
        values: variant.values.clone(),
        words,
        interface,
        needs,
    })
}

/// The text after the preprocessor.
fn preprocess(source: &Source, variant: &Variant) -> Result<String, String> {
    let options = with_variant(options(false), &source.root, variant);
    let result = COMPILER.preprocess(&source.text, &source.path(), "main", Some(&options));
    result.map(|artifact| artifact.as_text()).map_err(message)
}

/// The module: unoptimised with all names, or optimised for speed without any.
fn spirv(source: &Source, variant: &Variant, optimise: bool) -> Result<Vec<u32>, String> {
    let options = with_variant(options(optimise), &source.root, variant);
    let kind = ShaderKind::Compute;
    let result = COMPILER.compile_into_spirv(&source.text, kind, &source.path(), "main", Some(&options));
    result.map(|artifact| artifact.as_binary().to_vec()).map_err(message)
}

// One for the whole process: with the last compiler goes the parsed table of GLSL's built-in functions.
static COMPILER: LazyLock<Compiler> =
    LazyLock::new(|| Compiler::new().expect("shaderc starts unless memory is exhausted"));

fn with_variant<'a>(
    mut options: CompileOptions<'a>,
    root: &'a Path,
    variant: &Variant,
) -> CompileOptions<'a> {
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
