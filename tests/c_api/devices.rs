//! Questions about devices, without a delegate.

use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};

use crate::child;
use crate::delegate::{
    Delegate, Device, Options, defaults, find_device, for_tests, last_error, list_devices,
};
use crate::fork::in_a_fork;

fn text(of: &[c_char]) -> &str {
    // SAFETY: every text of the struct ends with a NUL.
    unsafe { CStr::from_ptr(of.as_ptr()) }.to_str().unwrap()
}

fn empty() -> Device {
    // SAFETY: numbers and texts may be zeros.
    unsafe { std::mem::zeroed() }
}

#[test]
fn the_device_of_a_delegate_is_listed() {
    let mut found = empty();
    assert_eq!(find_device(&for_tests(), &mut found), 1, "{}", last_error());
    let mut all = vec![empty(); 8];
    let number = list_devices(&mut all);
    let listed = &all[..usize::try_from(number).unwrap()];
    let same = listed.iter().find(|device| device.index == found.index).unwrap();
    assert_eq!((same.name, same.uuid, same.driver), (found.name, found.uuid, found.driver));
    assert_eq!((same.size, text(&same.uuid).len()), (size_of::<Device>(), 36));
    assert!(!text(&same.name).is_empty() && text(&same.unusable).is_empty() && same.api_version >= 1 << 22);
    assert_eq!(list_devices(&mut []), number);
    // SAFETY: NULL is allowed for all of them.
    unsafe { assert_eq!(crate::delegate::find_any(null(), null_mut()), i32::from(!only_software(listed))) };
}

fn only_software(devices: &[Device]) -> bool {
    devices.iter().all(|device| device.type_ == 4 || !text(&device.unusable).is_empty())
}

#[test]
fn no_device_has_a_reason() {
    let device = c"no device has this name";
    let options = Options { device: device.as_ptr(), ..for_tests() };
    let mut untouched = empty();
    assert_eq!(find_device(&options, &mut untouched), 0);
    assert!(last_error().contains("no device has this name"), "{}", last_error());
    assert_eq!(untouched.size, 0);
    assert_eq!(find_device(&Options { precision: 9, ..defaults() }, &mut untouched), 0);
    assert!(last_error().contains("options.precision is 9"), "{}", last_error());
}

#[test]
fn without_a_driver_nothing_is_listed() {
    let nowhere = "/nonexistent/driver.json";
    let variables =
        [("VK_DRIVER_FILES", nowhere), ("VK_ICD_FILENAMES", nowhere), ("VK_ADD_DRIVER_FILES", "")];
    child::passes("devices::no_driver", &variables);
}

#[test]
#[ignore = "needs a machine without a Vulkan driver"]
fn no_driver() {
    // Some loaders make an instance without any driver.
    assert!(list_devices(&mut [empty()]) <= 0);
    assert_eq!(find_device(&for_tests(), &mut empty()), 0);
    assert!(!last_error().is_empty());
}

#[test]
fn who_asks_may_fork() {
    child::passes("devices::asked_and_forked", &[("VK_INSTANCE_LAYERS", "")]);
}

#[test]
#[ignore = "forks: alone in its process"]
fn asked_and_forked() {
    let number = list_devices(&mut []);
    assert!(number > 0, "{}", last_error());
    in_a_fork("after a question", || drop(Delegate::create(&for_tests()).unwrap()));
    in_a_fork("asking again", || assert_eq!(list_devices(&mut []), number));
    let delegate = Delegate::new();
    in_a_fork("after a delegate", || {
        assert_eq!(list_devices(&mut []), -1);
        assert!(last_error().contains("forked"), "{}", last_error());
        assert_eq!(find_device(&for_tests(), &mut empty()), 0);
        assert!(last_error().contains("forked"), "{}", last_error());
    });
    drop(delegate);
    // As often as anyone likes.
    for _ in 0..20 {
        assert_eq!(list_devices(&mut []), number);
    }
}
