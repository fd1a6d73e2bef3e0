//! What a dispatch runs: SPIR-V with its reflected interface.

use super::unpack::unpack;
use crate::caps::Features;

/// How a kernel touches a binding, from the shader's `readonly` and `writeonly`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Only reads.
    Read,
    /// Only writes.
    Write,
    /// Reads and writes.
    ReadWrite,
}

impl Access {
    /// Whether the kernel reads through the binding.
    pub const fn reads(self) -> bool {
        !matches!(self, Self::Write)
    }

    /// Whether the kernel writes through the binding.
    pub const fn writes(self) -> bool {
        !matches!(self, Self::Read)
    }
}

/// One storage buffer of a kernel; its binding number is its place in [`Kernel::bindings`].
#[derive(Debug)]
pub struct Binding {
    /// The shader's name of the (first) block at this binding, in lower case.
    pub name: &'static str,
    /// What the shader does with it.
    pub access: Access,
}

/// One specialisation constant of a kernel.
#[derive(Debug)]
pub struct SpecConstant {
    /// Its `constant_id`.
    pub id: u32,
    /// The shader's name for it, in lower case.
    pub name: &'static str,
}

/// One compiled variant of a kernel file.
#[derive(Debug)]
pub struct Kernel {
    /// File and variant, as `conv2d_f16_4`.
    pub name: &'static str,
    /// The SPIR-V module, validated and optimised, as `kernels/compile/pack.rs` packs it; entry point `main`.
    pub packed: &'static [u8],
    /// Storage buffers, by binding number from 0; all in set 0.
    pub bindings: &'static [Binding],
    /// Specialisation constants; `wg_x`, `wg_y`, `wg_z` (ids 0, 1, 2) are the workgroup size.
    pub spec: &'static [SpecConstant],
    /// Size of the push constants in bytes.
    pub push_bytes: u32,
    /// Device features beyond Vulkan 1.1 that the module needs.
    pub needs: Features,
    /// A hash of the module: the key of caches.
    pub hash: u64,
}

impl Kernel {
    /// The words of the module.
    pub fn words(&self) -> Vec<u32> {
        unpack(self.packed)
    }
}

/// How activations are stored in device memory. The axis `STORE` of kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Store {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats; arithmetic stays 32-bit.
    F16,
}

impl Store {
    /// Bytes of one element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

/// The width of the elements that a kernel moves without looking at them, in bits. The axis `SIZE` of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// 32 bits.
    N32,
    /// 16 bits.
    N16,
    /// 8 bits.
    N8,
}

/// How a workgroup reduces the values of its invocations (`kernels/lib/join.glsl`). The axis `JOIN` of
/// kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Join {
    /// As a tree in shared memory.
    #[default]
    Memory,
    /// With subgroup operations, then through shared memory between subgroups.
    Subgroups,
}
