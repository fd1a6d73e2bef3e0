//! Runs one operator on the device and on the CPU, and compares.

use std::fmt::Write;
use std::sync::Arc;

use tflite_vulkan::caps::{Caps, DeviceKind, Features};
use tflite_vulkan::compile::compile;
use tflite_vulkan::graph::{Graph, Mix, Node, ValueId};
use tflite_vulkan::ir::{Constant, DType, HostTensor, Shape, Step, TensorType};
use tflite_vulkan::op::Operator;
use tflite_vulkan::options::{Options, Precision};
use tflite_vulkan::program::TacticKey;
use tflite_vulkan::reference;
use tflite_vulkan::runtime::Session;
use tflite_vulkan::vk::Device;

pub use crate::random::Random;

/// An operand of the operator or of a step.
#[derive(Clone, Debug)]
pub enum Arg {
    /// Computed before: random numbers.
    Tensor(Shape),
    /// Known: random numbers.
    Constant(Shape),
    /// Computed before: these numbers, which fp16 holds exactly.
    Numbers(Shape, Vec<f32>),
    /// Computed before: these elements of any type.
    Elements(HostTensor),
    /// Known: these elements of any type.
    Known(HostTensor),
    /// Known integers.
    Ints(Vec<i32>),
    /// An optional one that is left out.
    Absent,
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
    values: Option<f32>,
    bits: bool,
    behind: Option<Box<Case>>,
    results: DType,
}

impl Case {
    pub fn new(op: impl Operator + 'static, args: impl Into<Vec<Arg>>) -> Self {
        Self {
            op: Arc::new(op),
            args: args.into(),
            steps: Vec::new(),
            elementwise: false,
            values: None,
            bits: false,
            behind: None,
            results: DType::F32,
        }
    }

    /// Gives its first operand, a tensor, these numbers.
    pub fn numbers(mut self, numbers: Vec<f32>) -> Self {
        if let Some(Arg::Tensor(shape)) = self.args.first().cloned() {
            self.args[0] = Arg::Numbers(shape, numbers);
        }
        self
    }

    /// Gives results of this type, in fp32 to the bit what the CPU computes.
    pub fn gives(mut self, dtype: DType) -> Self {
        self.results = dtype;
        self.exactly()
    }

    /// Requires in fp32 to the bit what the CPU computes; in fp16 nothing, as with `values`.
    pub fn exactly(mut self) -> Self {
        (self.elementwise, self.values, self.bits) = (true, Some(0.0), true);
        self
    }

    /// Lets another operator read the (only) result; `case` has its further operands.
    pub fn then(mut self, case: Case) -> Self {
        self.behind = Some(Box::new(case));
        self
    }

    /// Allows each element an error of its own size, not of the largest one's: nothing is added up.
    pub fn elementwise(mut self) -> Self {
        self.elementwise = true;
        self
    }

