//! The structures in which Vulkan tells and is told optional features.

use std::ffi::CStr;
use std::ptr;

use ash::{ext, khr, vk};

use crate::caps::Features;

/// Every structure of features that we know, chained as far as the device knows it.
#[derive(Default)]
pub(super) struct Chain {
    storage_16: vk::PhysicalDevice16BitStorageFeatures<'static>,
    storage_8: vk::PhysicalDevice8BitStorageFeatures<'static>,
    float16_int8: vk::PhysicalDeviceShaderFloat16Int8Features<'static>,
    memory_model: vk::PhysicalDeviceVulkanMemoryModelFeatures<'static>,
    integer_dot: vk::PhysicalDeviceShaderIntegerDotProductFeatures<'static>,
    cooperative_matrix: vk::PhysicalDeviceCooperativeMatrixFeaturesKHR<'static>,
    pub timeline: vk::PhysicalDeviceTimelineSemaphoreFeatures<'static>,
    pub indexing: vk::PhysicalDeviceDescriptorIndexingFeatures<'static>,
    pub core: vk::PhysicalDeviceFeatures,
}

impl Chain {
    /// Chains the structures whose feature `known` has to the head and hands that to `call`.
    pub fn with_head<T>(
        &mut self,
        known: impl Fn(&CStr) -> bool,
        call: impl FnOnce(&mut vk::PhysicalDeviceFeatures2<'_>) -> T,
    ) -> T {
        let mut head =
            vk::PhysicalDeviceFeatures2::default().features(self.core).push_next(&mut self.storage_16);
        if known(khr::_8bit_storage::NAME) {
            head = head.push_next(&mut self.storage_8);
        }
        if known(khr::shader_float16_int8::NAME) {
            head = head.push_next(&mut self.float16_int8);
        }
        if known(khr::vulkan_memory_model::NAME) {
            head = head.push_next(&mut self.memory_model);
        }
        if known(khr::shader_integer_dot_product::NAME) {
            head = head.push_next(&mut self.integer_dot);
        }
        if known(khr::cooperative_matrix::NAME) {
            head = head.push_next(&mut self.cooperative_matrix);
        }
        if known(khr::timeline_semaphore::NAME) {
            head = head.push_next(&mut self.timeline);
        }
        if known(ext::descriptor_indexing::NAME) {
            head = head.push_next(&mut self.indexing);
        }
        let result = call(&mut head);
        self.core = head.features;
        result
    }

    /// The flag of each feature that is a plain flag.
    pub fn flags(&mut self) -> [(Features, &mut vk::Bool32); 10] {
        [
            (Features::STORAGE_16, &mut self.storage_16.storage_buffer16_bit_access),
            (Features::STORAGE_8, &mut self.storage_8.storage_buffer8_bit_access),
            (Features::FLOAT_16, &mut self.float16_int8.shader_float16),
            (Features::INT_8, &mut self.float16_int8.shader_int8),
            (Features::INT_16, &mut self.core.shader_int16),
            (Features::INT_64, &mut self.core.shader_int64),
            (Features::INTEGER_DOT, &mut self.integer_dot.shader_integer_dot_product),
            (Features::VULKAN_MEMORY_MODEL, &mut self.memory_model.vulkan_memory_model),
            (
                Features::VULKAN_MEMORY_MODEL_DEVICE_SCOPE,
                &mut self.memory_model.vulkan_memory_model_device_scope,
            ),
            (Features::COOPERATIVE_MATRIX, &mut self.cooperative_matrix.cooperative_matrix),
        ]
    }

    /// Switches on what a structure of a caller switches on.
    ///
    /// # Safety
    /// The structure is of the type that it tells.
    pub unsafe fn enable(&mut self, structure: &vk::BaseInStructure<'_>) {
        let start = ptr::from_ref(structure);
        // SAFETY: as the caller promises.
        unsafe {
            match structure.s_type {
                vk::StructureType::PHYSICAL_DEVICE_FEATURES_2 => {
                    self.core = (*start.cast::<vk::PhysicalDeviceFeatures2<'_>>()).features;
                }
                vk::StructureType::PHYSICAL_DEVICE_VULKAN_1_1_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceVulkan11Features<'_>>();
                    self.storage_16.storage_buffer16_bit_access = of.storage_buffer16_bit_access;
                }
                vk::StructureType::PHYSICAL_DEVICE_VULKAN_1_2_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceVulkan12Features<'_>>();
                    self.storage_8.storage_buffer8_bit_access = of.storage_buffer8_bit_access;
                    self.float16_int8.shader_float16 = of.shader_float16;
                    self.float16_int8.shader_int8 = of.shader_int8;
                    self.memory_model.vulkan_memory_model = of.vulkan_memory_model;
                    self.memory_model.vulkan_memory_model_device_scope = of.vulkan_memory_model_device_scope;
                    self.timeline.timeline_semaphore = of.timeline_semaphore;
                    self.indexing.descriptor_binding_storage_buffer_update_after_bind =
                        of.descriptor_binding_storage_buffer_update_after_bind;
                }
                vk::StructureType::PHYSICAL_DEVICE_VULKAN_1_3_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceVulkan13Features<'_>>();
                    self.integer_dot.shader_integer_dot_product = of.shader_integer_dot_product;
                }
                vk::StructureType::PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDevice16BitStorageFeatures<'_>>();
                    self.storage_16.storage_buffer16_bit_access = of.storage_buffer16_bit_access;
                }
                vk::StructureType::PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDevice8BitStorageFeatures<'_>>();
                    self.storage_8.storage_buffer8_bit_access = of.storage_buffer8_bit_access;
                }
                vk::StructureType::PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceShaderFloat16Int8Features<'_>>();
                    self.float16_int8.shader_float16 = of.shader_float16;
                    self.float16_int8.shader_int8 = of.shader_int8;
                }
                vk::StructureType::PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceVulkanMemoryModelFeatures<'_>>();
                    self.memory_model.vulkan_memory_model = of.vulkan_memory_model;
                    self.memory_model.vulkan_memory_model_device_scope = of.vulkan_memory_model_device_scope;
                }
                vk::StructureType::PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceShaderIntegerDotProductFeatures<'_>>();
                    self.integer_dot.shader_integer_dot_product = of.shader_integer_dot_product;
                }
                vk::StructureType::PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR => {
                    let of = &*start.cast::<vk::PhysicalDeviceCooperativeMatrixFeaturesKHR<'_>>();
                    self.cooperative_matrix.cooperative_matrix = of.cooperative_matrix;
                }
                vk::StructureType::PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceTimelineSemaphoreFeatures<'_>>();
                    self.timeline.timeline_semaphore = of.timeline_semaphore;
                }
                vk::StructureType::PHYSICAL_DEVICE_DESCRIPTOR_INDEXING_FEATURES => {
                    let of = &*start.cast::<vk::PhysicalDeviceDescriptorIndexingFeatures<'_>>();
                    self.indexing.descriptor_binding_storage_buffer_update_after_bind =
                        of.descriptor_binding_storage_buffer_update_after_bind;
                }
                _ => {}
            }
        }
    }
}
