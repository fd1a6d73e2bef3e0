//! The driver's memory of the pipelines that it has compiled.

use std::sync::{Arc, PoisonError, RwLock};

use ash::vk;
use ash::vk::Handle as _;

use super::driver_error::name;
use super::logical_device::LogicalDevice;
use crate::error::Result;

/// A `VkPipelineCache`; NULL, which is allowed everywhere, if the driver refuses to make one.
pub(super) struct PipelineCache {
    device: Arc<LogicalDevice>,
    /// Locked for writing by the one command that does not synchronise itself.
    raw: RwLock<vk::PipelineCache>,
}

impl PipelineCache {
    pub fn new(device: Arc<LogicalDevice>) -> Self {
        let info = vk::PipelineCacheCreateInfo::default();
        // SAFETY: the device is alive and the structure complete.
        let raw = unsafe { device.raw().create_pipeline_cache(&info, None) }.unwrap_or_else(|e| {
            log::debug!("no pipeline cache: vkCreatePipelineCache failed: {}", name(e));
            vk::PipelineCache::null()
        });
        Self { device, raw: RwLock::new(raw) }
    }

    /// Calls `f` with the handle, which may be NULL; other threads may use it meanwhile.
    pub fn with<R>(&self, f: impl FnOnce(vk::PipelineCache) -> R) -> R {
        f(*self.raw.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds what another cache gave as its [`data`](Self::data).
    ///
    /// # Errors
    /// If the driver does not want it, or memory does not suffice.
    pub fn add(&self, data: &[u8]) -> Result<()> {
        let device = &self.device;
        let info = vk::PipelineCacheCreateInfo::default().initial_data(data);
        // SAFETY: the device is alive and `data` outlives the call.
        let added = unsafe { device.raw().create_pipeline_cache(&info, None) };
        let added = device.check("vkCreatePipelineCache", added)?;
        let cache = self.raw.write().unwrap_or_else(PoisonError::into_inner);
        let merged = match cache.is_null() {
            true => Ok(()),
            // SAFETY: both are of this device, and the lock keeps all other users away.
            false => unsafe { device.raw().merge_pipeline_caches(*cache, &[added]) },
        };
        // SAFETY: nobody else knows the handle.
        unsafe { device.raw().destroy_pipeline_cache(added, None) };
        device.check("vkMergePipelineCaches", merged)
    }

    /// All that it holds, in the driver's own form; nothing of a NULL one.
    ///
    /// # Errors
    /// If the driver does not tell.
    pub fn data(&self) -> Result<Vec<u8>> {
        self.with(|cache| {
            if cache.is_null() {
                return Ok(Vec::new());
            }
            // SAFETY: the cache is of this device.
            let data = unsafe { self.device.raw().get_pipeline_cache_data(cache) };
            self.device.check("vkGetPipelineCacheData", data)
        })
    }
}

impl Drop for PipelineCache {
    fn drop(&mut self) {
        let raw = *self.raw.get_mut().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the unique reference excludes other users; NULL is allowed.
        self.device.free(|device| unsafe { device.destroy_pipeline_cache(raw, None) });
    }
}
