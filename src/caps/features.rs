//! Optional device features.

use std::fmt;

/// A set of optional device features that kernels may need.
///
/// The build script derives the set of each kernel from its SPIR-V capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u32);

impl Features {
    /// Nothing beyond Vulkan 1.1.
    pub const NONE: Self = Self(0);
    /// `storageBuffer16BitAccess`: 16-bit values in storage buffers.
    pub const STORAGE_16: Self = Self(1 << 0);
    /// `storageBuffer8BitAccess`: 8-bit values in storage buffers.
    pub const STORAGE_8: Self = Self(1 << 1);
    /// `shaderFloat16`: arithmetic on 16-bit floats.
    pub const FLOAT_16: Self = Self(1 << 2);
    /// `shaderInt8`: arithmetic on 8-bit integers.
    pub const INT_8: Self = Self(1 << 3);
    /// `shaderInt16`: arithmetic on 16-bit integers.
    pub const INT_16: Self = Self(1 << 4);
    /// `shaderInt64`: arithmetic on 64-bit integers.
    pub const INT_64: Self = Self(1 << 5);
    /// Subgroup operations of the basic class in compute shaders.
    pub const SUBGROUP_BASIC: Self = Self(1 << 6);
    /// Subgroup reductions and scans in compute shaders.
    pub const SUBGROUP_ARITHMETIC: Self = Self(1 << 7);
    /// Subgroup shuffles in compute shaders.
    pub const SUBGROUP_SHUFFLE: Self = Self(1 << 8);
    /// `shaderIntegerDotProduct`: dot products of packed 8-bit integers.
    pub const INTEGER_DOT: Self = Self(1 << 9);
    /// `VK_KHR_cooperative_matrix`, fp16 × fp16 → fp32.
    pub const COOPERATIVE_MATRIX: Self = Self(1 << 10);
    /// `vulkanMemoryModel`, which cooperative matrices need.
    pub const VULKAN_MEMORY_MODEL: Self = Self(1 << 11);
    /// `vulkanMemoryModelDeviceScope`: workgroups may synchronise under that model as without it.
    pub const VULKAN_MEMORY_MODEL_DEVICE_SCOPE: Self = Self(1 << 12);
    /// Subgroup operations within quads.
    pub const SUBGROUP_QUAD: Self = Self(1 << 13);

    /// Every feature with Vulkan's name for it.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::STORAGE_16, "storageBuffer16BitAccess"),
        (Self::STORAGE_8, "storageBuffer8BitAccess"),
        (Self::FLOAT_16, "shaderFloat16"),
        (Self::INT_8, "shaderInt8"),
        (Self::INT_16, "shaderInt16"),
        (Self::INT_64, "shaderInt64"),
        (Self::SUBGROUP_BASIC, "subgroup basic"),
        (Self::SUBGROUP_ARITHMETIC, "subgroup arithmetic"),
        (Self::SUBGROUP_SHUFFLE, "subgroup shuffle"),
        (Self::INTEGER_DOT, "shaderIntegerDotProduct"),
        (Self::COOPERATIVE_MATRIX, "cooperativeMatrix"),
        (Self::VULKAN_MEMORY_MODEL, "vulkanMemoryModel"),
        (Self::VULKAN_MEMORY_MODEL_DEVICE_SCOPE, "vulkanMemoryModelDeviceScope"),
        (Self::SUBGROUP_QUAD, "subgroup quad"),
    ];

    /// Whether every feature of `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The union of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The features of `self` that `other` lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::NAMES.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, name)| *name);
        write!(f, "{}", names.collect::<Vec<_>>().join(", "))
    }
}
