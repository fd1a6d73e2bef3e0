//! Turns `kernels/*.glsl` into SPIR-V and the Rust table of `src/kernel.rs`.
//!
//! Part of the build script; the tests include it too. A file is a kernel, and each choice of values
//! of its axes is a variant of it:
//!
//! * [`variant`] reads the `//!` header: which variants there are.
//! * [`glsl`] preprocesses and compiles one variant, for Vulkan 1.1 (SPIR-V 1.3).
//! * [`validate`] has SPIRV-Tools check the modules.
//! * [`cache`] keeps compiled modules from one build to the next.
//! * [`reflect`] reads the interface out of a module.
//! * [`table`] writes the Rust code.
//!
//! # What a kernel file keeps to
//!
//! * Its name is a lower-case word; `#include "lib/x.glsl"` is looked up below `kernels/`.
//! * Storage buffers only, in set 0, numbered from 0. Blocks may share a binding (one buffer seen as
//!   scalars and as vectors); the first one in the text names it. `readonly` and `writeonly` are what
//!   barriers are planned by.
//! * One push constant block of 32-bit numbers, vectors and arrays of these, 128 bytes at most.
//! * 32-bit specialisation constants. Ids 0, 1, 2 are the workgroup size: `WG_X`, `WG_Y`, `WG_Z`, together
//!   with `local_size_x_id = 0` and so on. `NAME_0`, `NAME_1`, … become one array `name`.
//! * All variants of a file declare the same push constants, specialisation constants and bindings.

pub mod cache;
pub mod glsl;
pub mod reflect;
pub mod table;
pub mod validate;
pub mod variant;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use cache::Cache;
use glsl::Source;
use reflect::Interface;
use variant::Header;

/// One `.glsl` file: its header and every variant of it, compiled.
pub struct Kernel {
    /// The file, as messages show it.
    pub path: String,
    /// The file's name without its ending.
    pub name: String,
    /// The axes.
    pub header: Header,
    /// In the order of [`Header::variants`].
    pub variants: Vec<Compiled>,
}

/// One variant, compiled, checked and reflected.
pub struct Compiled {
    /// The kernel's name with the values of its axes, as `conv2d_f16_4`.
    pub name: String,
    /// The values of the axes.
    pub values: Vec<String>,
    /// The optimised module in the cache.
    pub file: PathBuf,
    /// The optimised module.
    pub words: Vec<u32>,
    /// What the host must pass.
    pub interface: Interface,
    /// The constants of `Features` that it needs.
    pub needs: Vec<&'static str>,
    /// Whether this build had to compile it.
    pub fresh: bool,
}

/// Compiles the kernels of the folder `root` and writes `kernels.rs`, `kernels.log` and `spirv/` to `out`.
///
/// The log has a line for each variant: `compiled NAME` or `cached NAME`.
///
/// # Errors
///
/// Texts for the reader of the build's output, a file and a line in front; every kernel is tried.
pub fn build(root: &Path, out: &Path) -> Result<(), Vec<String>> {
    let kernels = compile(root, &out.join("spirv"))?;
    let log: String =
        kernels.iter().flat_map(|kernel| &kernel.variants).fold(String::new(), |log, variant| {
            log + if variant.fresh { "compiled " } else { "cached " } + &variant.name + "\n"
        });
    let write = |name: &str, text: &str| {
        fs::write(out.join(name), text)
            .map_err(|error| vec![format!("{}: {error}", out.join(name).display())])
    };
    write("kernels.rs", &table::rust(&kernels)?)?;
    write("kernels.log", &log)
}

/// Compiles every variant of every kernel of the folder `root`, with `cache` as the folder of modules.
///
/// # Errors
///
/// See [`build`].
pub fn compile(root: &Path, cache: &Path) -> Result<Vec<Kernel>, Vec<String>> {
    let sources = sources(root).map_err(|error| vec![format!("{}: {error}", root.display())])?;
    let cache = Cache::open(cache).map_err(|error| vec![format!("{}: {error}", cache.display())])?;

    let mut errors = Vec::new();
    let mut kernels = Vec::new();
    let mut jobs = Vec::new();
    for source in &sources {
        match Header::parse(&source.text) {
            Ok(header) => {
                jobs.extend(header.variants().into_iter().map(|variant| (kernels.len(), source, variant)));
                kernels.push(Kernel {
                    path: source.path(),
                    name: source.name.clone(),
                    header,
                    variants: Vec::new(),
                });
            }
            Err(error) => errors.push(format!("{}:{error}", source.path())),
        }
    }

    let results = in_parallel(&jobs, |(_, source, variant)| cache.compile(source, variant));
    let mut failures: Vec<(String, Vec<String>)> = Vec::new();
    for ((place, source, variant), result) in jobs.iter().zip(results) {
        match result {
            Ok(compiled) => kernels[*place].variants.push(compiled),
            Err(text) => match failures.iter_mut().find(|(other, _)| *other == text) {
                Some((_, names)) => names.push(source.variant_name(variant)),
                None => failures.push((text, vec![source.variant_name(variant)])),
            },
        }
    }
    errors.extend(failures.into_iter().map(|(text, names)| format!("{text} [{}]", names.join(", "))));
    if errors.is_empty() {
        cache.keep_only(kernels.iter().flat_map(|kernel| &kernel.variants).map(|variant| &variant.file));
        Ok(kernels)
    } else {
        Err(errors)
    }
}

/// The kernel files of `root`, by name.
fn sources(root: &Path) -> std::io::Result<Vec<Source>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "glsl") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.push(Source { root: root.to_owned(), name, text: fs::read_to_string(&path)? });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// `work` of each item, on all cores, in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return results };
            results.push((index, work(item)));
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from).min(items.len());
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker's panic is a bug")).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
