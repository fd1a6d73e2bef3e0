//! The pipelines of a device, shared by all its sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::logical_device::LogicalDevice;
use super::pipeline::{Layout, Pipeline, PipelineKey};
use super::pipeline_cache::PipelineCache;
use crate::error::Result;

/// Pipelines that some session holds, and what it takes to create more.
pub(super) struct SharedPipelines {
    device: Arc<LogicalDevice>,
    cache: PipelineCache,
    /// By bindings, bytes of push constants, and whether buffers may be exchanged.
    layouts: Mutex<HashMap<(u32, u32, bool), Arc<Layout>>>,
    pipelines: Mutex<HashMap<PipelineKey, Weak<Pipeline>>>,
    created: AtomicU64,
}

impl SharedPipelines {
    pub fn new(device: Arc<LogicalDevice>) -> Self {
        Self {
            cache: PipelineCache::new(device.clone()),
            layouts: Mutex::default(),
            pipelines: Mutex::default(),
            created: AtomicU64::new(0),
            device,
        }
    }

    /// The pipeline for `key` if somebody holds it.
    pub fn get(&self, key: &PipelineKey) -> Option<Arc<Pipeline>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).get(key).and_then(Weak::upgrade)
    }

    /// Creates the pipeline for `key` from its module, and shares it.
    pub fn create(&self, key: &PipelineKey, spirv: &[u32]) -> Result<Arc<Pipeline>> {
        self.device.alive()?;
        let pipeline = Arc::new(Pipeline::new(&self.device, &self.cache, self.layout(key)?, key, spirv)?);
        self.created.fetch_add(1, Ordering::Relaxed);
        let mut all = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, pipeline| pipeline.strong_count() > 0);
        all.insert(key.clone(), Arc::downgrade(&pipeline));
        Ok(pipeline)
    }

    /// The layout of the pipeline for `key`.
    fn layout(&self, key: &PipelineKey) -> Result<Arc<Layout>> {
        let (bindings, push) = (key.kernel.bindings.len() as u32, key.kernel.push_bytes);
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (bindings, push, key.update_after_bind);
        if let Some(layout) = layouts.get(&place) {
            return Ok(layout.clone());
        }
        let layout = Arc::new(Layout::new(&self.device, bindings, push, key.update_after_bind)?);
        layouts.insert(place, layout.clone());
        Ok(layout)
    }

    /// How many the driver has created.
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }

    /// What the driver remembers of them.
    pub fn cache(&self) -> &PipelineCache {
        &self.cache
    }
}
