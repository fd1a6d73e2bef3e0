//! Kinds of devices.

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
