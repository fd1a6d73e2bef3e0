//! Builds programs of the test kernels, and runs them.

use std::sync::Arc;

use tflite_vulkan::error::Result;
use tflite_vulkan::options::Options;
use tflite_vulkan::plan;
use tflite_vulkan::program::{
    Buffer, BufferId, BufferKind, Cost, Dispatch, Kernel, Launch, Program, WeightKey, Weights,
};
use tflite_vulkan::runtime::{Recording, Session};
use tflite_vulkan::vk::Device;

use crate::kernels;

const WORKGROUP: u32 = 32;

/// A device of any kind; a machine without one cannot run these tests.
pub fn device() -> Arc<Device> {
    let options = Options { allow_software: true, ..Options::default() };
    Device::open(&options).expect("these tests need a Vulkan driver; mesa-vulkan-drivers brings one")
}

/// A program over buffers of `n` floats.
pub struct Net {
    pub program: Program,
    n: u32,
}

impl Net {
    pub fn new(n: u32) -> Self {
        Self { program: Program::default(), n }
    }

    fn buffer(&mut self, kind: BufferKind) -> BufferId {
        let id = BufferId(self.program.buffers.len() as u32);
        let bytes = u64::from(self.n) * 4;
        self.program.buffers.push(Buffer { bytes, kind, host: None, name: format!("b{}", id.0).into() });
        id
    }

    pub fn input(&mut self) -> BufferId {
        let id = self.buffer(BufferKind::Input(self.program.inputs.len()));
        self.program.inputs.push(Some(id));
        id
    }

    pub fn output(&mut self) -> BufferId {
        let id = self.buffer(BufferKind::Output(self.program.outputs.len()));
        self.program.outputs.push(id);
        id
    }

    pub fn temp(&mut self) -> BufferId {
        self.buffer(BufferKind::Temp)
    }

    /// Weights that count up from `start`; a constant of the same number is the same.
    pub fn weights(&mut self, constant: u32, start: f32) -> BufferId {
        let id = self.buffer(BufferKind::Weights(self.program.weights.len()));
        self.program.weights.push(Weights {
            key: WeightKey { constant, packing: format!("ramp{}", self.n) },
            bytes: u64::from(self.n) * 4,
            fill: Arc::new(move |bytes| {
                assert!(bytes.iter().all(|b| *b == 0), "the slice is zeroed");
                for (i, word) in bytes.chunks_exact_mut(4).enumerate() {
                    word.copy_from_slice(&(start + i as f32).to_ne_bytes());
                }
            }),
        });
        id
    }

    fn dispatch(&mut self, kernel: &'static Kernel, buffers: &[BufferId], scale: u32, bias: f32) {
        let push = [self.n.to_ne_bytes(), bias.to_ne_bytes()].concat();
        let grid = [self.n.div_ceil(WORKGROUP), 1, 1];
        let launch = Launch::new(kernel, vec![WORKGROUP, scale], push, buffers.to_vec(), grid);
        let label = kernel.name.to_uppercase();
        self.program.dispatches.push(Dispatch::new(launch, label, [], Cost::default()));
    }

    /// `y = x * scale + bias`
    pub fn affine(&mut self, x: BufferId, y: BufferId, scale: u32, bias: f32) {
        self.dispatch(kernels::affine(), &[x, y], scale, bias);
    }

    /// `z = x + y`
    pub fn add(&mut self, x: BufferId, y: BufferId, z: BufferId) {
        self.dispatch(kernels::add(), &[x, y, z], 1, 0.0);
    }

    /// A dispatch that no device can run.
    pub fn impossible(&mut self, x: BufferId, y: BufferId) {
        self.dispatch(kernels::impossible(), &[x, y], 1, 0.0);
    }

    pub fn prepare(&self, session: &mut Session) -> Result<Recording> {
        let memory = plan::memory(&self.program, session.device().caps().buffer_alignment);
        let barriers = plan::barriers(&self.program, &memory);
        session.prepare(&self.program, &memory, &barriers)
    }

    /// `out = in + 1`, through weights, temporaries that alias, and three barriers.
    pub fn sample(n: u32) -> Self {
        let mut net = Self::new(n);
        let (x, y, w) = (net.input(), net.output(), net.weights(0, 1.0));
        let (a, b, c) = (net.temp(), net.temp(), net.temp());
        net.add(x, w, a);
        net.affine(a, b, 2, 4.0);
        net.affine(b, c, 1, -a_constant(n));
        net.affine(c, y, 1, a_constant(n));
        net
    }

    /// What [`sample`](Self::sample) computes for element `i`.
    pub fn sampled(x: f32, i: usize) -> f32 {
        (x + 1.0 + i as f32) * 2.0 + 4.0
    }
}

fn a_constant(n: u32) -> f32 {
    (n % 7) as f32
}

/// Runs with one input and one output of `x.len()` floats.
pub fn run(session: &mut Session, recording: &Recording, x: &[f32]) -> Result<Vec<f32>> {
    let mut y = vec![0; x.len() * 4];
    session.run(recording, &[&bytes(x)], &mut [&mut y])?;
    Ok(floats(&y))
}

/// Whole numbers that differ by `seed`.
pub fn ramp(n: u32, seed: u32) -> Vec<f32> {
    (0..n).map(|i| ((i * 7 + seed * 13) % 251) as f32).collect()
}

pub fn bytes(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|v| v.to_ne_bytes()).collect()
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// Prepares and runs [`Net::sample`] and compares.
pub fn check_sample(session: &mut Session, n: u32, seed: u32) {
    let recording = Net::sample(n).prepare(session).unwrap();
    check_recording(session, &recording, n, seed);
}

/// Runs a recording of [`Net::sample`] and compares.
pub fn check_recording(session: &mut Session, recording: &Recording, n: u32, seed: u32) {
    let x = ramp(n, seed);
    let expected: Vec<f32> = x.iter().enumerate().map(|(i, x)| Net::sampled(*x, i)).collect();
    assert_eq!(run(session, recording, &x).unwrap(), expected, "n = {n}, seed = {seed}");
}
