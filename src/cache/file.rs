//! A file of the cache.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::hash::{continued, hash};
use super::identity::{FileKind, Identity};
use super::untrusted;

/// The first bytes of every file, with the version of its layout.
const MAGIC: &[u8; 8] = b"tfvkpc\0\x03";

/// Sizes of the header's parts: magic, identity, length and checksum of the content.
const HEADER: usize = MAGIC.len() + Identity::BYTES + 8 + 8;

/// No cache is larger; a larger file is not even read.
const MAX_BYTES: u64 = 1 << 30;

/// A temporary file that is older was left behind by a process that is gone.
const STALE: Duration = Duration::from_secs(3600);

/// In a directory with more entries no older ones are looked for.
const MOST_ENTRIES: usize = 10_000;

/// Why a file counts as empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// It is shorter or longer than its header says.
    Torn,
    /// It is no cache file of this library, or has another layout.
    NotOurs,
    /// It was made for another device.
    OtherDevice,
    /// It was made by another driver, or another version of it.
    OtherDriver,
    /// It was made by another version of this library.
    OtherLibrary,
    /// Its content has changed since.
    Damaged,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torn => "its length is wrong",
            Self::NotOurs => "it is no cache of this library",
            Self::OtherDevice => "it is of another device",
            Self::OtherDriver => "it is of another driver",
            Self::OtherLibrary => "it is of another version of this library",
            Self::Damaged => "its checksum is wrong",
        })
    }
}

/// A file with cached data.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
    identity: Identity,
    /// Whether the log knows already that the file cannot be read.
    told: Arc<AtomicBool>,
}

