//! Compiled modules, kept from one build to the next by a hash of what they were made from.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::glsl::Source;
use super::reflect::{self, Interface};
use super::validate::{self, validate};
use super::variant::Variant;
use super::{Compiled, fnv1a};

/// A folder with two modules for each variant: `NAME-KEY.spv`, optimised, and `NAME-KEY.names`, the
/// unoptimised one that is reflected.
pub struct Cache {
    folder: PathBuf,
    compiler: String,
}

/// How the compiler is called: modules that another version of it made are not taken.
const OPTIONS: &str = include_str!("glsl.rs");

impl Cache {
    /// Takes `folder` as the cache; makes it if there is none.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), compiler: validate::version() + OPTIONS })
    }

    /// The compiled variant, from the cache if its preprocessed text, the compiler and the options are the same.
    ///
    /// # Errors
    ///
    /// What is wrong, with file and line as far as they are known.
    pub fn compile(&self, source: &Source, variant: &Variant) -> Result<Compiled, String> {
        let name = source.variant_name(variant);
        let text = source.preprocess(variant)?;
        let key = fnv1a(format!("{}\n{text}", self.compiler).as_bytes());
        let file = self.folder.join(format!("{name}-{key:016x}.spv"));

        let within = |error: String| format!("{}: error: {error}", source.path());
        let kept = read(&file).and_then(|words| Ok((words, read(&file.with_extension("names"))?)));
        let fresh = kept.is_err();
        let (words, names) = match kept {
            Ok(modules) => modules,
            Err(_) => {
                let (words, names) = (source.compile(variant, true)?, source.compile(variant, false)?);
                validate(&names).map_err(within)?;
                validate(&words).map_err(within)?;
                // The optimised one last: it stands for both.
                write(&file.with_extension("names"), &names).map_err(|error| within(error.to_string()))?;
                write(&file, &words).map_err(|error| within(error.to_string()))?;
                (words, names)
            }
        };
        let interface = Interface::of(&names, &text).map_err(within)?;
        let needs = reflect::needs(&words).map_err(within)?;
        Ok(Compiled { name, values: variant.values.clone(), file, words, interface, needs, fresh })
    }

    /// Forgets every module but those in `files`.
    pub fn keep_only<'a>(&self, files: impl Iterator<Item = &'a PathBuf>) {
        let files: HashSet<PathBuf> =
            files.flat_map(|file| [file.clone(), file.with_extension("names")]).collect();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if !files.contains(&entry.path()) {
                // A file that stays does no harm.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u32>> {
    let bytes = fs::read(path)?;
    Ok(bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

/// Writes so that `path` never holds a part of it.
fn write(path: &Path, words: &[u32]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())?;
    fs::rename(&part, path)
}
