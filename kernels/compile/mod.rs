//! Turns the compiled kernels into SPIR-V files, the Rust table of `src/kernel.rs` and `src/codes.rs`.
//!
//! Part of the build script, which needs no shader compiler: `kernels/compiled` holds an archive for each
//! kernel file. `make kernels` renews it with the compiler, the crate in `kernels/compiler`; an archive of
//! other sources stops the build. A file is a kernel, and each choice of values of its axes is a variant
//! of it:
//!
//! * [`source`] finds the files and says what their modules depend on.
//! * [`variant`] reads the `//!` header: which variants there are.
//! * [`codes`] writes the constants that Rust code shares with a shader.
//! * [`archive`] is the format of the compiled variants, and [`interface`] what they hold beside modules.
//! * [`table`] writes the Rust code.
//!
//! # Changing a kernel
//!
//! Edit the GLSL, run `make kernels`, and commit the archives that it renewed with the source. Until then the
//! build stops: `kernels/pad.glsl: error: kernels/compiled/pad.lzma was made from other sources`. The command
//! compiles what is stale, all variants of it; `make kernels ALL=1` compiles everything, as a change of the
//! compiler crate wants. Equal sources make equal bytes on any machine, so a merge of two branches that both
//! changed a kernel ends with `make kernels`, whichever archive git kept.
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
//! * A number that the Rust side writes too has a name in the shader, see [`codes`].

pub mod archive;
pub mod codes;
pub mod interface;
pub mod pack;
pub mod source;
pub mod table;
pub mod variant;

use std::fs;
use std::path::Path;

use archive::Archive;
use interface::Interface;
use lzma_rust2::LzmaReader;
use source::Source;
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compiled {
    /// The kernel's name with the values of its axes, as `conv2d_f16_4`.
    pub name: String,
    /// The values of the axes.
    pub values: Vec<String>,
    /// The optimised module.
    pub words: Vec<u32>,
    /// What the host must pass.
    pub interface: Interface,
    /// The constants of `Features` that it needs.
    pub needs: Vec<String>,
}

/// Writes `kernels.rs`, `codes.rs` and `spirv/` to `out`, from the shaders and the archives of the folder `root`.
///
/// # Errors
///
/// Texts for the reader of the build's output, a file in front.
pub fn build(root: &Path, out: &Path) -> Result<(), Vec<String>> {
    let kernels = read(root)?;
    let (table, codes) = (table::rust(&kernels)?, codes::rust(root).map_err(|error| vec![error])?);
    let spirv = out.join("spirv");
    let written = fs::create_dir_all(&spirv).and_then(|()| {
        for variant in kernels.iter().flat_map(|kernel| &kernel.variants) {
            fs::write(spirv.join(&variant.name).with_extension("packed"), pack::pack(&variant.words))?;
        }
        fs::write(out.join("codes.rs"), codes)?;
        fs::write(out.join("kernels.rs"), table)
    });
    written.map_err(|error| vec![format!("{}: {error}", out.display())])
}

/// The kernels of the folder `root` with what their archives hold.
///
/// # Errors
///
/// See [`build`]; every kernel is tried.
pub fn read(root: &Path) -> Result<Vec<Kernel>, Vec<String>> {
    let sources = Source::all(root).map_err(|error| vec![format!("{}: {error}", root.display())])?;
    let mut errors = Vec::new();
    let mut kernels = Vec::new();
    for source in &sources {
        match load(source) {
            Ok(kernel) => kernels.push(kernel),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(leftovers(root, &sources).iter().map(|name| {
        let path = source::archives(root).join(name);
        format!("{}.lzma: error: there is no such kernel any more: run `make kernels`", path.display())
    }));
    if errors.is_empty() { Ok(kernels) } else { Err(errors) }
}

/// The names of archives without a kernel file.
pub fn leftovers(root: &Path, sources: &[Source]) -> Vec<String> {
    let mut names = source::names(&source::archives(root), "lzma").unwrap_or_default();
    names.retain(|name| sources.iter().all(|source| source.name != *name));
    names
}

/// A kernel with what its archive holds.
fn load(source: &Source) -> Result<Kernel, String> {
    let header = source.header()?;
    let path = source.archive();
    let refuse =
        |what: &str| Err(format!("{}: error: {} {what}: run `make kernels`", source.path(), path.display()));
    let Ok(bytes) = fs::read(&path) else { return refuse("is missing") };
    let Some(archive) = unpack(&bytes) else { return refuse("is damaged") };
    let variants = header.variants();
    let same = archive.variants.iter().map(|compiled| &compiled.values);
    if archive.key != source.key() || !same.eq(variants.iter().map(|variant| &variant.values)) {
        return refuse("was made from other sources");
    }
    let named = archive.variants.into_iter().zip(&variants);
    let named = named.map(|(compiled, variant)| Compiled { name: source.variant_name(variant), ..compiled });
    Ok(Kernel { path: source.path(), name: source.name.clone(), header, variants: named.collect() })
}

/// Kibibytes that unpacking may take; more is only asked for by a damaged file.
const MOST_MEMORY: u32 = 64 << 10;

/// What an archive's file holds; `None` if it is damaged.
pub fn unpack(bytes: &[u8]) -> Option<Archive> {
    let mut unpacked = Vec::new();
    std::io::copy(&mut LzmaReader::new_mem_limit(bytes, MOST_MEMORY, None).ok()?, &mut unpacked).ok()?;
    Archive::decode(&unpacked)
}

/// The 64-bit FNV-1a hash.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
