//! The pipelines of a session.

use std::collections::HashMap;
use std::sync::Arc;

use super::parallel;
use crate::error::{Error, Result};
use crate::logging::timed;
use crate::program::Dispatch;
use crate::vk::{Device, Pipeline, PipelineKey};

/// The most pipelines that are compiled at the same time: each takes memory in the driver's compiler.
const COMPILERS: usize = 16;

/// Pipelines by key, refused ones included.
pub(super) struct Pipelines {
    device: Arc<Device>,
    held: HashMap<PipelineKey, Result<Arc<Pipeline>>>,
    created: usize,
}

impl Pipelines {
    pub fn new(device: Arc<Device>) -> Self {
        Self { device, held: HashMap::new(), created: 0 }
    }

    /// Creates, on several threads, what the session does not hold and no other session of the device
    /// shares. Refusals are kept for [`get`](Self::get).
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub fn create(&mut self, mut wanted: Vec<PipelineKey>) -> Result<()> {
        self.device.alive()?;
        let mut missing: Vec<PipelineKey> = Vec::new();
        for key in wanted.drain(..) {
            if self.held.contains_key(&key) || missing.contains(&key) {
                continue;
            }
            match self.device.pipeline(&key) {
                Some(pipeline) => drop(self.held.insert(key, Ok(pipeline))),
                None => missing.push(key),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let all = timed(&format!("{} pipelines created", missing.len()), || {
            let create = |key: &PipelineKey| self.device.create_pipeline(key, &key.module());
            parallel::map("pipelines", COMPILERS, missing.iter().collect(), create)
        });
        for (key, made) in missing.iter().zip(all) {
            match &made {
                Err(Error::DeviceLost) => return Err(Error::DeviceLost),
                Err(e) => log::warn!("{e}"),
                Ok(_) => self.created += 1,
            }
            self.held.insert(key.clone(), made);
        }
        Ok(())
    }

    /// A pipeline that was created before.
    ///
    /// # Errors
    /// Why the driver refused it.
    pub fn get(&self, key: &PipelineKey) -> Result<&Arc<Pipeline>> {
        let Some(made) = self.held.get(key) else { unreachable!("{} was not created", key.kernel.name) };
        made.as_ref().map_err(Clone::clone)
    }

    pub fn len(&self) -> usize {
        self.held.values().filter(|made| made.is_ok()).count()
    }

    /// How many the driver created for this session.
    pub fn created(&self) -> usize {
        self.created
    }
}

/// The key of the pipeline of a dispatch.
pub(super) fn key(dispatch: &Dispatch) -> PipelineKey {
    PipelineKey { kernel: dispatch.kernel, spec: dispatch.spec.clone(), update_after_bind: false }
}
