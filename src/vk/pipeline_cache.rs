//! The driver's memory of the pipelines that it has compiled.

use std::sync::{PoisonError, RwLock};

use ash::vk;
use ash::vk::Handle as _;

use super::device::Device;
use super::driver_error::name;
use crate::error::Result;

/// A `VkPipelineCache`; NULL, which is allowed everywhere, if the driver refuses to make one.
pub(super) struct PipelineCache {
    /// Locked for writing by the one command that does not synchronise itself.
    raw: RwLock<vk::PipelineCache>,
}

impl PipelineCache {
    pub fn new(device: &ash::Device) -> Self {
        // SAFETY: the device is alive and the structure complete.
        let cache = unsafe { device.create_pipeline_cache(&vk::PipelineCacheCreateInfo::default(), None) };
        let raw = cache.unwrap_or_else(|e| {
            log::debug!("no pipeline cache: vkCreatePipelineCache failed: {}", name(e));
            vk::PipelineCache::null()
        });
        Self { raw: RwLock::new(raw) }
    }

    /// Calls `f` with the handle, which may be NULL; other threads may use it meanwhile.
    pub fn with<R>(&self, f: impl FnOnce(vk::PipelineCache) -> R) -> R {
        f(*self.raw.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// # Safety
    /// The cache must be of `device`, and not be used anymore.
    pub unsafe fn destroy(&self, device: &ash::Device) {
        // SAFETY: the caller vouches; NULL is allowed.
        self.with(|raw| unsafe { device.destroy_pipeline_cache(raw, None) });
    }
}

impl Device {
    /// Lets the driver know what it had compiled in another process: `data` is what
    /// [`compiled`](Self::compiled) gave there, on the same device with the same driver. Only whole
    /// and matching data may be given: not every driver checks it.
    ///
    /// # Errors
    /// If the driver does not want it, or memory does not suffice.
    pub fn add_compiled(&self, data: &[u8]) -> Result<()> {
        let info = vk::PipelineCacheCreateInfo::default().initial_data(data);
        // SAFETY: the device is alive and `data` outlives the call.
        let added = unsafe { self.raw().create_pipeline_cache(&info, None) };
        let added = self.check("vkCreatePipelineCache", added)?;
        let cache = self.pipeline_cache().raw.write().unwrap_or_else(PoisonError::into_inner);
        let merged = match cache.is_null() {
            true => Ok(()),
            // SAFETY: both are of this device, and the lock keeps all other users away.
            false => unsafe { self.raw().merge_pipeline_caches(*cache, &[added]) },
        };
        // SAFETY: nobody else knows the handle.
        unsafe { self.raw().destroy_pipeline_cache(added, None) };
        self.check("vkMergePipelineCaches", merged)
    }

    /// All that the driver has compiled for this device in this process, as far as it tells.
    ///
    /// # Errors
    /// If the driver does not tell.
    pub fn compiled(&self) -> Result<Vec<u8>> {
        self.pipeline_cache().with(|cache| {
            if cache.is_null() {
                return Ok(Vec::new());
            }
            // SAFETY: the cache is of this device.
            let data = unsafe { self.raw().get_pipeline_cache_data(cache) };
            self.check("vkGetPipelineCacheData", data)
        })
    }
}
