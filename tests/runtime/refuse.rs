//! Refusals: devices that are not there, programs that do not fit.

use tflite_vulkan::caps::DeviceKind;
use tflite_vulkan::error::Error;
use tflite_vulkan::options::Options;
use tflite_vulkan::runtime::Session;
use tflite_vulkan::vk::{self, Device};

use crate::child::Child;
use crate::net::{self, Net};

fn asked(device: Option<&str>, allow_software: bool) -> Options {
    Options { device: device.map(Into::into), allow_software, ..Options::default() }
}

fn refusal(options: &Options) -> String {
    match Device::open(options) {
        Err(Error::NoDevice(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn devices_that_do_not_exist_are_refused_with_a_list() {
    let existing = vk::devices().unwrap();
    for wish in ["no such device", "999", "00000000-0000-0000-0000-00000000beef", ""] {
        let why = refusal(&asked(Some(wish), true));
        assert!(why.contains(&format!("device={wish}")), "{why}");
        for device in &existing {
            assert!(why.contains(&device.name), "{why} lacks {}", device.name);
        }
    }
}

#[test]
fn a_device_is_found_by_index_name_and_uuid() {
    let device = net::device();
    let info = device.info();
    let part = info.name.to_uppercase();
    let uuid: String = info.uuid.iter().map(|b| format!("{b:02x}")).collect();
    for wish in [info.index.to_string(), part, uuid] {
        assert_eq!(Device::open(&asked(Some(&wish), true)).unwrap().info(), info, "{wish}");
    }
}

#[test]
fn software_needs_permission() {
    let devices = vk::devices().unwrap();
    let Some(software) = devices.iter().find(|d| d.kind == DeviceKind::Software) else { return };
    let why = refusal(&asked(Some(&software.index.to_string()), false));
    assert!(why.contains("allow_software=1") && why.contains(&software.name), "{why}");
}

#[test]
fn no_vulkan_library() {
    Child::new("refuse::without_library")
        .env("TFLITE_VULKAN_LIBRARY", "/nonexistent/libvulkan.so")
        .expect_success();
}

#[test]
#[ignore = "a child of no_vulkan_library"]
fn without_library() {
    for _ in 0..2 {
        let why = refusal(&asked(None, true));
        assert!(why.contains("/nonexistent/libvulkan.so: cannot open shared object file"), "{why}");
    }
}

#[test]
fn no_driver() {
    Child::new("refuse::without_driver")
        .env("VK_DRIVER_FILES", "/nonexistent/icd.json")
        .env("VK_ICD_FILENAMES", "/nonexistent/icd.json")
        .expect_success();
}

#[test]
#[ignore = "a child of no_driver"]
fn without_driver() {
    let why = refusal(&asked(None, true));
    assert!(why.contains("no Vulkan driver is installed"), "{why}");
}

#[test]
fn a_kernel_beyond_the_device_is_unsupported() {
    let mut net = Net::new(10);
    let (x, y, t) = (net.input(), net.output(), net.temp());
    net.affine(x, t, 1, 0.0);
    net.impossible(t, y);
    let mut session = Session::new(net::device());
    let reasons = session.check(&net.program.dispatches).unwrap();
    assert_eq!(reasons[0], None);
    assert!(reasons[1].as_ref().is_some_and(|why| why.0.contains("impossible needs")), "{reasons:?}");
    match net.prepare(&mut session).err() {
        Some(Error::Model { node, .. }) => assert_eq!(node, "#1 IMPOSSIBLE"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn too_much_memory_is_refused_by_name() {
    let mut session = Session::new(net::device());
    let mut net = Net::new(16);
    let (x, y) = (net.input(), net.output());
    let t = net.temp();
    net.affine(x, t, 1, 0.0);
    net.affine(t, y, 1, 0.0);
    net.program.buffers[t.0 as usize].bytes = 1 << 40;
    match net.prepare(&mut session).err() {
        Some(Error::OutOfMemory { what, bytes }) => {
            assert_eq!((what.as_str(), bytes), ("b2, as one binding", 1 << 40))
        }
        other => panic!("{other:?}"),
    }
}
