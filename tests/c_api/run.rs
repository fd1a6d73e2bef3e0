//! Models run: whole, in parts, at changing shapes, with memory that moves.

use crate::child;
use crate::delegate::{Delegate, Options, for_tests};
use crate::probe::Seen;
use crate::tflite::{Interpreter, Model};

/// Numbers without a pattern, of both signs.
pub fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37 + seed * 101) % 64) as f32 / 8.0 - 4.0).collect()
}

pub fn assert_close(got: &[f32], want: &[f32], limit: f32) {
    assert_eq!(got.len(), want.len());
    let range = want.iter().fold(1.0f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= limit * range, "element {i}: {a}, {b} expected");
    }
}

/// relu(a + b) * [0.5, 1, 1.5, 2].
pub fn want_static(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).enumerate().map(|(i, (a, b))| (a + b).max(0.0) * (0.5 + 0.5 * (i % 4) as f32)).collect()
}

const WHOLE: Seen = Seen { kernels: 1, others: 0 };

#[test]
fn a_static_model_is_one_kernel() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    assert_eq!(interpreter.seen(), [WHOLE]);
    for seed in 0..3 {
        let (a, b) = (numbers(24, seed), numbers(24, seed + 7));
        assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    }
}

#[test]
fn halves_are_near() {
    let model = Model::new("static");
    let delegate = Delegate::create(&Options { precision: 1, ..for_tests() }).unwrap();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    let first = interpreter.run(&[&a, &b]);
    assert_close(&first, &want_static(&a, &b), 1e-2);
    // What the trial of fp16 has given stays.
    assert_eq!(interpreter.run(&[&a, &b]), first);
}

#[test]
fn results_that_overflow_halves_have_32_bits() {
    let model = Model::new("static");
    let delegate = Delegate::create(&Options { precision: 1, ..for_tests() }).unwrap();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let large = |seed| numbers(24, seed).iter().map(|x| x * 15e3).collect::<Vec<_>>();
    for seed in 0..3 {
        let (a, b) = (large(seed), large(seed + 7));
        assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 5e-3);
    }
}

#[test]
fn shapes_change_before_halves_are_tried() {
    let model = Model::new("dynamic");
    let delegate = Delegate::create(&Options { precision: 1, ..for_tests() }).unwrap();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    // Without rows there is nothing to try.
    for (rows, limit) in [(5, None), (0, Some(0.0)), (2, Some(1e-2)), (2, Some(1e-2)), (3, Some(1e-2))] {
        interpreter.resize(0, &[rows, 6]);
        interpreter.resize(1, &[rows, 6]);
        let allocated = interpreter.allocate();
        let Some(limit) = limit else { continue };
        if rows == 0 {
            _ = allocated.and_then(|()| interpreter.invoke());
            continue;
        }
        let a = numbers(rows as usize * 6, 4);
        let want: Vec<f32> = a.iter().map(|a| a * 4.0).collect();
        assert_close(&interpreter.run(&[&a, &a]), &want, limit);
    }
}

#[test]
fn a_dynamic_model_is_loaded_and_resized() {
    let model = Model::new("dynamic");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    assert_eq!(interpreter.seen(), [WHOLE]);
    // More shapes than recordings are kept, and some that come back.
    for (seed, rows) in [1, 5, 2, 1, 9, 3, 4, 7, 5, 1, 1].into_iter().enumerate() {
        interpreter.resize(0, &[rows, 6]);
        interpreter.resize(1, &[rows, 6]);
        interpreter.allocate().unwrap();
        let (a, b) = (numbers(rows as usize * 6, seed), numbers(rows as usize * 6, seed + 3));
        let want: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a + b) * 2.0).collect();
        assert_close(&interpreter.run(&[&a, &b]), &want, 1e-6);
        assert_eq!(interpreter.get(0).0, [rows, 6]);
    }
}