    /// Compares in fp32 alone, NaN and infinities too: the operands need not fit into fp16. Each element
    /// may be wrong by `tolerance` of its own size, at least of 1.
    pub fn values(mut self, tolerance: f32) -> Self {
        (self.elementwise, self.values) = (true, Some(tolerance));
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

    /// Puts the operator into `graph` as `label`; returns its results.
    fn build(
        &self,
        graph: &mut Graph,
        inputs: &mut Vec<(ValueId, HostTensor)>,
        random: &mut Random,
        label: &str,
        first: Option<ValueId>,
    ) -> Vec<ValueId> {
        let mut data = |shape: &Shape| (0..shape.elements()).map(|_| random.next()).collect::<Vec<_>>();
        let mut operands: Vec<Option<ValueId>> = first.into_iter().map(Some).collect();
        for (i, arg) in (operands.len()..).zip(&self.args) {
            let mut add = |ty, constant| graph.add_value(format!("{label} operand {i}"), ty, constant);
            let computed = match arg {
                Arg::Tensor(shape) => Some(HostTensor::f32(*shape, data(shape))),
                Arg::Numbers(shape, numbers) => Some(HostTensor::f32(*shape, numbers.clone())),
                Arg::Elements(elements) => Some(elements.clone()),
                _ => None,
            };
            operands.push(match arg {
                Arg::Absent => None,
                Arg::Tensor(shape) | Arg::Numbers(shape, _) => Some(add(TensorType::f32(*shape), None)),
                Arg::Elements(elements) => Some(add(ty(elements), None)),
                Arg::Known(elements) => {
                    let bytes = Arc::new(bytes(elements));
                    let (shape, stored) = (elements.shape, elements.dtype());
                    Some(add(
                        ty(elements),
                        Some(Constant { shape, stored, bytes, sparsity: None, quant: None }),
                    ))
                }
                Arg::Constant(shape) => {
                    Some(add(TensorType::f32(*shape), Some(Constant::from_f32(*shape, &data(shape)))))
                }
                Arg::Ints(ints) => {
                    let shape = Shape::from([ints.len() as u32]);
                    let bytes: Vec<u8> = ints.iter().flat_map(|i| i.to_le_bytes()).collect();
                    let constant = Constant {
                        shape,
                        stored: DType::I32,
                        bytes: Arc::new(bytes),
                        sparsity: None,
                        quant: None,
                    };
                    Some(add(TensorType { shape, dtype: DType::I32, quant: None }, Some(constant)))
                }
            });
            inputs.extend(operands[i].zip(computed));
        }
        let shapes: Vec<_> = operands.iter().map(|i| i.map(|i| graph.value(i).ty.shape)).collect();
        let results = self.op.infer(&shapes).unwrap_or_else(|e| panic!("{self:?}: {e}"));
        let (states, own) = (self.op.states(), results.len() - self.op.states().len());
        let held = |i: usize| Some(graph.value(operands[states[i.checked_sub(own)?]]?).ty.dtype);
        let dtypes: Vec<_> = (0..results.len()).map(|i| held(i).unwrap_or(self.results)).collect();
        let outputs: Vec<_> = results
            .into_iter()
            .enumerate()
            .map(|(i, shape)| {
                let ty = TensorType { dtype: dtypes[i], ..TensorType::f32(shape) };
                graph.add_value(format!("{label} result {i}"), ty, None)
            })
            .collect();
        graph.add_node(Node {
            op: self.op.clone(),
            inputs: operands,
            outputs: outputs.clone(),
            epilogue: self.steps.clone(),
            origin: [0].into(),
            label: label.into(),
        });
        match &self.behind {
            Some(case) => case.build(graph, inputs, random, &format!("{label} behind"), Some(outputs[0])),
            None => outputs,
        }
    }

    /// What differs between a result on the device and on the CPU, if anything.
    fn compare(&self, got: &[f32], expected: &[f32], precision: Precision) -> Option<String> {
        let tolerance = match precision {
            Precision::Fp32 => self.values.unwrap_or(1e-5),
            _ if self.values.is_some() => return None,
            Precision::Fp16 => 4e-3,
            Precision::Fp16Fast => 1.5e-2,
        };
        let largest = expected.iter().fold(1.0_f32, |range, x| range.max(x.abs()));
        let mut pairs = got.iter().zip(expected).enumerate();
        let (i, (got, expected)) = pairs.find(|(_, (got, expected))| {
            let range = if self.elementwise { expected.abs().max(1.0) } else { largest };
            let near = (*got - *expected).abs() <= tolerance * range;
            !near && got != expected && !(got.is_nan() && expected.is_nan())
        })?;
        Some(format!("element {i} is {got}, {expected} expected"))
    }
}

/// The kernels of a program, with their constants.
type Kernels = Vec<(&'static str, Vec<u32>)>;

/// Runs the cases side by side in one graph, compiled for a device of these abilities, each choice taking
/// its candidate `nth` or the last one; returns how each case fails, if it does, and the most candidates
/// that there are. Does nothing if the kernels are among the known ones.
fn run(
    cases: &[Case],
    device: &Arc<Device>,
    (precision, caps, sides): &(Precision, Caps, Sides),
    known: &mut Vec<Kernels>,
    seed: u64,
    nth: usize,
) -> Result<(Vec<Vec<String>>, usize), String> {
    let (mut graph, mut inputs, mut random) = (Graph::default(), Vec::new(), Random(seed));
    let mut results = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        results.push(case.build(&mut graph, &mut inputs, &mut random, &format!("CASE {n}"), None));
    }
    let (ids, inputs): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
    graph.set_interface(ids, results.concat());
    let tactics = |_: &TacticKey, candidates: &[String]| nth.min(candidates.len() - 1);
    let mut mix = Mix::of(*precision);
    if *sides == Sides::Wide {
        for (_, node) in graph.nodes() {
            mix.wide.extend(node.inputs.iter().skip(2).flatten().chain(&node.outputs));
        }
    }
    let compiled = compile(graph.clone(), caps, &mix, &tactics).map_err(|e| e.to_string())?;
    let candidates = compiled.program.choices.iter().map(|choice| choice.candidates.len()).max();
    let kernels = compiled.program.dispatches.iter().map(|d| (d.kernel.name, d.spec.clone())).collect();
    if known.contains(&kernels) {
        return Ok((vec![Vec::new(); cases.len()], candidates.unwrap_or(1)));
    }
    known.push(kernels);
    let expected = reference::run(&graph, &inputs).map_err(|e| e.to_string())?;
    let mut session = Session::new(device.clone());
    let recording = session
        .prepare(&compiled.program, &compiled.memory, &compiled.barriers)
        .map_err(|e| e.to_string())?;
    let inputs: Vec<Vec<u8>> = inputs.iter().map(bytes).collect();
    let mut outputs = Vec::new();
    // Twice: the first run may leave nothing behind that changes the second.
    for _ in 0..2 {
        // Nothing may be left as it was: floats were NaN.
        outputs = expected.iter().map(|t| vec![0xff; bytes(t).len()]).collect();
        session
            .run(
                &recording,
                &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>(),
                &mut outputs.iter_mut().map(Vec::as_mut_slice).collect::<Vec<_>>(),
            )
            .map_err(|e| e.to_string())?;
    }
    let mut compared = outputs.iter().zip(&expected);
    let failures = cases.iter().zip(&results).map(|(case, results)| {
        let compare = |(n, (output, expected)): (usize, (&Vec<u8>, &HostTensor))| {
            if case.bits {
                let size = expected.dtype().bytes() as usize;
                let same = bytes(expected);
                let mut pairs = output.chunks(size).zip(same.chunks(size)).enumerate();
                // Every NaN is as good as any other.
                let is_nan = |bytes: &[u8]| match (bytes, expected.dtype()) {
                    (&[a, b, c, d], DType::F32) => f32::from_le_bytes([a, b, c, d]).is_nan(),
                    (&[low, high], DType::F16) => u16::from_le_bytes([low, high]) & 0x7fff > 0x7c00,
                    _ => false,
                };
                let differs = |got: &[u8], want: &[u8]| got != want && !(is_nan(got) && is_nan(want));
                let (i, (got, expected)) =
                    pairs.find(|(_, (got, want))| *precision == Precision::Fp32 && differs(got, want))?;
                return Some(format!("result {n}, element {i} is {got:?}, {expected:?} expected"));
            }
            let got: Vec<f32> = output
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap_or_default()))
                .collect();
            case.compare(&got, expected.floats(), *precision).map(|what| format!("result {n}, {what}"))
        };
        compared.by_ref().take(results.len()).enumerate().filter_map(compare).collect()
    });
    Ok((failures.collect(), candidates.unwrap_or(1)))
}

