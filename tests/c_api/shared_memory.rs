//! Memory and devices that the application shares with the delegate.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};

use ash::vk::{self, Handle};
use tflite_vulkan::ffi::{TfLiteVulkanHandles as Handles, TfLiteVulkanImport as Import};

use crate::delegate::{Delegate, Options, for_tests};
use crate::gpu::{Gpu, Imported, Name, bind, create_on};
use crate::run::{assert_close, numbers, want_static};
use crate::tflite::{Interpreter, Model};

/// More than any driver's minImportedHostPointerAlignment that is known.
const PAGE: usize = 1 << 16;

fn import(memory: c_int) -> Import {
    Import { size: size_of::<Import>(), memory, ..Default::default() }
}

#[test]
fn memory_of_the_process_is_used_where_it_lies() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let gpu = Gpu::of(&delegate);
    if !gpu.offers(ash::ext::external_memory_host::NAME) {
        println!("this driver imports no memory of the process");
        return;
    }
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let layout = Layout::from_size_align(PAGE, PAGE).unwrap();
    // SAFETY: the layout is not empty; the memory is freed below, after everything that uses it.
    let start = unsafe { alloc_zeroed(layout) };
    let pointer = start.cast::<c_void>();
    for (wrong, why) in [
        (Import { pointer, bytes: 100, ..import(3) }, "minImportedHostPointerAlignment"),
        (Import { pointer: pointer.wrapping_byte_add(64), bytes: PAGE as u64, ..import(3) }, "multiple of"),
        (Import { bytes: PAGE as u64, ..import(3) }, "import.pointer is missing"),
        (Import { pointer, ..import(3) }, "0 bytes"),
        (Import { fd: -1, bytes: 4096, ..import(1) }, "import.fd is -1"),
        (import(77), "import.memory is 77"),
        (Import { size: 0, ..import(3) }, "import has a wrong size"),
    ] {
        let error = Imported::new(&delegate, &wrong).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let buffer = match Imported::new(&delegate, &Import { pointer, bytes: PAGE as u64, ..import(3) }) {
        Err(why) if why.contains("imports no such memory") => return println!("{why}"),
        buffer => buffer.unwrap(),
    };
    // SAFETY: nothing is pending while the test looks at the memory.
    let floats = || unsafe { std::slice::from_raw_parts_mut(start.cast::<f32>(), PAGE / 4) };
    let (x, z) = (Name::Tensor(interpreter.tensor(false, 0)), Name::Tensor(interpreter.tensor(true, 0)));
    bind(&delegate, x, Some(&buffer.binding(0, 96))).unwrap();
    bind(&delegate, z, Some(&buffer.binding(4096, 96))).unwrap();
    let error = bind(&delegate, z, Some(&buffer.binding(PAGE as u64 - 64, 96))).unwrap_err();
    assert!(error.contains("exceed the buffer's"), "{error}");
    // Bound, it lives on.
    drop(buffer);
    for seed in 0..3 {
        let (a, b) = (numbers(24, seed), numbers(24, seed + 7));
        floats()[..24].copy_from_slice(&a);
        interpreter.set(1, &b);
        interpreter.invoke().unwrap();
        assert_close(&floats()[1024..1048], &want_static(&a, &b), 1e-6);
    }
    drop(interpreter);
    drop(delegate);
    // SAFETY: nobody uses it any more.
    unsafe { dealloc(start, layout) };
}

#[test]
fn memory_of_another_device_is_used_where_it_lies() {
    let model = Model::new("static");
    let delegate = Delegate::new();
    let gpu = Gpu::of(&delegate);
    if !gpu.offers(ash::khr::external_memory_fd::NAME) {
        println!("this driver exports no memory");
        return;
    }
    let mut interpreter = Interpreter::allocated(&model, &delegate);
    let other = gpu.another(&[ash::khr::external_memory_fd::NAME]);
    let functions = ash::khr::external_memory_fd::Device::new(&other.instance, &other.device);
    let mut memory = other.memory(4096, true);
    let info = vk::MemoryGetFdInfoKHR::default()
        .memory(memory.memory)
        .handle_type(vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD);
    // SAFETY: the memory was allocated to be exported.
    let fd = unsafe { functions.get_memory_fd(&info) }.unwrap();
    let described = Import { fd, bytes: memory.bytes, memory_type: memory.memory_type, ..import(1) };
    let buffer = Imported::new(&delegate, &described).unwrap();
    let (x, z) = (Name::Tensor(interpreter.tensor(false, 1)), Name::Tensor(interpreter.tensor(true, 0)));
    bind(&delegate, x, Some(&buffer.binding(0, 96))).unwrap();
    bind(&delegate, z, Some(&buffer.binding(1024, 96))).unwrap();
    for seed in 0..3 {
        let (a, b) = (numbers(24, seed), numbers(24, seed + 7));
        memory.floats()[..24].copy_from_slice(&b);
        interpreter.set(0, &a);
        interpreter.invoke().unwrap();
        assert_close(&memory.floats()[256..280], &want_static(&a, &b), 1e-6);
    }
    drop(interpreter);
    drop(buffer);
    drop(memory);
    // SAFETY: nothing of it is left.
    unsafe { other.device.destroy_device(None) };
}

