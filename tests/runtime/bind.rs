//! Inputs and outputs in buffers of the caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tflite_vulkan::error::Result;
use tflite_vulkan::runtime::{External, Input, Output, Recording, Session, TransferPath};
use tflite_vulkan::vk::{Buffer, Device, MemoryUsage, Semaphores};

use crate::child::Child;
use crate::net::{self, Net};

const PATHS: [TransferPath; 3] = [TransferPath::Mapped, TransferPath::HostMemory, TransferPath::Staged];

/// A buffer with room for `n` floats behind `offset`.
fn external(device: &Device, offset: u64, n: usize) -> External {
    let bytes = 4 * n as u64;
    let buffer = Buffer::new(device, offset + bytes, MemoryUsage::Device, "a buffer of the caller").unwrap();
    External { buffer: Arc::new(buffer), offset, bytes }
}

fn filled(device: &Device, offset: u64, x: &[f32]) -> External {
    let external = external(device, offset, x.len());
    external.write(device, &net::bytes(x)).unwrap();
    external
}

fn read(device: &Device, external: &External) -> Vec<f32> {
    let mut bytes = vec![0; external.bytes as usize];
    external.read(device, &mut bytes).unwrap();
    net::floats(&bytes)
}

fn run(session: &mut Session, recording: &Recording, x: &External, y: &External) -> Result<()> {
    let outputs = &mut [Output::Device(y)];
    session.run_bound(recording, &[Input::Device(x)], outputs, &Semaphores::default())
}

fn sampled(x: &[f32]) -> Vec<f32> {
    x.iter().enumerate().map(|(i, x)| Net::sampled(*x, i)).collect()
}

#[test]
fn buffers_are_used_where_they_lie() {
    for path in PATHS {
        let mut session = Session::with_path(net::device(), path);
        let device = session.device().clone();
        let n: u32 = 1000;
        let recording = Net::sample(n).prepare(&mut session).unwrap();
        net::check_recording(&mut session, &recording, n, 0);
        assert_eq!(session.stats().copied_by_host, 8 * u64::from(n));
        assert_eq!(session.stats().copied_by_device > 0, path == TransferPath::Staged);
        for (seed, offset) in [(1, 0), (2, 256), (3, 256)] {
            let x = net::ramp(n, seed);
            let (input, output) = (filled(&device, offset, &x), external(&device, 2 * offset, n as usize));
            run(&mut session, &recording, &input, &output).unwrap();
            run(&mut session, &recording, &input, &output).unwrap();
            assert_eq!(read(&device, &output), sampled(&x), "{path:?}");
            let stats = session.stats();
            assert_eq!((stats.copied_by_host, stats.copied_by_device), (0, 0));
            // The first time it is another tensor that lies elsewhere, later it is another buffer.
            let other = if device.has_update_after_bind() { 1 } else { seed };
            assert_eq!(stats.recorded_again, u64::from(other), "{path:?}");
        }
        // Unbound, it is the host's again.
        net::check_recording(&mut session, &recording, n, 4);
    }
}

#[test]
fn only_what_is_not_bound_is_copied() {
    for path in PATHS {
        let mut session = Session::with_path(net::device(), path);
        let device = session.device().clone();
        let n = 100;
        let mut net = Net::new(n);
        let (a, b) = (net.input(), net.input());
        let (y, z) = (net.output(), net.output());
        net.add(a, b, y);
        net.affine(b, z, 3, 1.0);
        let recording = net.prepare(&mut session).unwrap();
        let (a, b) = (net::ramp(n, 1), net::ramp(n, 2));
        let sum: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
        let scaled: Vec<f32> = b.iter().map(|b| 3.0 * b + 1.0).collect();
        let bound = filled(&device, 0, &b);
        let result = external(&device, 0, n as usize);
        let mut bytes = vec![0; 4 * n as usize];
        let inputs = &[Input::Host(&net::bytes(&a)), Input::Device(&bound)];
        let outputs = &mut [Output::Device(&result), Output::Host(&mut bytes)];
        session.run_bound(&recording, inputs, outputs, &Semaphores::default()).unwrap();
        assert_eq!((read(&device, &result), net::floats(&bytes)), (sum, scaled));
        let stats = session.stats();
        assert_eq!(stats.copied_by_host, 8 * u64::from(n));
        assert_eq!(stats.copied_by_device, if path == TransferPath::Staged { 800 } else { 0 });
    }
}

