//! Compute pipelines, shared by all sessions of a device.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, Weak};

use ash::vk;

use super::device::Device;
use super::driver_error::name;
use crate::error::{Error, Result};
use crate::program::Kernel;
use crate::spirv::{prune, specialize};

/// What a pipeline is made of.
#[derive(Clone, Debug)]
pub struct PipelineKey {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Values of its specialisation constants, in the order of [`Kernel::spec`].
    pub spec: Vec<u32>,
}

impl PipelineKey {
    /// The kernel with these constants, and without what they rule out.
    pub fn module(&self) -> Vec<u32> {
        prune(specialize(self.kernel.spirv, self.kernel.spec, &self.spec))
    }
}

impl PartialEq for PipelineKey {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.kernel, other.kernel) && self.spec == other.spec
    }
}

impl Eq for PipelineKey {}

impl Hash for PipelineKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.kernel, state);
        self.spec.hash(state);
    }
}

/// The interface that kernels of equal bindings and push constants share. The device owns it.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub set: vk::DescriptorSetLayout,
    pub pipeline: vk::PipelineLayout,
}

impl Layout {
    /// The device's layout for `bindings` storage buffers and `push` bytes of push constants.
    fn get(device: &Device, bindings: u32, push: u32) -> Result<Self> {
        let mut layouts = device.layouts().lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = layouts.get(&(bindings, push)) {
            return Ok(*layout);
        }
        let layout = Self::create(device, bindings, push)?;
        layouts.insert((bindings, push), layout);
        Ok(layout)
    }

    fn create(device: &Device, bindings: u32, push: u32) -> Result<Self> {
        let bindings: Vec<_> = (0..bindings)
            .map(|binding| {
                vk::DescriptorSetLayoutBinding::default()
                    .binding(binding)
                    .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                    .descriptor_count(1)
                    .stage_flags(vk::ShaderStageFlags::COMPUTE)
            })
            .collect();
        let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        // SAFETY: the device is alive and the structure complete.
        let set = unsafe { device.raw().create_descriptor_set_layout(&info, None) };
        let set = device.check("vkCreateDescriptorSetLayout", set)?;
        let ranges = [vk::PushConstantRange::default().stage_flags(vk::ShaderStageFlags::COMPUTE).size(push)];
        let sets = [set];
        let mut info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
        if push > 0 {
            info = info.push_constant_ranges(&ranges);
        }
        // SAFETY: as above.
        let pipeline = unsafe { device.raw().create_pipeline_layout(&info, None) };
        match device.check("vkCreatePipelineLayout", pipeline) {
            Ok(pipeline) => Ok(Self { set, pipeline }),
            Err(e) => {
                // SAFETY: nothing uses it.
                unsafe { device.raw().destroy_descriptor_set_layout(set, None) };
                Err(e)
            }
        }
    }

    /// # Safety
    /// The layout must be of `device`, and no pipeline of it may be left.
    pub unsafe fn destroy(&self, device: &ash::Device) {
        // SAFETY: the caller vouches.
        unsafe {
            device.destroy_pipeline_layout(self.pipeline, None);
            device.destroy_descriptor_set_layout(self.set, None);
        }
    }
}

/// A `VkPipeline` with its layout.
pub struct Pipeline {
    device: Arc<Device>,
    raw: vk::Pipeline,
    layout: Layout,
    kernel: &'static Kernel,
}

impl Pipeline {
    /// The pipeline for `key` if some session of the device holds it.
    pub fn shared(device: &Device, key: &PipelineKey) -> Option<Arc<Self>> {
        device.pipelines().lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade)
    }

    /// Creates the pipeline for `key` from its [`module`](PipelineKey::module), which may take seconds,
    /// and shares it. Any number of threads may create pipelines at the same time.
    ///
    /// # Errors
    /// [`Error::Driver`] naming the kernel, if the driver refuses it.
    pub fn create(device: &Arc<Device>, key: &PipelineKey, spirv: &[u32]) -> Result<Arc<Self>> {
        device.alive()?;
        let kernel = key.kernel;
        let layout = Layout::get(device, kernel.bindings.len() as u32, kernel.push_bytes)?;
        let refused = |call, result| match result {
            vk::Result::ERROR_DEVICE_LOST => device.check(call, Err(result)).map(|()| unreachable!("lost")),
            _ => Err(Error::Driver { call, result: format!("{} for {}", name(result), kernel.name) }),
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
        let info = vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout.pipeline);
        // SAFETY: everything that `info` points to lives; the cache is synchronised by the driver.
        let created = device
            .pipeline_cache()
            .with(|cache| unsafe { device.raw().create_compute_pipelines(cache, &[info], None) });
        // SAFETY: pipelines do not need their module once they exist.
        unsafe { device.raw().destroy_shader_module(module, None) };
        let raw = match created {
            Ok(pipelines) if !pipelines.is_empty() => pipelines[0],
            Ok(_) => return refused("vkCreateComputePipelines", vk::Result::ERROR_UNKNOWN),
            Err((_, e)) => return refused("vkCreateComputePipelines", e),
        };
        device.count_pipeline();
        let pipeline = Arc::new(Self { device: device.clone(), raw, layout, kernel });
        let mut all = device.pipelines().lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, pipeline| pipeline.strong_count() > 0);
        all.insert(key.clone(), Arc::downgrade(&pipeline));
        Ok(pipeline)
    }

    pub(super) fn raw(&self) -> vk::Pipeline {
        self.raw
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn kernel(&self) -> &'static Kernel {
        self.kernel
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // SAFETY: commands that bind the pipeline share it, and were waited for.
        unsafe { self.device.raw().destroy_pipeline(self.raw, None) };
    }
}
