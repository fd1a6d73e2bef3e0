//! What is asked of a delegate when it is created, rightly and wrongly.

use std::os::unix::fs::{PermissionsExt, chown};

use crate::child;
use crate::delegate::{Delegate, Options, defaults, delete_null, for_tests, last_error, version};
use crate::probe::Seen;
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};

const DEVICE: [(&str, &str); 3] = [("allow_software", "1"), ("require_device", "1"), ("log_level", "error")];

#[test]
fn the_version_is_the_crates() {
    assert_eq!(version(), env!("CARGO_PKG_VERSION"));
}

#[test]
fn null_is_deleted_as_nothing() {
    delete_null();
}

#[test]
fn keys_and_values_make_the_same_delegate() {
    let model = Model::new("static");
    let delegate = Delegate::plugin(&DEVICE).unwrap();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    drop(interpreter);
    delegate.destroy();
}

#[test]
fn errors_name_the_culprit_and_what_is_known_once() {
    for (pair, want) in [
        (("presicion", "fp16"), "unknown option 'presicion'"),
        (("precision", "fp8"), "option precision='fp8': must be fp32|fp16|fp16-fast"),
        (("require_device", "yes"), "option require_device='yes': must be 0|1"),
        (("log_level", "5"), "option log_level='5': must be off|error|warn|info|debug|trace"),
    ] {
        let error = Delegate::plugin(&[DEVICE[0], pair]).unwrap_err();
        assert!(error.contains(want), "{error}");
        for key in ["precision=", "device=", "max_delegated_partitions=", "is_precision_loss_allowed="] {
            let known = error.matches(&format!("\n  {key}")).count();
            assert_eq!(known, usize::from(error.starts_with("unknown")), "{error}");
        }
        assert_eq!(last_error(), error);
    }
    let both = [("precision", "fp16"), ("is_precision_loss_allowed", "0")];
    let error = Delegate::plugin(&both).unwrap_err();
    assert_eq!(error, "precision=fp16 contradicts is_precision_loss_allowed=0");
}

/// Apps give TFLite's own GPU delegates more than this one obeys.
#[test]
fn keys_of_the_gpu_delegate_are_obeyed_or_named_in_one_line() {
    let printed = child::passes("options::keys_of_the_gpu_delegate", &[]);
    let line = "tflite-vulkan: info: options of TensorFlow Lite's own delegate without effect: ";
    let told: Vec<&str> = printed.lines().filter_map(|printed| printed.strip_prefix(line)).collect();
    assert_eq!(told, ["experimental_flags=2, wait_type=1"], "{printed}");
    for why in ["first_delegate_node_index=1", "last_delegate_node_index=0"] {
        assert!(printed.contains(&format!("on the CPU: {why} (")), "{why}: {printed}");
    }
}

#[test]
#[ignore = "prints what was ignored"]
fn keys_of_the_gpu_delegate() {
    let model = Model::new("static");
    let with = |more: &[(&str, &str)], seen: Seen| {
        let pairs: Vec<_> = DEVICE[..2].iter().chain(more).copied().collect();
        let delegate = Delegate::plugin(&pairs).unwrap();
        let mut interpreter = Interpreter::allocated(&model, &delegate);
        assert_eq!(interpreter.seen(), [seen], "{more:?}");
        let (a, b) = (numbers(24, 1), numbers(24, 2));
        assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    };
    let (whole, half) = (Seen { kernels: 1, others: 0 }, Seen { kernels: 1, others: 1 });
    with(&[("first_delegate_node_index", "0"), ("last_delegate_node_index", "2147483647")], whole);
    with(&[("first_delegate_node_index", "1")], half);
    with(&[("last_delegate_node_index", "0")], half);
    with(&[("inference_priority1", "1"), ("experimental_flags", "2"), ("wait_type", "1")], whole);
}

/// C++ hosts give no reporter, and take no NULL.
#[test]
fn without_a_reporter_a_failure_is_logged_and_fails_in_the_interpreter() {
    let printed = child::passes("options::fail_without_a_reporter", &[]);
    for reason in [
        "unknown option 'nonsense'",
        "option allow_software=' 1'",
        "no Vulkan device matches device=no such device",
    ] {
        let line = format!("tflite-vulkan: error: {reason}");
        let told = printed.lines().filter(|printed| printed.starts_with(&line)).count();
        assert_eq!(told, 1, "{reason}: {printed}");
    }
    for reason in ["options.precision is 9", "unknown option 'reported'"] {
        assert!(printed.contains(&format!("tflite-vulkan: error: {reason}")), "{reason}: {printed}");
    }
}