/// The same buffers in other roles, one dispatch that names a tensor twice, and one that names none.
#[test]
fn buffers_are_exchanged_wherever_they_are_named() {
    let mut session = Session::new(net::device());
    let device = session.device().clone();
    let n = 100;
    let mut net = Net::new(n);
    let (a, b) = (net.input(), net.input());
    let (y, z) = (net.output(), net.output());
    let twice = net.temp();
    net.add(a, a, twice);
    let more = net.temp();
    net.affine(twice, more, 2, 1.0);
    net.add(more, b, y);
    net.affine(b, z, 3, 1.0);
    let recording = net.prepare(&mut session).unwrap();
    let count = n as usize;
    let mut buffers: Vec<_> = (0..4).map(|i| filled(&device, 256, &net::ramp(n, i))).collect();
    for round in 0..6 {
        let x = [net::ramp(n, round), net::ramp(n, round + 9)];
        x.iter().zip(&buffers).for_each(|(x, buffer)| buffer.write(&device, &net::bytes(x)).unwrap());
        let [y, z] = [&buffers[2], &buffers[3]].map(Clone::clone);
        let mut host = vec![0; 4 * count];
        // Now and then an output is the host's.
        let last = if round == 3 { Output::Host(&mut host) } else { Output::Device(&z) };
        let inputs = [Input::Device(&buffers[0]), Input::Device(&buffers[1])];
        session
            .run_bound(&recording, &inputs, &mut [Output::Device(&y), last], &Semaphores::default())
            .unwrap();
        let sum: Vec<f32> = (0..count).map(|i| 2.0 * (x[0][i] + x[0][i]) + 1.0 + x[1][i]).collect();
        let scaled: Vec<f32> = x[1].iter().map(|b| 3.0 * b + 1.0).collect();
        let second = if round == 3 { net::floats(&host) } else { read(&device, &z) };
        assert_eq!((read(&device, &y), second), (sum, scaled), "round {round}");
        buffers.rotate_left(1);
    }
    // What was released is named no more.
    drop(buffers);
    let mut rest = [vec![0; 4 * count], vec![0; 4 * count]];
    let [y, z] = &mut rest;
    let x = net::bytes(&net::ramp(n, 1));
    session.run(&recording, &[&x, &x], &mut [y, z]).unwrap();
    assert_eq!(net::floats(&rest[0])[1], 5.0 * net::ramp(n, 1)[1] + 1.0);
    let again = if device.has_update_after_bind() { 4 } else { 7 };
    assert_eq!(session.stats().recorded_again, again);
}

#[test]
fn what_cannot_be_bound_is_an_error_and_changes_nothing() {
    let mut session = Session::new(net::device());
    let device = session.device().clone();
    let n: u32 = 64;
    let recording = Net::sample(n).prepare(&mut session).unwrap();
    let x = net::ramp(n, 1);
    let (input, output) = (filled(&device, 0, &x), external(&device, 0, n as usize));
    let small = External { bytes: 252, ..input.clone() };
    let beyond = External { offset: 256, ..input.clone() };
    let crooked = External { offset: 4, ..input.clone() };
    for (x, y, why) in [
        (&small, &output, "input 0 (b0) cannot use"),
        (&beyond, &output, "256 bytes are needed"),
        (&crooked, &output, "its offset is no multiple of"),
        (&input, &small, "output 0 (b1) cannot use"),
        (&input, &input, "shares memory with an input"),
    ] {
        let error = run(&mut session, &recording, x, y).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    run(&mut session, &recording, &input, &output).unwrap();
    assert_eq!(read(&device, &output), sampled(&x));
    assert!(run(&mut session, &recording, &input, &crooked).is_err());
    run(&mut session, &recording, &input, &output).unwrap();
}

#[test]
fn buffers_of_a_lost_device_are_refused() {
    Child::new("bind::lose").expect_success();
}

#[test]
#[ignore = "a child: losing the device would disturb the other tests"]
fn lose() {
    let device = net::device();
    let x = net::ramp(64, 1);
    let (input, output) = (filled(&device, 0, &x), external(&device, 0, 64));
    device.lose();
    let mut session = Session::new(net::device());
    let recording = Net::sample(64).prepare(&mut session).unwrap();
    let error = run(&mut session, &recording, &input, &output).unwrap_err().to_string();
    assert!(error.contains("belongs to another device"), "{error}");
    net::check_recording(&mut session, &recording, 64, 2);
}

/// A network of many dispatches gets another buffer in little time.
#[test]
fn another_buffer_costs_little() {
    // The validation layer takes a multiple.
    Child::new("bind::record_again").env("VK_INSTANCE_LAYERS", "").expect_success();
}

#[test]
#[ignore = "a child of another_buffer_costs_little"]
fn record_again() {
    let mut session = Session::new(net::device());
    let device = session.device().clone();
    let n = 16;
    let mut net = Net::new(n);
    let (x, y) = (net.input(), net.output());
    let mut from = x;
    for _ in 0..100 {
        let to = net.temp();
        net.affine(from, to, 1, 1.0);
        from = to;
    }
    net.affine(from, y, 1, 0.0);
    let recording = net.prepare(&mut session).unwrap();
    let input = filled(&device, 0, &net::ramp(n, 1));
    let outputs = [external(&device, 0, 16), external(&device, 0, 16)];
    let mut times = [Vec::new(), Vec::new()];
    for i in 0..200 {
        let start = Instant::now();
        run(&mut session, &recording, &input, &outputs[i / 2 % 2]).unwrap();
        times[i % 2].push(start.elapsed());
    }
    assert_eq!(session.stats().recorded_again, if device.has_update_after_bind() { 1 } else { 100 });
    // Other programs only ever add to it.
    let [again, same] = times.map(|times| times.into_iter().min().unwrap());
    println!("a run of 101 dispatches takes {same:?}, with another buffer {again:?}");
    assert!(again < same + Duration::from_millis(1));
}
