//! The Rust code of `kernel::table`.

use std::collections::HashSet;
use std::fmt::{Display, Write};

use super::interface::{Interface, SpecConstant, Type};
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
    line!(out, "pub static ALL: &[&crate::program::Kernel] = &[");
    for kernel in kernels {
        for variant in &kernel.variants {
            line!(out, "    &{}::{},", ident(&kernel.name), constant(variant));
        }
    }
    line!(out, "];");
    for kernel in kernels {
        match module(kernel) {
            Ok(text) => out += &text,
            Err(error) => errors.push(format!("{}: error: {error}", kernel.path)),
        }
    }
    if errors.is_empty() { Ok(out) } else { Err(errors) }
}

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
    line!(out, "    use crate::program::{{Access, Binding, Kernel, SpecConstant}};");
    line!(out, "    use crate::program::{{BufferId, Launch}};");
    for axis in kernel.header.axes.iter().filter(|axis| axis.shared().is_none()) {
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

/// A field of `Spec`: one constant, or an array of those that are numbered.
struct SpecField<'a> {
    name: &'a str,
    is_array: bool,
    constants: Vec<&'a SpecConstant>,
}

impl SpecField<'_> {
    /// The expression for constant `index` of `self`.
    fn place(&self, index: usize) -> String {
        let field = format!("self.{}", ident(self.name));
        if self.is_array { format!("{field}[{index}]") } else { field }
    }

    fn ty(&self) -> String {
        let one = rust_type(&self.constants[0].ty);
        if self.is_array { format!("[{one}; {}]", self.constants.len()) } else { one }
    }

    fn default(&self) -> String {
        let all: Vec<String> = self.constants.iter().map(|constant| literal(constant)).collect();
        if self.is_array { format!("[{}]", all.join(", ")) } else { all.concat() }
    }
}

fn spec_fields(spec: &[SpecConstant]) -> Result<Vec<SpecField<'_>>, String> {
    let mut fields: Vec<SpecField<'_>> = Vec::new();
    for constant in spec {
        let numbered = constant
            .name
            .rsplit_once('_')
            .and_then(|(name, index)| Some((name, index.parse::<usize>().ok()?)));
        let Some((name, index)) = numbered else {
            fields.push(SpecField { name: &constant.name, is_array: false, constants: vec![constant] });
            continue;
        };
        let place = fields.iter().position(|field| field.is_array && field.name == name);
        let place = place.unwrap_or_else(|| {
            fields.push(SpecField { name, is_array: true, constants: Vec::new() });
            fields.len() - 1
        });
        let constants = &mut fields[place].constants;
        if index != constants.len() || constants.first().is_some_and(|first| first.ty != constant.ty) {
            let name = name.to_uppercase();
            return Err(format!("{name}_0, {name}_1, … are not numbered from 0 by id, or not of one type"));
        }
        constants.push(constant);
    }
    Ok(fields)
}

fn spec_struct(out: &mut String, fields: &[SpecField<'_>], spec: &[SpecConstant]) {
    line!(out, "    #[derive(Clone, Copy, Debug, PartialEq)]");
    line!(out, "    pub struct Spec {{");
    for field in fields {
        line!(out, "        pub {}: {},", ident(field.name), field.ty());
    }
    line!(out, "    }}");
    line!(out, "    impl Default for Spec {{");
    line!(out, "        /// The shader's own values.");
    line!(out, "        fn default() -> Self {{");
    line!(out, "            Self {{");
    for field in fields {
        line!(out, "                {}: {},", ident(field.name), field.default());
    }
    line!(out, "            }}");
    line!(out, "        }}");
    line!(out, "    }}");
    line!(out, "    impl Spec {{");
    line!(out, "        /// The values in the order of [`Kernel::spec`].");
    line!(out, "        pub fn words(&self) -> Vec<u32> {{");
    let word = |constant: &SpecConstant| {
        let find = |field: &SpecField<'_>| {
            Some(field.place(field.constants.iter().position(|other| other.id == constant.id)?))
        };
        let place = fields.iter().find_map(find).expect("every constant is in a field");
        match constant.ty {
            Type::U32 | Type::Array(..) => place,
            Type::I32 => format!("{place}.cast_unsigned()"),
            Type::F32 => format!("{place}.to_bits()"),
            Type::Bool => format!("u32::from({place})"),
        }
    };
    line!(out, "            vec![{}]", spec.iter().map(word).collect::<Vec<_>>().join(", "));
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
    line!(out, "    /// A launch of `kernel`, one of this module.");
    line!(
        out,
        "    pub fn dispatch(kernel: &'static Kernel, spec: Spec, push: Push, bind: Bind, grid: [u32; 3]) -> Launch {{"
    );
    let bindings: Vec<String> =
        interface.bindings.iter().map(|binding| format!("bind.{}", ident(&binding.name))).collect();
    line!(
        out,
        "        Launch::new(kernel, spec.words(), push.bytes(), vec![{}], grid)",
        bindings.join(", ")
    );
    line!(out, "    }}");
}

fn kernel_static(out: &mut String, variant: &Compiled) {
    let Compiled { name, words, interface, needs, .. } = variant;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    line!(out, "    pub(super) static {}: Kernel = Kernel {{", constant(variant));
    line!(out, "        name: {name:?},");
    let file = format!("concat!(env!(\"OUT_DIR\"), \"/spirv/{name}.packed\")");
    line!(out, "        packed: include_bytes!({file}),");
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
        axes.iter().map(|axis| axis.shared().map_or(axis.values.len(), <[_]>::len)).product();
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
    let name = camel(&axis.name);
    if axis.shared().is_some() { format!("crate::program::{name}") } else { name }
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
        Type::U32 => "u32".to_owned(),
        Type::I32 => "i32".to_owned(),
        Type::F32 => "f32".to_owned(),
        Type::Bool => "bool".to_owned(),
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
    const KEYWORDS: &str = "abstract as async await become box break const continue do dyn else enum extern false \
        final fn for gen if impl in let loop macro match mod move mut override priv pub ref return static struct \
        trait true try type typeof unsafe unsized use virtual where while yield";
    let is_keyword = KEYWORDS.split_whitespace().any(|word| word == name);
    if is_keyword { format!("r#{name}") } else { name.to_owned() }
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
