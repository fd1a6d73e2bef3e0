//! The descriptor sets of one command buffer.

use std::collections::HashSet;
use std::sync::Arc;

use ash::vk;

use super::logical_device::LogicalDevice;
use super::pipeline::Layout;
use super::region::{Capacity, Region, Slot};
use crate::error::Result;

/// The sets of one command buffer, and what frees them.
pub(super) struct Descriptors {
    device: Arc<LogicalDevice>,
    capacity: Capacity,
    /// For sets that are written once.
    fixed: Option<DescriptorPool>,
    /// For those that may be written when commands bind them.
    late: Option<DescriptorPool>,
    /// The latter, with what they name by binding number.
    written_late: Vec<(vk::DescriptorSet, Vec<Region>)>,
    /// What else the commands name.
    fixed_slots: HashSet<Slot>,
}

impl Descriptors {
    /// Room for as much as `capacity` says.
    pub fn new(device: &Arc<LogicalDevice>, capacity: Capacity) -> Self {
        Self {
            device: device.clone(),
            capacity,
            fixed: None,
            late: None,
            written_late: Vec::new(),
            fixed_slots: HashSet::new(),
        }
    }

    /// Frees every set; no command that is pending binds one.
    pub fn clear(&mut self) -> Result<()> {
        self.written_late.clear();
        self.fixed_slots.clear();
        [&self.fixed, &self.late].into_iter().flatten().try_for_each(DescriptorPool::clear)
    }

    /// A set of `layout` that names the regions, as `buffers`, by binding number.
    pub fn set(
        &mut self,
        layout: &Layout,
        regions: &[Region],
        buffers: &[vk::DescriptorBufferInfo],
    ) -> Result<vk::DescriptorSet> {
        let late = layout.is_update_after_bind();
        let pool = if late { &mut self.late } else { &mut self.fixed };
        let pool = match pool {
            Some(pool) => pool,
            None => pool.insert(DescriptorPool::new(&self.device, self.capacity, late)?),
        };
        let set = pool.allocate(layout)?;
        if late {
            self.written_late.push((set, regions.to_vec()));
        } else {
            self.fix(regions);
        }
        self.write(set, buffers);
        Ok(set)
    }

    /// Remembers that commands name the buffers of these regions for good.
    pub fn fix(&mut self, regions: &[Region]) {
        self.fixed_slots.extend(regions.iter().map(|region| region.slot));
    }

    /// Whether commands name the buffer of a slot for good.
    pub fn is_fixed(&self, slot: Slot) -> bool {
        self.fixed_slots.contains(&slot)
    }

    /// The sets that may be written now, with what they name.
    pub fn written_late(&self) -> &[(vk::DescriptorSet, Vec<Region>)] {
        &self.written_late
    }

    /// Lets a set name the buffers by binding number: a new one, or one of [`written_late`](Self::written_late) that
    /// nothing pending binds.
    pub fn write(&self, set: vk::DescriptorSet, buffers: &[vk::DescriptorBufferInfo]) {
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
        // SAFETY: as the caller promises, no command that is pending uses the set, and none that is recorded unless its
        // layout allows that; the buffers are alive.
        unsafe { self.device.raw().update_descriptor_sets(&writes, &[]) };
    }
}

/// A `VkDescriptorPool`; its sets are freed with it.
struct DescriptorPool {
    device: Arc<LogicalDevice>,
    raw: vk::DescriptorPool,
}

impl DescriptorPool {
    fn new(device: &Arc<LogicalDevice>, capacity: Capacity, late: bool) -> Result<Self> {
        let (sets, buffers) = if late {
            (capacity.late_dispatches, capacity.late_bindings)
        } else {
            (capacity.dispatches, capacity.bindings)
        };
        let sizes = [vk::DescriptorPoolSize::default()
            .ty(vk::DescriptorType::STORAGE_BUFFER)
            .descriptor_count(buffers.max(1) as u32)];
        let mut info =
            vk::DescriptorPoolCreateInfo::default().max_sets(sets.max(1) as u32).pool_sizes(&sizes);
        if late {
            info = info.flags(vk::DescriptorPoolCreateFlags::UPDATE_AFTER_BIND);
        }
        // SAFETY: the device is alive and the structure complete.
        let raw = unsafe { device.raw().create_descriptor_pool(&info, None) };
        Ok(Self { raw: device.check("vkCreateDescriptorPool", raw)?, device: device.clone() })
    }

    fn clear(&self) -> Result<()> {
        let flags = vk::DescriptorPoolResetFlags::empty();
        // SAFETY: the pool is ours alone; the owner waited for the commands that bind its sets.
        let reset = unsafe { self.device.raw().reset_descriptor_pool(self.raw, flags) };
        self.device.check("vkResetDescriptorPool", reset)
    }

    fn allocate(&self, layout: &Layout) -> Result<vk::DescriptorSet> {
        let layouts = [layout.set()];
        let info = vk::DescriptorSetAllocateInfo::default().descriptor_pool(self.raw).set_layouts(&layouts);
        // SAFETY: the pool is ours alone, and of the kind that the layout asks for.
        let sets = unsafe { self.device.raw().allocate_descriptor_sets(&info) };
        Ok(self.device.check("vkAllocateDescriptorSets", sets)?[0])
    }
}

impl Drop for DescriptorPool {
    fn drop(&mut self) {
        // SAFETY: the owner waited for the commands that bind its sets.
        self.device.free(|device| unsafe { device.destroy_descriptor_pool(self.raw, None) });
    }
}
