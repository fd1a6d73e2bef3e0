//! Results of single sessions.

use tflite_vulkan::caps::Submission;
use tflite_vulkan::error::Error;
use tflite_vulkan::plan::{self, Barriers};
use tflite_vulkan::runtime::{Session, TransferPath};

use crate::net::{self, Net};

#[test]
fn awkward_sizes() {
    let mut session = Session::new(net::device());
    for n in [1, 3, 31, 32, 33, 63, 1000, 4097] {
        net::check_sample(&mut session, n, n);
    }
}

#[test]
fn work_in_several_submissions_computes_the_same() {
    for (dispatches, submissions) in [(1, 4), (2, 2), (3, 2), (4, 1)] {
        let most = Submission { seconds: f64::INFINITY, dispatches };
        for path in [TransferPath::Mapped, TransferPath::Staged] {
            let mut session = Session::with_path(net::device(), path).with_submission(most);
            let recording = Net::sample(1000).prepare(&mut session).unwrap();
            assert_eq!(session.stats().submissions, submissions);
            for seed in 0..3 {
                net::check_recording(&mut session, &recording, 1000, seed);
            }
        }
    }
}

#[test]
fn a_long_chain_in_an_arena_of_two_buffers() {
    let n = 1025;
    let mut net = Net::new(n);
    let x = net.input();
    let y = net.output();
    let mut from = x;
    for _ in 0..100 {
        let to = net.temp();
        net.affine(from, to, 1, 1.0);
        from = to;
    }
    net.affine(from, y, 1, 0.0);
    let mut session = Session::new(net::device());
    let recording = net.prepare(&mut session).unwrap();
    let stats = session.stats();
    assert_eq!((stats.dispatches, stats.barriers), (101, 100));
    assert!(stats.arena_bytes < 3 * 4 * u64::from(n), "{stats:?}");
    for seed in 0..5 {
        let x = net::ramp(n, seed);
        let expected: Vec<f32> = x.iter().map(|x| x + 100.0).collect();
        assert_eq!(net::run(&mut session, &recording, &x).unwrap(), expected);
    }
}

#[test]
fn branches_several_inputs_and_outputs_and_an_unread_input() {
    let n = 77;
    let mut net = Net::new(n);
    let (a, b) = (net.input(), net.input());
    net.program.inputs.push(None);
    let (sum, left, twice) = (net.output(), net.output(), net.output());
    let (t, u) = (net.temp(), net.temp());
    net.affine(a, t, 3, 0.0);
    net.affine(b, u, 5, 1.0);
    net.add(t, u, sum);
    net.affine(a, left, 1, -1.0);
    net.add(sum, left, twice);
    let mut session = Session::new(net::device());
    let recording = net.prepare(&mut session).unwrap();
    for seed in 0..3 {
        let (x, y) = (net::ramp(n, seed), net::ramp(n, seed + 100));
        let (bytes_x, bytes_y) = (net::bytes(&x), net::bytes(&y));
        let mut out = vec![vec![0u8; n as usize * 4]; 3];
        let mut slices: Vec<&mut [u8]> = out.iter_mut().map(Vec::as_mut_slice).collect();
        session.run(&recording, &[&bytes_x, &bytes_y, &[1, 2, 3]], &mut slices).unwrap();
        for (i, (x, y)) in x.iter().zip(&y).enumerate() {
            let sum = 3.0 * x + 5.0 * y + 1.0;
            let got = [0, 1, 2].map(|k: usize| net::floats(&out[k])[i]);
            assert_eq!(got, [sum, x - 1.0, sum + x - 1.0], "element {i}");
        }
    }
}

#[test]
fn a_resize_creates_no_pipeline_and_uploads_no_weights_twice() {
    let mut session = Session::new(net::device());
    let small = Net::sample(100).prepare(&mut session).unwrap();
    let before = session.stats();
    assert_eq!((before.weights, before.weight_bytes), (1, 400));
    let large = Net::sample(5000).prepare(&mut session).unwrap();
    let again = Net::sample(100).prepare(&mut session).unwrap();
    let after = session.stats();
    assert_eq!(after.pipelines, before.pipelines);
    assert_eq!(after.pipelines_created, before.pipelines_created);
    assert_eq!((after.weights, after.weight_bytes), (2, 20_400));
    assert_eq!((before.recordings, after.recordings), (1, 3));
    for seed in 0..3 {
        net::check_recording(&mut session, &small, 100, seed);
        net::check_recording(&mut session, &large, 5000, seed);
        net::check_recording(&mut session, &again, 100, seed);
    }
    assert_eq!(session.stats().runs, 9);
}

#[test]
fn a_profile_has_a_time_for_each_dispatch() {
    let mut session = Session::new(net::device());
    let net = Net::sample(100_000);
    let memory = plan::memory(&net.program, session.device().caps().buffer_alignment);
    let recording = session.prepare_profiled(&net.program, &memory, &Barriers::default()).unwrap();
    assert_eq!(recording.times(), Ok(None));
    for seed in 0..2 {
        net::check_recording(&mut session, &recording, 100_000, seed);
        if let Some(times) = recording.times().unwrap() {
            assert_eq!(times.len(), net.program.dispatches.len());
            let all: std::time::Duration = times.iter().sum();
            assert!(!all.is_zero() && all.as_secs() < 10, "{times:?}");
        }
    }
    assert_eq!(net.prepare(&mut session).unwrap().times(), Ok(None));
}

#[test]
fn peaks_are_measured_once() {
    let session = Session::new(net::device());
    if let Some(peaks) = session.peaks().unwrap() {
        assert!(peaks.bytes_per_s > 1e6 && peaks.fp32 > 1e6, "{peaks}");
        assert_eq!(Session::new(net::device()).peaks(), Ok(Some(peaks)));
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let mut session = Session::new(net::device());
    let recording = Net::sample(10).prepare(&mut session).unwrap();
    let (right, wrong) = (vec![0u8; 40], vec![0u8; 36]);
    let mut out = right.clone();
    let mut run = |inputs: &[&[u8]], out: &mut [&mut [u8]]| match session.run(&recording, inputs, out) {
        Err(Error::Model { what, .. }) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(run(&[&wrong], &mut [&mut out]), "bytes of input 0: got 36, expected 40");
    assert_eq!(run(&[], &mut [&mut out]), "number of inputs: got 0, expected 1");
    assert_eq!(run(&[&right], &mut []), "number of outputs: got 0, expected 1");
    assert_eq!(run(&[&right], &mut [&mut out[..8]]), "bytes of output 0: got 8, expected 40");
}

#[test]
fn a_program_without_dispatches_runs() {
    let mut session = Session::new(net::device());
    let recording = Net::new(1).prepare(&mut session).unwrap();
    session.run(&recording, &[], &mut []).unwrap();
}
