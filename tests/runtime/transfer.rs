//! The transfer paths between the host and the shaders.

use std::time::{Duration, Instant};

use tflite_vulkan::runtime::{Session, TransferPath};

use crate::net::{self, Net};

const PATHS: [TransferPath; 3] = [TransferPath::Mapped, TransferPath::HostMemory, TransferPath::Staged];

#[test]
fn every_path_leads_to_the_same_result() {
    for path in PATHS {
        let mut session = Session::with_path(net::device(), path);
        for n in [1, 33, 4097] {
            net::check_sample(&mut session, n, n);
        }
        let (a, b) = (
            Net::sample(10).prepare(&mut session).unwrap(),
            Net::sample(3000).prepare(&mut session).unwrap(),
        );
        for seed in 0..3 {
            net::check_recording(&mut session, &a, 10, seed);
            net::check_recording(&mut session, &b, 3000, seed);
        }
    }
}

/// Prints microseconds per run for each path, as medians of interleaved rounds.
#[test]
#[ignore = "a measurement"]
fn times_of_every_path() {
    const ROUNDS: usize = 200;
    for n in [1 << 8, 1 << 12, 1 << 16, 150_000, 1 << 20] {
        let x = net::ramp(n, 0);
        let mut ready: Vec<_> = PATHS
            .iter()
            .map(|path| {
                let mut session = Session::with_path(net::device(), *path);
                let mut net = Net::new(n);
                let (input, output) = (net.input(), net.output());
                net.affine(input, output, 2, 1.0);
                let recording = net.prepare(&mut session).unwrap();
                (session, recording, Vec::<Duration>::new())
            })
            .collect();
        for _ in 0..ROUNDS {
            for (session, recording, times) in &mut ready {
                let start = Instant::now();
                net::run(session, recording, &x).unwrap();
                times.push(start.elapsed());
            }
        }
        let median = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e6
        };
        let times: Vec<String> = PATHS
            .iter()
            .zip(&mut ready)
            .map(|(path, (.., t))| format!("{path:?} {:.1}", median(t)))
            .collect();
        println!("{} bytes in, as many out, us: {}", n * 4, times.join(", "));
    }
}

#[test]
fn many_and_large_weights() {
    // 40 MB in pieces of 4 MB and less: several chunks when staged.
    let n = 1 << 20;
    let mut net = Net::new(n);
    let (x, y) = (net.input(), net.output());
    let mut from = x;
    for constant in 0..10 {
        let (w, to) = (net.weights(constant, constant as f32), net.temp());
        net.add(from, w, to);
        from = to;
    }
    net.affine(from, y, 1, 0.0);
    let expected = |i: usize, x: f32| (0..10).fold(x, |sum, c| sum + (c as f32 + i as f32));
    for mut session in [Session::new(net::device()), Session::with_path(net::device(), TransferPath::Staged)]
    {
        let recording = net.prepare(&mut session).unwrap();
        let x = net::ramp(n, 5);
        let got = net::run(&mut session, &recording, &x).unwrap();
        let wrong = (0..n as usize).find(|i| got[*i] != expected(*i, x[*i]));
        assert_eq!(wrong, None);
        assert_eq!(session.stats().weight_bytes, 10 * 4 * u64::from(n));
    }
}
