//! Tensors in Vulkan buffers of the application.

use std::os::fd::IntoRawFd;

use ash::vk::Handle;
use tflite_vulkan::ffi::TfLiteVulkanBinding as Binding;

use crate::child;
use crate::delegate::{Delegate, Options, for_tests};
use crate::gpu::{Gpu, Name, bind, binding, handles_of, signal_after, wait_before, wait_before_fd};
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};

fn input(interpreter: &Interpreter<'_>, number: usize) -> Name {
    Name::Tensor(interpreter.tensor(false, number))
}

fn output(interpreter: &Interpreter<'_>) -> Name {
    Name::Tensor(interpreter.tensor(true, 0))
}

#[test]
fn bound_tensors_are_used_where_they_lie() {
    let printed = child::passes("zero_copy::nothing_is_copied", &[]);
    let host = "192 bytes copied by the host";
    assert_eq!(printed.matches("0 bytes copied by the host, 0 by the device").count(), 3, "{printed}");
    assert!(printed.matches(host).count() <= 3, "{printed}");
    assert_eq!(printed.matches("is the caller's buffer 0x").count(), 6, "{printed}");
}

#[test]
#[ignore = "a child of bound_tensors_are_used_where_they_lie"]
fn nothing_is_copied() {
    let model = Model::new("static");
    let delegate = Delegate::create(&Options { log_level: 5, ..for_tests() }).unwrap();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    let host = |interpreter: &mut Interpreter<'_>, seed| {
        let (a, b) = (numbers(24, seed), numbers(24, seed + 1));
        assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    };
    host(&mut interpreter, 0);
    for seed in 0..2 {
        let (a, b) = (numbers(24, seed), numbers(24, seed + 7));
        let (x, y, mut z) = (gpu.filled(&a), gpu.filled(&b), gpu.buffer(24));
        bind(&delegate, input(&interpreter, 0), Some(&x.whole())).unwrap();
        bind(&delegate, input(&interpreter, 1), Some(&y.whole())).unwrap();
        bind(&delegate, output(&interpreter), Some(&z.whole())).unwrap();
        interpreter.invoke().unwrap();
        assert_close(&z.floats()[..24], &want_static(&a, &b), 1e-6);
        if seed == 0 {
            z.floats().fill(0.0);
            interpreter.invoke().unwrap();
            assert_close(&z.floats()[..24], &want_static(&a, &b), 1e-6);
        }
        for name in [input(&interpreter, 0), input(&interpreter, 1), output(&interpreter)] {
            bind(&delegate, name, None).unwrap();
        }
    }
    host(&mut interpreter, 5);
}

#[test]
fn bound_and_unbound_tensors_mix() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    // With room in front.
    let mut room = vec![0.0; 64];
    room.extend(&b);
    let (y, mut z) = (gpu.filled(&room), gpu.buffer(24));
    let stretch = binding(y.raw.as_raw(), 256, 96);
    bind(&delegate, Name::Index(interpreter.index(false, 1)), Some(&stretch)).unwrap();
    assert_close(&interpreter.run(&[&a]), &want_static(&a, &b), 1e-6);
    bind(&delegate, Name::Index(interpreter.index(true, 0)), Some(&z.whole())).unwrap();
    let c = numbers(24, 3);
    interpreter.run(&[&c]);
    assert_close(&z.floats()[..24], &want_static(&c, &b), 1e-6);
    bind(&delegate, input(&interpreter, 1), None).unwrap();
    bind(&delegate, output(&interpreter), None).unwrap();
    assert_close(&interpreter.run(&[&c, &a]), &want_static(&c, &a), 1e-6);
}

