//! Runs one operator on the device and on the CPU, and compares.

use std::fmt::Write;
use std::sync::Arc;

use tflite_vulkan::caps::Features;
use tflite_vulkan::compile::compile;
use tflite_vulkan::ir::{Constant, DType, Graph, HostTensor, Node, Shape, TensorType};
use tflite_vulkan::op::{Operator, Step};
use tflite_vulkan::options::{Options, Precision};
use tflite_vulkan::reference;
use tflite_vulkan::runtime::Session;
use tflite_vulkan::vk::Device;

/// An operand of the operator or of a step.
#[derive(Clone, Debug)]
pub enum Arg {
    /// Computed before: random numbers.
    Tensor(Shape),
    /// Known: random numbers.
    Constant(Shape),
    /// Computed before: these numbers, which fp16 holds exactly.
    Numbers(Shape, Vec<f32>),
    /// Known integers.
    Ints(Vec<i32>),
}

/// An operand that is computed before.
pub fn tensor(dims: &[u32]) -> Arg {
    Arg::Tensor(Shape::new(dims))
}

/// A constant operand.
pub fn constant(dims: &[u32]) -> Arg {
    Arg::Constant(Shape::new(dims))
}

/// One operator with operands, and the steps behind it, whose operands follow its own.
#[derive(Debug)]
pub struct Case {
    op: Arc<dyn Operator>,
    args: Vec<Arg>,
    steps: Vec<Step>,
    elementwise: bool,
}

impl Case {
    pub fn new(op: impl Operator + 'static, args: impl Into<Vec<Arg>>) -> Self {
        Self { op: Arc::new(op), args: args.into(), steps: Vec::new(), elementwise: false }
    }

    /// Allows each element an error of its own size, not of the largest one's: nothing is added up.
    pub fn elementwise(mut self) -> Self {
        self.elementwise = true;
        self
    }

    /// Appends a step.
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Appends an operand, for a step.
    pub fn arg(mut self, arg: Arg) -> Self {
        self.args.push(arg);
        self
    }

    fn graph(&self, random: &mut Random) -> (Graph, Vec<HostTensor>) {
        let (mut graph, mut inputs) = (Graph::default(), Vec::new());
        let mut data = |shape: &Shape| (0..shape.elements()).map(|_| random.next()).collect::<Vec<_>>();
        let mut operands = Vec::new();
        let mut interface = Vec::new();
        for (i, arg) in self.args.iter().enumerate() {
            let mut add = |ty, constant| Some(graph.add_value(format!("arg{i}"), ty, constant));
            operands.push(match arg {
                Arg::Tensor(shape) => {
                    let id = add(TensorType::f32(*shape), None);
                    interface.extend(id);
                    inputs.push(HostTensor { shape: *shape, data: data(shape) });
                    id
                }
                Arg::Numbers(shape, numbers) => {
                    let id = add(TensorType::f32(*shape), None);
                    interface.extend(id);
                    inputs.push(HostTensor { shape: *shape, data: numbers.clone() });
                    id
                }
                Arg::Constant(shape) => {
                    add(TensorType::f32(*shape), Some(Constant::from_f32(*shape, &data(shape))))
                }
                Arg::Ints(ints) => {
                    let shape = Shape::from([ints.len() as u32]);
                    let bytes: Vec<u8> = ints.iter().flat_map(|i| i.to_le_bytes()).collect();
                    let constant =
                        Constant { shape, stored: DType::I32, bytes: Arc::new(bytes), sparsity: None };
                    add(TensorType { shape, dtype: DType::I32, quant: None }, Some(constant))
                }
            });
        }
        let types: Vec<_> = operands.iter().map(|i| i.map(|i| &graph.value(i).ty)).collect();
        let results = self.op.infer(&types).unwrap_or_else(|e| panic!("{self:?}: {e}"));
        let outputs: Vec<_> = results
            .into_iter()
            .enumerate()
            .map(|(i, ty)| graph.add_value(format!("y{i}"), ty, None))
            .collect();
        graph.add_node(Node {
            op: self.op.clone(),
            inputs: operands,
            outputs: outputs.clone(),
            epilogue: self.steps.clone(),
            origin: vec![0],
            label: "NODE".into(),
        });
        graph.set_interface(interface, outputs);
        (graph, inputs)
    }

    /// What differs between device and CPU, if anything.
    fn check(&self, device: &Arc<Device>, precision: Precision, seed: u64) -> Result<(), String> {
        let (graph, inputs) = self.graph(&mut Random(seed));
        let expected = reference::run(&graph, &inputs).map_err(|e| e.to_string())?;
        let options = Options { precision, ..Options::default() };
        let compiled = compile(graph, device.caps(), &options).map_err(|e| e.to_string())?;
        let mut session = Session::new(device.clone());
        let recording = session
            .prepare(&compiled.program, &compiled.memory, &compiled.barriers)
            .map_err(|e| e.to_string())?;
        let inputs: Vec<Vec<u8>> = inputs.iter().map(|t| bytes(&t.data)).collect();
        // Nothing may be left as it was.
        let mut outputs: Vec<Vec<u8>> =
            expected.iter().map(|t| bytes(&vec![f32::NAN; t.data.len()])).collect();
        session
            .run(
                &recording,
                &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>(),
                &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>(),
            )
            .map_err(|e| e.to_string())?;
        let tolerance = match precision {
            Precision::Fp32 => 1e-5,
            Precision::Fp16 => 4e-3,
        };
        for (n, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
            let range = expected.data.iter().fold(0.0_f32, |range, x| range.max(x.abs())).max(1.0);
            let got = output.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default()));
            let wrong = got.zip(&expected.data).enumerate().find(|(_, (got, expected))| {
                let range = if self.elementwise { expected.abs().max(1.0) } else { range };
                let near = (got - **expected).abs() <= tolerance * range;
                !near && got != *expected
            });
            if let Some((i, (got, expected))) = wrong {
                return Err(format!("result {n}, element {i} is {got}, {expected} expected"));
            }
        }
        Ok(())
    }
}

/// A device of any kind; a machine without one cannot run these tests.
fn device() -> Arc<Device> {
    let options = Options { allow_software: true, ..Options::default() };
    Device::open(&options).expect("these tests need a Vulkan driver; mesa-vulkan-drivers brings one")
}

/// Checks every case in every precision and reports all that fail. The seed of the numbers is 1
/// unless the environment has SEED.
pub fn check(cases: impl IntoIterator<Item = Case>) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let device = device();
    let fp16 = device.caps().features.contains(Features::STORAGE_16);
    let precisions = [Precision::Fp32, Precision::Fp16];
    let (mut failures, mut failed, mut checked) = (String::new(), 0, 0);
    for case in cases {
        for precision in precisions.into_iter().filter(|p| *p == Precision::Fp32 || fp16) {
            checked += 1;
            if let Err(what) = case.check(&device, precision, seed) {
                failed += 1;
                let _ = writeln!(failures, "{precision:?} {case:?}\n    {what}");
            }
        }
    }
    assert!(failed == 0, "SEED={seed}, {failed} of {checked} on {}:\n{failures}", device.caps().name);
}

/// Numbers between -1 and 1 that fp16 holds exactly, so that it is the kernel that is measured.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % 1025) as f32 / 512.0 - 1.0
    }
}

fn bytes(data: &[f32]) -> Vec<u8> {
    data.iter().flat_map(|x| x.to_le_bytes()).collect()
}
