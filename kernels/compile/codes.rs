//! Constants that shaders and the Rust side share.
//!
//! A line `const uint NAME = 7;` or `const int NAME = 7;` at the start of a line, with a decimal number,
//! makes a Rust constant too: that of `kernels/pad.glsl` is `table::pad::NAME`, that of
//! `kernels/lib/epilogue.glsl` is `table::epilogue::NAME`. Rust code that uses a constant does not compile
//! once the shader has it no more.

/// A constant of a shader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// In upper case.
    pub name: String,
    /// `u32` or `i32`.
    pub ty: &'static str,
    /// In decimal.
    pub value: String,
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
    let rest = line.strip_prefix("const ")?;
    let (ty, rest) = match rest.strip_prefix("uint ") {
        Some(rest) => ("u32", rest),
        None => ("i32", rest.strip_prefix("int ")?),
    };
    let (name, rest) = rest.split_once('=')?;
    let (value, _) = rest.split_once(';')?;
    let value = value.trim().trim_end_matches('u');
    value.parse::<u32>().ok()?;
    let name = name.trim();
    let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    is_name.then(|| Code { name: name.to_owned(), ty, value: value.to_owned() })
}