#[test]
fn impossible_shapes_are_an_error_and_possible_ones_help() {
    let model = Model::new("dynamic");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    interpreter.resize(0, &[2, 6]);
    interpreter.resize(1, &[3, 6]);
    let error = interpreter.allocate().unwrap_err();
    assert!(error.contains("tflite-vulkan: ") && error.contains("[3,6]"), "{error}");
    interpreter.resize(1, &[2, 6]);
    interpreter.allocate().unwrap();
    let a = numbers(12, 0);
    let want: Vec<f32> = a.iter().map(|a| a * 4.0).collect();
    assert_close(&interpreter.run(&[&a, &a]), &want, 1e-6);
}

#[test]
fn no_rows_give_no_rows() {
    let model = Model::new("dynamic");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    interpreter.resize(0, &[0, 6]);
    interpreter.resize(1, &[0, 6]);
    if interpreter.allocate().is_ok() && interpreter.invoke().is_ok() {
        assert_eq!(interpreter.get(0), (vec![0, 6], vec![]));
    }
}

/// A CPU node decides the shape while the model runs: `prepare` is called within the invoke.
#[test]
fn shapes_that_only_an_invoke_knows() {
    let model = Model::new("shaped");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    assert!(interpreter.seen()[0].kernels >= 1, "{:?}", interpreter.seen());
    for (seed, shape) in [[4, 6], [2, 3], [4, 6], [0, 2], [7, 1]].into_iter().enumerate() {
        let x = numbers(1, seed);
        interpreter.set(0, &x);
        interpreter.set(1, &shape);
        interpreter.invoke().unwrap();
        let want = vec![x[0] * 2.0 + 1.0; (shape[0] * shape[1]) as usize];
        assert_eq!(interpreter.get(0), (shape.to_vec(), want));
    }
}

/// The second partition reads a weight that the first one's DEQUANTIZE makes, and the CPU nothing of it.
#[test]
fn a_node_of_the_cpu_makes_two_partitions() {
    let model = Model::new("halves");
    let want =
        |x: &[f32]| -> Vec<f32> { x.iter().zip([1.0, 2.0, 3.0, 4.0]).map(|(x, w)| (x + w) * w).collect() };
    for (limit, kernels, others) in [(0, 2, 2), (2, 2, 2), (1, 1, 3)] {
        let options = Options { max_delegated_partitions: limit, ..for_tests() };
        let delegate = Delegate::create(&options).unwrap();
        let mut interpreter = Interpreter::allocated(&model, &delegate);
        let seen = interpreter.seen()[0];
        assert_eq!(seen.kernels, kernels, "{limit}: {seen:?}");
        assert!(seen.others >= others, "{limit}: {seen:?}");
        for seed in 0..2 {
            let x = numbers(4, seed);
            assert_close(&interpreter.run(&[&x]), &want(&x), 1e-6);
        }
    }
}

