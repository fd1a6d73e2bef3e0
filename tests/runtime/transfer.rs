//! The road over host memory, which devices take whose memory cannot be mapped.

use tflite_vulkan::runtime::Session;

use crate::net::{self, Net};

#[test]
fn staged_sessions_compute_the_same() {
    let mut session = Session::staged(net::device());
    for n in [1, 33, 4097] {
        net::check_sample(&mut session, n, n);
    }
    let (a, b) =
        (Net::sample(10).prepare(&mut session).unwrap(), Net::sample(3000).prepare(&mut session).unwrap());
    for seed in 0..3 {
        net::check_recording(&mut session, &a, 10, seed);
        net::check_recording(&mut session, &b, 3000, seed);
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
    for mut session in [Session::new(net::device()), Session::staged(net::device())] {
        let recording = net.prepare(&mut session).unwrap();
        let x = net::ramp(n, 5);
        let got = net::run(&mut session, &recording, &x).unwrap();
        let wrong = (0..n as usize).find(|i| got[*i] != expected(*i, x[*i]));
        assert_eq!(wrong, None);
        assert_eq!(session.stats().weight_bytes, 10 * 4 * u64::from(n));
    }
}
