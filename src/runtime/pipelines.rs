//! The pipelines of a session.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::parallel;
use crate::error::{Error, Result};
use crate::logging::timed;
use crate::vk::{Device, Pipeline, PipelineKey};

/// The most words of SPIR-V that are compiled at the same time: NVIDIA's compiler takes some 2 KB for each.
const WORDS: usize = 45_000;

/// The words that are being compiled.
#[derive(Default)]
struct Compiling {
    words: Mutex<usize>,
    fewer: Condvar,
}

/// A part of [`Compiling`].
struct Share<'a>(&'a Compiling, usize);

impl Compiling {
    /// Waits until there is room for `words`, or nothing else is being compiled.
    fn begin(&self, words: usize) -> Share<'_> {
        let busy = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |busy: &mut usize| *busy > 0 && *busy + words > WORDS;
        *self.fewer.wait_while(busy, full).unwrap_or_else(PoisonError::into_inner) += words;
        Share(self, words)
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.0.words.lock().unwrap_or_else(PoisonError::into_inner) -= self.1;
        self.0.fewer.notify_all();
    }
}

/// Pipelines by what they are made of, refused ones included.
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
            match Pipeline::shared(&self.device, &key) {
                Some(pipeline) => drop(self.held.insert(key, Ok(pipeline))),
                None => missing.push(key),
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let all = timed(&format!("{} pipelines created", missing.len()), || {
            let compiling = Compiling::default();
            let create = |key: &PipelineKey| {
                let module = key.module();
                let _share = compiling.begin(module.len());
                Pipeline::create(&self.device, key, &module)
            };
            parallel::map("pipelines", usize::MAX, missing.iter().collect(), create)
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_is_compiled_at_the_same_time_is_bounded() {
        let (compiling, busy) = (Compiling::default(), AtomicUsize::new(0));
        // The last one alone is too much.
        let sizes = [1, WORDS / 2, WORDS / 3, WORDS / 2, 7, WORDS, 2 * WORDS];
        std::thread::scope(|scope| {
            for words in sizes {
                let (compiling, busy) = (&compiling, &busy);
                scope.spawn(move || {
                    let _share = compiling.begin(words);
                    let before = busy.fetch_add(words, Ordering::SeqCst);
                    assert!(before == 0 || before + words <= WORDS, "{before} and {words}");
                    std::thread::yield_now();
                    busy.fetch_sub(words, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(*compiling.words.lock().unwrap(), 0);
    }
}
