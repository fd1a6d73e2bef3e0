//! What the delegate decides: which nodes to take, and what to keep ready for every shape.

mod bisection;
mod bound;
mod compiler;
mod disk;
mod fixed;
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
use crate::runtime::External;
use crate::tflite::Context;
use crate::vk::{self, Device, Semaphore};
pub use bound::{TensorId, Wait};
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
        Self::with(options, Setup::open)
    }

    /// A delegate on a device of the caller's; options that choose one do not matter.
    ///
    /// # Errors
    /// None at present.
    pub fn on(options: Options, device: Arc<Device>) -> Result<Self> {
        Self::with(options, |options| Ok(Setup::on(options, device)))
    }

    fn with(options: Options, open: impl FnOnce(Options) -> Result<Setup>) -> Result<Self> {
        let verbosity = Verbosity::at_least(options.log_level);
        log::debug!("{options:?}");
        let require_device = options.require_device;
        if !options.ignored.is_empty() {
            log::info!(
                "options of TensorFlow Lite's own delegate without effect: {}",
                options.ignored.join(", ")
            );
        }
        let setup = match open(options) {
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
        let unexpected = || Error::Host(format!("an unexpected partition of {count} nodes"));
        kernel.map(DelegateKernel::enter).ok_or_else(unexpected)
    }

    /// The device in use; one that was lost is opened again.
    ///
    /// # Errors
    /// If there is none; [`Error::DeviceLost`] if it is lost for now; [`Error::Forked`].
    pub fn device(&self) -> Result<Arc<Device>> {
        self.setup()?.device()
    }

    /// The subgraphs in which something is delegated.
    ///
    /// # Errors
    /// If there is no device.
    pub fn contexts(&self) -> Result<Vec<usize>> {
        Ok(self.setup()?.bindings.contexts())
    }

    /// The only subgraph in which a part that is delegated reads or writes the tensor of this index.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn context_of(&self, index: i32) -> Result<usize> {
        self.setup()?.bindings.context_of(index)
    }

    /// Lets an input or output of what is delegated lie in a buffer of the device; `None` for the host's memory again.
    ///
    /// # Errors
    /// If the tensor is no such thing, if the CPU uses it too, or if the buffer is misaligned or of another device.
    pub fn bind(&self, tensor: TensorId, external: Option<External>) -> Result<()> {
        let setup = self.setup()?;
        if let Some(external) = &external {
            let device = setup.device()?;
            let alignment = device.caps().buffer_alignment;
            if !external.buffer.is_of(&device) {
                return Err(Error::Host(format!(
                    "{external} belongs to another device, or to one that was lost"
                )));
            }
            if !external.offset.is_multiple_of(alignment) {
                let why = "minStorageBufferOffsetAlignment, and 16";
                let offset = external.offset;
                return Err(Error::Host(format!("offset {offset} is no multiple of {alignment}: {why}")));
            }
        }
        setup.bindings.bind(tensor, external)
    }

    /// Lets the next invoke wait before the device touches a tensor.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    pub fn wait(&self, tensor: TensorId, wait: Wait) -> Result<()> {
        self.setup()?.bindings.wait(tensor, wait)
    }

    /// Lets the next invoke signal when the device is done with a tensor.
    ///
    /// # Errors
    /// As for [`bind`](Self::bind).
    pub fn signal(&self, tensor: TensorId, semaphore: Semaphore) -> Result<()> {
        self.setup()?.bindings.signal(tensor, semaphore)
    }

    fn setup(&self) -> Result<&Arc<Setup>> {
        self.setup.as_ref().ok_or_else(|| Error::NoDevice("the delegate has no device".into()))
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
