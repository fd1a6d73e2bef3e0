//! Writes the modules that phones would get: each kernel of `layers.rs`, chosen and specialised as for that
//! GPU.
//!
//!     bench-mobile-modules FOLDER
//!
//! FOLDER/GPU/NUMBER.spv are the modules; FOLDER/GPU/list has a line for each: file, storage buffers, bytes
//! of push constants, kernel, layers, separated by tabs.

mod layers;

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use tflite_vulkan::caps::{Caps, DeviceKind, Features, Machine, vendor};
use tflite_vulkan::compile::compile;
use tflite_vulkan::lower::heuristic;
use tflite_vulkan::options::Precision;
use tflite_vulkan::program::Kernel;
use tflite_vulkan::spirv::{prune, specialize};

use layers::{LABEL, graph, layers};

/// The folder of a GPU, its features beyond Vulkan 1.1, its subgroup size and the largest workgroup, as
/// Mesa 26.2 reports them.
const GPUS: &[(&str, Features, u32, u32)] = &[
    ("adreno-630", Features::FLOAT_16, 64, 1024),
    ("adreno-660", Features::FLOAT_16.with(Features::STORAGE_16), 64, 1024),
    ("adreno-740", Features::FLOAT_16.with(Features::STORAGE_16), 64, 1024),
    ("adreno-830", Features::FLOAT_16.with(Features::STORAGE_16), 64, 1024),
    ("mali-g52", Features::STORAGE_16, 8, 256),
    ("mali-g610", Features::FLOAT_16.with(Features::STORAGE_16), 16, 1024),
    ("mali-g720", Features::FLOAT_16.with(Features::STORAGE_16), 16, 1024),
    ("mali-g725", Features::FLOAT_16.with(Features::STORAGE_16), 16, 1024),
    ("v3d-4.2", Features::STORAGE_16, 16, 256),
    ("v3d-7.1", Features::FLOAT_16.with(Features::STORAGE_16), 16, 256),
    ("powervr-bxs", Features::NONE, 32, 128),
];

/// A kernel with its constants, and the layers that it is for.
struct Module {
    kernel: &'static Kernel,
    spec: Vec<u32>,
    layers: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: bench-mobile-modules FOLDER")?);
    let subgroup = Features::SUBGROUP_BASIC.with(Features::SUBGROUP_ARITHMETIC);
    for (gpu, features, subgroup_size, invocations) in GPUS {
        let vendor = match gpu.split('-').next() {
            Some("adreno") => vendor::QUALCOMM,
            Some("mali") => vendor::ARM,
            Some("v3d") => vendor::BROADCOM,
            _ => vendor::IMAGINATION,
        };
        let shared_bytes = if *invocations == 128 { 16 << 10 } else { 32 << 10 };
        let caps = Caps {
            name: (*gpu).into(),
            kind: DeviceKind::Integrated,
            machine: Machine::new(DeviceKind::Integrated, vendor, None, shared_bytes),
            features: if gpu.starts_with("v3d") { *features } else { features.with(subgroup) },
            subgroup_size: *subgroup_size,
            max_invocations: *invocations,
            max_workgroup: [*invocations, *invocations, 64],
            max_shared_bytes: shared_bytes,
            ..Caps::minimum()
        };
        let folder = folder.join(gpu);
        fs::create_dir_all(&folder)?;
        let mut modules: Vec<Module> = Vec::new();
        for layer in layers(true) {
            let fp16 = caps.features.contains(Features::STORAGE_16).then_some(Precision::Fp16);
            let fast = caps.sums_16().then_some(Precision::Fp16Fast);
            for precision in [Some(Precision::Fp32), fp16, fast].into_iter().flatten() {
                let program = compile(graph(&layer)?, &caps, &precision.into(), &heuristic)?.program;
                for dispatch in program.dispatches.iter().filter(|d| d.label.starts_with(LABEL)) {
                    let (kernel, spec) = (dispatch.kernel, &dispatch.spec);
                    let known =
                        modules.iter_mut().find(|m| std::ptr::eq(m.kernel, kernel) && m.spec == *spec);
                    match known {
                        Some(module) => module.layers.push(layer.name.clone()),
                        None => {
                            let (spec, layers) = (spec.clone(), vec![layer.name.clone()]);
                            modules.push(Module { kernel, spec, layers });
                        }
                    }
                }
            }
        }
        let mut list = String::new();
        for (number, Module { kernel, spec, layers }) in modules.iter().enumerate() {
            let words = prune(specialize(&kernel.words(), kernel.spec, spec));
            let file = folder.join(format!("{number}.spv"));
            fs::write(&file, words.iter().flat_map(|w| w.to_le_bytes()).collect::<Vec<_>>())?;
            let (file, bindings, push) = (file.display(), kernel.bindings.len(), kernel.push_bytes);
            writeln!(list, "{file}\t{bindings}\t{push}\t{}\t{}", kernel.name, layers.join(", "))?;
        }
        fs::write(folder.join("list"), list)?;
    }
    Ok(())
}
