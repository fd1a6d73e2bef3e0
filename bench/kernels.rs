//! Times single kernels on a device by its own clock, and says what share of the device's measured
//! peaks they reach.
//!
//!     bench-kernels [--device NAME] [--only WORD] [--peak-tflops N]
//!
//! A kernel is that of one operator, compiled as in a model; its time is the median over many runs, each
//! between full barriers, and includes the launch. Operations are compared with what a chain of
//! multiply-adds in registers reaches, bytes (every operand once) with a copy of a large buffer. For
//! kernels on cooperative matrices the peak is `--peak-tflops` (cuBLAS, say), or the best product of
//! this run.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tflite_vulkan::caps::{DeviceKind, Features};
use tflite_vulkan::compile::compile;
use tflite_vulkan::ir::{Constant, Graph, Node, Shape, TensorType};
use tflite_vulkan::kernel::table::convert;
use tflite_vulkan::op::{Operator, Padding, SpatialPadding, Step, StepOp, Window};
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;
use tflite_vulkan::ops::fully_connected::FullyConnected;
use tflite_vulkan::ops::reduce::{Kind, Reduce};
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::options::{Options, Precision};
use tflite_vulkan::plan::{self, Barriers};
use tflite_vulkan::profile::Peaks;
use tflite_vulkan::program::{Buffer, BufferId, BufferKind, Cost, Dispatch, Program};
use tflite_vulkan::runtime::Session;
use tflite_vulkan::vk::Device;

/// How long a kernel is run, warm-up excluded; at least thrice.
const MEASURE: Duration = Duration::from_millis(300);

/// The label of the node that is measured; conversions at the borders have others.
const LABEL: &str = "MEASURED";

/// One operator with random operands.
struct Case {
    name: String,
    op: Arc<dyn Operator>,
    /// Shapes of operands that are computed before.
    inputs: Vec<Shape>,
    /// Shapes of constant operands.
    constants: Vec<Shape>,
}

/// What was measured of a case.
struct Row {
    name: String,
    precision: Precision,
    /// The kernels, and whether they need cooperative matrices.
    kernels: String,
    cooperative: bool,
    seconds: f64,
    cost: Cost,
}

fn dims(shape: &[u32]) -> String {
    shape.iter().map(u32::to_string).collect::<Vec<_>>().join("×")
}

/// `[rows, depth]` times constant `[depth, columns]`.
fn product(rows: u32, depth: u32, columns: u32) -> Case {
    Case {
        name: format!("FULLY_CONNECTED {}", dims(&[rows, depth, columns])),
        op: Arc::new(FullyConnected { keep_num_dims: false }),
        inputs: vec![Shape::new(&[rows, depth])],
        constants: vec![Shape::new(&[columns, depth])],
    }
}

fn window(size: u32, stride: u32) -> Window {
    Window {
        size: [size; 2],
        stride: [stride; 2],
        dilation: [1, 1],
        padding: Padding::Same,
        zeros: SpatialPadding::default(),
    }
}

/// A convolution of a square picture.
fn convolution(side: u32, depth: u32, channels: u32, size: u32, stride: u32) -> Case {
    Case {
        name: format!("CONV_2D {size}×{size}/{stride} {} to {channels}", dims(&[side, side, depth])),
        op: Arc::new(Conv2d { window: window(size, stride) }),
        inputs: vec![Shape::new(&[1, side, side, depth])],
        constants: vec![Shape::new(&[channels, size, size, depth])],
    }
}

/// A depthwise convolution of a square picture.
fn depthwise(side: u32, channels: u32, size: u32, stride: u32) -> Case {
    Case {
        name: format!("DEPTHWISE_CONV_2D {size}×{size}/{stride} {}", dims(&[side, side, channels])),
        op: Arc::new(DepthwiseConv2d { window: window(size, stride) }),
        inputs: vec![Shape::new(&[1, side, side, channels])],
        constants: vec![Shape::new(&[1, size, size, channels])],
    }
}

/// The sum of two tensors.
fn addition(side: u32, channels: u32) -> Case {
    let shape = Shape::new(&[1, side, side, channels]);
    Case {
        name: format!("ADD {}", dims(&[side, side, channels])),
        op: Arc::new(Binary(StepOp::Add)),
        inputs: vec![shape, shape],
        constants: Vec::new(),
    }
}

/// The mean over a picture.
fn mean(side: u32, channels: u32) -> Case {
    Case {
        name: format!("MEAN {}", dims(&[side, side, channels])),
        op: Arc::new(Reduce { kind: Kind::Mean, axes: vec![1, 2], keep_dims: true }),
        inputs: vec![Shape::new(&[1, side, side, channels])],
        constants: Vec::new(),
    }
}

