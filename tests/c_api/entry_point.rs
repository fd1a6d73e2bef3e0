//! Vulkan that the application brings, as it does with a MoltenVK that is linked statically.

use libloading::Library;

use crate::child;
use crate::delegate::{Delegate, for_tests, last_error};
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};

type Any = unsafe extern "C" fn();

unsafe extern "C" {
    fn TfLiteVulkanUseEntryPoint(entry_point: Option<Any>) -> i32;
}

fn use_entry_point(entry_point: Option<Any>) -> i32 {
    // SAFETY: the tests pass SwiftShader's function, or one that must not be taken.
    unsafe { TfLiteVulkanUseEntryPoint(entry_point) }
}

#[test]
fn without_one_nothing_is_taken() {
    assert_eq!(use_entry_point(None), 0);
    assert_eq!(last_error(), "vkGetInstanceProcAddr is NULL");
}

#[test]
fn the_applications_vulkan_is_used() {
    let no_loader = [("TFLITE_VULKAN_LIBRARY", "/nonexistent/library.so"), ("VK_INSTANCE_LAYERS", "")];
    child::passes("entry_point::swiftshader_without_a_loader", &no_loader);
}

#[test]
#[ignore = "decides for the whole process which Vulkan it uses"]
fn swiftshader_without_a_loader() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/build/drivers/libvk_swiftshader.so");
    // SAFETY: a driver may be loaded, and is never unloaded.
    let driver: &'static Library =
        Box::leak(Box::new(unsafe { Library::new(path) }.expect("`make drivers` fetches SwiftShader")));
    // SAFETY: any function may be called by no one as this type.
    let entry_point = unsafe { *driver.get::<Any>(b"vkGetInstanceProcAddr").unwrap() };
    assert!(Delegate::create(&for_tests()).is_err(), "another Vulkan was found");
    assert_eq!(use_entry_point(Some(entry_point)), 1);
    assert_eq!(use_entry_point(Some(entry_point)), 1, "the same once more");

    let model = Model::new("static");
    let delegate = Delegate::new();
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let (a, b) = (numbers(24, 1), numbers(24, 2));
    assert_close(&interpreter.run(&[&a, &b]), &want_static(&a, &b), 1e-6);

    unsafe extern "C" fn another() {}
    assert_eq!(use_entry_point(Some(another)), 0);
    assert_eq!(last_error(), "Vulkan is in use: its entry point comes too late");
}