/// What DEQUANTIZE makes is read by our kernel, by the CPU, and is an output of the model.
#[test]
fn an_unpacked_weight_reaches_everyone() {
    let model = Model::new("shared");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    assert_eq!(interpreter.seen()[0].kernels, 1);
    for seed in 0..2 {
        let x = numbers(4, seed);
        let want: Vec<f32> = x.iter().zip([1.0, 2.0, 3.0, 4.0]).map(|(x, w)| x + w).collect();
        assert_close(&interpreter.run(&[&x]), &want, 1e-6);
        assert_eq!(interpreter.get(1).1, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(interpreter.get(2).1, [1.0, 2.0, 3.0, 4.0]);
    }
}

/// The host calls `Prepare` for the main graph and for both branches of its IF.
#[test]
fn every_subgraph_gets_its_kernels() {
    let model = Model::new("branches");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    assert_eq!(interpreter.seen(), [Seen { kernels: 1, others: 1 }, WHOLE, WHOLE]);
    for (condition, seed) in [(true, 0), (false, 1), (true, 2)] {
        let x = numbers(4, seed);
        interpreter.set(0, &[condition]);
        interpreter.set(1, &x);
        interpreter.invoke().unwrap();
        let want = |x: &f32| if condition { 6.0 * x + 1.0 } else { -2.0 * x };
        assert_close(&interpreter.get(0).1, &x.iter().map(want).collect::<Vec<_>>(), 1e-6);
    }
}

/// Memory of the application, another one for every invoke.
#[test]
fn tensors_may_move_between_invokes() {
    #[repr(align(64))]
    struct Memory([f32; 32]);
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut memory: Vec<Box<[Memory; 3]>> =
        (0..4).map(|_| Box::new(std::array::from_fn(|_| Memory([f32::NAN; 32])))).collect();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    for (seed, memory) in memory.iter_mut().enumerate() {
        let [a, b, y] = &mut **memory;
        let (x0, x1) = (numbers(24, seed), numbers(24, seed + 5));
        a.0[..24].copy_from_slice(&x0);
        b.0[..24].copy_from_slice(&x1);
        // SAFETY: `memory` is declared before the interpreter, so it is dropped after it.
        unsafe {
            interpreter.place(false, 0, &mut a.0[..24]);
            interpreter.place(false, 1, &mut b.0[..24]);
            interpreter.place(true, 0, &mut y.0[..24]);
        }
        interpreter.allocate().unwrap();
        interpreter.invoke().unwrap();
        assert_close(&interpreter.get(0).1, &want_static(&x0, &x1), 1e-6);
        assert_close(&y.0[..24], &want_static(&x0, &x1), 1e-6);
    }
}

/// A cache whose input and output are one piece of memory is updated in place.
#[test]
fn inputs_may_share_memory_with_outputs() {
    #[repr(align(64))]
    struct Memory([f32; 64]);
    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut memory = Box::new(Memory([0.0; 64]));
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let b = numbers(24, 1);
    for (first, distance) in [(0, 0), (16, 0), (0, 16), (0, 32)] {
        let (input, output) = (first, distance);
        // SAFETY: `memory` is declared before the interpreter, so it is dropped after it.
        unsafe {
            let start = memory.0.as_mut_ptr();
            interpreter.place(false, 0, std::slice::from_raw_parts_mut(start.add(input), 24));
            interpreter.place(true, 0, std::slice::from_raw_parts_mut(start.add(output), 24));
        }
        interpreter.allocate().unwrap();
        for round in 0..3 {
            let a = numbers(24, round);
            memory.0[input..][..24].copy_from_slice(&a);
            interpreter.set(1, &b);
            interpreter.invoke().unwrap();
            assert_close(&memory.0[output..][..24], &want_static(&a, &b), 1e-6);
        }
    }
}

/// The driver says that the device is lost: results still come, from the CPU.
#[test]
fn a_lost_device_is_survived() {
    let printed = child::passes("run::lose_the_device", &[]);
    assert_eq!(printed.matches("is lost (a test)").count(), 1, "one message for all partitions: {printed}");
    // The third partition is resized before it runs.
    assert_eq!(printed.matches("on the host, slowly in").count(), 2, "one run of each partition: {printed}");
    assert_eq!(printed.matches(" is open again").count(), 2, "once for each delegate: {printed}");
}

#[test]
#[ignore = "makes the device useless"]
fn lose_the_device() {
    let (model, open) = (Model::new("static"), Model::new("dynamic"));
    let delegate = Delegate::create(&Options { log_level: 4, ..for_tests() }).unwrap();
    let mut whole = Interpreter::allocated(&model, &delegate);
    let mut open = Interpreter::allocated(&open, &delegate);
    let halves = Delegate::create(&Options { precision: 1, ..for_tests() }).unwrap();
    let mut untried = Interpreter::allocated(&model, &halves);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    assert_close(&whole.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
    let options = tflite_vulkan::options::Options { allow_software: true, ..Default::default() };
    tflite_vulkan::vk::Device::open(&options).unwrap().lose();
    for _ in 0..3 {
        assert_close(&whole.run(&[&a, &b]), &want_static(&a, &b), 1e-6);
        assert_close(&untried.run(&[&a, &b]), &want_static(&a, &b), 1e-2);
    }
    // A shape that was not recorded before.
    open.resize(0, &[2, 6]);
    open.resize(1, &[2, 6]);
    open.allocate().unwrap();
    let want: Vec<f32> = a[..12].iter().zip(&b).map(|(a, b)| (a + b) * 2.0).collect();
    for _ in 0..2 {
        assert_close(&open.run(&[&a[..12], &b[..12]]), &want, 1e-6);
    }
}
