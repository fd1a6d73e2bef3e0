//! Vulkan calls that fail: `vulkan.c` stands in front of the real library. Results are right all the same, nothing
//! is left behind, and nothing takes long.

use std::ffi::{c_int, c_long};
use std::time::{Duration, Instant};

use crate::child;
use crate::delegate::Delegate;
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};
use crate::vulkan::{Fault, LIBRARY, LOST, NONE, Vulkan, compile};

/// Runs an ignored test with that library; gives what it printed.
fn with_faults(test: &str) -> String {
    let library = compile(test.rsplit("::").next().unwrap());
    let text = child::passes(test, &[(LIBRARY, library.to_str().unwrap()), ("VK_INSTANCE_LAYERS", "")]);
    std::fs::remove_file(library).unwrap();
    text
}

const FAULTS: [Fault; 6] = [
    LOST,
    Fault { name: "out of device memory", result: -2, times: 1 },
    Fault { name: "out of device memory for good", result: -2, times: -1 },
    Fault { name: "out of host memory", result: -1, times: 1 },
    Fault { name: "unknown", result: -13, times: 1 },
    Fault { name: "unknown for good", result: -13, times: -1 },
];

/// What dropping an interpreter and its delegate may take.
const DROPPED: Duration = Duration::from_secs(2);

/// What a whole life may take.
const LIVED: Duration = Duration::from_secs(10);

/// The sums of `dynamic` for two rows, then for three, with a delegate of these options.
fn live(model: &Model, options: &[(&str, &str)], limit: f32) -> Result<Duration, String> {
    let delegate = Delegate::plugin(options)?;
    let mut interpreter = Interpreter::new(model, &delegate)?;
    for rows in [2, 3] {
        interpreter.resize(0, &[rows, 6]);
        interpreter.resize(1, &[rows, 6]);
        interpreter.allocate()?;
        for seed in 0..3 {
            let (a, b) = (numbers(rows as usize * 6, seed), numbers(rows as usize * 6, seed + 3));
            interpreter.set(0, &a);
            interpreter.set(1, &b);
            interpreter.invoke()?;
            let want: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a + b) * 2.0).collect();
            assert_close(&interpreter.get(0).1, &want, limit);
        }
    }
    let start = Instant::now();
    drop(interpreter);
    drop(delegate);
    Ok(start.elapsed())
}

