//! The descriptor sets of one command buffer.

use std::sync::Arc;

use ash::vk;

use super::logical_device::LogicalDevice;
use super::pipeline::Layout;
use crate::error::Result;

/// A `VkDescriptorPool`; its sets are freed with it.
pub(super) struct DescriptorPool {
    device: Arc<LogicalDevice>,
    raw: vk::DescriptorPool,
}

impl DescriptorPool {
    /// A pool for at most `sets` sets with `buffers` storage buffers together.
    pub fn new(device: &Arc<LogicalDevice>, sets: u32, buffers: u32) -> Result<Self> {
        let sizes = [vk::DescriptorPoolSize::default()
            .ty(vk::DescriptorType::STORAGE_BUFFER)
            .descriptor_count(buffers.max(1))];
        let info = vk::DescriptorPoolCreateInfo::default().max_sets(sets.max(1)).pool_sizes(&sizes);
        // SAFETY: the device is alive and the structure complete.
        let raw = unsafe { device.raw().create_descriptor_pool(&info, None) };
        Ok(Self { raw: device.check("vkCreateDescriptorPool", raw)?, device: device.clone() })
    }

    /// Frees every set; no command that is pending binds one.
    pub fn clear(&mut self) -> Result<()> {
        let flags = vk::DescriptorPoolResetFlags::empty();
        // SAFETY: the pool is ours alone; the owner waited for the commands that bind its sets.
        let reset = unsafe { self.device.raw().reset_descriptor_pool(self.raw, flags) };
        self.device.check("vkResetDescriptorPool", reset)
    }

    /// A set of `layout` that names the buffers by binding number.
    pub fn set(
        &mut self,
        layout: &Layout,
        buffers: &[vk::DescriptorBufferInfo],
    ) -> Result<vk::DescriptorSet> {
        let layouts = [layout.set()];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(self.raw).set_layouts(&layouts);
        // SAFETY: the pool is ours alone.
        let sets = unsafe { self.device.raw().allocate_descriptor_sets(&info) };
        let set = self.device.check("vkAllocateDescriptorSets", sets)?[0];
        let writes: Vec<_> = (0u32..)
            .zip(buffers)
            .map(|(binding, buffer)| {
                vk::WriteDescriptorSet::default()
                    .dst_set(set)
                    .dst_binding(binding)
                    .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                    .buffer_info(std::slice::from_ref(buffer))
            })
            .collect();
        // SAFETY: the set is new, so no command uses it; the buffers are alive.
        unsafe { self.device.raw().update_descriptor_sets(&writes, &[]) };
        Ok(set)
    }
}

impl Drop for DescriptorPool {
    fn drop(&mut self) {
        // SAFETY: the owner waited for the commands that bind its sets.
        self.device.free(|device| unsafe { device.destroy_descriptor_pool(self.raw, None) });
    }
}