#[test]
fn each_interpreter_has_its_own_bindings() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut all = [(); 2].map(|()| Interpreter::allocated(&model, &delegate));
    let gpu = Gpu::of(&delegate);
    let (a, b, c) = (numbers(24, 1), numbers(24, 2), numbers(24, 3));
    let x = gpu.filled(&c);
    let index = Name::Index(all[0].index(false, 0));
    let error = bind(&delegate, index, Some(&x.whole())).unwrap_err();
    assert!(error.contains("several interpreters"), "{error}");
    bind(&delegate, input(&all[1], 0), Some(&x.whole())).unwrap();
    assert_close(&all[0].run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    assert_close(&all[1].run(&[&a, &b]), &want_static(&c, &b), 1e-6);
    let [first, second] = all;
    drop(second);
    // The only one that is left, perhaps where the other was.
    bind(&delegate, index, None).unwrap();
    let mut third = Interpreter::allocated(&model, &delegate);
    assert_close(&third.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    drop(first);
}

#[test]
fn a_resize_asks_for_another_size() {
    let model = Model::new("dynamic");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::new(&model, &delegate).unwrap();
    let resize = |interpreter: &mut Interpreter<'_>, rows| {
        (0..2).for_each(|input| interpreter.resize(input, &[rows, 6]));
        interpreter.allocate().unwrap();
    };
    let want = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| 2.0 * (a + b)).collect() };
    resize(&mut interpreter, 2);
    let gpu = Gpu::of(&delegate);
    let (mut x, mut y) = (gpu.buffer(24), gpu.buffer(24));
    bind(&delegate, input(&interpreter, 0), Some(&binding(x.raw.as_raw(), 0, 96))).unwrap();
    bind(&delegate, output(&interpreter), Some(&binding(y.raw.as_raw(), 0, 96))).unwrap();
    for rows in [2, 4, 1] {
        resize(&mut interpreter, rows);
        let n = 6 * rows as usize;
        let (a, b) = (numbers(n, n), numbers(n, 2));
        x.floats()[..n].copy_from_slice(&a);
        interpreter.set(1, &b);
        interpreter.invoke().unwrap();
        assert_close(&y.floats()[..n], &want(&a, &b), 1e-6);
    }
    resize(&mut interpreter, 5);
    interpreter.set(1, &numbers(30, 1));
    let error = interpreter.invoke().unwrap_err();
    assert!(error.contains("is bound to 96 bytes, 120 are needed"), "{error}");
    bind(&delegate, input(&interpreter, 0), None).unwrap();
    bind(&delegate, output(&interpreter), None).unwrap();
    let (a, b) = (numbers(30, 4), numbers(30, 5));
    assert_close(&interpreter.run(&[&a, &b]), &want(&a, &b), 1e-6);
}

#[test]
fn mistakes_are_told_and_change_nothing() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    let x = gpu.filled(&a);
    let raw = x.raw.as_raw();
    let name = input(&interpreter, 0);
    let stranger = &raw const delegate;
    let small = Binding { size: 4, ..binding(raw, 0, 96) };
    for (name, wrong, why) in [
        (Name::Index(99), binding(raw, 0, 96), "tensor 99 is no input or output"),
        (Name::Index(-1), binding(raw, 0, 96), "tensor -1 is no input or output"),
        (Name::Tensor(stranger.cast()), binding(raw, 0, 96), "belongs to no interpreter"),
        (name, binding(0, 0, 96), "binding.buffer is missing"),
        (name, binding(raw, 4, 92), "offset 4 is no multiple of"),
        (name, binding(raw, u64::MAX - 15, 96), "beyond 64 bits"),
        (name, small, "binding has a wrong size"),
    ] {
        let error = bind(&delegate, name, Some(&wrong)).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    for semaphore in [wait_before, signal_after] {
        let error = semaphore(&delegate, name, 0, 0).unwrap_err();
        assert!(error.contains("the semaphore is missing"), "{error}");
    }
    let error = wait_before_fd(&delegate, name, -1).unwrap_err();
    assert!(error.contains("-1 is no file descriptor"), "{error}");
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    // Only the invoke knows the size, and what else is bound.
    bind(&delegate, name, Some(&binding(raw, 0, 92))).unwrap();
    let error = interpreter.invoke().unwrap_err();
    assert!(error.contains("is bound to 92 bytes, 96 are needed"), "{error}");
    bind(&delegate, name, Some(&binding(raw, 0, 96))).unwrap();
    bind(&delegate, output(&interpreter), Some(&binding(raw, 0, 96))).unwrap();
    let error = interpreter.invoke().unwrap_err();
    assert!(error.contains("shares memory with an input"), "{error}");
    bind(&delegate, output(&interpreter), None).unwrap();
    assert_close(&interpreter.run(&[&b, &b]), &want_static(&a, &b), 1e-6);
}

/// Small integers are bound as whole words; where the device widens them the host converts them.
#[test]
fn integers_are_bound_as_whole_words() {
    let model = Model::new("small");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    let (mut x, mut y) = (gpu.memory(16, false), gpu.memory(16, false));
    let numbers: Vec<u8> = (0..15).map(|i: u8| (i * 17).wrapping_add(100)).collect();
    x.bytes()[..15].copy_from_slice(&numbers);
    let raw = y.raw.as_raw();
    bind(&delegate, input(&interpreter, 0), Some(&x.whole())).unwrap();
    bind(&delegate, output(&interpreter), Some(&binding(raw, 0, 15))).unwrap();
    let error = interpreter.invoke().unwrap_err();
    assert!(error.contains("is bound to 15 bytes, 16 are needed"), "{error}");
    bind(&delegate, output(&interpreter), Some(&binding(raw, 0, 16))).unwrap();
    for _ in 0..2 {
        interpreter.invoke().unwrap();
        let transposed: Vec<u8> = (0..15).map(|i| numbers[i % 3 * 5 + i / 3]).collect();
        assert_eq!(y.bytes()[..15], transposed);
        y.bytes().fill(0);
    }
    assert_eq!(interpreter.seen()[0].kernels, 1);
}