impl Cache {
    /// The file for a device, and for a model if it has a token, in a directory that need not exist.
    pub fn new(directory: &Path, token: Option<&str>, identity: Identity, kind: FileKind) -> Self {
        let mut name = String::from("tflite-vulkan-");
        name.extend(identity.device.iter().map(|byte| format!("{byte:02x}")));
        if let Some(token) = token {
            let word: String = token.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
            name += &format!("-{word}-{:016x}", hash(token.as_bytes()));
        }
        let path = directory.join(format!("{name}.{}", kind.ending()));
        Self { path, identity, told: Arc::default() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was stored last, by whichever process. `None` if there is nothing, or nothing that can be
    /// used; the log says why.
    pub fn load(&self) -> Option<Vec<u8>> {
        let path = self.path.display();
        let mut file = match self.read() {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                log::debug!("no cache yet in {path}");
                return None;
            }
            Err(e) => {
                let again = self.told.swap(true, Ordering::Relaxed);
                let level = if again { log::Level::Debug } else { log::Level::Warn };
                log::log!(level, "the cache {path} cannot be read: {e}");
                return None;
            }
        };
        match self.check(&file) {
            Ok(()) => Some(file.split_off(HEADER)),
            Err(why) => {
                log::info!("the cache {path} is not used and will be replaced: {why}");
                None
            }
        }
    }

    /// The bytes of the file, and one more if it grows meanwhile. Of a file that is not ours no more than
    /// the header is read.
    fn read(&self) -> io::Result<Vec<u8>> {
        let (file, bytes) = untrusted::open(&self.path, MAX_BYTES)?;
        let mut content = Vec::new();
        (&file).take(HEADER as u64).read_to_end(&mut content)?;
        if content.len() == HEADER && content.starts_with(MAGIC) {
            let rest = bytes.saturating_sub(HEADER as u64);
            content.try_reserve_exact(rest as usize + 1)?;
            file.take(rest + 1).read_to_end(&mut content)?;
        }
        Ok(content)
    }

    /// Whether these are the bytes of a whole file for this identity.
    fn check(&self, file: &[u8]) -> Result<(), Rejected> {
        let content = file.get(HEADER..).ok_or(Rejected::Torn)?;
        let (magic, rest) = file.split_at(MAGIC.len());
        let (identity, rest) = rest.split_at(Identity::BYTES);
        let ours = self.identity.bytes();
        if magic != MAGIC {
            return Err(Rejected::NotOurs);
        }
        // The checksum comes first: a damaged identity must not count as another device's.
        let number = |at: usize| rest[at..][..8].iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte));
        if number(0) != content.len() as u64 {
            return Err(Rejected::Torn);
        }
        if number(8) != checksum(identity, content) {
            return Err(Rejected::Damaged);
        }
        if identity[..24] != ours[..24] {
            return Err(Rejected::OtherDevice);
        }
        if identity[24..44] != ours[24..44] {
            return Err(Rejected::OtherDriver);
        }
        if identity[44..] != ours[44..] {
            return Err(Rejected::OtherLibrary);
        }
        Ok(())
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// If the directory or the file cannot be written; the file is then what it was.
    pub fn store(&self, content: &[u8]) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            untrusted::create_directory(directory)?;
            self.sweep(directory);
        }
        let (temporary, file) = untrusted::create_temporary(&self.path)?;
        let written = self.write(file, content).and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn write(&self, mut file: File, content: &[u8]) -> io::Result<()> {
        let identity = self.identity.bytes();
        file.write_all(MAGIC)?;
        file.write_all(&identity)?;
        file.write_all(&(content.len() as u64).to_le_bytes())?;
        file.write_all(&checksum(&identity, content).to_le_bytes())?;
        file.write_all(content)
    }

    /// Removes temporary files of writers that were killed.
    fn sweep(&self, directory: &Path) {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned() + ".";
        for entry in fs::read_dir(directory).into_iter().flatten().take(MOST_ENTRIES).flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
            if name.starts_with(&stem) && name.ends_with(".tmp") && age.is_some_and(|age| age > STALE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn checksum(identity: &[u8], content: &[u8]) -> u64 {
    continued(hash(identity), content)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const IDENTITY: Identity =
        Identity { device: [7; 16], ids: [0x10de, 0x2335], driver: 9, compiler: [3; 16], library: 5 };

    /// A directory of the test's own, which does not exist.
    pub struct Directory(pub PathBuf);

    impl Directory {
        pub fn new(test: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tflite-vulkan-{}-{test}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }

        pub fn cache(&self) -> Cache {
            Cache::new(&self.0, None, IDENTITY, FileKind::Pipelines)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    pub fn content(seed: u8, bytes: usize) -> Vec<u8> {
        (0..bytes).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect()
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let directory = Directory::new("stored");
        let cache = directory.cache();
        assert_eq!(cache.load(), None);
        for bytes in [0, 1, 1000, 70_000] {
            cache.store(&content(1, bytes)).unwrap();
            assert_eq!(cache.load(), Some(content(1, bytes)));
        }
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "temporary files are gone");
    }

    #[test]
    fn tokens_and_devices_have_files_of_their_own() {
        let path = |token, identity| {
            Cache::new(Path::new("d"), token, identity, FileKind::Pipelines).path().to_owned()
        };
        let other = Identity { device: [8; 16], ..IDENTITY };
        let paths = [
            path(None, IDENTITY),
            path(None, other),
            path(Some("a/../b"), IDENTITY),
            path(Some("ab"), IDENTITY),
            Cache::new(Path::new("d"), None, IDENTITY, FileKind::Precision).path().to_owned(),
        ];
        for (i, path) in paths.iter().enumerate() {
            assert_eq!(path.parent(), Some(Path::new("d")));
            assert!(!paths[..i].contains(path), "{paths:?}");
        }
        let newer = Identity { driver: 10, library: 6, ..IDENTITY };
        assert_eq!(path(None, newer), paths[0], "old files are replaced, not left behind");
    }

    #[test]
    fn every_truncation_is_noticed() {
        let directory = Directory::new("truncated");
        let cache = directory.cache();
        cache.store(&content(2, 100)).unwrap();
        let whole = fs::read(cache.path()).unwrap();
        for bytes in 0..whole.len() {
            fs::write(cache.path(), &whole[..bytes]).unwrap();
            assert_eq!(cache.load(), None, "{bytes} bytes");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(cache.check(&longer), Err(Rejected::Torn));
        assert_eq!(cache.check(&whole), Ok(()));
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let directory = Directory::new("flipped");
        let cache = directory.cache();
        cache.store(&content(3, 100)).unwrap();
        let whole = fs::read(cache.path()).unwrap();
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut torn = whole.clone();
                torn[at] ^= flip;
                fs::write(cache.path(), torn).unwrap();
                assert_eq!(cache.load(), None, "byte {at} ^ {flip:#x}");
            }
        }
        cache.store(&content(4, 10)).unwrap();
        assert_eq!(cache.load(), Some(content(4, 10)), "a damaged file is replaced");
    }

    #[test]
    fn foreign_and_old_files_are_not_used() {
        let directory = Directory::new("foreign");
        let cache = directory.cache();
        let cases = [
            (Identity { device: [8; 16], ..IDENTITY }, Rejected::OtherDevice),
            (Identity { ids: [0x10de, 1], ..IDENTITY }, Rejected::OtherDevice),
            (Identity { driver: 8, ..IDENTITY }, Rejected::OtherDriver),
            (Identity { compiler: [4; 16], ..IDENTITY }, Rejected::OtherDriver),
            (Identity { library: 4, ..IDENTITY }, Rejected::OtherLibrary),
        ];
        for (identity, why) in cases {
            Cache { identity, ..cache.clone() }.store(&content(5, 50)).unwrap();
            assert_eq!(cache.check(&fs::read(cache.path()).unwrap()), Err(why));
            assert_eq!(cache.load(), None);
        }
        fs::write(cache.path(), [b'x'; 500]).unwrap();
        assert_eq!(cache.check(&[b'x'; 500]), Err(Rejected::NotOurs));
        assert_eq!(cache.load(), None);
    }

    #[test]
    fn what_cannot_be_written_is_an_error() {
        let directory = Directory::new("unwritable");
        fs::write(&directory.0, "a file").unwrap();
        assert!(directory.cache().store(b"x").is_err());
        assert_eq!(directory.cache().load(), None);
        fs::remove_file(&directory.0).unwrap();
        // A directory where the file should be.
        fs::create_dir_all(directory.cache().path()).unwrap();
        assert!(directory.cache().store(b"x").is_err());
        assert_eq!(directory.cache().load(), None);
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "temporary files are gone");
    }

    #[test]
    fn readers_beside_writers_see_whole_files() {
        let directory = Directory::new("shared");
        let cache = directory.cache();
        cache.store(&content(0, 100)).unwrap();
        std::thread::scope(|scope| {
            for seed in 0..3u8 {
                let cache = &cache;
                scope.spawn(move || {
                    (0..100).for_each(|i| cache.store(&content(seed, 1000 * (i % 9) + 100)).unwrap())
                });
            }
            for _ in 0..300 {
                let seen = cache.load().expect("there is always a whole file");
                assert!((0..3).any(|seed| seen == content(seed, seen.len())));
            }
        });
    }
}
