//! What a device can do, as plain data: read once from the driver by `vk`, asked by everyone.

mod features;
mod kind;
mod machine;
mod submission;
pub mod vendor;

pub use features::Features;
pub use kind::DeviceKind;
pub use machine::{Machine, Registers};
pub use submission::Submission;

use crate::codes::join::JOIN_MOST;

/// Facts about one device that planning and lowering depend on.
#[derive(Clone, Debug)]
pub struct Caps {
    /// The driver's name for the device.
    pub name: String,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// Its hardware, as cost models see it.
    pub machine: Machine,
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
    /// The same for int8 × int8 → int32.
    pub cooperative_matrix_integers: Vec<(u32, u32, u32)>,
}

impl Caps {
    /// Whether an invocation has so few registers that larger tiles would spill.
    pub fn few_registers(&self) -> bool {
        self.machine.registers <= Registers::Few
    }

    /// Whether an invocation has so few registers that compilers serialise loads rather than spill.
    pub fn fewest_registers(&self) -> bool {
        self.machine.registers == Registers::Fewest
    }

    /// Whether the device can add in 16 bits, and is faster for it.
    pub fn sums_16(&self) -> bool {
        self.features.contains(Features::STORAGE_16.with(Features::FLOAT_16)) && self.machine.fast_16
    }

    /// Whether the device has dot products of packed 8-bit integers, and is faster for them.
    pub fn dot_8(&self) -> bool {
        self.features.contains(Features::INTEGER_DOT) && self.machine.fast_dot
    }

    /// The most invocations, a power of two, of a workgroup reduction (`kernels/lib/join.glsl`).
    pub fn max_joined(&self) -> u32 {
        let most = self.max_invocations.min(self.max_workgroup[0]).min(JOIN_MOST);
        1 << most.max(1).ilog2()
    }

    /// The weakest device that Vulkan 1.1 allows; the base for tests.
    pub fn minimum() -> Self {
        Self {
            name: "minimum".into(),
            kind: DeviceKind::Other,
            machine: Machine::new(DeviceKind::Other, 0, None, 16384),
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
            cooperative_matrix_integers: Vec::new(),
        }
    }
}
