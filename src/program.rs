//! What compilation hands to the runtime: a list of dispatches over buffer ids, plain data.
//!
//! Nothing here names Vulkan, and nothing here names operators or tensors.

mod cost;
mod element;
mod kernel;
mod tactic;
mod unpack;

use std::fmt;
use std::sync::Arc;

pub use cost::{Cost, Peaks};
pub use element::Element;
pub use kernel::{Access, Binding, Join, Kernel, Size, SpecConstant, Store};
pub use tactic::{Choice, TacticKey};

use crate::caps::Features;
use crate::ir::DType;

/// A logical buffer of a [`Program`]; its place in [`Program::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub u32);

/// Where the bytes of a buffer come from and how long they live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BufferKind {
    /// Written by the host before each run: input number.
    Input(usize),
    /// Read by the host after each run: output number.
    Output(usize),
    /// Lives in the arena between its first and last use.
    Temp,
    /// Uploaded once: index into [`Program::weights`].
    Weights(usize),
    /// A stretch of another buffer, from this byte on.
    Part(BufferId, u64),
}

/// A logical buffer.
#[derive(Clone, Debug)]
pub struct Buffer {
    /// Its size; never 0.
    pub bytes: u64,
    /// Its kind.
    pub kind: BufferKind,
    /// How the host has it; `None` for what the host never sees, or sees byte by byte as kernels do.
    pub host: Option<HostForm>,
    /// The value it holds, for people.
    pub name: Arc<str>,
}

impl Buffer {
    /// A buffer for at least so many bytes, which may be 0.
    pub fn new(bytes: u64, kind: BufferKind, name: impl Into<Arc<str>>) -> Self {
        Self { bytes: bytes.max(WORD).next_multiple_of(WORD), kind, host: None, name: name.into() }
    }

    /// An input or output that the host has as `host`.
    pub fn of_host(host: HostForm, kind: BufferKind, name: impl Into<Arc<str>>) -> Self {
        Self { host: Some(host), ..Self::new(host.device_bytes(), kind, name) }
    }

    /// Its size for the host.
    pub fn host_bytes(&self) -> u64 {
        self.host.map_or(self.bytes, |host| host.elements * host.dtype.bytes())
    }
}

/// Buffers hold whole words, and one at least.
const WORD: u64 = 4;

/// How the host has an input or output. It converts each element where kernels see another form: it touches
/// them anyway, and no dispatch is spent on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostForm {
    /// How many elements there are; may be 0, though no buffer is empty.
    pub elements: u64,
    /// What each is for the host.
    pub dtype: DType,
    /// What each is for kernels.
    pub element: Element,
}

impl HostForm {
    /// The size of what kernels see.
    fn device_bytes(&self) -> u64 {
        self.elements * self.element.bytes()
    }
}

/// Names packed weights across programs of one session: the same key means the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WeightKey {
    /// The constant's number in the graph.
    pub constant: u32,
    /// How it was packed, as `conv2d/f16/n4`.
    pub packing: String,
}

/// Writes packed weights into a zeroed slice of [`Weights::bytes`] bytes.
pub type Fill = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Constant data that is uploaded once per session.
#[derive(Clone)]
pub struct Weights {
    /// Its identity.
    pub key: WeightKey,
    /// Its packed size.
    pub bytes: u64,
    /// Produces the bytes; called only if the key was not uploaded before.
    pub fill: Fill,
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} bytes", self.key, self.bytes)
    }
}

/// A kernel with all its arguments.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The kernel variant.
    pub kernel: &'static Kernel,
    /// Values of the specialisation constants, in the order of [`Kernel::spec`].
    pub spec: Vec<u32>,
    /// The push constants.
    pub push: Vec<u8>,
    /// One buffer per binding number.
    pub bindings: Vec<BufferId>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
}

impl Launch {
    /// A launch whose arguments are as many as the kernel takes.
    pub fn new(
        kernel: &'static Kernel,
        spec: Vec<u32>,
        push: Vec<u8>,
        bindings: Vec<BufferId>,
        grid: [u32; 3],
    ) -> Self {
        debug_assert_eq!(spec.len(), kernel.spec.len());
        debug_assert_eq!(push.len(), kernel.push_bytes as usize);
        debug_assert_eq!(bindings.len(), kernel.bindings.len());
        Self { kernel, spec, push, bindings, grid }
    }
}

/// One compute dispatch.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The kernel variant.
    pub kernel: &'static Kernel,
    /// Values of the specialisation constants, in the order of [`Kernel::spec`].
    pub spec: Vec<u32>,
    /// The push constants.
    pub push: Vec<u8>,
    /// One buffer per binding number.
    pub bindings: Vec<BufferId>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
    /// The node it stands for, as `CONV_2D+ADD+RELU`.
    pub label: Arc<str>,
    /// Indices of the TFLite nodes it stands for.
    pub origin: Arc<[u32]>,
    /// Its least cost in operations and bytes.
    pub cost: Cost,
}

