//! The Rust code of `kernel::table`.

use std::collections::HashSet;
use std::fmt::{Display, Write};

use super::reflect::{Interface, SpecConstant, Type};
use super::variant::Axis;
use super::{Compiled, Kernel, fnv1a};

/// Appends a line; writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => { writeln!($out, $($text)*).expect("a String takes everything") };
}

/// The modules of all kernels, and `ALL`.
///
/// # Errors
///
/// Kernels that have no Rust interface, or whose variants differ in it.
pub fn rust(kernels: &[Kernel]) -> Result<String, Vec<String>> {
    let mut out = String::new();
    let mut errors = Vec::new();
    line!(out, "/// Every variant of every kernel.");
    line!(out, "pub static ALL: &[&crate::kernel::Kernel] = &[");
    for kernel in kernels {
        for variant in &kernel.variants {
            line!(out, "    &{}::{},", ident(&kernel.name), constant(variant));
        }
    }
    line!(out, "];");
    line!(out, "{WORDS}");
    for kernel in kernels {
        match module(kernel) {
            Ok(text) => out += &text,
            Err(error) => errors.push(format!("{}: error: {error}", kernel.path)),
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

/// Words of an embedded file, without unsafe code and aligned.
const WORDS: &str = "
const fn words<const COUNT: usize>(bytes: &[u8]) -> [u32; COUNT] {
    let (chunks, _) = bytes.as_chunks();
    let mut words = [0; COUNT];
    let mut place = 0;
    while place < COUNT {
        words[place] = u32::from_le_bytes(chunks[place]);
        place += 1;
    }
    words
}
";

fn module(kernel: &Kernel) -> Result<String, String> {
    let first = &kernel.variants[0];
    for other in &kernel.variants {
        if let Some(difference) = first.interface.difference(&other.interface) {
            return Err(format!("{} and {} differ in {difference}", first.name, other.name));
        }
    }
    let is_word = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && !name.contains(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '_')
    };
    if !is_word(&kernel.name) {
        return Err("the file's name is not a lower-case word".into());
    }
    let spec = spec_fields(&first.interface.spec)?;
    let push = &first.interface.push;
    distinct("push constants", push.iter().map(|member| &member.name))?;
    distinct("specialisation constants", spec.iter().map(|field| &field.name))?;
    distinct("bindings", first.interface.bindings.iter().map(|binding| &binding.name))?;

    let mut out = String::new();
    line!(out, "#[allow(unused_imports, unused_mut, unused_variables, clippy::all, reason = \"generated\")]");
    line!(out, "pub mod {} {{", ident(&kernel.name));
    line!(out, "    use crate::caps::Features;");
    line!(out, "    use crate::kernel::{{Access, Binding, Kernel, SpecConstant}};");
    line!(out, "    use crate::program::{{BufferId, Dispatch}};");
    for axis in kernel.header.axes.iter().filter(|axis| axis.name != "STORE") {
        axis_enum(&mut out, axis);
    }
    push_struct(&mut out, &first.interface);
    spec_struct(&mut out, &spec, &first.interface.spec);
    bind_struct(&mut out, &first.interface);
    for variant in &kernel.variants {
        kernel_static(&mut out, variant);
    }
    chooser(&mut out, kernel);
    line!(out, "}}");
    Ok(out)
}

fn axis_enum(out: &mut String, axis: &Axis) {
    let name = camel(&axis.name);
    let values: Vec<String> = axis.values.iter().map(|value| value_name(value)).collect();
    line!(out, "    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]");
    line!(out, "    pub enum {name} {{ {} }}", values.join(", "));
    line!(out, "    impl {name} {{");
    let all: Vec<String> = values.iter().map(|value| format!("Self::{value}")).collect();
    line!(out, "        pub const ALL: &[Self] = &[{}];", all.join(", "));
    if axis.is_numeric() {
        let arms: Vec<String> =
            all.iter().zip(&axis.values).map(|(name, value)| format!("{name} => {value}")).collect();
        line!(out, "        pub const fn value(self) -> u32 {{ match self {{ {} }} }}", arms.join(", "));
    }
    line!(out, "    }}");
}

fn push_struct(out: &mut String, interface: &Interface) {
    line!(out, "    #[derive(Clone, Copy, Debug, Default, PartialEq)]");
    line!(out, "    pub struct Push {{");
    for member in &interface.push {
        line!(out, "        pub {}: {},", ident(&member.name), rust_type(&member.ty));
    }
    line!(out, "    }}");
    line!(out, "    impl Push {{");
    line!(out, "        /// The block as the shader reads it.");
    line!(out, "        pub fn bytes(&self) -> Vec<u8> {{");
    line!(out, "            let mut bytes = vec![0; {}];", interface.push_bytes());
    for member in &interface.push {
        let field = format!("self.{}", ident(&member.name));
        for (place, offset) in elements(&member.ty, field, member.offset) {
            line!(
                out,
                "            bytes[{offset}..{}].copy_from_slice(&{place}.to_le_bytes());",
                offset + 4
            );
        }
    }
    line!(out, "            bytes");
    line!(out, "        }}");
    line!(out, "    }}");
}

/// The 32-bit numbers of a push constant: expression and offset.
fn elements(ty: &Type, place: String, offset: u32) -> Vec<(String, u32)> {
    match ty {
        Type::Array(element, count, stride) => (0..*count)
            .flat_map(|index| elements(element, format!("{place}[{index}]"), offset + index * stride))
            .collect(),
        _ => vec![(place, offset)],
    }
}

/// A field of `Spec`: one constant, or several that are numbered.
struct SpecField<'a> {
    name: String,
    /// With their indices in the field, if it is an array.
    constants: Vec<(Option<usize>, &'a SpecConstant)>,
}

fn spec_fields(spec: &[SpecConstant]) -> Result<Vec<SpecField<'_>>, String> {
    let mut fields: Vec<SpecField<'_>> = Vec::new();
    for constant in spec {
        let numbered =
            constant.name.rsplit_once('_').and_then(|(name, index)| Some((name, index.parse().ok()?)));
        let (name, index) = numbered.map_or((&constant.name[..], None), |(name, index)| (name, Some(index)));
        match fields
            .iter_mut()
            .find(|field| field.name == name && index.is_some() && field.constants[0].0.is_some())
        {
            Some(field) => field.constants.push((index, constant)),
            None => fields.push(SpecField { name: name.to_owned(), constants: vec![(index, constant)] }),
        }
    }
    for field in &mut fields {
        field.constants.sort_by_key(|(index, _)| *index);
        let ty = &field.constants[0].1.ty;
        let bad = |(place, (index, constant)): (usize, &(Option<usize>, &SpecConstant))| {
            index.is_some_and(|index| index != place) || constant.ty != *ty
        };
        if field.constants.iter().enumerate().any(bad) {
            let name = field.name.to_uppercase();
            return Err(format!("{name}_0, {name}_1, … are not numbered from 0 or not of one type"));
        }
    }
    Ok(fields)
}

fn spec_struct(out: &mut String, fields: &[SpecField<'_>], spec: &[SpecConstant]) {
    line!(out, "    #[derive(Clone, Copy, Debug, PartialEq)]");
    line!(out, "    pub struct Spec {{");
    for SpecField { name, constants } in fields {
        let ty = rust_type(&constants[0].1.ty);
        match constants[0].0 {
            None if constants[0].1.ty == Type::Bool => line!(out, "        pub {}: bool,", ident(name)),
            None => line!(out, "        pub {}: {ty},", ident(name)),
            Some(_) => line!(out, "        pub {}: [{ty}; {}],", ident(name), constants.len()),
        }
    }
    line!(out, "    }}");
    line!(out, "    impl Default for Spec {{");
    line!(out, "        /// The shader's own values.");
    line!(out, "        fn default() -> Self {{");
    line!(out, "            Self {{");
    for SpecField { name, constants } in fields {
        let values: Vec<String> = constants.iter().map(|(_, constant)| literal(constant)).collect();
        match constants[0].0 {
            None => line!(out, "                {}: {},", ident(name), values[0]),
            Some(_) => line!(out, "                {}: [{}],", ident(name), values.join(", ")),
        }
    }
    line!(out, "            }}");
    line!(out, "        }}");
    line!(out, "    }}");
    line!(out, "    impl Spec {{");
    line!(out, "        /// The values in the order of [`Kernel::spec`].");
    line!(out, "        pub fn words(&self) -> Vec<u32> {{");
    let place = |constant: &SpecConstant| {
        let find = |field: &SpecField<'_>| {
            let (index, _) = field.constants.iter().find(|(_, other)| other.id == constant.id)?;
            Some(format!(
                "self.{}{}",
                ident(&field.name),
                index.map_or(String::new(), |index| format!("[{index}]"))
            ))
        };
        let place = fields.iter().find_map(find).expect("every constant is in a field");
        match constant.ty {
            Type::U32 | Type::Array(..) => place,
            Type::I32 => format!("{place}.cast_unsigned()"),
            Type::F32 => format!("{place}.to_bits()"),
            Type::Bool => format!("u32::from({place})"),
        }
    };
    line!(out, "            vec![{}]", spec.iter().map(place).collect::<Vec<_>>().join(", "));
    line!(out, "        }}");
    line!(out, "    }}");
}

fn bind_struct(out: &mut String, interface: &Interface) {
    line!(out, "    #[derive(Clone, Copy, Debug, PartialEq, Eq)]");
    line!(out, "    pub struct Bind {{");
    for binding in &interface.bindings {
        line!(out, "        pub {}: BufferId,", ident(&binding.name));
    }
    line!(out, "    }}");
    line!(out, "    /// A dispatch of `kernel`, one of this module.");
    line!(
        out,
        "    pub fn dispatch(kernel: &'static Kernel, spec: Spec, push: Push, bind: Bind, grid: [u32; 3]) -> Dispatch {{"
    );
    let bindings: Vec<String> =
        interface.bindings.iter().map(|binding| format!("bind.{}", ident(&binding.name))).collect();
    line!(
        out,
        "        Dispatch::new(kernel, spec.words(), push.bytes(), vec![{}], grid)",
        bindings.join(", ")
    );
    line!(out, "    }}");
}

fn kernel_static(out: &mut String, variant: &Compiled) {
    let Compiled { name, file, words, interface, needs, .. } = variant;
    let file = file.file_name().unwrap_or_default().to_string_lossy();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    line!(out, "    pub(super) static {}: Kernel = Kernel {{", constant(variant));
    line!(out, "        name: {name:?},");
    line!(
        out,
        "        spirv: &super::words::<{}>(include_bytes!(concat!(env!(\"OUT_DIR\"), \"/spirv/{file}\"))),",
        words.len()
    );
    line!(out, "        bindings: &[");
    for binding in &interface.bindings {
        line!(
            out,
            "            Binding {{ name: {:?}, access: Access::{:?} }},",
            binding.name,
            binding.access
        );
    }
    line!(out, "        ],");
    line!(out, "        spec: &[");
    for constant in &interface.spec {
        line!(out, "            SpecConstant {{ id: {}, name: {:?} }},", constant.id, constant.name);
    }
    line!(out, "        ],");
    line!(out, "        push_bytes: {},", interface.push_bytes());
    let needs: String = needs.iter().map(|feature| format!(".with(Features::{feature})")).collect();
    line!(out, "        needs: Features::NONE{needs},");
    line!(out, "        hash: {:#018x},", fnv1a(&bytes));
    line!(out, "    }};");
}

/// `pub fn kernel`: the variant of the given values; an `Option` if some combinations have none.
fn chooser(out: &mut String, kernel: &Kernel) {
    let axes = &kernel.header.axes;
    let parameters: Vec<String> =
        axes.iter().map(|axis| format!("{}: {}", parameter(axis), axis_type(axis))).collect();
    let choices: usize =
        axes.iter().map(|axis| if axis.name == "STORE" { 2 } else { axis.values.len() }).product();
    let complete = choices == kernel.variants.len();
    let (result, some, end) = match complete {
        true => ("&'static Kernel", "", ""),
        false => ("Option<&'static Kernel>", "Some(", ")"),
    };
    line!(out, "    /// The variant of these values{}.", if complete { "" } else { ", where there is one" });
    line!(out, "    pub fn kernel({}) -> {result} {{", parameters.join(", "));
    line!(out, "        match ({}) {{", axes.iter().map(|axis| parameter(axis) + ", ").collect::<String>());
    for variant in &kernel.variants {
        let value = |(axis, value): (&Axis, &String)| format!("{}::{}, ", axis_type(axis), value_name(value));
        let values: String = axes.iter().zip(&variant.values).map(value).collect();
        line!(out, "            ({values}) => {some}&{}{end},", constant(variant));
    }
    if !complete {
        line!(out, "            _ => None,");
    }
    line!(out, "        }}");
    line!(out, "    }}");
}

fn axis_type(axis: &Axis) -> String {
    if axis.name == "STORE" { "crate::kernel::Store".to_owned() } else { camel(&axis.name) }
}

fn parameter(axis: &Axis) -> String {
    ident(&axis.name.to_lowercase())
}

/// The name of a variant's static.
fn constant(variant: &Compiled) -> String {
    variant.name.to_uppercase()
}

fn value_name(value: &str) -> String {
    if value.starts_with(|c: char| c.is_ascii_digit()) { format!("N{value}") } else { camel(value) }
}

fn camel(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..].to_lowercase();
    name.split('_').filter(|part| !part.is_empty()).map(word).collect()
}

fn rust_type(ty: &Type) -> String {
    match ty {
        Type::U32 | Type::Bool => "u32".to_owned(),
        Type::I32 => "i32".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::Array(element, count, _) => format!("[{}; {count}]", rust_type(element)),
    }
}

fn literal(constant: &SpecConstant) -> String {
    match constant.ty {
        Type::U32 | Type::Array(..) => constant.default.to_string(),
        Type::I32 => constant.default.cast_signed().to_string(),
        Type::F32 => format!("f32::from_bits({:#x})", constant.default),
        Type::Bool => (constant.default != 0).to_string(),
    }
}

/// `name` as a Rust identifier, also where Rust has a meaning for it.
fn ident(name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "abstract", "as", "async", "await", "become", "box", "dyn", "enum", "extern", "final", "fn", "gen",
        "impl", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
        "static", "trait", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "yield",
    ];
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}

fn distinct<T: Display>(what: &str, names: impl Iterator<Item = T>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names.map(|name| name.to_string()) {
        if name.is_empty() || !seen.insert(name.clone()) {
            return Err(format!("two {what} are called {name:?}, or one has no name"));
        }
    }
    Ok(())
}
