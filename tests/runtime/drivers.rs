//! The other tests again: on SwiftShader, and under the validation layer with synchronisation
//! validation. `make drivers` fetches both.

use std::path::PathBuf;

use tflite_vulkan::plan::{self, Barriers};
use tflite_vulkan::runtime::Session;

use crate::child::Child;
use crate::net::{self, Net};

fn fetched(file: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("build/drivers").join(file);
    assert!(path.exists(), "{} is missing: `make drivers` fetches it", path.display());
    path
}

trait Environment: Sized {
    fn swiftshader(self) -> Self;
    fn validated(self) -> Self;
}

impl Environment for Child {
    fn swiftshader(self) -> Self {
        let manifest = fetched("swiftshader_icd.json");
        self.env("VK_DRIVER_FILES", &manifest).env("VK_ICD_FILENAMES", &manifest)
    }

    fn validated(self) -> Self {
        fetched("VkLayer_khronos_validation.json");
        self.env("VK_INSTANCE_LAYERS", "VK_LAYER_KHRONOS_validation")
            .env("VK_LAYER_PATH", fetched(""))
            .env("VK_KHRONOS_VALIDATION_REPORT_FLAGS", "error,warn,perf")
            .env("VK_KHRONOS_VALIDATION_VALIDATE_SYNC", "1")
            // Without it the layer does not look at the buffers that a shader touches.
            .env("VK_KHRONOS_VALIDATION_SYNCVAL_SHADER_ACCESSES_HEURISTIC", "1")
    }
}

/// What the layer prints, if it complains about us. NVIDIA's driver asks for an instance function in
/// the wrong way, which the layer reports as well.
fn complaints(text: &str) -> Vec<&str> {
    let marks = ["Validation Error", "Validation Warning", "Validation Performance", "SYNC-HAZARD", "VUID-"];
    let complains = |line: &&str| marks.iter().any(|mark| line.contains(mark));
    text.lines()
        .filter(complains)
        .filter(|line| !line.contains("WARNING-vkGetDeviceProcAddr-device"))
        .collect()
}

fn expect_silence(child: Child) {
    let (success, text) = child.output();
    assert_eq!(complaints(&text), Vec::<&str>::new());
    assert!(success, "{text}");
}

#[test]
fn swiftshader() {
    Child::all().swiftshader().expect_success();
}

#[test]
fn validated() {
    expect_silence(Child::all().validated());
}

#[test]
fn swiftshader_validated() {
    expect_silence(Child::all().swiftshader().validated());
}

#[test]
fn the_layer_sees_a_missing_barrier() {
    let (_, text) = Child::new("drivers::without_barriers").validated().output();
    assert!(!complaints(&text).is_empty(), "{text}");
}

#[test]
fn what_the_layer_sees_reaches_the_log() {
    let (_, text) = Child::new("drivers::without_barriers").validated().env("TEST_LOG", "1").output();
    assert!(text.contains("log: ERROR vulkan") && !complaints(&text).is_empty(), "{text}");
}

#[test]
#[ignore = "a child: wrong on purpose"]
fn without_barriers() {
    if std::env::var_os("TEST_LOG").is_some() {
        log::set_logger(&Printer).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    }
    let mut session = Session::new(net::device());
    let net = Net::sample(100);
    let memory = plan::memory(&net.program, session.device().caps().buffer_alignment);
    let recording = session.prepare(&net.program, &memory, &Barriers::default()).unwrap();
    let _ = net::run(&mut session, &recording, &net::ramp(100, 0));
}

struct Printer;

impl log::Log for Printer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        println!("log: {} {} {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}