/// Where a node on the CPU reads or writes a tensor it has to lie in the host's memory.
#[test]
fn what_the_cpu_uses_cannot_be_bound() {
    let model = Model::new("halves");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    let x = gpu.filled(&[1.0, 2.0, 3.0, 4.0]);
    bind(&delegate, input(&interpreter, 0), Some(&x.whole())).unwrap();
    let error = bind(&delegate, Name::Index(interpreter.index(true, 0) - 1), Some(&x.whole())).unwrap_err();
    assert!(error.contains("a node on the CPU uses tensor"), "{error}");
    let w = [1.0, 2.0, 3.0, 4.0];
    let want: Vec<f32> = w.iter().map(|w| (w + w) * w).collect();
    assert_close(&interpreter.run(&[&[9.0; 4]]), &want, 1e-6);
}

#[test]
fn without_a_device_there_are_no_handles() {
    let device = c"no device has this name";
    let options = Options { device: device.as_ptr(), require_device: 0, log_level: 0, ..for_tests() };
    let delegate = Delegate::create(&options).unwrap();
    let error = handles_of(&delegate).unwrap_err();
    assert!(error.contains("no device"), "{error}");
    assert!(bind(&delegate, Name::Index(0), None).is_err());
}

/// fp16 is tried in the first run, and kernels see other elements afterwards, which the device converts.
#[test]
fn fp16_takes_bound_tensors_too() {
    let printed = child::passes("zero_copy::nothing_is_copied_in_fp16", &[]);
    let copied = printed.matches("0 bytes copied by the host, 0 by the device").count();
    assert!((2..=3).contains(&copied), "{printed}");
}

#[test]
#[ignore = "a child of fp16_takes_bound_tensors_too"]
fn nothing_is_copied_in_fp16() {
    let model = Model::new("static");
    let delegate = Delegate::create(&Options { precision: 1, log_level: 5, ..for_tests() }).unwrap();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    for seed in 0..3 {
        let (a, b) = (numbers(24, seed), numbers(24, seed + 7));
        let (x, y, mut z) = (gpu.filled(&a), gpu.filled(&b), gpu.buffer(24));
        let names = [input(&interpreter, 0), input(&interpreter, 1), output(&interpreter)];
        for (name, memory) in names.into_iter().zip([&x, &y, &z]) {
            bind(&delegate, name, Some(&memory.whole())).unwrap();
        }
        interpreter.invoke().unwrap();
        assert_close(&z.floats()[..24], &want_static(&a, &b), 4e-3);
        names.into_iter().for_each(|name| bind(&delegate, name, None).unwrap());
    }
    let (a, b) = (numbers(24, 3), numbers(24, 4));
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 4e-3);
}

#[test]
fn semaphores_stand_around_one_invoke() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let gpu = Gpu::of(&delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    let x = input(&interpreter, 0);
    let mut run = || assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    let (before, after) = (gpu.semaphore(false), gpu.semaphore(false));
    run();
    for _ in 0..2 {
        gpu.submit(&delegate, &[], &[before]);
        wait_before(&delegate, x, before.as_raw(), 0).unwrap();
        signal_after(&delegate, x, after.as_raw(), 0).unwrap();
        run();
        // Not this one.
        run();
        gpu.submit(&delegate, &[after], &[]);
    }
    let timeline = gpu.semaphore(true);
    for i in 1..4 {
        wait_before(&delegate, x, timeline.as_raw(), 2 * i - 1).unwrap();
        signal_after(&delegate, x, timeline.as_raw(), 2 * i).unwrap();
        let info = ash::vk::SemaphoreSignalInfo::default().semaphore(timeline).value(2 * i - 1);
        // SAFETY: the semaphore is a timeline.
        unsafe { gpu.device.signal_semaphore(&info) }.unwrap();
        run();
        let (all, values) = ([timeline], [2 * i]);
        let wait = ash::vk::SemaphoreWaitInfo::default().semaphores(&all).values(&values);
        // SAFETY: as above. The fence of a submission may be signalled a little earlier.
        unsafe { gpu.device.wait_semaphores(&wait, 1_000_000_000) }.unwrap();
    }
    for semaphore in [before, after, timeline] {
        gpu.destroy(semaphore);
    }
}

#[test]
fn descriptors_are_waited_for() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    let (reader, mut writer) = std::io::pipe().unwrap();
    wait_before_fd(&delegate, input(&interpreter, 0), reader.into_raw_fd()).unwrap();
    let start = std::time::Instant::now();
    let pause = std::time::Duration::from_millis(50);
    let thread = std::thread::spawn(move || {
        std::thread::sleep(pause);
        std::io::Write::write_all(&mut writer, &[1]).unwrap();
    });
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    assert!(start.elapsed() >= pause);
    thread.join().unwrap();
    // A second invoke waits for nothing.
    assert_close(&interpreter.run(&[&b, &b]), &want_static(&b, &b), 1e-6);
}
