//! Files in directories that other users may write to: nothing but regular files of the user's own is read,
//! and nothing that exists is written to.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// So many names are tried for a new file.
const TRIES: usize = 16;

/// Opens a file for reading, without waiting and without following a link in its place. Gives the bytes
/// that it holds too.
///
/// # Errors
/// If it is no regular file, belongs to another user, or holds more than `most` bytes.
pub(super) fn open(path: &Path, most: u64) -> io::Result<(File, u64)> {
    let file = platform::unfollowed(OpenOptions::new().read(true)).open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if !platform::is_ours(&facts)? {
        return Err(io::Error::other("it belongs to another user"));
    }
    if facts.len() > most {
        return Err(io::Error::other(format!("{} bytes are too many", facts.len())));
    }
    Ok((file, facts.len()))
}

/// Creates a directory, for its user only, with those above it. One that exists will do.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    platform::private(DirBuilder::new().recursive(true)).create(path)
}

/// Creates a file that does not exist yet, not even as a link.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if something has its name.
pub fn create(path: &Path) -> io::Result<File> {
    platform::unfollowed(OpenOptions::new().write(true).create_new(true)).open(path)
}

/// Creates a file for its user only, whose name begins like `path` and cannot be guessed.
pub(super) fn create_temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut taken = ErrorKind::AlreadyExists.into();
    for _ in 0..TRIES {
        // Every state has keys of its own, from the system's source of randomness.
        let number = RandomState::new().hash_one(std::process::id());
        let path = path.with_extension(format!("{number:016x}.tmp"));
        let mut options = OpenOptions::new();
        match platform::private_file(options.write(true).create_new(true)).open(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => taken = e,
            result => return result.map(|file| (path, file)),
        }
    }
    Err(taken)
}

#[cfg(unix)]
mod platform {
    use std::io::{self, pipe};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};

    use super::fs::{DirBuilder, File, Metadata, OpenOptions};

    pub fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY)
    }

    pub fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        unfollowed(options).mode(0o600)
    }

    pub fn private(builder: &mut DirBuilder) -> &mut DirBuilder {
        builder.mode(0o700)
    }

    /// Whether the file belongs to the user as whom this process creates files: a pipe tells who that is.
    pub fn is_ours(facts: &Metadata) -> io::Result<bool> {
        let (pipe, _) = pipe()?;
        Ok(facts.uid() == File::from(OwnedFd::from(pipe)).metadata()?.uid())
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io;

    use super::fs::{DirBuilder, Metadata, OpenOptions};

    pub fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub fn private_file(options: &mut OpenOptions) -> &mut OpenOptions {
        options
    }

    pub fn private(builder: &mut DirBuilder) -> &mut DirBuilder {
        builder
    }

    pub fn is_ours(_: &Metadata) -> io::Result<bool> {
        Ok(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::super::Cache;
    use super::super::file::tests::{Directory, content};
    use super::*;

    /// So long may it take to find out that a file is not to be read.
    const SOON: Duration = Duration::from_millis(100);

    /// The cache counts as empty at once, and storing it replaces what is in its place.
    fn is_empty_and_replaced(cache: &Cache, what: &str) {
        let begin = Instant::now();
        assert_eq!(cache.load(), None, "{what}");
        assert!(begin.elapsed() < SOON, "{what}: {:?}", begin.elapsed());
        cache.store(b"ours").unwrap();
        assert_eq!(cache.load(), Some(b"ours".into()), "{what}");
        let facts = fs::symlink_metadata(cache.path()).unwrap();
        assert!(facts.is_file() && facts.mode() & 0o777 == 0o600, "{what}: {:o}", facts.mode());
    }

    #[test]
    fn links_pipes_and_devices_count_as_empty() {
        let directory = Directory::new("hostile");
        let cache = directory.cache();
        cache.store(&content(1, 10)).unwrap();
        let victim = directory.0.join("victim");
        fs::copy(cache.path(), &victim).unwrap();
        let before = fs::read(&victim).unwrap();
        let place = |target: &str| {
            let _ = fs::remove_file(cache.path());
            symlink(target, cache.path()).unwrap();
        };
        for target in ["victim", "/dev/zero", "/dev/tty", "nowhere", "."] {
            place(target);
            is_empty_and_replaced(&cache, target);
        }
        fs::remove_file(cache.path()).unwrap();
        assert!(Command::new("mkfifo").arg(cache.path()).status().unwrap().success());
        is_empty_and_replaced(&cache, "a pipe");
        assert_eq!(fs::read(&victim).unwrap(), before, "nothing is written through a link");
    }

    #[test]
    fn files_of_others_and_too_large_ones_count_as_empty() {
        let directory = Directory::new("others");
        let cache = directory.cache();
        cache.store(&content(1, 10)).unwrap();
        // Only root may give a file away.
        if chown(cache.path(), Some(12_345), None).is_ok() {
            is_empty_and_replaced(&cache, "a file of another user");
        }
        for bytes in [1 << 30, (1 << 30) + 1, 1 << 40] {
            File::create(cache.path()).unwrap().set_len(bytes).unwrap();
            is_empty_and_replaced(&cache, "a large file of zeros");
        }
    }

    #[test]
    fn a_file_that_grows_is_not_read_without_end() {
        let directory = Directory::new("grows");
        let cache = directory.cache();
        cache.store(&content(1, 1000)).unwrap();
        let path = cache.path().to_owned();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut file = OpenOptions::new().append(true).open(path).unwrap();
                while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    io::Write::write_all(&mut file, &[1; 1 << 12]).unwrap();
                }
            });
            let before = fs::metadata(cache.path()).unwrap().len();
            while fs::metadata(cache.path()).unwrap().len() < before + (1 << 16) {
                std::thread::yield_now();
            }
            let begin = Instant::now();
            assert_eq!(cache.load(), None);
            assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
            drop(stop);
        });
    }

    #[test]
    fn new_files_never_go_through_links() {
        let directory = Directory::new("new");
        fs::create_dir(&directory.0).unwrap();
        let (victim, link) = (directory.0.join("victim"), directory.0.join("link"));
        fs::write(&victim, "kept").unwrap();
        for target in ["victim", "nowhere"] {
            symlink(target, &link).unwrap();
            assert_eq!(create(&link).unwrap_err().kind(), ErrorKind::AlreadyExists);
            fs::remove_file(&link).unwrap();
        }
        assert!(!directory.0.join("nowhere").exists());
        assert_eq!(fs::read(&victim).unwrap(), b"kept");
        let names: Vec<_> = (0..50).map(|_| create_temporary(&link).unwrap().0).collect();
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        for name in &names {
            assert_eq!(fs::metadata(name).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn new_directories_are_private() {
        let directory = Directory::new("private");
        let inner = directory.0.join("a/b");
        create_directory(&inner).unwrap();
        create_directory(&inner).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
