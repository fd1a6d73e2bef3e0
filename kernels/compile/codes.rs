//! Constants that shaders and the host share, as the Rust code of `src/codes.rs`.
//!
//! A line `const uint NAME = 7;`, `const int NAME = 7;` or `#define NAME 7u`, with a decimal number and
//! without a blank before it, makes a Rust constant too: `codes::pad::NAME` if it stands in
//! `kernels/pad.glsl`, `codes::epilogue::NAME` if it stands in `kernels/lib/epilogue.glsl`. Rust code that uses
//! a constant does not compile once the shader has it no more. The macro leaves no trace in modules that do
//! not use it; a constant does.

use std::path::Path;

use super::source::Source;

/// A constant of a shader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// In upper case.
    pub name: String,
    /// What it stands for.
    pub value: u32,
}

/// A Rust module for each file of `root` and of `root/lib` that has such constants.
///
/// # Errors
///
/// What is wrong, with file and line as far as they are known.
pub fn rust(root: &Path) -> Result<String, String> {
    let mut out = String::new();
    let mut names: Vec<String> = Vec::new();
    let library = root.join("lib");
    for folder in [Some(root), library.is_dir().then_some(&library)].into_iter().flatten() {
        let sources = Source::all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for source in sources {
            let codes = parse(&source.text).map_err(|error| format!("{}:{error}", source.path()))?;
            if codes.is_empty() {
                continue;
            }
            if names.contains(&source.name) {
                return Err(format!("{}: error: a kernel of this name has constants too", source.path()));
            }
            out += &format!("pub mod {} {{\n", source.name);
            for Code { name, value } in codes {
                out += &format!("    pub const {name}: u32 = {value};\n");
            }
            out += "}\n";
            names.push(source.name);
        }
    }
    Ok(out)
}

/// The constants of a shader's text, in its order.
///
/// # Errors
///
/// `LINE: error: what is wrong`, where a constant has two values.
pub fn parse(text: &str) -> Result<Vec<Code>, String> {
    let mut codes: Vec<Code> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some(code) = constant(line) else { continue };
        match codes.iter().find(|other| other.name == code.name) {
            Some(other) if *other == code => {}
            Some(other) => {
                return Err(format!("{number}: error: {} is {} and {}", code.name, other.value, code.value));
            }
            None => codes.push(code),
        }
    }
    Ok(codes)
}

fn constant(line: &str) -> Option<Code> {
    let (name, value) = match line.strip_prefix("#define ") {
        Some(rest) => {
            let mut words = rest.split_whitespace();
            (words.next()?, words.next()?.strip_suffix('u')?)
        }
        None => {
            let rest = line.strip_prefix("const ")?;
            let rest = rest.strip_prefix("uint ").or_else(|| rest.strip_prefix("int "))?;
            let (name, rest) = rest.split_once('=')?;
            let (value, _) = rest.split_once(';')?;
            (name.trim(), value.trim().trim_end_matches('u'))
        }
    };
    let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    Some(Code { name: name.to_owned(), value: value.parse().ok()? }).filter(|_| is_name)
}
