//! Compiles the kernels: GLSL to the archives that the build script of tflite-vulkan reads.
//!
//! * [`compile`] is the part that the build script shares.
//! * [`glsl`] preprocesses and compiles one variant; [`options`] says how the compiler is called.
//! * [`validate`] has SPIRV-Tools check the modules.
//! * [`reflect`] reads the interface out of a module.

#[path = "../../compile/mod.rs"]
pub mod compile;
pub mod glsl;
pub mod options;
pub mod reflect;
pub mod validate;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use compile::archive::Archive;
use compile::source::{Source, archives};
use compile::{Kernel, codes, leftovers, table, unpack};
use lzma_rust2::{LzmaOptions, LzmaWriter};

/// What to do with the archives of a folder of kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Renew those that are missing, damaged or of other sources.
    Renew,
    /// Renew all.
    All,
    /// Compile everything and compare; write nothing.
    Check,
}

/// Handles the archives for the kernels of the folder `root`; the lines that say what was done.
///
/// # Errors
///
/// What is wrong, a file in front. No archive is written if a kernel has an error.
pub fn run(root: &Path, mode: Mode) -> Result<Vec<String>, Vec<String>> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| vec![format!("{path}: {error}")]
    };
    let mut sources = Source::all(root).map_err(at(root))?;
    let left = leftovers(root, &sources);
    if mode == Mode::Renew {
        sources.retain(|source| !is_current(source));
    }
    let kernels = compile(&sources)?;
    table::rust(&kernels)?;
    codes::rust(root).map_err(|error| vec![error])?;
    let (mut lines, mut errors) = (Vec::new(), Vec::new());
    for (source, kernel) in sources.iter().zip(&kernels) {
        let (path, bytes) = (source.archive(), archive(source, kernel));
        if mode == Mode::Check {
            if fs::read(&path).ok().as_ref() != Some(&bytes) {
                let path = path.display();
                errors.push(format!("{path}: not what the compiler makes: run `make kernels ALL=1`"));
            }
        } else {
            fs::create_dir_all(archives(root)).map_err(at(root))?;
            write(&path, &bytes).map_err(at(&path))?;
        }
        lines.push(format!("{}: {} variants, {} bytes", path.display(), kernel.variants.len(), bytes.len()));
    }
    for name in left {
        let path = archives(root).join(name).with_extension("lzma");
        if mode == Mode::Check {
            errors.push(format!("{}: there is no such kernel: run `make kernels`", path.display()));
        } else {
            fs::remove_file(&path).map_err(at(&path))?;
            lines.push(format!("{}: removed", path.display()));
        }
    }
    if errors.is_empty() { Ok(lines) } else { Err(errors) }
}

/// Whether the archive is there, whole and of this source.
fn is_current(source: &Source) -> bool {
    let archive = fs::read(source.archive()).ok().and_then(|bytes| unpack(&bytes));
    archive.is_some_and(|archive| archive.key == source.key())
}

/// Compiles every variant of every kernel.
///
/// # Errors
///
/// Texts for the reader of the compiler's output, a file and a line in front; every kernel is tried.
pub fn compile(sources: &[Source]) -> Result<Vec<Kernel>, Vec<String>> {
    let mut errors = Vec::new();
    let mut kernels = Vec::new();
    let mut jobs = Vec::new();
    for source in sources {
        match source.header() {
            Ok(header) => {
                jobs.extend(header.variants().into_iter().map(|variant| (kernels.len(), source, variant)));
                let (path, name) = (source.path(), source.name.clone());
                kernels.push(Kernel { path, name, header, variants: Vec::new() });
            }
            Err(error) => errors.push(error),
        }
    }

    let results = in_parallel(&jobs, |(_, source, variant)| glsl::compile(source, variant));
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
    if errors.is_empty() { Ok(kernels) } else { Err(errors) }
}

/// The archive of a compiled kernel.
pub fn archive(source: &Source, kernel: &Kernel) -> Vec<u8> {
    let bytes = Archive { key: source.key(), variants: kernel.variants.clone() }.encode();
    let mut options = LzmaOptions::with_preset(9);
    options.dict_size = DICTIONARY;
    let size = Some(bytes.len() as u64);
    let packed = LzmaWriter::new_use_header(Vec::new(), &options, size).and_then(|mut writer| {
        writer.write_all(&bytes)?;
        writer.finish()
    });
    packed.expect("a Vec takes everything")
}

/// Bytes that the compression sees at once: more than the variants of any kernel.
const DICTIONARY: u32 = 8 << 20;

/// Writes so that `path` never holds a part of it.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(&part, path)
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