impl Dispatch {
    /// A launch on behalf of the TFLite nodes `origin`.
    pub fn new(
        launch: Launch,
        label: impl Into<Arc<str>>,
        origin: impl Into<Arc<[u32]>>,
        cost: Cost,
    ) -> Self {
        let Launch { kernel, spec, push, bindings, grid } = launch;
        Self { kernel, spec, push, bindings, grid, label: label.into(), origin: origin.into(), cost }
    }

    /// The buffers that it reads.
    pub fn reads(&self) -> impl Iterator<Item = BufferId> + '_ {
        self.touched(|binding| binding.access.reads())
    }

    /// The buffers that it writes.
    pub fn writes(&self) -> impl Iterator<Item = BufferId> + '_ {
        self.touched(|binding| binding.access.writes())
    }

    fn touched(&self, which: fn(&Binding) -> bool) -> impl Iterator<Item = BufferId> + '_ {
        self.kernel.bindings.iter().zip(&self.bindings).filter(move |(b, _)| which(b)).map(|(_, id)| *id)
    }
}

/// What runs for one set of input shapes.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// All buffers.
    pub buffers: Vec<Buffer>,
    /// Constant data, by index in [`BufferKind::Weights`].
    pub weights: Vec<Weights>,
    /// The dispatches in an order that respects data flow.
    pub dispatches: Vec<Dispatch>,
    /// Dispatches that do not run, but that other shapes may need: their pipelines are created too.
    pub spare: Vec<Dispatch>,
    /// Input buffers by input number; `None` for an input that nothing reads.
    pub inputs: Vec<Option<BufferId>>,
    /// Output buffers by output number. One buffer per output.
    pub outputs: Vec<BufferId>,
    /// Choices that were made, each with all its candidates.
    pub choices: Vec<Choice>,
}

impl Program {
    /// Adds a buffer of at least `bytes` bytes; `name` is for people.
    pub fn add_buffer(&mut self, bytes: u64, kind: BufferKind, name: impl Into<Arc<str>>) -> BufferId {
        self.add(Buffer::new(bytes, kind, name))
    }

    /// Adds a buffer.
    pub fn add(&mut self, buffer: Buffer) -> BufferId {
        self.buffers.push(buffer);
        BufferId(self.buffers.len() as u32 - 1)
    }

    /// The buffer with this id.
    pub fn buffer(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0 as usize]
    }

    /// The buffer that holds this one, itself as a rule, and where it starts there, in bytes.
    pub fn whole(&self, mut id: BufferId) -> (BufferId, u64) {
        let mut start = 0;
        while let BufferKind::Part(of, offset) = self.buffer(id).kind {
            (id, start) = (of, start + offset);
        }
        (id, start)
    }

    /// The share of the arithmetic operations whose kernels read fp16, from 0 to 1; 0 if there is no arithmetic.
    pub fn fp16_share(&self) -> f64 {
        let ops = |of: &dyn Fn(&Dispatch) -> bool| -> u64 {
            self.dispatches.iter().filter(|dispatch| of(dispatch)).map(|dispatch| dispatch.cost.ops).sum()
        };
        let (all, fp16) = (ops(&|_| true), ops(&|d| d.kernel.needs.contains(Features::STORAGE_16)));
        if all == 0 { 0.0 } else { fp16 as f64 / all as f64 }
    }

    /// The features that its kernels need together.
    pub fn needs(&self) -> Features {
        self.dispatches.iter().fold(Features::NONE, |all, d| all.with(d.kernel.needs))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, d) in self.dispatches.iter().enumerate() {
            let [x, y, z] = d.grid;
            write!(f, "#{i} {} {} grid {x}x{y}x{z}", d.label, d.kernel.name)?;
            for (binding, id) in d.kernel.bindings.iter().zip(&d.bindings) {
                let buffer = self.buffer(*id);
                let kind = match buffer.kind {
                    BufferKind::Input(n) => format!("in{n}"),
                    BufferKind::Output(n) => format!("out{n}"),
                    BufferKind::Temp => format!("t{}", id.0),
                    BufferKind::Weights(n) => format!("w{n}"),
                    BufferKind::Part(of, offset) => format!("b{}+{offset}", of.0),
                };
                write!(f, " {}={kind}:{}", binding.name, buffer.bytes)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_the_host_and_for_kernels() {
        let cases = [
            (3, DType::F32, Element::F32, 12, 12),
            (3, DType::F32, Element::F16, 8, 12),
            (3, DType::F16, Element::F16, 8, 6),
            (3, DType::I64, Element::I64, 24, 24),
            (3, DType::I8, Element::I8, 4, 3),
            (3, DType::Bool, Element::I32, 12, 3),
            (0, DType::F32, Element::F16, 4, 0),
        ];
        for (elements, dtype, element, bytes, host_bytes) in cases {
            let host = HostForm { elements, dtype, element };
            let buffer = Buffer::of_host(host, BufferKind::Input(0), "");
            assert_eq!((buffer.bytes, buffer.host_bytes()), (bytes, host_bytes), "{host:?}");
        }
        assert_eq!(Buffer::new(5, BufferKind::Temp, "").host_bytes(), 8);
    }
}
