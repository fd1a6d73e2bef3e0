//! What a physical device tells of itself: limits, and how it is built.

use ash::{amd, arm, nv, vk};

use super::device_info::{self, DeviceInfo};
use super::environment::variable;
use super::features::{self, Offer};
use super::instance::Instance;
use super::logical_device::Limits;
use crate::caps::{Caps, Machine, Submission};

/// Storage buffers are placed at multiples of at least this many bytes, so that kernels may read
/// four floats at once.
const ALIGNMENT: u64 = 16;

/// Decides whether convolutions of integers one behind the other are one dispatch: 0 never, 1 wherever a kernel can.
const FUSES_INTEGERS_VARIABLE: &str = "TFLITE_VULKAN_FUSE_INTEGERS";

/// Asks a device of at least Vulkan 1.1, whose queue is of `family`.
pub(super) fn query(
    instance: &Instance,
    physical: vk::PhysicalDevice,
    family: u32,
    info: &DeviceInfo,
    offer: &Offer,
) -> (Caps, Limits) {
    let mut maintenance = vk::PhysicalDeviceMaintenance3Properties::default();
    let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut maintenance);
    // SAFETY: the device offers Vulkan 1.1, which knows the structure.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    let limits = all.properties.limits;
    let mut host_import = vk::PhysicalDeviceExternalMemoryHostPropertiesEXT::default();
    if offer.sharing.host_pointer {
        let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut host_import);
        // SAFETY: the device offers the extension that the structure belongs to.
        unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    }
    // SAFETY: the handle was enumerated from this instance.
    let families = unsafe { instance.raw().get_physical_device_queue_family_properties(physical) };
    let shared_bytes = limits.max_compute_shared_memory_size;
    let machine = Machine::new(info.kind, info.vendor, cores(instance, physical), shared_bytes);
    let caps = Caps {
        name: info.name.clone(),
        kind: info.kind,
        machine: Machine {
            fast_dot: offer.fast_dot,
            fuses_integers: variable(FUSES_INTEGERS_VARIABLE)
                .map_or(machine.fuses_integers, |value| Some(value == "1")),
            ..machine
        },
        features: offer.features,
        subgroup_size: features::subgroup(instance, physical).0,
        max_invocations: limits.max_compute_work_group_invocations,
        max_workgroup: limits.max_compute_work_group_size,
        max_grid: limits.max_compute_work_group_count,
        max_shared_bytes: shared_bytes,
        max_storage_range: limits.max_storage_buffer_range.into(),
        buffer_alignment: limits.min_storage_buffer_offset_alignment.max(ALIGNMENT),
        max_storage_buffers: limits.max_per_stage_descriptor_storage_buffers,
        submission: Submission::of(info.kind, info.vendor),
        cooperative_matrix: offer.cooperative_matrix.clone(),
        cooperative_matrix_integers: offer.cooperative_matrix_integers.clone(),
    };
    let limits = Limits {
        allocation: maintenance.max_memory_allocation_size.max(1 << 30),
        atom: limits.non_coherent_atom_size.max(1),
        host_import: host_import.min_imported_host_pointer_alignment.max(1),
        timestamp_bits: families.get(family as usize).map_or(0, |family| family.timestamp_valid_bits),
        timestamp_period: limits.timestamp_period,
    };
    (caps, limits)
}

/// How many cores the device has, where a vendor's extension tells. Properties need no extension enabled.
fn cores(instance: &Instance, physical: vk::PhysicalDevice) -> Option<u32> {
    let offered = device_info::extensions(instance, physical);
    let known = |name: &std::ffi::CStr| offered.iter().any(|offered| offered == name.to_bytes());
    let mut nvidia = vk::PhysicalDeviceShaderSMBuiltinsPropertiesNV::default();
    let mut amd = vk::PhysicalDeviceShaderCorePropertiesAMD::default();
    let mut amd_active = vk::PhysicalDeviceShaderCoreProperties2AMD::default();
    let mut arm = vk::PhysicalDeviceShaderCoreBuiltinsPropertiesARM::default();
    let mut all = vk::PhysicalDeviceProperties2::default();
    if known(nv::shader_sm_builtins::NAME) {
        all = all.push_next(&mut nvidia);
    }
    if known(amd::shader_core_properties::NAME) {
        all = all.push_next(&mut amd);
    }
    if known(amd::shader_core_properties2::NAME) {
        all = all.push_next(&mut amd_active);
    }
    if known(arm::shader_core_builtins::NAME) {
        all = all.push_next(&mut arm);
    }
    // SAFETY: the device offers Vulkan 1.1, and the extension of every structure that is chained.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    let units = [amd.shader_arrays_per_engine_count, amd.compute_units_per_shader_array]
        .into_iter()
        .fold(amd.shader_engine_count, u32::saturating_mul);
    // Where a structure was not chained, its numbers are 0.
    [nvidia.shader_sm_count, amd_active.active_compute_unit_count, units, arm.shader_core_count]
        .into_iter()
        .find(|cores| *cores > 0)
}
