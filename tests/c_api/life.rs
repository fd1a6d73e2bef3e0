//! Who goes first, who is shared, and what is left behind.

use std::ffi::{CString, c_char};

use libloading::Library;
use tflite_vulkan::tflite::sys::TfLiteDelegate;

use crate::child;
use crate::delegate::{Delegate, Options, ReportError, for_tests};
use crate::header::library_folder;
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};

fn check(interpreter: &mut Interpreter<'_>, seed: usize) {
    let (a, b) = (numbers(24, seed), numbers(24, seed + 9));
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
}

/// As Python does at exit: the delegate is destroyed, then the interpreter with its kernels.
#[test]
fn the_delegate_may_go_before_the_interpreter() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    check(&mut interpreter, 0);
    drop(delegate);
    check(&mut interpreter, 1);
}

#[test]
fn the_delegate_may_go_before_the_tensors_are_allocated() {
    let model = Model::new("dynamic");
    let mut interpreter = Interpreter::new(&model, &Delegate::new()).unwrap();
    interpreter.allocate().unwrap();
    let a = numbers(6, 0);
    assert_eq!(interpreter.run(&[&a, &a]).len(), 6);
    interpreter.resize(0, &[4, 6]);
    interpreter.resize(1, &[4, 6]);
    interpreter.allocate().unwrap();
}

#[test]
fn a_delegate_may_go_unused_and_interpreters_uninvoked() {
    drop(Delegate::new());
    let model = Model::new("static");
    let delegate = Delegate::new();
    drop(Interpreter::new(&model, &delegate).unwrap());
    drop(Interpreter::allocated(&model, &delegate));
}

#[test]
fn an_invoke_without_allocation_is_an_error() {
    let model = Model::new("dynamic");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::new(&model, &delegate).unwrap();
    assert!(interpreter.invoke().is_err());
    interpreter.allocate().unwrap();
    interpreter.invoke().unwrap();
}

#[test]
fn interpreters_share_a_delegate_and_take_turns() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut all: Vec<_> = (0..3).map(|_| Interpreter::allocated(&model, &delegate)).collect();
    for round in 0..4 {
        all.iter_mut().enumerate().for_each(|(i, interpreter)| check(interpreter, round * 10 + i));
        all[round % 3] = Interpreter::allocated(&model, &delegate);
    }
}

#[test]
fn interpreters_run_at_the_same_time() {
    let model = Model::new("static");
    let shared = Delegate::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (model, shared) = (&model, &shared);
            scope.spawn(move || {
                let own = (thread % 2 == 1).then(Delegate::new);
                let mut interpreter = Interpreter::allocated(model, own.as_ref().unwrap_or(shared));
                (0..50).for_each(|round| check(&mut interpreter, thread * 100 + round));
            });
        }
    });
}

#[test]
fn an_interpreter_may_change_its_thread() {
    let model = Model::new("static");
    let mut interpreter = std::thread::scope(|scope| {
        scope.spawn(|| Interpreter::allocated(&model, &Delegate::new())).join().unwrap()
    });
    check(&mut interpreter, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| check(&mut interpreter, 1));
    });
    check(&mut interpreter, 2);
}

/// One of 200 loops may leave nothing behind.
#[test]
fn two_hundred_lives_leave_no_trace() {
    // The validation layer keeps records of its own.
    child::passes("life::two_hundred_lives", &[("VK_INSTANCE_LAYERS", "")]);
}

const LOOPS: usize = 200;
/// Drivers fill caches of their own at first.
const WARM_UP: usize = 80;
/// In bytes: 1 KiB per loop after the warm-up.
const GROWTH: usize = 120 << 10;

