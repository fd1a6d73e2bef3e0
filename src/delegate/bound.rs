//! Buffers of the caller in the place of an interpreter's tensors.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::runtime::{External, Input, Output, synchronise};
use crate::vk::{Device, Semaphore, Semaphores, SyncFd};

/// What an invoke of one partition works on.
pub struct Job<'a> {
    /// By number.
    pub inputs: Vec<Input<'a>>,
    /// By number.
    pub outputs: Vec<Output<'a>>,
    /// Around the device's work.
    pub semaphores: Semaphores,
}

impl Job<'_> {
    /// Does `run` with copies of what lies on the device, and brings its results there.
    ///
    /// # Errors
    /// Those of `run`; [`Error::Host`] for a buffer that is too small or of another device; [`Error::DeviceLost`].
    pub fn through_host(
        mut self,
        device: &Device,
        run: impl FnOnce(&[&[u8]], &mut [&mut [u8]]) -> Result<()>,
    ) -> Result<()> {
        let Semaphores { waits, signals } = self.semaphores;
        synchronise(device, &Semaphores { waits, signals: Vec::new() })?;
        let copied = |input: &Input<'_>| match input {
            Input::Host(_) => Ok(Vec::new()),
            Input::Device(external) => {
                let mut bytes = external.zeros()?;
                external.read(device, &mut bytes).map(|()| bytes)
            }
        };
        let copies = self.inputs.iter().map(copied).collect::<Result<Vec<_>>>()?;
        let inputs = self.inputs.iter().zip(&copies).map(|(input, copy)| match input {
            Input::Host(bytes) => bytes,
            Input::Device(_) => copy.as_slice(),
        });
        let inputs: Vec<&[u8]> = inputs.collect();
        let room = |output: &Output<'_>| match output {
            Output::Host(_) => Ok(Vec::new()),
            Output::Device(external) => external.zeros(),
        };
        let mut results = self.outputs.iter().map(room).collect::<Result<Vec<_>>>()?;
        let outputs = self.outputs.iter_mut().zip(&mut results).map(|(output, result)| match output {
            Output::Host(bytes) => &mut **bytes,
            Output::Device(_) => result.as_mut_slice(),
        });
        run(&inputs, &mut outputs.collect::<Vec<_>>())?;
        for (output, result) in self.outputs.iter().zip(&results) {
            if let Output::Device(external) = output {
                external.write(device, result)?;
            }
        }
        synchronise(device, &Semaphores { waits: Vec::new(), signals })
    }
}

/// A tensor of an interpreter's subgraph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TensorId {
    /// See [`Context::id`](crate::tflite::Context::id).
    pub context: usize,
    /// Its index there.
    pub index: i32,
}

/// What a run waits for before it touches a tensor.
#[derive(Debug)]
pub enum Wait {
    /// A semaphore of the device.
    Semaphore(Semaphore),
    /// A descriptor that becomes readable, as Linux's sync files do; closed afterwards.
    Fd(SyncFd),
}

/// What is bound to the tensors of all interpreters of a delegate.
#[derive(Default)]
pub struct Bindings {
    state: Mutex<State>,
    /// Whether anything is bound or to be waited for or signalled.
    used: AtomicBool,
}

#[derive(Default)]
struct State {
    kernels: Vec<Interface>,
    bound: HashMap<TensorId, External>,
    waits: Vec<(TensorId, Wait)>,
    signals: Vec<(TensorId, Semaphore)>,
}

/// The tensors of a kernel.
#[derive(Clone, Debug)]
pub struct Interface {
    /// The kernel's subgraph.
    pub context: usize,
    /// Tells the kernels of a subgraph apart.
    pub nodes: Vec<i32>,
    /// The tensors that it reads and writes.
    pub tensors: Vec<i32>,
    /// Those among them that nodes on the CPU touch as well.
    pub on_cpu: Vec<i32>,
    /// Those among them that other nodes compute, or read.
    pub inner: Vec<i32>,
}

/// What is bound for one invoke.
#[derive(Default)]
pub struct Taken {
    /// By tensor.
    pub bound: HashMap<i32, External>,
    /// To be waited for, in this order.
    pub waits: Vec<Wait>,
    /// To be signalled.
    pub signals: Vec<Semaphore>,
}

impl Bindings {
    /// From now on there is this kernel.
    pub fn enter(&self, kernel: Interface) {
        self.state().kernels.push(kernel);
    }

