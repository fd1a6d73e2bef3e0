//! What the host must pass to a kernel.

/// A type of push constants (`Bool` is `U32` there) or specialisation constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `uint`.
    U32,
    /// `int`.
    I32,
    /// `float`.
    F32,
    /// `bool`.
    Bool,
    /// Element, count, bytes from one to the next. A vector is an array too.
    Array(Box<Type>, u32, u32),
}

impl Type {
    /// Bytes that it covers in a block.
    pub fn bytes(&self) -> u32 {
        match self {
            Self::Array(element, count, stride) => (count - 1) * stride + element.bytes(),
            _ => 4,
        }
    }
}

/// A member of the push constant block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As the shader spells it.
    pub name: String,
    /// What it is made of.
    pub ty: Type,
    /// In bytes, from the start of the block.
    pub offset: u32,
}

/// A specialisation constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecConstant {
    /// Its `constant_id`.
    pub id: u32,
    /// In lower case.
    pub name: String,
    /// A scalar.
    pub ty: Type,
    /// The bits of the shader's own value.
    pub default: u32,
}

/// How a shader touches a binding; the names are those of `kernel::Access`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reads.
    Read,
    /// Only writes.
    Write,
    /// Reads and writes, or does not say.
    ReadWrite,
}

/// A storage buffer: one or more blocks at the same binding number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The name of the first declared block, in lower case.
    pub name: String,
    /// What all blocks at this binding do together.
    pub access: Access,
}

/// What the host must pass to a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// By offset.
    pub push: Vec<Member>,
    /// By id.
    pub spec: Vec<SpecConstant>,
    /// By binding number.
    pub bindings: Vec<Binding>,
}

impl Interface {
    /// Size of the push constants in bytes.
    pub fn push_bytes(&self) -> u32 {
        self.push.iter().map(|member| member.offset + member.ty.bytes()).max().unwrap_or(0)
    }

    /// In words, the first difference between two variants' interfaces; the access to a binding may differ.
    pub fn difference(&self, other: &Self) -> Option<String> {
        fn first<T: PartialEq>(what: &str, a: &[T], b: &[T], show: impl Fn(&T) -> String) -> Option<String> {
            let place = (0..a.len().max(b.len())).find(|&place| a.get(place) != b.get(place))?;
            let side = |list: &[T]| list.get(place).map_or("nothing".to_owned(), &show);
            Some(format!("{what} {} against {}", side(a), side(b)))
        }
        let member = |m: &Member| format!("{}: {:?} at byte {}", m.name, m.ty, m.offset);
        let constant = |c: &SpecConstant| format!("{} (id {}): {:?} = {:#x}", c.name, c.id, c.ty, c.default);
        let names = |interface: &Self| interface.bindings.iter().map(|b| b.name.clone()).collect::<Vec<_>>();
        first("push constant", &self.push, &other.push, member)
            .or_else(|| first("specialisation constant", &self.spec, &other.spec, constant))
            .or_else(|| first("binding", &names(self), &names(other), String::clone))
    }
}
