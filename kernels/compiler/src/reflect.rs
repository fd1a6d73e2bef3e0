//! The interface of a module, read from its SPIR-V.

use std::collections::{BTreeMap, HashMap};

use spirv::{BuiltIn, Capability, Decoration, Op, StorageClass};

use crate::compile::interface::{Access, Binding, Interface, Member, SpecConstant, Type};

/// The most bytes of push constants that every device takes.
const MAX_PUSH_BYTES: u32 = 128;

/// Reads the interface of a module with names; `text` is the GLSL that it was made from.
///
/// # Errors
///
/// What of it has no place in [`Interface`], or breaks a convention.
pub fn interface(words: &[u32], text: &str) -> Result<Interface, String> {
    let module = Module::read(words);
    Ok(Interface { push: module.push()?, spec: module.spec()?, bindings: module.bindings(text)? })
}

/// The constants of `caps::Features` that a module needs.
///
/// # Errors
///
/// A capability or extension without a place in `Features`.
pub fn needs(words: &[u32]) -> Result<Vec<&'static str>, String> {
    let mut needs = Vec::new();
    for (op, operands) in instructions(words) {
        match op {
            Some(Op::Capability) => {
                let capability = Capability::from_u32(operands[0]);
                let name = capability.map_or(operands[0].to_string(), |capability| format!("{capability:?}"));
                let feature = capability.and_then(feature);
                needs.extend(feature.ok_or(format!("no device feature is known for the capability {name}"))?);
            }
            Some(Op::Extension) if !EXTENSIONS.contains(&string(operands).as_str()) => {
                return Err(format!("no device feature is known for the extension {}", string(operands)));
            }
            _ => {}
        }
    }
    needs.sort_unstable();
    needs.dedup();
    Ok(needs)
}

/// Extensions that come with a capability of [`feature`].
const EXTENSIONS: &[&str] = &[
    "SPV_KHR_8bit_storage",
    "SPV_KHR_16bit_storage",
    "SPV_KHR_cooperative_matrix",
    "SPV_KHR_integer_dot_product",
    "SPV_KHR_storage_buffer_storage_class",
    "SPV_KHR_vulkan_memory_model",
];

/// The constant of `Features` for a capability, `Some(None)` if every device has it.
fn feature(capability: Capability) -> Option<Option<&'static str>> {
    let name = match capability {
        Capability::Shader | Capability::Matrix => return Some(None),
        Capability::StorageBuffer16BitAccess => "STORAGE_16",
        Capability::StorageBuffer8BitAccess => "STORAGE_8",
        Capability::Float16 => "FLOAT_16",
        Capability::Int8 => "INT_8",
        Capability::Int16 => "INT_16",
        Capability::Int64 => "INT_64",
        Capability::GroupNonUniform => "SUBGROUP_BASIC",
        Capability::GroupNonUniformArithmetic | Capability::GroupNonUniformClustered => "SUBGROUP_ARITHMETIC",
        Capability::GroupNonUniformQuad => "SUBGROUP_QUAD",
        Capability::GroupNonUniformShuffle | Capability::GroupNonUniformShuffleRelative => "SUBGROUP_SHUFFLE",
        Capability::DotProduct
        | Capability::DotProductInputAll
        | Capability::DotProductInput4x8Bit
        | Capability::DotProductInput4x8BitPacked => "INTEGER_DOT",
        Capability::CooperativeMatrixKHR => "COOPERATIVE_MATRIX",
        Capability::VulkanMemoryModel => "VULKAN_MEMORY_MODEL",
        _ => return None,
    };
    Some(Some(name))
}

/// The opcode, where it is known, and the operands of each instruction of a valid module.
fn instructions(words: &[u32]) -> impl Iterator<Item = (Option<Op>, &[u32])> {
    let mut rest = words.get(5..).unwrap_or_default();
    std::iter::from_fn(move || {
        let &first = rest.first()?;
        let (instruction, after) = rest.split_at((first >> 16) as usize);
        rest = after;
        Some((Op::from_u32(first & 0xffff), &instruction[1..]))
    })
}

