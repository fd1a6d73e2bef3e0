//! Creating and dropping, in every order and often; losing the device.

use tflite_vulkan::error::Error;
use tflite_vulkan::runtime::{Session, TransferPath};

use crate::child::{self, Child};
use crate::net::{self, Net};

#[test]
fn any_order_of_dropping() {
    let device = net::device();
    let mut session = Session::new(device.clone());
    let recording = Net::sample(20).prepare(&mut session).unwrap();
    net::check_recording(&mut session, &recording, 20, 0);
    drop(device);
    drop(session);
    let mut other = Session::new(net::device());
    // A recording is complete without the session that made it.
    net::check_recording(&mut other, &recording, 20, 1);
    drop(other);
    drop(recording);
    net::check_sample(&mut Session::new(net::device()), 20, 2);
}

#[test]
fn loops_do_not_grow() {
    Child::new("life::two_hundred_loops").expect_success();
}

#[test]
#[ignore = "a child of loops_do_not_grow: alone in its process"]
fn two_hundred_loops() {
    let round = |i: u32| {
        let mut session = if i.is_multiple_of(2) {
            Session::new(net::device())
        } else {
            Session::with_path(net::device(), TransferPath::Staged)
        };
        net::check_sample(&mut session, 1000, i);
        net::check_sample(&mut session, 2000, i);
    };
    // The driver's own heap needs a while until it is as large as it gets.
    (0..150).for_each(round);
    let before = child::resident_bytes();
    (0..200).for_each(round);
    let grown = child::resident_bytes().saturating_sub(before);
    println!("grown by {} KiB in 200 loops", grown >> 10);
    // The layer keeps books of its own.
    let layered = std::env::var_os("VK_INSTANCE_LAYERS").is_some();
    assert!(layered || grown < 4 << 20, "grown by {grown} bytes");
}

#[test]
fn a_lost_device_says_so_and_can_be_replaced() {
    Child::new("life::lose").expect_success();
}

#[test]
#[ignore = "a child: losing the device would disturb the other tests"]
fn lose() {
    let device = net::device();
    let mut session = Session::new(device.clone());
    let recording = Net::sample(20).prepare(&mut session).unwrap();
    net::check_recording(&mut session, &recording, 20, 0);
    device.lose();
    for _ in 0..2 {
        assert_eq!(net::run(&mut session, &recording, &[0.0; 20]), Err(Error::DeviceLost));
        assert_eq!(Net::sample(30).prepare(&mut session).err(), Some(Error::DeviceLost));
        assert_eq!(session.check(&Net::sample(30).program.dispatches), Err(Error::DeviceLost));
    }
    let fresh = net::device();
    assert!(!fresh.is_lost());
    net::check_sample(&mut Session::new(fresh), 20, 1);
    drop(recording);
    drop(session);
    drop(device);
    net::check_sample(&mut Session::new(net::device()), 20, 2);
}