static LOCKED: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn lock(data: *mut c_void) {
    assert_eq!(data.addr(), 7);
    assert_eq!(LOCKED.fetch_add(1, Ordering::SeqCst) % 2, 0);
}

unsafe extern "C" fn unlock(data: *mut c_void) {
    assert_eq!(data.addr(), 7);
    assert_eq!(LOCKED.fetch_add(1, Ordering::SeqCst) % 2, 1);
}

/// Nothing is enabled, or 16-bit storage by a structure of its own or by that of Vulkan 1.1.
#[test]
fn a_device_of_the_application_will_do() {
    let model = Model::new("static");
    let first = Delegate::new();
    let gpu = Gpu::of(&first);
    // SAFETY: the device is alive, and the structures are complete.
    unsafe {
        let mut storage = vk::PhysicalDevice16BitStorageFeatures::default();
        let mut all = vk::PhysicalDeviceFeatures2::default().push_next(&mut storage);
        let physical = vk::PhysicalDevice::from_raw(gpu.handles.physical_device as u64);
        gpu.instance.get_physical_device_features2(physical, &mut all);
        let has_16 = storage.storage_buffer16_bit_access;
        let family = gpu.handles.queue_family;
        let queues =
            [vk::DeviceQueueCreateInfo::default().queue_family_index(family).queue_priorities(&[1.0])];
        for way in 0..3 {
            let mut own =
                vk::PhysicalDevice16BitStorageFeatures::default().storage_buffer16_bit_access(has_16 != 0);
            let mut core =
                vk::PhysicalDeviceVulkan11Features::default().storage_buffer16_bit_access(has_16 != 0);
            let mut info = vk::DeviceCreateInfo::default().queue_create_infos(&queues);
            match way {
                1 => info = info.push_next(&mut own),
                2 => info = info.push_next(&mut core),
                _ => {}
            }
            let device = gpu.instance.create_device(physical, &info, None).unwrap();
            let queue = device.get_device_queue(family, 0);
            let handles = Handles {
                size: size_of::<Handles>(),
                device: device.handle().as_raw() as *mut c_void,
                queue: queue.as_raw() as *mut c_void,
                device_create_info: (&raw const info).cast(),
                lock_queue: Some(lock),
                unlock_queue: Some(unlock),
                user_data: 7 as *mut c_void,
                ..gpu.handles
            };
            for precision in [0, 1] {
                let options = Options { precision, ..for_tests() };
                let delegate = create_on(&options, &handles).unwrap();
                let mut interpreter = Interpreter::allocated(&model, &delegate);
                let own = Gpu::of(&delegate);
                assert_eq!(own.device.handle(), device.handle());
                let (a, b) = (numbers(24, 1), numbers(24, 2));
                let (x, mut z) = (own.filled(&a), own.buffer(24));
                let names = [interpreter.tensor(false, 0), interpreter.tensor(true, 0)].map(Name::Tensor);
                bind(&delegate, names[0], Some(&x.whole())).unwrap();
                bind(&delegate, names[1], Some(&z.whole())).unwrap();
                interpreter.set(1, &b);
                interpreter.invoke().unwrap();
                assert_close(&z.floats()[..24], &want_static(&a, &b), 4e-3);
                drop(interpreter);
            }
            assert!(LOCKED.load(Ordering::SeqCst) > 0);
            device.destroy_device(None);
        }
    }
}

#[test]
fn handles_that_are_missing_are_told() {
    let delegate = Delegate::new();
    let gpu = Gpu::of(&delegate);
    let info = vk::DeviceCreateInfo::default();
    let good =
        Handles { size: size_of::<Handles>(), device_create_info: (&raw const info).cast(), ..gpu.handles };
    let null = std::ptr::null_mut();
    for (wrong, why) in [
        (Handles { instance: null, ..good }, "handles.instance"),
        (Handles { physical_device: null, ..good }, "handles.physical_device"),
        (Handles { device: null, ..good }, "handles.device"),
        (Handles { queue: null, ..good }, "handles.queue"),
        (Handles { device_create_info: null, ..good }, "handles.device_create_info"),
        (Handles { api_version: 0, ..good }, "handles.api_version"),
        (Handles { queue_family: 99, ..good }, "queue family 99 does not compute"),
        (Handles { api_version: 1 << 22, ..good }, "1.1 is needed"),
        (Handles { lock_queue: Some(lock), ..good }, "need each other"),
        (Handles { size: 1, ..good }, "handles has a wrong size"),
    ] {
        let error = create_on(&for_tests(), &wrong).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
