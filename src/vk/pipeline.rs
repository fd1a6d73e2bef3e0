//! Compute pipelines.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use ash::vk;

use super::driver_error::name;
use super::logical_device::LogicalDevice;
use super::pipeline_cache::PipelineCache;
use crate::error::{Error, Result};
use crate::program::Kernel;
use crate::spirv::{prune, specialize};

/// What identifies a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineKey {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Values of its specialisation constants, in the order of [`Kernel::spec`].
    pub spec: Vec<u32>,
    /// The buffers that it binds may be exchanged after recording; only where
    /// [`Device::has_update_after_bind`](super::Device::has_update_after_bind).
    pub update_after_bind: bool,
}

impl PipelineKey {
    /// The kernel with these constants, and without what they rule out.
    pub fn module(&self) -> Vec<u32> {
        prune(specialize(&self.kernel.words(), self.kernel.spec, &self.spec))
    }
}

impl PartialEq for PipelineKey {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.kernel, other.kernel)
            && self.spec == other.spec
            && self.update_after_bind == other.update_after_bind
    }
}

impl Eq for PipelineKey {}

impl Hash for PipelineKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.kernel, state);
        self.spec.hash(state);
        self.update_after_bind.hash(state);
    }
}

/// The interface that kernels of equal bindings and push constants share.
pub(super) struct Layout {
    device: Arc<LogicalDevice>,
    set: vk::DescriptorSetLayout,
    pipeline: vk::PipelineLayout,
    update_after_bind: bool,
}

impl Layout {
    /// A layout for `bindings` storage buffers and `push` bytes of push constants. With `update_after_bind` sets may be
    /// written when commands that bind them are recorded.
    pub fn new(
        device: &Arc<LogicalDevice>,
        bindings: u32,
        push: u32,
        update_after_bind: bool,
    ) -> Result<Self> {
        let bindings: Vec<_> = (0..bindings)
            .map(|binding| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(binding)
                    .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let late = vec![vk::DescriptorBindingFlags::UPDATE_AFTER_BIND; bindings.len()];
        let mut late = vk::DescriptorSetLayoutBindingFlagsCreateInfo::default().binding_flags(&late);
        let mut info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        if update_after_bind {
            info =
                info.flags(vk::DescriptorSetLayoutCreateFlags::UPDATE_AFTER_BIND_POOL).push_next(&mut late);
        }
        // SAFETY: the device is alive and the structure complete.
        let set = unsafe { device.raw().create_descriptor_set_layout(&info, None) };
        let set = device.check("vkCreateDescriptorSetLayout", set)?;
        // From here on, dropping `layout` destroys what exists so far.
        let pipeline = vk::PipelineLayout::null();
        let mut layout = Self { device: device.clone(), set, pipeline, update_after_bind };
        let ranges = [vk::PushConstantRange::default().stage_flags(vk::ShaderStageFlags::COMPUTE).size(push)];
        let sets = [set];
        let mut info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        if push > 0 {
            info = info.push_constant_ranges(&ranges);
        }
        // SAFETY: as above.
        let pipeline = unsafe { device.raw().create_pipeline_layout(&info, None) };
        layout.pipeline = device.check("vkCreatePipelineLayout", pipeline)?;
        Ok(layout)
    }

    /// The layout of its one descriptor set.
    pub fn set(&self) -> vk::DescriptorSetLayout {
        self.set
    }

    pub fn pipeline(&self) -> vk::PipelineLayout {
        self.pipeline
    }

    /// Whether its sets may be written when commands that bind them are recorded.
    pub fn is_update_after_bind(&self) -> bool {
        self.update_after_bind
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        // SAFETY: pipelines of this layout share it, so none is left, nor a recording that binds one.
        // Destroying NULL is allowed.
        self.device.free(|device| unsafe {
            device.destroy_pipeline_layout(self.pipeline, None);
            device.destroy_descriptor_set_layout(self.set, None);
        });
    }
}

/// A `VkPipeline` with its layout.
pub struct Pipeline {
    device: Arc<LogicalDevice>,
    raw: vk::Pipeline,
    layout: Arc<Layout>,
    key: PipelineKey,
}

impl Pipeline {
    /// Creates the pipeline for `key` from its [`module`](PipelineKey::module), which may take seconds. Any
    /// number of threads may create pipelines at the same time.
    ///
    /// # Errors
    /// [`Error::Driver`] naming the kernel, if the driver refuses it.
    pub(super) fn new(
        device: &Arc<LogicalDevice>,
        cache: &PipelineCache,
        layout: Arc<Layout>,
        key: &PipelineKey,
        spirv: &[u32],
    ) -> Result<Self> {
        let refused = |call, result| match result {
            vk::Result::ERROR_DEVICE_LOST => device.check(call, Err(result)).map(|()| unreachable!("lost")),
            _ => Err(Error::Driver { call, result: format!("{} for {}", name(result), key.kernel.name) }),
        };
        let info = vk::ShaderModuleCreateInfo::default().code(spirv);
        // SAFETY: the module was made from valid SPIR-V of the kernel table, which needs no more than the
        // caller's check against the device's features allowed.
        let module = match unsafe { device.raw().create_shader_module(&info, None) } {
            Ok(module) => module,
            Err(e) => return refused("vkCreateShaderModule", e),
        };
        let stage = vk::PipelineShaderStageCreateInfo::default()
            .stage(vk::ShaderStageFlags::COMPUTE)
            .module(module)
            .name(c"main");
        let info = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout.pipeline());
        // SAFETY: everything that `info` points to lives; the cache is synchronised by the driver.
        let created =
            cache.with(|cache| unsafe { device.raw().create_compute_pipelines(cache, &[info], None) });
        // SAFETY: pipelines do not need their module once they exist.
        unsafe { device.raw().destroy_shader_module(module, None) };
        let raw = match created {
            Ok(pipelines) if !pipelines.is_empty() => pipelines[0],
            Ok(_) => return refused("vkCreateComputePipelines", vk::Result::ERROR_UNKNOWN),
            Err((_, e)) => return refused("vkCreateComputePipelines", e),
        };
        Ok(Self { device: device.clone(), raw, layout, key: key.clone() })
    }

    pub(super) fn raw(&self) -> vk::Pipeline {
        self.raw
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn kernel(&self) -> &'static Kernel {
        self.key.kernel
    }

    /// What identifies it.
    pub fn key(&self) -> &PipelineKey {
        &self.key
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // SAFETY: commands that bind the pipeline share it, and were waited for.
        self.device.free(|device| unsafe { device.destroy_pipeline(self.raw, None) });
    }
}
