//! Optional features: asking for them and switching them on.

use std::ffi::CStr;

use ash::{ext, khr, vk};

use super::device_info;
use super::feature_chain::Chain;
use super::instance::{Instance, NEWEST};
use super::sharing::Sharing;
use crate::caps::Features;

/// What a device offers beyond Vulkan 1.1.
pub(super) struct Offer {
    /// Features, each of which [`create_device`] switches on.
    pub features: Features,
    /// Shapes `(m, n, k)` of fp16 × fp16 → fp32 at subgroup scope.
    pub cooperative_matrix: Vec<(u32, u32, u32)>,
    /// The same of int8 × int8 → int32.
    pub cooperative_matrix_integers: Vec<(u32, u32, u32)>,
    /// Whether a dot product of four packed 8-bit integers is one instruction.
    pub fast_dot: bool,
    /// How it shares memory and semaphores with others.
    pub sharing: Sharing,
    extensions: Vec<&'static CStr>,
}

/// Extensions that bring a feature to devices of a Vulkan older than the one given.
const PROMOTED: &[(u32, &CStr)] = &[
    (vk::API_VERSION_1_2, khr::_8bit_storage::NAME),
    (vk::API_VERSION_1_2, khr::shader_float16_int8::NAME),
    (vk::API_VERSION_1_2, khr::vulkan_memory_model::NAME),
    (vk::API_VERSION_1_2, khr::timeline_semaphore::NAME),
    (vk::API_VERSION_1_2, ext::descriptor_indexing::NAME),
    (vk::API_VERSION_1_3, khr::shader_integer_dot_product::NAME),
];

/// Whether `name` is in the device's core or among its extensions, and what of it to enable.
struct Known {
    api: u32,
    offered: Vec<Vec<u8>>,
}

impl Known {
    fn core(&self, name: &CStr) -> bool {
        PROMOTED.iter().any(|(version, extension)| *extension == name && self.api >= *version)
    }

    fn extension(&self, name: &CStr) -> bool {
        self.offered.iter().any(|offered| offered == name.to_bytes())
    }

    fn any(&self, name: &CStr) -> bool {
        self.core(name) || self.extension(name)
    }
}

/// Asks a device of at least Vulkan 1.1 for its features.
pub(super) fn query(instance: &Instance, physical: vk::PhysicalDevice, api_version: u32) -> Offer {
    let known = Known { api: api_version.min(NEWEST), offered: device_info::extensions(instance, physical) };
    let mut chain = Chain::default();
    // SAFETY: the device offers Vulkan 1.1; only structures that it knows are chained, and they
    // outlive the call.
    chain.with_head(
        |name| known.any(name),
        |head| unsafe { instance.raw().get_physical_device_features2(physical, head) },
    );
    let mut features = Features::NONE;
    for (feature, flag) in chain.flags() {
        if *flag == vk::TRUE {
            features = features.with(feature);
        }
    }
    // Enabled alone, the model would forbid what every kernel may do without it.
    if !features.contains(Features::VULKAN_MEMORY_MODEL_DEVICE_SCOPE) {
        features = features.without(Features::VULKAN_MEMORY_MODEL);
    }
    let [mut cooperative_matrix, mut cooperative_matrix_integers] = [Vec::new(), Vec::new()];
    let needed = Features::COOPERATIVE_MATRIX.with(Features::VULKAN_MEMORY_MODEL);
    // Matrices are spread over a subgroup, whose size the kernel has to know.
    if features.contains(needed) && subgroups_have_one_size(instance, physical, &known) {
        use vk::ComponentTypeKHR as Type;
        if features.contains(Features::FLOAT_16) {
            cooperative_matrix = matrix_shapes(instance, physical, Type::FLOAT16, Type::FLOAT32);
        }
        if features.contains(Features::INT_8.with(Features::STORAGE_8)) {
            cooperative_matrix_integers = matrix_shapes(instance, physical, Type::SINT8, Type::SINT32);
        }
    }
    if cooperative_matrix.is_empty() && cooperative_matrix_integers.is_empty() {
        features = features.without(Features::COOPERATIVE_MATRIX);
    }

    let mut extensions: Vec<&'static CStr> = PROMOTED
        .iter()
        .filter(|(_, name)| known.extension(name) && !known.core(name))
        .map(|(_, name)| *name)
        .collect();
    if features.contains(Features::COOPERATIVE_MATRIX) {
        extensions.push(khr::cooperative_matrix::NAME);
    }
    let sharing = Sharing::new(|name| known.extension(name), &chain);
    extensions.extend(sharing.extensions());
    // A device that lists it may be used only with it.
    if known.extension(khr::portability_subset::NAME) {
        extensions.push(khr::portability_subset::NAME);
    }
    Offer {
        features: features.with(subgroup(instance, physical).1),
        cooperative_matrix,
        cooperative_matrix_integers,
        fast_dot: features.contains(Features::INTEGER_DOT) && has_fast_dot(instance, physical),
        sharing,
        extensions,
    }
}

