//! A kernel file and what its compiled modules depend on.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::fnv1a;
use super::variant::{Header, Variant};

/// What makes modules of the text: the compiler's versions in its manifest, and its options.
const COMPILER: [&str; 2] =
    [include_str!("../compiler/Cargo.toml"), include_str!("../compiler/src/options.rs")];

/// One kernel file.
pub struct Source {
    /// The folder below which `#include` looks.
    pub root: PathBuf,
    /// The file's name without `.glsl`.
    pub name: String,
    /// What it holds.
    pub text: String,
}

impl Source {
    /// The kernel files of `root`, by name.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn all(root: &Path) -> io::Result<Vec<Self>> {
        let mut sources = Vec::new();
        for name in names(root, "glsl")? {
            let text = fs::read_to_string(root.join(&name).with_extension("glsl"))?;
            sources.push(Self { root: root.to_owned(), name, text });
        }
        Ok(sources)
    }

    /// The file's path, as messages show it.
    pub fn path(&self) -> String {
        self.root.join(format!("{}.glsl", self.name)).display().to_string()
    }

    /// Where its compiled modules are kept.
    pub fn archive(&self) -> PathBuf {
        archives(&self.root).join(format!("{}.lzma", self.name))
    }

    /// The kernel's name with the variant's values, as `conv2d_f16_4`.
    pub fn variant_name(&self, variant: &Variant) -> String {
        [std::slice::from_ref(&self.name), &variant.values].concat().join("_")
    }

    /// Reads the header.
    ///
    /// # Errors
    ///
    /// What is wrong, with file and line.
    pub fn header(&self) -> Result<Header, String> {
        Header::parse(&self.text).map_err(|error| format!("{}:{error}", self.path()))
    }

    /// A hash of all that its modules depend on: its text (which names the variants and their macros), that
    /// of what it includes, however deep, and the compiler with its options.
    pub fn key(&self) -> u64 {
        let mut files: Vec<(String, String)> = vec![(String::new(), self.text.clone())];
        let mut place = 0;
        while let Some((_, text)) = files.get(place) {
            let names: Vec<String> = includes(text).map(str::to_owned).collect();
            for name in names {
                if !files.iter().any(|(other, _)| *other == name) {
                    // Without a file, the compiler says so.
                    let text = fs::read_to_string(self.root.join(&name)).unwrap_or_default();
                    files.push((name, text));
                }
            }
            place += 1;
        }
        let [manifest, options] = COMPILER;
        let versions = manifest.lines().filter(|line| line.starts_with("shaderc"));
        let parts = files.iter().flat_map(|(name, text)| [name.as_str(), text.as_str()]);
        let parts: Vec<&str> = parts.chain(versions).chain([options]).collect();
        fnv1a(parts.join("\0").as_bytes())
    }
}

/// The folder of compiled modules for the kernels of `root`.
pub fn archives(root: &Path) -> PathBuf {
    root.join("compiled")
}

/// The names of the files in `folder` with this ending, without it, sorted.
///
/// # Errors
///
/// What the file system says.
pub fn names(folder: &Path, ending: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|other| other == ending) {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// The files that `text` includes, under whatever condition.
fn includes(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix('#')?.trim_start().strip_prefix("include")?;
        rest.trim_start().strip_prefix('"')?.split('"').next()
    })
}