/// Softmax of rows.
fn softmax(rows: u32, columns: u32) -> Case {
    Case {
        name: format!("SOFTMAX {}", dims(&[rows, columns])),
        op: Arc::new(Softmax { beta: 1.0, logarithm: false }),
        inputs: vec![Shape::new(&[rows, columns])],
        constants: Vec::new(),
    }
}

/// Layers of MobileNet, ResNet50 and transformers, smaller ones on a device that is a CPU.
fn cases(kind: DeviceKind) -> Vec<Case> {
    let software = kind == DeviceKind::Software;
    let sizes: &[u32] = if software { &[128, 256, 512] } else { &[512, 1024, 2048, 4096] };
    let large = if software { 128 } else { 1024 };
    let mut cases: Vec<_> = sizes.iter().map(|n| product(*n, *n, *n)).collect();
    cases.extend([
        product(1, 1024, 1024),
        product(1, 4096, 4096),
        convolution(224, 3, 32, 3, 2),
        convolution(56, 64, 64, 3, 1),
        convolution(28, 128, 128, 3, 1),
        convolution(14, 256, 256, 3, 1),
        convolution(7, 512, 512, 3, 1),
        convolution(112, 32, 64, 1, 1),
        convolution(56, 64, 256, 1, 1),
        convolution(28, 192, 32, 1, 1),
        convolution(14, 512, 512, 1, 1),
        convolution(7, 960, 320, 1, 1),
        depthwise(112, 32, 3, 1),
        depthwise(112, 96, 3, 2),
        depthwise(56, 128, 3, 1),
        depthwise(28, 240, 5, 1),
        depthwise(14, 512, 3, 1),
        addition(56, 64),
        addition(large, 32),
        mean(7, 1280),
        mean(128, 64),
        softmax(1, 1000),
        softmax(1024, 1024),
    ]);
    cases
}

