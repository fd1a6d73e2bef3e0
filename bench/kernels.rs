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

mod layers;

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tflite_vulkan::caps::{DeviceKind, Features};
use tflite_vulkan::compile::compile;
use tflite_vulkan::ir::Shape;
use tflite_vulkan::kernel::table::copy;
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::options::{Options, Precision};
use tflite_vulkan::plan::{self, Barriers};
use tflite_vulkan::program::{Buffer, BufferId, BufferKind, Cost, Dispatch, Peaks, Program};
use tflite_vulkan::runtime::Session;
use tflite_vulkan::vk::Device;

use layers::{Case, LABEL, graph, layers, numbers};

const USAGE: &str = "bench-kernels [--device NAME] [--only WORD] [--peak-tflops N]";

/// How long a kernel is run, warm-up excluded; at least thrice.
const MEASURE: Duration = Duration::from_millis(300);

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

/// Times a case; `None` if the device has no clock.
fn measure(device: &Arc<Device>, case: &Case, precision: Precision) -> Result<Option<Row>, Box<dyn Error>> {
    let compiled = compile(graph(case)?, device.caps(), &precision.into(), &heuristic)?;
    let program = &compiled.program;
    let mut session = Session::new(device.clone());
    let recording = session.prepare_profiled(program, &compiled.memory, &compiled.barriers)?;
    let bytes = |shape: &Shape| numbers(shape).iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
    let inputs: Vec<Vec<u8>> = case.inputs.iter().map(bytes).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let mut outputs: Vec<Vec<u8>> =
        program.outputs.iter().map(|id| vec![0; program.buffer(*id).host_bytes() as usize]).collect();
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
    let buffer = |_| Buffer { bytes: 16, kind: BufferKind::Temp, host: None, name: "four".into() };
    let dispatch = |i: u32| {
        let launch = copy::dispatch(
            copy::kernel(),
            copy::Spec { wg_x: 64, ..Default::default() },
            copy::Push { words: 4, row_items: 64 },
            copy::Bind { x: BufferId(i), y: BufferId(i + 1) },
            [1, 1, 1],
        );
        Dispatch::new(launch, "four", [], Cost::default())
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
        if word == "--help" {
            println!("{USAGE}");
            return Ok(());
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--device" => options.device = Some(value),
            "--only" => only = value,
            "--peak-tflops" => given = Some(value.parse::<f64>()? * 1e12),
            _ => return Err(format!("{word}? {USAGE}").into()),
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
    for case in layers(caps.kind == DeviceKind::Software).iter().filter(|case| case.name.contains(&only)) {
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