/// Every call of a life fails in every way, one life after the other.
fn sweep(options: &[(&str, &str)], limit: f32) {
    let (vulkan, model) = (Vulkan::open(), Model::new("dynamic"));
    let start = Instant::now();
    live(&model, options, limit).unwrap();
    vulkan.plan("", 0, NONE);
    live(&model, options, limit).unwrap();
    let (calls, mut wrong) = (vulkan.calls(), Vec::new());
    assert_eq!(vulkan.live(), 0, "without a fault");
    for fault in FAULTS {
        for number in 1..=calls {
            vulkan.plan("", number, fault);
            let start = Instant::now();
            let dropped = live(&model, options, limit);
            let case = format!("{}, call {number} of {calls}, {}", fault.name, vulkan.failed());
            match dropped {
                Ok(time) if time < DROPPED && start.elapsed() < LIVED => {}
                result => wrong.push(format!("{case}: {result:?} in {:?}", start.elapsed())),
            }
            if vulkan.live() != 0 && fault.times < 0 {
                // Nothing tells whether the device is idle. Once something does, the next delegate frees it.
                vulkan.plan("", 0, NONE);
                live(&model, options, limit).unwrap();
            }
            assert_eq!(vulkan.live(), 0, "{case}: objects are left");
        }
    }
    println!("{} lives in {:.1?}", FAULTS.len() as c_long * calls, start.elapsed());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

const PLAIN: [(&str, &str); 2] = [("allow_software", "1"), ("log_level", "off")];

#[test]
fn every_call_may_fail_in_fp32() {
    println!("{}", with_faults("faults::sweep_fp32"));
}

#[test]
#[ignore = "a child"]
fn sweep_fp32() {
    sweep(&PLAIN, 1e-6);
}

#[test]
fn every_call_may_fail_in_fp16() {
    println!("{}", with_faults("faults::sweep_fp16"));
}

#[test]
#[ignore = "a child"]
fn sweep_fp16() {
    sweep(&[&PLAIN[..], &[("precision", "fp16")]].concat(), 1e-2);
}

#[test]
fn every_call_may_fail_with_a_cache_and_a_profile() {
    println!("{}", with_faults("faults::sweep_files"));
}

#[test]
#[ignore = "a child"]
fn sweep_files() {
    let folder = std::env::temp_dir().join(format!("faults-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let files = [("cache_dir", folder.to_str().unwrap()), ("profile", "1")];
    sweep(&[&PLAIN[..], &files].concat(), 1e-6);
    std::fs::remove_dir_all(folder).unwrap();
}

/// The calls that come once in a process, in processes of their own.
#[test]
fn the_first_calls_may_fail() {
    let library = compile("first_calls");
    for call in ["vkEnumerateInstanceVersion", "vkEnumerateInstanceExtensionProperties", "vkCreateInstance"] {
        for fault in 0..FAULTS.len() {
            let environment = [
                (LIBRARY, library.to_str().unwrap()),
                ("VK_INSTANCE_LAYERS", ""),
                ("FAULT_CALL", call),
                ("FAULT", &fault.to_string()),
            ];
            child::passes("faults::first_call", &environment);
        }
    }
    std::fs::remove_file(library).unwrap();
}

#[test]
#[ignore = "a child of the_first_calls_may_fail"]
fn first_call() {
    let (call, fault) = (std::env::var("FAULT_CALL").unwrap(), std::env::var("FAULT").unwrap());
    let (vulkan, model) = (Vulkan::open(), Model::new("dynamic"));
    vulkan.plan(&call, 1, FAULTS[fault.parse::<usize>().unwrap()]);
    assert!(live(&model, &PLAIN, 1e-6).unwrap() < DROPPED);
    assert_eq!(vulkan.failed(), call);
    vulkan.plan("", 0, NONE);
    live(&model, &PLAIN, 1e-6).unwrap();
    assert_eq!(vulkan.live(), 0);
}

/// What a resize asks for and the device does not have, the host computes, and the log says so once.
fn resized_to_the_host(test: &str, why: &str, steps: [&str; 3]) {
    let printed = with_faults(test);
    let told = printed.matches("a partition runs on the host, slowly: ").count();
    assert!(told == 1 && printed.contains(why), "{printed}");
    let ran: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("@@ ")).collect();
    assert_eq!(ran, steps, "{printed}");
}

/// Two runs of the model `dynamic`, of `rows` rows; prints where.
fn run_resized(vulkan: &Vulkan, interpreter: &mut Interpreter<'_>, rows: i32, fault: Fault) {
    vulkan.plan("vkAllocateMemory", 1, fault);
    interpreter.resize(0, &[rows, 6]);
    interpreter.resize(1, &[rows, 6]);
    interpreter.allocate().unwrap();
    vulkan.plan("vkQueueSubmit", 0, NONE);
    for seed in 0..2 {
        let a = numbers(rows as usize * 6, seed);
        let want: Vec<f32> = a.iter().map(|a| a * 4.0).collect();
        assert_close(&interpreter.run(&[&a, &a]), &want, 1e-6);
    }
    println!("\n@@ {rows} {}", if vulkan.calls() == 0 { "host" } else { "device" });
}

const WARNED: [(&str, &str); 2] = [("allow_software", "1"), ("log_level", "warn")];

#[test]
fn memory_that_runs_out_is_no_error() {
    resized_to_the_host("faults::scarce", "slowly: out of memory", ["2 host", "3 device", "4 host"]);
}

#[test]
#[ignore = "a child of memory_that_runs_out_is_no_error"]
fn scarce() {
    let (vulkan, model) = (Vulkan::open(), Model::new("dynamic"));
    let mut interpreter = Interpreter::new(&model, &Delegate::plugin(&WARNED).unwrap()).unwrap();
    let scarce = Fault { name: "scarce", result: -2, times: -1 };
    for (rows, fault) in [(2, scarce), (3, NONE), (4, scarce)] {
        run_resized(&vulkan, &mut interpreter, rows, fault);
    }
}

#[test]
fn a_resize_beyond_a_limit_is_no_error() {
    resized_to_the_host(
        "faults::limited",
        "exceeds maxStorageBufferRange",
        ["2 device", "500 host", "3 device"],
    );
}

#[test]
#[ignore = "a child of a_resize_beyond_a_limit_is_no_error"]
fn limited() {
    let (vulkan, model) = (Vulkan::open(), Model::new("dynamic"));
    vulkan.set("fault_range", 4096);
    let mut interpreter = Interpreter::new(&model, &Delegate::plugin(&WARNED).unwrap()).unwrap();
    for rows in [2, 500, 3] {
        run_resized(&vulkan, &mut interpreter, rows, NONE);
    }
}

/// A GPU that does not answer is given up after ten seconds, and what it may be at work on is kept until it is done.
#[test]
fn a_device_that_hangs_is_given_up() {
    let printed = with_faults("faults::hang");
    assert_eq!(printed.matches("is lost (it takes too long)").count(), 1, "{printed}");
    assert_eq!(printed.matches("is open again").count(), 1, "{printed}");
}

#[test]
#[ignore = "a child of a_device_that_hangs_is_given_up"]
fn hang() {
    const DISCRETE: c_int = 2;
    let (vulkan, model) = (Vulkan::open(), Model::new("static"));
    vulkan.set("fault_kind", DISCRETE);
    let delegate = Delegate::plugin(&[("log_level", "debug")]).unwrap();
    let mut interpreters = [(); 2].map(|()| Interpreter::allocated(&model, &delegate));
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    // Both at the same time.
    let mut run = |seconds: std::ops::Range<u64>| {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for interpreter in &mut interpreters {
                scope.spawn(|| assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6));
            }
        });
        let took = start.elapsed().as_secs();
        assert!(seconds.contains(&took), "{took} s, not {seconds:?}");
    };
    run(0..2);
    vulkan.set("fault_hang", 1);
    run(10..14);
    let kept = vulkan.live();
    vulkan.set("fault_hang", 0);
    // The host has computed that one; the device is opened again for this.
    run(0..2);
    run(0..2);
    let start = Instant::now();
    drop(interpreters);
    drop(delegate);
    assert!(start.elapsed() < DROPPED);
    assert!(kept > 0);
    assert_eq!(vulkan.live(), 0);
}
