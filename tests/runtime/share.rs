//! Many sessions on one device.

use std::sync::Arc;
use std::thread;

use tflite_vulkan::runtime::Session;

use crate::net::{self, Net};

#[test]
fn a_device_is_opened_once() {
    let (a, b) = (net::device(), net::device());
    assert!(Arc::ptr_eq(&a, &b));
}

#[test]
fn sessions_share_pipelines() {
    let device = net::device();
    let mut first = Session::new(device.clone());
    let recording = Net::sample(64).prepare(&mut first).unwrap();
    let mut second = Session::new(device);
    net::check_sample(&mut second, 64, 1);
    let stats = second.stats();
    assert_eq!((stats.pipelines, stats.pipelines_created), (first.stats().pipelines, 0));
    net::check_recording(&mut first, &recording, 64, 2);
}

#[test]
fn many_threads() {
    thread::scope(|scope| {
        for id in 0..8 {
            scope.spawn(move || {
                for round in 0..4 {
                    let mut session = Session::new(net::device());
                    let n = 50 + id * 31 + round;
                    let recording = Net::sample(n).prepare(&mut session).unwrap();
                    for seed in 0..5 {
                        net::check_recording(&mut session, &recording, n, seed);
                    }
                }
            });
        }
    });
}

#[test]
fn a_session_moves_between_threads() {
    let mut session = Session::new(net::device());
    let recording = Net::sample(40).prepare(&mut session).unwrap();
    for seed in 0..3 {
        (session, _) = thread::scope(|scope| {
            let recording = &recording;
            let moved = scope.spawn(move || {
                net::check_recording(&mut session, recording, 40, seed);
                (session, seed)
            });
            moved.join().unwrap()
        });
    }
}
