//! What a device can do, as plain data: read once from the driver by `vk`, asked by everyone.

use std::fmt;

use crate::codes::join::JOIN_MOST;

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

/// What kind of device this is (`VkPhysicalDeviceType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// A GPU with its own memory.
    Discrete,
    /// A GPU that shares the host's memory.
    Integrated,
    /// A GPU seen through virtualisation.
    Virtual,
    /// A software implementation on the CPU.
    Software,
    /// Anything else.
    #[default]
    Other,
}

/// The most work that one submission should hold: drivers stop what seems to hang, and a display may
/// wait for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Submission {
    /// Estimated seconds.
    pub seconds: f64,
    /// Dispatches.
    pub dispatches: usize,
}

impl Submission {
    /// For devices of this kind and vendor (PCI id).
    pub fn of(kind: DeviceKind, vendor: u32) -> Self {
        const ARM: u32 = 0x13b5;
        const IMAGINATION: u32 = 0x1010;
        let dispatches = match vendor {
            // Drivers of old Malis and of PowerVR give up on more than about so many.
            ARM => 24,
            IMAGINATION => 16,
            _ => usize::MAX,
        };
        let seconds = match kind {
            // Nothing watches a CPU.
            DeviceKind::Software => f64::INFINITY,
            DeviceKind::Discrete => 0.2,
            _ => 0.1,
        };
        Self { seconds, dispatches }
    }
}

/// Facts about one device that planning and lowering depend on.
#[derive(Clone, Debug)]
pub struct Caps {
    /// The driver's name for the device.
    pub name: String,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// PCI vendor id (`VkPhysicalDeviceProperties::vendorID`).
    pub vendor: u32,
    /// Optional features that are present.
    pub features: Features,
    /// Invocations that run in lockstep.
    pub subgroup_size: u32,
    /// `maxComputeWorkGroupInvocations`.
    pub max_invocations: u32,
    /// `maxComputeWorkGroupSize`.
    pub max_workgroup: [u32; 3],
    /// `maxComputeWorkGroupCount`.
    pub max_grid: [u32; 3],
    /// `maxComputeSharedMemorySize` in bytes.
    pub max_shared_bytes: u32,
    /// `maxStorageBufferRange` in bytes.
    pub max_storage_range: u64,
    /// `minStorageBufferOffsetAlignment` in bytes.
    pub buffer_alignment: u64,
    /// `maxPerStageDescriptorStorageBuffers`.
    pub max_storage_buffers: u32,
    /// The most work that one submission should hold.
    pub submission: Submission,
    /// Cooperative-matrix shapes `(m, n, k)` for fp16 × fp16 → fp32 at subgroup scope.
    pub cooperative_matrix: Vec<(u32, u32, u32)>,
}

impl Caps {
    /// Whether an invocation has no more than 64 registers at any occupancy, so that larger tiles would
    /// spill: GPUs of Arm, Broadcom and Imagination.
    pub fn few_registers(&self) -> bool {
        matches!(self.vendor, 0x13b5 | 0x14e4 | 0x1010)
    }

    /// Whether compilers give an invocation 64 registers at most and rather wait for each load than spill:
    /// GPUs of Broadcom.
    pub fn fewest_registers(&self) -> bool {
        self.vendor == 0x14e4
    }

    /// Whether sums of 16-bit numbers can be 16 bits wide, and are faster for it. V3D has such arithmetic,
    /// but takes the halves of registers apart for it; CPUs convert before and after each operation.
    pub fn sums_16(&self) -> bool {
        self.features.contains(Features::STORAGE_16.with(Features::FLOAT_16))
            && self.vendor != 0x14e4
            && self.kind != DeviceKind::Software
    }

    /// The most invocations, a power of two, of a workgroup that joins what they hold (`kernels/lib/join.glsl`).
    pub fn max_joined(&self) -> u32 {
        let most = self.max_invocations.min(self.max_workgroup[0]).min(JOIN_MOST);
        1 << most.max(1).ilog2()
    }

    /// The weakest device that Vulkan 1.1 allows; the base for tests.
    pub fn minimum() -> Self {
        Self {
            name: "minimum".into(),
            kind: DeviceKind::Other,
            vendor: 0,
            features: Features::NONE,
            subgroup_size: 1,
            max_invocations: 128,
            max_workgroup: [128, 128, 64],
            max_grid: [65535; 3],
            max_shared_bytes: 16384,
            max_storage_range: 1 << 27,
            buffer_alignment: 256,
            max_storage_buffers: 8,
            submission: Submission::of(DeviceKind::Other, 0),
            cooperative_matrix: Vec::new(),
        }
    }
}
