//! A file of the cache: whatever lies there, loading it gives what was stored or nothing, and it can be replaced.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tflite_vulkan::cache::{Cache, Facts, FileKind, Identity};

const IDENTITY: Identity =
    Identity { device: [7; 16], ids: [1, 2], driver: 9, compiler: [3; 16], library: 5 };

static DIRECTORY: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("tflite-vulkan-fuzz-{}", std::process::id())));

/// A file with these facts, and its bytes.
static WHOLE: LazyLock<(Cache, Vec<u8>)> = LazyLock::new(|| {
    let cache = Cache::new(&DIRECTORY, None, IDENTITY, FileKind::Precision);
    cache.store(b"conv 3x3\t1\nother\ttwo words\n").expect("a temporary directory");
    let bytes = std::fs::read(cache.path()).expect("it was stored");
    (cache, bytes)
});

fuzz_target!(|data: &[u8]| {
    let (cache, whole) = &*WHOLE;
    let Some((&kind, rest)) = data.split_first() else { return };
    let mut file = whole.clone();
    match kind % 4 {
        0 => file = rest.to_vec(),
        // Bytes at places.
        1 => {
            for change in rest.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % file.len();
                file[at] ^= change[2];
            }
        }
        2 => file.truncate(rest.len() % (file.len() + 1)),
        _ => file.extend_from_slice(rest),
    }
    std::fs::write(cache.path(), &file).expect("a temporary directory");
    assert!(cache.load().is_none_or(|_| file == *whole), "damage is not found");
    // Facts are lines of text within a sound file.
    if kind % 16 == 0 {
        cache.store(rest).expect("a temporary directory");
        assert_eq!(cache.load().as_deref(), Some(rest));
        let facts = Facts::new(Some(cache.clone()));
        facts.learn([(String::from_utf8_lossy(rest).into_owned(), "x".into())]);
    }
});
