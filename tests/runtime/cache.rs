//! Compiled pipelines on disk: with the driver, and with other processes.

use std::fs;
use std::path::PathBuf;
use std::thread;

use tflite_vulkan::cache::{Cache, FileKind, Identity};
use tflite_vulkan::runtime::Session;

use crate::child::Child;
use crate::net;

const DIRECTORY: &str = "TEST_CACHE_DIRECTORY";
const ROUNDS: usize = 400;

fn identity() -> Identity {
    Identity { device: [1; 16], ids: [2, 3], driver: 4, compiler: [5; 16], library: 6 }
}

/// A content that tells by its first byte what the others are.
fn content(round: usize, seed: u8) -> Vec<u8> {
    let start = seed.wrapping_add(round as u8);
    (0..2000 + round * 7).map(|i| start.wrapping_add((i as u8).wrapping_mul(3))).collect()
}

fn is_whole(content: &[u8]) -> bool {
    content.iter().enumerate().all(|(i, byte)| *byte == content[0].wrapping_add((i as u8).wrapping_mul(3)))
}

#[test]
fn the_driver_takes_back_what_it_compiled() {
    let device = net::device();
    net::check_sample(&mut Session::new(device.clone()), 10, 0);
    let compiled = device.compiled().unwrap();
    device.add_compiled(&compiled).unwrap();
    // Sessions create pipelines and others are added at the same time.
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..10).for_each(|_| device.add_compiled(&compiled).unwrap()));
            scope.spawn(|| {
                (0..4).for_each(|n| net::check_sample(&mut Session::new(net::device()), 90 + n, n))
            });
        }
    });
    assert!(device.compiled().unwrap().len() >= compiled.len());
}

#[test]
fn two_processes_share_a_file() {
    let directory = std::env::temp_dir().join(format!("tflite-vulkan-{}-processes", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    let cache = Cache::new(&directory, Some("model"), identity(), FileKind::Pipelines);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| Child::new("cache::write_often").env(DIRECTORY, &directory).expect_success());
        }
    });
    let last = cache.load().expect("the last one written is whole");
    assert!(is_whole(&last));
    let files = fs::read_dir(&directory).unwrap().count();
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(files, 1, "temporary files are gone");
}

#[test]
#[ignore = "a child of two_processes_share_a_file"]
fn write_often() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let cache = Cache::new(&directory, Some("model"), identity(), FileKind::Pipelines);
    for round in 0..ROUNDS {
        cache.store(&content(round, std::process::id() as u8)).unwrap();
        let seen = cache.load().expect("there is always a whole file");
        assert!(is_whole(&seen), "{} bytes", seen.len());
    }
}
