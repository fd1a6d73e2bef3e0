//! Forked children: the drivers' threads do not come with them, so nothing of Vulkan may be called or freed there.
//! Each gives a result or an error that says so, soon.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::child;
use crate::delegate::{Delegate, Options, for_tests};
use crate::probe::Seen;
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};

/// What a child may take.
const SOON: Duration = Duration::from_secs(2);

/// What it may take on a busy machine.
const BUSY: Duration = Duration::from_secs(10);

/// Destructors of the validation layer wait for threads of its own.
const WITHOUT_LAYERS: [(&str, &str); 1] = [("VK_INSTANCE_LAYERS", "")];

/// How a child ends.
#[derive(PartialEq)]
enum End {
    /// As programs do: what is registered for that runs.
    Exit,
    /// At once.
    Abrupt,
}

/// Forks; the child does `work` and ends at once, without what is registered for that.
pub fn in_a_fork(what: &str, work: impl FnOnce()) {
    in_a_child_within(BUSY, what, End::Abrupt, work);
}

/// Forks; the child does `work` and ends well, soon.
fn in_a_child(what: &str, end: End, work: impl FnOnce()) {
    in_a_child_within(SOON, what, end, work);
}

fn in_a_child_within(most: Duration, what: &str, end: End, work: impl FnOnce()) {
    let start = Instant::now();
    // SAFETY: the child runs `work` alone and never returns.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
        let code = if done { 0 } else { 101 };
        let end = if end == End::Exit { libc::exit } else { libc::_exit };
        // SAFETY: neither returns.
        unsafe { end(code) };
    }
    assert!(child > 0, "{}", std::io::Error::last_os_error());
    let mut status = 0;
    // SAFETY: the child is ours.
    while unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == 0 {
        if start.elapsed() > most {
            // SAFETY: as above.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &raw mut status, 0);
            }
            panic!("{what}: the child hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(status, 0, "{what}");
}

fn check(interpreter: &mut Interpreter<'_>) {
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
}

/// All of `model` on the CPU, with a delegate that is new or came from the parent.
fn on_the_cpu(model: &Model, delegate: &Delegate) {
    let mut interpreter = Interpreter::allocated(model, delegate);
    assert_eq!(interpreter.seen(), [Seen { kernels: 0, others: 2 }]);
    check(&mut interpreter);
}

fn with_a_new_delegate(model: &Model) {
    on_the_cpu(model, &Delegate::create(&Options { require_device: 0, ..for_tests() }).unwrap());
    let error = Delegate::create(&for_tests()).unwrap_err();
    assert!(error.contains("forked"), "{error}");
}

#[test]
fn forked_children_leave_vulkan_alone() {
    child::passes("fork::forked", &WITHOUT_LAYERS);
}

#[test]
#[ignore = "forks: alone in its process"]
fn forked() {
    let model = Model::new("static");
    in_a_child("before anything", End::Abrupt, || {
        check(&mut Interpreter::allocated(&model, &Delegate::new()))
    });
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    check(&mut interpreter);
    in_a_child("untouched", End::Exit, || {});
    in_a_child("invoke", End::Abrupt, || {
        let error = interpreter.invoke().unwrap_err();
        assert!(error.contains("forked"), "{error}");
        // An allocation that changes nothing asks no delegate.
        interpreter.resize(0, &[1, 2, 3, 4]);
        _ = interpreter.allocate();
    });
    in_a_child("new", End::Exit, || with_a_new_delegate(&model));
    in_a_child("inherited delegate", End::Exit, || on_the_cpu(&model, &delegate));
    check(&mut interpreter);
    let (delegate, interpreter) = (&mut Some(delegate), &mut Some(interpreter));
    in_a_child("destructors", End::Exit, || {
        *interpreter = None;
        *delegate = None;
    });
    in_a_child("destructors, delegate first", End::Exit, || {
        *delegate = None;
        *interpreter = None;
    });
    check(interpreter.as_mut().unwrap());
    (*interpreter, *delegate) = (None, None);
    in_a_child("closed", End::Exit, || with_a_new_delegate(&model));
    check(&mut Interpreter::allocated(&model, &Delegate::new()));
}

/// Other threads hold any lock when a child is forked.
#[test]
fn children_may_be_forked_while_others_invoke() {
    child::passes("fork::forked_meanwhile", &WITHOUT_LAYERS);
}

#[test]
#[ignore = "forks: alone in its process"]
fn forked_meanwhile() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                check(&mut interpreter);
                // Its messages take what others may hold.
                drop(Delegate::create(&Options { log_level: 4, ..for_tests() }).unwrap());
            }
        });
        let forks = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..60 {
                in_a_child_within(BUSY, "meanwhile", End::Abrupt, || with_a_new_delegate(&model));
                std::thread::sleep(Duration::from_millis(3));
            }
        }));
        done.store(true, Ordering::Relaxed);
        forks.unwrap();
    });
}