/// Numbers of -1..1, different enough to keep a device busy.
fn numbers(shape: &Shape) -> Vec<f32> {
    let mut state = 1_u32;
    (0..shape.elements())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// The graph of the operator alone, with a bias if it has weights.
fn graph(case: &Case) -> Result<Graph, Box<dyn Error>> {
    let mut graph = Graph::default();
    let mut operands: Vec<_> =
        case.inputs.iter().map(|s| graph.add_value("x", TensorType::f32(*s), None)).collect();
    let inputs = operands.clone();
    for shape in &case.constants {
        let constant = Constant::from_f32(*shape, &numbers(shape));
        operands.push(graph.add_value("w", TensorType::f32(*shape), Some(constant)));
    }
    let types: Vec<_> = operands.iter().map(|id| Some(&graph.value(*id).ty)).collect();
    let ty = case.op.infer(&types).map_err(|why| why.0)?.remove(0);
    let mut epilogue = Vec::new();
    if !case.constants.is_empty() {
        let shape = Shape::new(&[ty.shape.channels()]);
        let bias = Constant::from_f32(shape, &numbers(&shape));
        epilogue.push(Step::bias(operands.len()));
        operands.push(graph.add_value("bias", TensorType::f32(shape), Some(bias)));
    }
    let output = graph.add_value("y", ty, None);
    graph.add_node(Node {
        op: case.op.clone(),
        inputs: operands.into_iter().map(Some).collect(),
        outputs: vec![output],
        epilogue,
        origin: vec![0],
        label: LABEL.into(),
    });
    graph.set_interface(inputs, vec![output]);
    Ok(graph)
}

/// Times a case; `None` if the device has no clock.
fn measure(device: &Arc<Device>, case: &Case, precision: Precision) -> Result<Option<Row>, Box<dyn Error>> {
    let options = Options { precision, ..Options::default() };
    let compiled = compile(graph(case)?, device.caps(), &options)?;
    let program = &compiled.program;
    let mut session = Session::new(device.clone());
    let recording = session.prepare_profiled(program, &compiled.memory, &compiled.barriers)?;
    let bytes = |shape: &Shape| numbers(shape).iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let inputs: Vec<Vec<u8>> = case.inputs.iter().map(bytes).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<u8>> =
        program.outputs.iter().map(|id| vec![0; program.buffer(*id).bytes as usize]).collect();
    let measured = |d: &&Dispatch| d.label.starts_with(LABEL);
    let (mut times, mut end) = (Vec::new(), None);
    while times.len() < 4 || end.is_some_and(|end| Instant::now() < end) {
        let mut outputs: Vec<_> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
        session.run(&recording, &inputs, &mut outputs)?;
        let Some(run) = recording.times()? else { return Ok(None) };
        let parts = program.dispatches.iter().zip(run).filter(|(d, _)| measured(d)).map(|(_, time)| time);
        times.push(parts.sum::<Duration>());
        end = end.or_else(|| Some(Instant::now() + MEASURE));
    }
    times.remove(0);
    let dispatches: Vec<_> = program.dispatches.iter().filter(measured).collect();
    let mut names: Vec<_> = dispatches.iter().map(|d| d.kernel.name).collect();
    names.dedup();
    Ok(Some(Row {
        name: case.name.clone(),
        precision,
        kernels: names.join(" + "),
        cooperative: dispatches.iter().any(|d| d.kernel.needs.contains(Features::COOPERATIVE_MATRIX)),
        seconds: median(times).as_secs_f64(),
        cost: Cost {
            ops: dispatches.iter().map(|d| d.cost.ops).sum(),
            bytes: dispatches.iter().map(|d| d.cost.bytes).sum(),
        },
    }))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The median wall time of a program of `count` dispatches that copy four numbers each, every one from the
/// one before, behind a barrier, or all at once.
fn wall(device: &Arc<Device>, count: u32, chained: bool) -> Result<Duration, Box<dyn Error>> {
    let buffer = |_| Buffer { bytes: 16, kind: BufferKind::Temp, name: "four".into() };
    let dispatch = |i: u32| {
        convert::dispatch(
            convert::kernel(convert::Src::F32, convert::Dst::F32),
            convert::Spec { wg_x: 64, ..Default::default() },
            convert::Push { elements: 4, row_items: 64 },
            convert::Bind { x: BufferId(i), y: BufferId(i + 1) },
            [1, 1, 1],
        )
    };
    let program = Program {
        buffers: (0..=count).map(buffer).collect(),
        dispatches: (0..count).map(dispatch).collect(),
        ..Program::default()
    };
    let memory = plan::memory(&program, device.caps().buffer_alignment);
    let barriers = if chained {
        plan::barriers(&program, &memory)
    } else {
        Barriers(vec![None; program.dispatches.len()])
    };
    let mut session = Session::new(device.clone());
    let recording = session.prepare(&program, &memory, &barriers)?;
    let mut times = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        session.run(&recording, &[], &mut [])?;
        times.push(start.elapsed());
    }
    Ok(median(times))
}

/// Prints what it costs to launch anything at all.
fn launches(device: &Arc<Device>) -> Result<(), Box<dyn Error>> {
    const MANY: u32 = 1001;
    let one = wall(device, 1, true)?;
    let each = |all: Duration| all.saturating_sub(one).as_secs_f64() * 1e6 / f64::from(MANY - 1);
    println!("submit and wait, with one dispatch  {:8.2} µs", one.as_secs_f64() * 1e6);
    println!("one more dispatch behind a barrier  {:8.2} µs", each(wall(device, MANY, true)?));
    println!("one more dispatch without barrier   {:8.2} µs", each(wall(device, MANY, false)?));
    Ok(())
}

fn print(rows: &[Row], peaks: &Peaks, given: Option<f64>) {
    let rate = |row: &Row| row.cost.ops as f64 / row.seconds;
    let best = rows.iter().filter(|r| r.cooperative).map(rate).fold(f64::NAN, f64::max);
    println!(
        "{:46}{:>6}{:>11}{:>10}{:>8}{:>9}{:>8}  kernel",
        "", "", "µs", "GFLOP/s", "of peak", "GB/s", "of copy"
    );
    for row in rows {
        let peak = if row.cooperative { given.unwrap_or(best) } else { peaks.fp32 };
        let bytes = row.cost.bytes as f64 / row.seconds;
        println!(
            "{:46}{:>6}{:>11.2}{:>10.1}{:>6.1} %{:>9.1}{:>6.1} %  {}",
            row.name,
            if row.precision == Precision::Fp16 { "fp16" } else { "fp32" },
            row.seconds * 1e6,
            rate(row) / 1e9,
            100.0 * rate(row) / peak,
            bytes / 1e9,
            100.0 * bytes / peaks.bytes_per_s,
            row.kernels,
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options { allow_software: true, ..Options::default() };
    let (mut only, mut given) = (String::new(), None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--device" => options.device = Some(value),
            "--only" => only = value,
            "--peak-tflops" => given = Some(value.parse::<f64>()? * 1e12),
            _ => return Err(format!("{word}? known are --device, --only and --peak-tflops").into()),
        }
    }
    let device = Device::open(&options)?;
    let caps = device.caps();
    println!("{} ({})", device.info().name, device.info().driver);
    let Some(peaks) = Session::new(device.clone()).peaks()? else {
        return Err("the device has no clock".into());
    };
    println!("peaks: {peaks}\n");
    launches(&device)?;
    println!();
    let mut rows = Vec::new();
    for case in cases(caps.kind).iter().filter(|case| case.name.contains(&only)) {
        let fp16 = caps.features.contains(Features::STORAGE_16).then_some(Precision::Fp16);
        for precision in [Some(Precision::Fp32), fp16].into_iter().flatten() {
            match measure(&device, case, precision) {
                Ok(row) => rows.extend(row),
                Err(e) => println!("{} {precision:?}: {e}", case.name),
            }
        }
    }
    print(&rows, &peaks, given);
    Ok(())
}