#[test]
#[ignore = "measures the memory of its process"]
fn two_hundred_lives() {
    let (whole, open) = (Model::new("static"), Model::new("dynamic"));
    let mut before = 0;
    for round in 0..LOOPS {
        let options = Options { precision: (round % 2) as i32, ..for_tests() };
        let delegate = Delegate::create(&options).unwrap();
        let mut interpreter = Interpreter::allocated(&whole, &delegate);
        interpreter.run(&[&numbers(24, round), &numbers(24, 0)]);
        let mut resized = Interpreter::allocated(&open, &delegate);
        for rows in [1, 1 + round % 5] {
            resized.resize(0, &[rows as i32, 6]);
            resized.resize(1, &[rows as i32, 6]);
            resized.allocate().unwrap();
            resized.run(&[&numbers(rows * 6, round), &numbers(rows * 6, 1)]);
        }
        // Both orders.
        if round % 2 == 0 {
            drop(interpreter);
            drop(delegate);
        } else {
            drop(delegate);
            drop(interpreter);
        }
        drop(resized);
        if round + 1 == WARM_UP {
            before = allocated_bytes();
        }
    }
    let growth = allocated_bytes().saturating_sub(before);
    println!("{growth} bytes more after the last {} lives", LOOPS - WARM_UP);
    assert!(growth <= GROWTH, "memory grew by {growth} bytes");
}

/// Hosts that load and unload delegates get the same library again, not another Vulkan instance each time.
#[test]
fn the_library_may_be_closed_and_opened() {
    child::passes("life::close_and_open", &[("VK_INSTANCE_LAYERS", "")]);
}

#[test]
#[ignore = "measures the memory of its process"]
fn close_and_open() {
    type Create = unsafe extern "C" fn(
        *const *const c_char,
        *const *const c_char,
        usize,
        ReportError,
    ) -> *mut TfLiteDelegate;
    let path = library_folder().join("libtflite_vulkan.so");
    let options = [[c"allow_software", c"1"], [c"require_device", c"1"], [c"log_level", c"error"]];
    let [keys, values] = [0, 1].map(|i| options.map(|pair| pair[i].as_ptr()));
    let cycle = || {
        // SAFETY: the functions have these types, and are not used after the library is closed.
        unsafe {
            let library = Library::new(&path).unwrap();
            let create = library.get::<Create>(b"tflite_plugin_create_delegate").unwrap();
            let destroy =
                library.get::<unsafe extern "C" fn(*mut TfLiteDelegate)>(b"tflite_plugin_destroy_delegate");
            let delegate = create(keys.as_ptr(), values.as_ptr(), options.len(), None);
            assert!(!delegate.is_null());
            destroy.unwrap()(delegate);
        }
    };
    let resident = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() << 12
    };
    (0..20).for_each(|_| cycle());
    let before = resident();
    (0..100).for_each(|_| cycle());
    let growth = resident().saturating_sub(before);
    println!("{growth} bytes more after 100 cycles");
    assert!(growth < 1 << 20, "memory grew by {growth} bytes");
}

/// Drivers of which none is usable are unloaded again.
#[test]
fn what_is_of_no_use_is_not_kept() {
    child::passes("life::use_nothing", &[("VK_INSTANCE_LAYERS", "")]);
}

#[test]
#[ignore = "looks at the memory of its process"]
fn use_nothing() {
    // The file of the driver, as far as this machine's is known.
    let mapped = |part: &str| std::fs::read_to_string("/proc/self/maps").unwrap().contains(part);
    let drivers = ["vulkan_lvp", "vk_swiftshader", "GLX_nvidia"];
    let loaded = |delegate: Delegate| {
        let loaded = drivers.map(mapped);
        drop(delegate);
        loaded
    };
    let usable = loaded(Delegate::new());
    assert!(usable.contains(&true), "none of {drivers:?} is this machine's driver");
    let named = CString::new("no device has this name").unwrap();
    let options = Options { device: named.as_ptr(), require_device: 0, log_level: 0, ..for_tests() };
    assert_eq!(loaded(Delegate::create(&options).unwrap()), [false; 3]);
    assert_eq!(loaded(Delegate::new()), usable);
}

/// What this process holds of the C heap: unlike its physical memory the same in every run.
fn allocated_bytes() -> usize {
    // SAFETY: it only counts.
    let info = unsafe { libc::mallinfo2() };
    info.uordblks + info.hblkhd
}