/// How results, and operands of steps, are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sides {
    /// As the operator's own operands.
    Alike,
    /// In fp32.
    Wide,
}

/// A device of any kind; a machine without one cannot run these tests.
fn device() -> Arc<Device> {
    let options = Options { allow_software: true, ..Options::default() };
    Device::open(&options).expect("these tests need a Vulkan driver; mesa-vulkan-drivers brings one")
}

/// Checks every case in every precision, as compiled for the device and, if that is a CPU, also as for a
/// GPU, with optional features and without, and reports all that fail. The seed of the numbers is 1 unless the environment has SEED.
pub fn check(cases: impl IntoIterator<Item = Case>) {
    check_candidates(&cases.into_iter().collect::<Vec<_>>(), 1, Sides::Alike, None);
}

/// The same as for a device that runs no more than so many rounds of loops in one invocation.
pub fn check_few_rounds(rounds: u32, cases: impl IntoIterator<Item = Case>) {
    check_candidates(&cases.into_iter().collect::<Vec<_>>(), 1, Sides::Alike, Some(rounds));
}

/// Checks every case in fp16, with results and operands of steps in fp32.
pub fn check_wide_sides(cases: impl IntoIterator<Item = Case>) {
    check_candidates(&cases.into_iter().collect::<Vec<_>>(), 1, Sides::Wide, None);
}

