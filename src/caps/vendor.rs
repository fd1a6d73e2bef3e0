//! Vendors whose devices need to be known by name (`VkPhysicalDeviceProperties::vendorID`).

/// Arm: Mali and Immortalis.
pub const ARM: u32 = 0x13b5;
/// Broadcom: V3D.
pub const BROADCOM: u32 = 0x14e4;
/// Imagination: PowerVR.
pub const IMAGINATION: u32 = 0x1010;
/// Qualcomm: Adreno.
pub const QUALCOMM: u32 = 0x5143;
