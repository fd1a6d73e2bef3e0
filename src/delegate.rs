//! What the delegate decides: which nodes to take, and what to keep ready for every shape.

mod disk;
mod kernel;
mod partition;
mod precision;
mod survey;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cache::{Kind, Table};
use crate::caps::Features;
use crate::error::{Error, Result};
use crate::logging::Verbosity;
use crate::options::{Options, Precision};
use crate::tflite::Context;
use crate::vk::Device;
use disk::Disk;
pub use kernel::Kernel;

/// What a delegate and its kernels share.
pub(crate) struct Setup {
    options: Options,
    device: Arc<Device>,
    /// Whether fp16 holds, by partition.
    verdicts: Table,
    /// The fastest way of computing a node, by choice.
    tuning: Table,
    /// Where compiled pipelines are kept.
    disk: Option<Disk>,
}

/// The delegate behind a `TfLiteDelegate`: its options, its device, and between the two halves of
/// `Prepare` the kernels that the host is about to ask for. Any number of interpreters may use it at
/// the same time.
pub struct Delegate {
    /// `None`: no device can be used, so nothing is claimed.
    setup: Option<Arc<Setup>>,
    planned: Mutex<HashMap<(usize, Vec<i32>), Kernel>>,
    _verbosity: Verbosity,
}

impl Delegate {
    /// Opens the device.
    ///
    /// # Errors
    /// Why no device can be used, but only if `require_device` was asked for.
    pub fn new(options: Options) -> Result<Self> {
        let verbosity = Verbosity::at_least(options.log_level);
        let device = match Device::open(&options) {
            Ok(device) => Some(device),
            Err(e) if options.require_device => return Err(e),
            Err(e) => {
                log::warn!("the whole model stays on the CPU: {e}");
                None
            }
        };
        let setup = device.map(|device| {
            let precision = precision(&options, &device);
            log::info!("device {} ({}), {precision}", device.info().name, device.info().driver);
            let table = |kind| disk::table(&options, &device, kind);
            let (verdicts, tuning) = (table(Kind::Precision), table(Kind::Tuning));
            let disk = Disk::open(&options, &device);
            Arc::new(Setup { options, device, verdicts, tuning, disk })
        });
        Ok(Self { setup, planned: Mutex::default(), _verbosity: verbosity })
    }

    /// Decides which nodes of a subgraph to take, and prepares a kernel for each partition that the
    /// host will make of them. What cannot be taken stays on the CPU, whatever the reason.
    ///
    /// # Errors
    /// Only if the host does not answer.
    pub fn plan(&self, context: &Context<'_>) -> Result<Vec<i32>> {
        let Some(setup) = &self.setup else { return Ok(Vec::new()) };
        let chosen = survey::choose(context, setup)?;
        let mut nodes: Vec<i32> = Vec::new();
        let mut planned = self.planned();
        for (partition, kernel) in chosen {
            nodes.extend(&partition.nodes);
            planned.insert((context.id(), partition.nodes), kernel);
        }
        nodes.sort_unstable();
        if let Some(disk) = &setup.disk {
            disk.save();
        }
        Ok(nodes)
    }

    /// The kernel that [`plan`](Self::plan) prepared for these nodes of this context.
    ///
    /// # Errors
    /// If the host has divided the nodes in another way than it had announced.
    pub fn take(&self, context: usize, nodes: Vec<i32>) -> Result<Kernel> {
        let count = nodes.len();
        let kernel = self.planned().remove(&(context, nodes));
        kernel.ok_or_else(|| Error::Host(format!("an unexpected partition of {count} nodes")))
    }

    /// Drops the kernels of a context that nobody has taken.
    pub fn forget(&self, context: usize) {
        self.planned().retain(|(id, _), _| *id != context);
    }

    fn planned(&self) -> MutexGuard<'_, HashMap<(usize, Vec<i32>), Kernel>> {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is computed in, for people.
fn precision(options: &Options, device: &Device) -> &'static str {
    match options.precision {
        Precision::Fp32 => "fp32",
        _ if !device.caps().features.contains(Features::STORAGE_16) => "fp32, as it cannot store fp16",
        Precision::Fp16 => "fp16",
        Precision::Fp16Fast if device.caps().sums_16() => "fp16-fast",
        Precision::Fp16Fast => "fp16, as sums of 16 bits are not faster",
    }
}