#[test]
#[ignore = "prints errors"]
fn fail_without_a_reporter() {
    let model = Model::new("static");
    let device = [("device", "no such device"), ("require_device", "1"), ("allow_software", "1")];
    let cases: [(&[(&str, &str)], &str); 3] = [
        (&[("nonsense", "1")], "nonsense"),
        (&[("allow_software", " 1")], "allow_software"),
        (&device, "no such device"),
    ];
    for (pairs, reason) in cases {
        let delegate = Delegate::plugin_with(pairs, None).unwrap();
        assert!(last_error().contains(reason));
        let error = Interpreter::new(&model, &delegate).err().unwrap();
        assert!(error.contains("the delegate could not be created") && error.contains(reason), "{error}");
        delegate.destroy();
    }
    assert!(Delegate::plugin_with(&DEVICE, None).is_some());
    assert!(Delegate::create(&Options { precision: 9, ..defaults() }).is_err());
    assert!(Delegate::plugin(&[("reported", "1"), ("log_level", "off")]).is_err());
}

/// A program with the rights of another user: the one who starts it chooses no library for it.
#[test]
fn set_user_id_programs_ignore_the_environment() {
    let program = std::env::current_exe().unwrap();
    let copy = program.with_extension("set-user-id");
    std::fs::copy(&program, &copy).unwrap();
    let rights = std::fs::Permissions::from_mode(0o4755);
    // Only root may give a file away.
    let made = chown(&copy, Some(12_345), None).and_then(|()| std::fs::set_permissions(&copy, rights));
    let output = made.and_then(|()| {
        std::process::Command::new(&copy)
            .args(["--exact", "options::without_a_library_of_the_user", "--ignored", "--nocapture"])
            .env("TFLITE_VULKAN_LIBRARY", "/nonexistent/library.so")
            .output()
    });
    std::fs::remove_file(&copy).unwrap();
    if let Ok(output) = output {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
#[ignore = "needs the rights of another user"]
fn without_a_library_of_the_user() {
    // SAFETY: it only reads.
    if unsafe { libc::getauxval(libc::AT_SECURE) } != 0 {
        let result = Delegate::plugin(&[("require_device", "1"), ("allow_software", "1")]);
        assert!(!result.as_ref().is_err_and(|error| error.contains("nonexistent")), "{result:?}");
    }
}

#[test]
fn the_struct_is_checked_field_by_field() {
    let base = defaults;
    assert_eq!(base().size, size_of::<Options>());
    for (options, want) in [
        (Options { size: 0, ..base() }, "options.size"),
        (Options { size: 1 << 30, ..base() }, "options.size"),
        (Options { precision: 9, ..base() }, "options.precision is 9"),
        (Options { max_delegated_partitions: -3, ..base() }, "options.max_delegated_partitions is -3"),
        (Options { log_level: 77, ..base() }, "options.log_level is 77"),
        (Options { tune: 7, ..base() }, "options.tune is 7"),
        (Options { integers: -1, ..base() }, "options.integers is -1"),
    ] {
        let error = Delegate::create(&options).unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn the_last_error_belongs_to_its_thread() {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(last_error(), "");
            assert!(Delegate::plugin(&[("here", "1")]).is_err());
            scope.spawn(|| assert_eq!(last_error(), "")).join().unwrap();
            assert!(last_error().contains("here"));
        });
    });
}

#[test]
fn an_unknown_device_is_no_device() {
    let device = c"no device has this name";
    let options = Options { device: device.as_ptr(), require_device: 0, ..for_tests() };
    uses_the_cpu(&Delegate::create(&options).unwrap());
    let error = Delegate::create(&Options { require_device: 1, ..options }).unwrap_err();
    assert!(error.contains("no device has this name"), "{error}");
}

/// The delegate loads, and the whole model stays on the CPU.
fn uses_the_cpu(delegate: &Delegate) {
    let model = Model::new("static");
    let mut interpreter = Interpreter::allocated(&model, delegate);
    assert_eq!(interpreter.seen()[0].kernels, 0);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
}

#[test]
fn without_a_driver_the_model_runs_on_the_cpu() {
    let nowhere = "/nonexistent/driver.json";
    let text = child::passes(
        "options::no_device",
        &[("VK_DRIVER_FILES", nowhere), ("VK_ICD_FILENAMES", nowhere), ("VK_ADD_DRIVER_FILES", "")],
    );
    assert!(text.contains("tflite-vulkan: warn: "), "{text}");
}

#[test]
#[ignore = "needs a machine without a Vulkan driver"]
fn no_device() {
    let options = Options { require_device: 0, log_level: 2, ..for_tests() };
    uses_the_cpu(&Delegate::create(&options).unwrap());
    let error = Delegate::plugin(&[("require_device", "1")]).unwrap_err();
    assert!(!error.is_empty());
    println!("require_device: {error}");
}