impl Offer {
    /// What is left of it on a device that the caller has created like this.
    ///
    /// # Safety
    /// `info` and what it leads to are as Vulkan asks.
    pub unsafe fn enabled_by(mut self, info: &vk::DeviceCreateInfo<'_>) -> Self {
        let mut chain = Chain::default();
        // SAFETY: as the caller promises; each structure begins with its type.
        unsafe {
            if let Some(core) = info.p_enabled_features.as_ref() {
                chain.core = *core;
            }
            let mut next = info.p_next.cast::<vk::BaseInStructure<'_>>();
            while let Some(structure) = next.as_ref() {
                chain.enable(structure);
                next = structure.p_next;
            }
        }
        for (feature, flag) in chain.flags() {
            if *flag == vk::FALSE {
                self.features = self.features.without(feature);
            }
        }
        if !self.features.contains(Features::VULKAN_MEMORY_MODEL_DEVICE_SCOPE) {
            self.features = self.features.without(Features::VULKAN_MEMORY_MODEL);
        }
        let model = Features::COOPERATIVE_MATRIX.with(Features::VULKAN_MEMORY_MODEL);
        if !self.features.contains(model.with(Features::FLOAT_16)) {
            self.cooperative_matrix.clear();
        }
        if !self.features.contains(model.with(Features::INT_8).with(Features::STORAGE_8)) {
            self.cooperative_matrix_integers.clear();
        }
        if self.cooperative_matrix.is_empty() && self.cooperative_matrix_integers.is_empty() {
            self.features = self.features.without(Features::COOPERATIVE_MATRIX);
        }
        self.fast_dot &= self.features.contains(Features::INTEGER_DOT);
        // SAFETY: as the caller promises.
        let names: Vec<&CStr> = unsafe {
            let count = info.enabled_extension_count as usize;
            let names = match count {
                0 => &[],
                _ => std::slice::from_raw_parts(info.pp_enabled_extension_names, count),
            };
            names.iter().map(|name| CStr::from_ptr(*name)).collect()
        };
        self.sharing = self.sharing.and(&Sharing::new(|name| names.contains(&name), &chain));
        self
    }
}

/// The size of a subgroup, and what its operations allow in compute shaders.
pub(super) fn subgroup(instance: &Instance, physical: vk::PhysicalDevice) -> (u32, Features) {
    let mut subgroup = vk::PhysicalDeviceSubgroupProperties::default();
    let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut subgroup);
    // SAFETY: the device offers Vulkan 1.1, which knows the structure.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    let mut features = Features::NONE;
    if subgroup.supported_stages.contains(vk::ShaderStageFlags::COMPUTE) {
        for (operations, feature) in [
            (vk::SubgroupFeatureFlags::BASIC, Features::SUBGROUP_BASIC),
            (vk::SubgroupFeatureFlags::ARITHMETIC, Features::SUBGROUP_ARITHMETIC),
            (vk::SubgroupFeatureFlags::SHUFFLE, Features::SUBGROUP_SHUFFLE),
            (vk::SubgroupFeatureFlags::QUAD, Features::SUBGROUP_QUAD),
        ] {
            if subgroup.supported_operations.contains(operations) {
                features = features.with(feature);
            }
        }
    }
    (subgroup.subgroup_size.max(1), features)
}

