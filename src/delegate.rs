//! What the delegate decides: which nodes to take, and what to keep ready for every shape.

mod bisection;
mod compiler;
mod disk;
mod kernel;
mod life;
mod look;
mod on_device;
mod on_host;
mod partition;
mod precision;
mod probe;
mod proving;
mod recorded;
mod retry;
mod setup;
mod subgraph_host;
mod surroundings;
mod survey;
mod tactics;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::logging::Verbosity;
use crate::options::Options;
use crate::tflite::Context;
use crate::vk;
pub use kernel::DelegateKernel;
use setup::Setup;

/// The delegate behind a `TfLiteDelegate`: its options, its device, and between the two halves of
/// `Prepare` the kernels that the host is about to ask for. Any number of interpreters may use it at
/// the same time.
pub struct Delegate {
    /// `None`: no device can be used, so nothing is claimed.
    setup: Option<Arc<Setup>>,
    planned: Mutex<HashMap<(usize, Vec<i32>), DelegateKernel>>,
    _verbosity: Verbosity,
}

impl Delegate {
    /// Opens the device.
    ///
    /// # Errors
    /// Why no device can be used, but only if `require_device` was asked for.
    pub fn new(options: Options) -> Result<Self> {
        let verbosity = Verbosity::at_least(options.log_level);
        log::debug!("{options:?}");
        let require_device = options.require_device;
        if !options.ignored.is_empty() {
            log::info!(
                "options of TensorFlow Lite's own delegate without effect: {}",
                options.ignored.join(", ")
            );
        }
        let setup = match Setup::open(options) {
            Ok(setup) => Some(Arc::new(setup)),
            Err(e) if require_device => return Err(e),
            Err(e) => {
                log::warn!("the whole model stays on the CPU: {e}");
                None
            }
        };
        Ok(Self { setup, planned: Mutex::default(), _verbosity: verbosity })
    }

    /// Decides which nodes of a subgraph to take, and prepares a kernel for each partition that the
    /// host will make of them. What cannot be taken stays on the CPU, whatever the reason.
    pub fn plan(&self, context: &Context<'_>) -> Vec<i32> {
        let Some(setup) = &self.setup else { return Vec::new() };
        if let Err(e) = vk::not_forked() {
            log::warn!("the whole model stays on the CPU: {e}");
            return Vec::new();
        }
        let chosen = survey::select(context, setup);
        let mut nodes: Vec<i32> = Vec::new();
        let mut planned = self.planned();
        for (partition, kernel) in chosen {
            nodes.extend(&partition.nodes);
            planned.insert((context.id(), partition.nodes), kernel);
        }
        nodes.sort_unstable();
        setup.save();
        nodes
    }

    /// The kernel that [`plan`](Self::plan) prepared for these nodes of this context.
    ///
    /// # Errors
    /// If the host has made other partitions than it announced.
    pub fn take(&self, context: usize, nodes: Vec<i32>) -> Result<DelegateKernel> {
        let count = nodes.len();
        let kernel = self.planned().remove(&(context, nodes));
        kernel.ok_or_else(|| Error::Host(format!("an unexpected partition of {count} nodes")))
    }

    /// Drops the kernels of a context that nobody has taken.
    pub fn forget(&self, context: usize) {
        if !vk::is_forked() {
            self.planned().retain(|(id, _), _| *id != context);
        }
    }

    fn planned(&self) -> MutexGuard<'_, HashMap<(usize, Vec<i32>), DelegateKernel>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