/// The same with every candidate of every choice in turn.
pub fn check_every_candidate(cases: &[Case]) {
    check_candidates(cases, usize::MAX, Sides::Alike, None);
}

fn check_candidates(cases: &[Case], most: usize, sides: Sides, rounds: Option<u32>) {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let device = device();
    let fp16 = device.caps().features.contains(Features::STORAGE_16);
    let mut own = device.caps().clone();
    own.machine.max_rounds = rounds.unwrap_or(own.machine.max_rounds);
    let mut gpu = Caps { kind: DeviceKind::Integrated, ..own.clone() };
    gpu.machine.fast_dot = true;
    gpu.machine.fuses_integers = Some(true);
    let few = [Features::SUBGROUP_ARITHMETIC, Features::STORAGE_16, Features::STORAGE_8];
    let mut plain = Caps { features: few.into_iter().fold(gpu.features, Features::without), ..gpu.clone() };
    plain.machine.fast_dot = false;
    let mut fused = own.clone();
    fused.machine.fuses_integers = Some(true);
    let ways = match sides {
        Sides::Alike => vec![
            (Precision::Fp32, own.clone(), sides),
            (Precision::Fp16, own, sides),
            (Precision::Fp32, fused, sides),
            (Precision::Fp32, gpu.clone(), sides),
            (Precision::Fp32, plain, sides),
            (Precision::Fp16Fast, gpu, sides),
        ],
        Sides::Wide => vec![(Precision::Fp16, own, sides), (Precision::Fp16Fast, gpu, sides)],
    };
    let (mut failures, mut failed, mut checked) = (String::new(), 0, 0);
    for cases in cases.chunks(SIDE_BY_SIDE) {
        let mut known = Vec::new();
        for way in ways.iter().filter(|(p, ..)| *p == Precision::Fp32 || fp16) {
            let precision = way.0;
            let (mut nth, mut candidates) = (0, 1);
            while nth < candidates.min(most) {
                checked += cases.len();
                let (found, count) = run(cases, &device, way, &mut known, seed, nth)
                    .unwrap_or_else(|e| panic!("SEED={seed}: {e}\n{cases:#?}"));
                for (case, found) in cases.iter().zip(found).filter(|(_, found)| !found.is_empty()) {
                    failed += 1;
                    let what = found.join("\n    ");
                    let _ = writeln!(failures, "{precision:?} candidate {nth} {case:?}\n    {what}");
                }
                (nth, candidates) = (nth + 1, count);
            }
        }
    }
    assert!(failed == 0, "SEED={seed}, {failed} of {checked} on {}:\n{failures}", device.caps().name);
}

/// Cases in one graph: they share pipelines, and one that overwrites another shows.
const SIDE_BY_SIDE: usize = 64;

fn ty(elements: &HostTensor) -> TensorType {
    TensorType { dtype: elements.dtype(), ..TensorType::f32(elements.shape) }
}

fn bytes(elements: &HostTensor) -> Vec<u8> {
    let mut bytes = vec![0; ty(elements).bytes() as usize];
    elements.write_bytes(&mut bytes);
    bytes
}