    /// The kernel is gone, and with the last one of a subgraph what was bound there.
    pub fn leave(&self, kernel: &Interface) {
        let mut state = self.state();
        let same = |k: &Interface| k.context == kernel.context && k.nodes == kernel.nodes;
        if let Some(at) = state.kernels.iter().position(same) {
            state.kernels.swap_remove(at);
        }
        if !state.kernels.iter().any(|k| k.context == kernel.context) {
            state.bound.retain(|tensor, _| tensor.context != kernel.context);
            state.waits.retain(|(tensor, _)| tensor.context != kernel.context);
            state.signals.retain(|(tensor, _)| tensor.context != kernel.context);
        }
        self.note(&state);
    }

    /// The subgraphs of all kernels.
    pub fn contexts(&self) -> Vec<usize> {
        let mut contexts: Vec<usize> = self.state().kernels.iter().map(|k| k.context).collect();
        contexts.sort_unstable();
        contexts.dedup();
        contexts
    }

    /// The only subgraph that has a kernel with this tensor.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn context_of(&self, index: i32) -> Result<usize> {
        let state = self.state();
        let mut with = state.kernels.iter().filter(|k| k.tensors.contains(&index)).map(|k| k.context);
        let Some(first) = with.next() else { return Err(unknown(index)) };
        if with.any(|context| context != first) {
            let why = "belongs to several interpreters or subgraphs of the delegate: give the tensor itself";
            return Err(Error::Host(format!("tensor {index} {why}")));
        }
        Ok(first)
    }

    /// Lets a tensor lie in a buffer, or in the host's memory again.
    ///
    /// # Errors
    /// If the tensor is no input or output of a kernel, or if the CPU reads or writes it too.
    pub fn bind(&self, tensor: TensorId, external: Option<External>) -> Result<()> {
        let mut state = self.state();
        state.kernels_with(tensor)?;
        match external {
            Some(external) => drop(state.bound.insert(tensor, external)),
            None => drop(state.bound.remove(&tensor)),
        }
        self.note(&state);
        Ok(())
    }

    /// Lets the next invoke wait before it touches a tensor.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn wait(&self, tensor: TensorId, wait: Wait) -> Result<()> {
        let mut state = self.state();
        state.kernels_with(tensor)?;
        state.waits.push((tensor, wait));
        self.note(&state);
        Ok(())
    }

    /// Lets the next invoke signal that it does not touch a tensor any more.
    ///
    /// # Errors
    /// As [`bind`](Self::bind), and if several kernels touch the tensor.
    pub fn signal(&self, tensor: TensorId, semaphore: Semaphore) -> Result<()> {
        let mut state = self.state();
        if state.kernels_with(tensor)? > 1 {
            return Err(Error::Host(format!("several delegated parts use tensor {}", tensor.index)));
        }
        state.signals.push((tensor, semaphore));
        self.note(&state);
        Ok(())
    }

    /// What an invoke of a kernel finds; `None` if nothing. Semaphores are for this invoke alone.
    pub fn take(&self, kernel: &Interface) -> Option<Taken> {
        if !self.used.load(Ordering::Acquire) {
            return None;
        }
        let mut state = self.state();
        let own =
            |tensor: &TensorId| tensor.context == kernel.context && kernel.tensors.contains(&tensor.index);
        let bound = state.bound.iter().filter(|(tensor, _)| own(tensor));
        let bound: HashMap<i32, External> = bound.map(|(t, external)| (t.index, external.clone())).collect();
        let waits: Vec<_> = state.waits.extract_if(.., |(tensor, _)| own(tensor)).collect();
        let signals: Vec<_> = state.signals.extract_if(.., |(tensor, _)| own(tensor)).collect();
        self.note(&state);
        if bound.is_empty() && waits.is_empty() && signals.is_empty() {
            return None;
        }
        Some(Taken {
            bound,
            waits: waits.into_iter().map(|(_, wait)| wait).collect(),
            signals: signals.into_iter().map(|(_, semaphore)| semaphore).collect(),
        })
    }

    fn note(&self, state: &State) {
        let used = !state.bound.is_empty() || !state.waits.is_empty() || !state.signals.is_empty();
        self.used.store(used, Ordering::Release);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many kernels read or write the tensor.
    fn kernels_with(&self, tensor: TensorId) -> Result<usize> {
        let with = |k: &&Interface| k.context == tensor.context && k.tensors.contains(&tensor.index);
        let with: Vec<&Interface> = self.kernels.iter().filter(with).collect();
        if with.is_empty() {
            return Err(unknown(tensor.index));
        }
        if with.iter().any(|kernel| kernel.on_cpu.contains(&tensor.index)) {
            return Err(Error::Host(format!("a node on the CPU uses tensor {} too", tensor.index)));
        }
        Ok(with.len())
    }
}

fn unknown(index: i32) -> Error {
    Error::Host(format!("tensor {index} is no input or output of a part of the graph that is delegated"))
}