/// Whether every subgroup of the device has the size that it reports.
fn subgroups_have_one_size(instance: &Instance, physical: vk::PhysicalDevice, known: &Known) -> bool {
    if known.api < vk::API_VERSION_1_3 && !known.extension(ext::subgroup_size_control::NAME) {
        return false;
    }
    let mut sizes = vk::PhysicalDeviceSubgroupSizeControlProperties::default();
    let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut sizes);
    // SAFETY: the device knows the structure, by its version or by the extension.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    sizes.min_subgroup_size == sizes.max_subgroup_size
}

/// Whether a dot product of four packed 8-bit integers is one instruction of a device that has the feature.
fn has_fast_dot(instance: &Instance, physical: vk::PhysicalDevice) -> bool {
    let mut dot = vk::PhysicalDeviceShaderIntegerDotProductProperties::default();
    let mut all = vk::PhysicalDeviceProperties2::default().push_next(&mut dot);
    // SAFETY: a device with the feature knows the structure.
    unsafe { instance.raw().get_physical_device_properties2(physical, &mut all) };
    dot.integer_dot_product4x8_bit_packed_signed_accelerated == vk::TRUE
}

/// The shapes of matrices of `factors` whose products are added to those of `sums`.
fn matrix_shapes(
    instance: &Instance,
    physical: vk::PhysicalDevice,
    factors: vk::ComponentTypeKHR,
    sums: vk::ComponentTypeKHR,
) -> Vec<(u32, u32, u32)> {
    let functions = khr::cooperative_matrix::Instance::new(instance.entry(), instance.raw());
    // SAFETY: the device offers the extension.
    let Ok(all) = (unsafe { functions.get_physical_device_cooperative_matrix_properties(physical) }) else {
        return Vec::new();
    };
    let mut shapes: Vec<_> = all
        .iter()
        .filter(|p| {
            [p.a_type, p.b_type] == [factors; 2]
                && [p.c_type, p.result_type] == [sums; 2]
                && p.saturating_accumulation == vk::FALSE
                && p.scope == vk::ScopeKHR::SUBGROUP
        })
        .map(|p| (p.m_size, p.n_size, p.k_size))
        .collect();
    shapes.sort_unstable();
    shapes.dedup();
    shapes
}

/// Creates the logical device with one queue of `family` and everything of `offer` switched on.
pub(super) fn create_device(
    instance: &Instance,
    physical: vk::PhysicalDevice,
    family: u32,
    offer: &Offer,
    api_version: u32,
) -> Result<ash::Device, vk::Result> {
    let known = Known { api: api_version.min(NEWEST), offered: Vec::new() };
    let mut chain = Chain::default();
    for (feature, flag) in chain.flags() {
        *flag = offer.features.contains(feature).into();
    }
    chain.timeline.timeline_semaphore = offer.sharing.timeline.into();
    chain.indexing.descriptor_binding_storage_buffer_update_after_bind =
        offer.sharing.update_after_bind.into();
    let names: Vec<_> = offer.extensions.iter().map(|name| name.as_ptr()).collect();
    let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0])];
    chain.with_head(
        |name| known.core(name) || offer.extensions.contains(&name),
        |head| {
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&names)
                .push_next(head);
            // SAFETY: everything that `info` points to lives until the end of this call; features
            // and extensions are the device's own.
            unsafe { instance.raw().create_device(physical, &info, None) }
        },
    )
}