/// A nul-terminated string of SPIR-V.
fn string(words: &[u32]) -> String {
    let bytes: Vec<u8> =
        words.iter().flat_map(|word| word.to_le_bytes()).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

type Id = u32;

/// The instructions of a module that make its interface, by the id that they define.
#[derive(Default)]
struct Module<'a> {
    names: HashMap<Id, String>,
    member_names: HashMap<(Id, u32), String>,
    decorations: HashMap<(Id, Decoration), &'a [u32]>,
    member_decorations: HashMap<(Id, u32, Decoration), &'a [u32]>,
    types: HashMap<Id, (Op, &'a [u32])>,
    constants: HashMap<Id, u32>,
    /// In the module's order: id, type, default.
    spec_constants: Vec<(Id, Id, u32)>,
    composites: HashMap<Id, &'a [u32]>,
    /// In the module's order: id, pointer type, storage class.
    variables: Vec<(Id, Id, StorageClass)>,
    /// The constants of the workgroup size, if it is specialised.
    local_size: Option<[Id; 3]>,
}

impl<'a> Module<'a> {
    fn read(words: &'a [u32]) -> Self {
        let mut module = Self::default();
        for (op, operands) in instructions(words) {
            let Some(op) = op else { continue };
            match (op, operands) {
                (Op::Name, [id, name @ ..]) => {
                    module.names.insert(*id, string(name));
                }
                (Op::MemberName, [id, member, name @ ..]) => {
                    module.member_names.insert((*id, *member), string(name));
                }
                (Op::Decorate, [id, decoration, rest @ ..]) => {
                    if let Some(decoration) = Decoration::from_u32(*decoration) {
                        module.decorations.insert((*id, decoration), rest);
                    }
                }
                (Op::MemberDecorate, [id, member, decoration, rest @ ..]) => {
                    if let Some(decoration) = Decoration::from_u32(*decoration) {
                        module.member_decorations.insert((*id, *member, decoration), rest);
                    }
                }
                (Op::TypeBool | Op::TypeInt | Op::TypeFloat | Op::TypeVector, [id, rest @ ..])
                | (Op::TypeArray | Op::TypeStruct | Op::TypePointer, [id, rest @ ..]) => {
                    module.types.insert(*id, (op, rest));
                }
                (Op::Constant, [_, id, value, ..]) => {
                    module.constants.insert(*id, *value);
                }
                (Op::SpecConstant, [ty, id, value, ..]) => module.spec_constants.push((*id, *ty, *value)),
                (Op::SpecConstantTrue, [ty, id]) => module.spec_constants.push((*id, *ty, 1)),
                (Op::SpecConstantFalse, [ty, id]) => module.spec_constants.push((*id, *ty, 0)),
                (Op::SpecConstantComposite, [_, id, parts @ ..]) => {
                    module.composites.insert(*id, parts);
                }
                (Op::Variable, [ty, id, class, ..]) => {
                    if let Some(class) = StorageClass::from_u32(*class) {
                        module.variables.push((*id, *ty, class));
                    }
                }
                _ => {}
            }
        }
        let workgroup_size = |(id, decoration): &(Id, Decoration), rest: &[u32]| {
            let is = *decoration == Decoration::BuiltIn && rest == [BuiltIn::WorkgroupSize as u32];
            let parts = module.composites.get(id).filter(|_| is)?;
            <[Id; 3]>::try_from(*parts).ok()
        };
        module.local_size = module.decorations.iter().find_map(|(key, rest)| workgroup_size(key, rest));
        module
    }

    fn number(&self, id: Id, decoration: Decoration) -> Option<u32> {
        self.decorations.get(&(id, decoration))?.first().copied()
    }

    fn name(&self, id: Id) -> &str {
        self.names.get(&id).map_or("", String::as_str)
    }

    fn pointee(&self, pointer: Id) -> Id {
        match self.types.get(&pointer) {
            Some((Op::TypePointer, [_, ty])) => *ty,
            _ => pointer,
        }
    }

    /// The type, with 32-bit scalars and arrays of them only.
    fn ty(&self, id: Id) -> Option<Type> {
        match *self.types.get(&id)? {
            (Op::TypeBool, _) => Some(Type::Bool),
            (Op::TypeInt, [32, 0]) => Some(Type::U32),
            (Op::TypeInt, [32, 1]) => Some(Type::I32),
            (Op::TypeFloat, [32, ..]) => Some(Type::F32),
            (Op::TypeVector, [element, count]) => Some(Type::Array(self.ty(*element)?.into(), *count, 4)),
            (Op::TypeArray, [element, length]) => {
                let stride = self.number(id, Decoration::ArrayStride)?;
                Some(Type::Array(self.ty(*element)?.into(), *self.constants.get(length)?, stride))
            }
            _ => None,
        }
    }

    fn push(&self) -> Result<Vec<Member>, String> {
        let is_push = |variable: &&(Id, Id, StorageClass)| variable.2 == StorageClass::PushConstant;
        let Some((_, pointer, _)) = self.variables.iter().find(is_push) else { return Ok(Vec::new()) };
        let block = self.pointee(*pointer);
        let members = self.types.get(&block).map_or(&[][..], |(_, members)| *members);
        let mut push = Vec::new();
        for (&ty, place) in members.iter().zip(0..) {
            let name = self.member_names.get(&(block, place)).cloned().unwrap_or_default();
            let ty = self.ty(ty).ok_or(format!("push constant {name} is not made of 32-bit numbers"))?;
            let offset =
                self.member_decorations.get(&(block, place, Decoration::Offset)).map_or(0, |rest| rest[0]);
            push.push(Member { name, ty, offset });
        }
        push.sort_by_key(|member| member.offset);
        match push.last().map_or(0, |member| member.offset + member.ty.bytes()) {
            bytes if bytes > MAX_PUSH_BYTES => Err(format!(
                "{bytes} bytes of push constants: not every device takes more than {MAX_PUSH_BYTES}"
            )),
            _ => Ok(push),
        }
    }

    fn spec(&self) -> Result<Vec<SpecConstant>, String> {
        const SIZE: [&str; 3] = ["wg_x", "wg_y", "wg_z"];
        let mut by_id: BTreeMap<u32, SpecConstant> = BTreeMap::new();
        for &(constant, ty, default) in &self.spec_constants {
            let Some(id) = self.number(constant, Decoration::SpecId) else { continue };
            // `local_size_x_id` makes a constant without a name, beside the one that the shader may declare.
            let size = SIZE.get(id as usize);
            let name = match (self.name(constant), size) {
                ("", Some(size)) if by_id.contains_key(&id) && *size == by_id[&id].name => continue,
                ("", Some(size)) => (*size).to_owned(),
                (name, _) => name.to_lowercase(),
            };
            if size.is_some_and(|size| *size != name) || size.is_none() && SIZE.contains(&name.as_str()) {
                return Err(format!("constant_id {id} is {name:?}: ids 0, 1, 2 are WG_X, WG_Y, WG_Z"));
            }
            let ty = self.ty(ty).filter(|ty| !matches!(ty, Type::Array(..)));
            let ty = ty.ok_or(format!("specialisation constant {name} is not a 32-bit number"))?;
            by_id.insert(id, SpecConstant { id, name, ty, default });
        }
        for (name, id) in SIZE.iter().zip(0..).filter(|(_, id)| by_id.contains_key(id)) {
            let part = self.local_size.and_then(|size| self.number(size[id as usize], Decoration::SpecId));
            if part != Some(id) {
                let (name, axis) = (name.to_uppercase(), &name[3..]);
                return Err(format!("{name} is not the workgroup size: add local_size_{axis}_id = {id}"));
            }
        }
        Ok(by_id.into_values().collect())
    }

    fn bindings(&self, text: &str) -> Result<Vec<Binding>, String> {
        let mut blocks: BTreeMap<u32, Vec<(usize, String, Access)>> = BTreeMap::new();
        for &(variable, pointer, class) in &self.variables {
            let Some(binding) = self.number(variable, Decoration::Binding) else { continue };
            let block = self.pointee(pointer);
            let name = self.name(block);
            let is_struct = matches!(self.types.get(&block), Some((Op::TypeStruct, _)));
            if class != StorageClass::StorageBuffer || !is_struct {
                return Err(format!("binding {binding} is not a storage buffer"));
            }
            if self.number(variable, Decoration::DescriptorSet) != Some(0) {
                return Err(format!("binding {binding} ({name}) is not in set 0"));
            }
            let place = declaration(text, name).unwrap_or(usize::MAX);
            let block = (place, name.to_lowercase(), self.access(variable, block));
            blocks.entry(binding).or_default().push(block);
        }
        let mut bindings = Vec::new();
        for ((number, mut blocks), expected) in blocks.into_iter().zip(0..) {
            if number != expected {
                return Err(format!(
                    "binding {expected} is missing: bindings are numbered from 0 without a gap"
                ));
            }
            blocks.sort_by_key(|(place, ..)| *place);
            let union = |a: Access, b: Access| if a == b { a } else { Access::ReadWrite };
            let access = blocks.iter().map(|(.., access)| *access).reduce(union).unwrap_or(Access::ReadWrite);
            bindings.push(Binding { name: blocks.swap_remove(0).1, access });
        }
        Ok(bindings)
    }

    fn access(&self, variable: Id, block: Id) -> Access {
        let members = self.types.get(&block).map_or(0, |(_, members)| members.len() as u32);
        let all = |decoration| {
            self.decorations.contains_key(&(variable, decoration))
                || (0..members)
                    .all(|member| self.member_decorations.contains_key(&(block, member, decoration)))
        };
        match (all(Decoration::NonWritable), all(Decoration::NonReadable)) {
            (true, false) => Access::Read,
            (false, true) => Access::Write,
            _ => Access::ReadWrite,
        }
    }
}

/// Where `text` declares the block `name`: the place of `name {`.
fn declaration(text: &str, name: &str) -> Option<usize> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(name).map(|(place, _)| place).find(|&place| {
        !text[..place].ends_with(is_word) && text[place + name.len()..].trim_start().starts_with('{')
    })
}
