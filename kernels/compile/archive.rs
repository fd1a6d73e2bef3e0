//! The compiled variants of a kernel file, as they lie in `compiled/NAME.lzma`.
//!
//! The file is LZMA's own format, which `xz --format=lzma -dc FILE` unpacks, and one stream for all variants,
//! which are much alike. In it lie, one after the other:
//!
//! * a text of lines, in this order:
//!
//!   ```text
//!   kernel archive 1            the version of the format
//!   key 0123456789abcdef        that of the source, see `Source::key`
//!   variant f16 4               the values of the axes; the following lines are of this variant
//!   needs FLOAT_16 STORAGE_16   constants of `Features`
//!   push 16 f32*4+4*2+16 tint   a push constant: offset, type, name
//!   spec 10 u32 64 width        a specialisation constant: id, type, bits of the default, name
//!   binding read x              by binding number: read, write or both, and the name
//!   words 1234                  the length of the module
//!   ```
//!
//!   An array or a vector is written as element`*`count`+`bytes from one to the next.
//! * an empty line,
//! * the optimised modules, in the order of the variants, in words of four bytes, the lowest first,
//! * the FNV-1a hash of all this, in eight bytes, the lowest first.

use std::fmt::Write;
use std::str::FromStr;

use super::interface::{Access, Binding, Interface, Member, SpecConstant, Type};
use super::{Compiled, fnv1a};

const FORMAT: &str = "kernel archive 1";

/// What an archive holds.
pub struct Archive {
    /// The key of what the variants were compiled from.
    pub key: u64,
    /// In the order of the header's variants.
    pub variants: Vec<Compiled>,
}

impl Archive {
    /// The bytes before compression.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{FORMAT}\nkey {:016x}\n", self.key);
        for variant in &self.variants {
            text += &variant.text();
        }
        text += "\n";
        let mut bytes = text.into_bytes();
        let words = self.variants.iter().flat_map(|variant| &variant.words);
        bytes.extend(words.flat_map(|word| word.to_le_bytes()));
        let hash = fnv1a(&bytes);
        bytes.extend(hash.to_le_bytes());
        bytes
    }

    /// Reads what [`encode`](Self::encode) makes; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (bytes, hash) = bytes.split_last_chunk()?;
        if fnv1a(bytes) != u64::from_le_bytes(*hash) {
            return None;
        }
        let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
        let (mut words, []) = bytes[end + 2..].as_chunks::<4>() else { return None };
        let mut lines = std::str::from_utf8(&bytes[..end]).ok()?.lines();
        if lines.next()? != FORMAT {
            return None;
        }
        let key = u64::from_str_radix(lines.next()?.strip_prefix("key ")?, 16).ok()?;
        let mut variants: Vec<Compiled> = Vec::new();
        for line in lines {
            let mut parts = line.split(' ');
            if parts.next()? == "variant" {
                variants.push(Compiled { values: strings(parts), ..Compiled::default() });
            } else {
                variants.last_mut()?.read(line, &mut words)?;
            }
        }
        words.is_empty().then_some(Self { key, variants })
    }
}

impl Compiled {
    fn text(&self) -> String {
        let Interface { push, spec, bindings } = &self.interface;
        let mut text = format!("variant {}\nneeds {}\n", self.values.join(" "), self.needs.join(" "));
        let mut line = |parts: std::fmt::Arguments<'_>| {
            text.write_fmt(parts).expect("a String takes everything");
            text.push('\n');
        };
        for Member { name, ty, offset } in push {
            line(format_args!("push {offset} {} {name}", type_text(ty)));
        }
        for SpecConstant { id, name, ty, default } in spec {
            line(format_args!("spec {id} {} {default} {name}", type_text(ty)));
        }
        for Binding { name, access } in bindings {
            line(format_args!("binding {} {name}", access_text(*access)));
        }
        line(format_args!("words {}", self.words.len()));
        text
    }

    /// Takes what a line of a variant says, and its module from the front of `words`.
    fn read(&mut self, line: &str, words: &mut &[[u8; 4]]) -> Option<()> {
        let mut parts = line.split(' ');
        match parts.next()? {
            "needs" => self.needs = strings(parts),
            "push" => {
                let (offset, ty) = (number(parts.next())?, parse_type(parts.next()?)?);
                self.interface.push.push(Member { name: parts.next()?.to_owned(), ty, offset });
            }
            "spec" => {
                let (id, ty, default) =
                    (number(parts.next())?, parse_type(parts.next()?)?, number(parts.next())?);
                let name = parts.next()?.to_owned();
                self.interface.spec.push(SpecConstant { id, name, ty, default });
            }
            "binding" => {
                let access = parse_access(parts.next()?)?;
                self.interface.bindings.push(Binding { name: parts.next()?.to_owned(), access });
            }
            "words" => {
                let (module, behind) = words.split_at_checked(number(parts.next())?)?;
                self.words = module.iter().map(|word| u32::from_le_bytes(*word)).collect();
                *words = behind;
            }
            _ => return None,
        }
        Some(())
    }
}

fn strings<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn number<T: FromStr>(part: Option<&str>) -> Option<T> {
    part?.parse().ok()
}

fn type_text(ty: &Type) -> String {
    match ty {
        Type::U32 => "u32".into(),
        Type::I32 => "i32".into(),
        Type::F32 => "f32".into(),
        Type::Bool => "bool".into(),
        Type::Array(element, count, stride) => format!("{}*{count}+{stride}", type_text(element)),
    }
}

fn parse_type(text: &str) -> Option<Type> {
    Some(match text {
        "u32" => Type::U32,
        "i32" => Type::I32,
        "f32" => Type::F32,
        "bool" => Type::Bool,
        _ => {
            let (element, sizes) = text.rsplit_once('*')?;
            let (count, stride) = sizes.split_once('+')?;
            Type::Array(parse_type(element)?.into(), number(Some(count))?, number(Some(stride))?)
        }
    })
}

fn access_text(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::ReadWrite => "both",
    }
}

fn parse_access(text: &str) -> Option<Access> {
    match text {
        "read" => Some(Access::Read),
        "write" => Some(Access::Write),
        "both" => Some(Access::ReadWrite),
        _ => None,
    }
}
