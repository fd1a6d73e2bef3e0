//! Tensors in Vulkan buffers of the application, as `include/tflite_vulkan.h` describes them.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::Arc;

use super::callbacks::Handle;
use super::guard::{guard, guard_creation};
use super::options::TfLiteVulkanDelegateOptions;
use crate::delegate::{Delegate, TensorId, Wait};
use crate::error::{Error, Result};
use crate::runtime::External;
use crate::tflite::{Context, sys};
use crate::vk::{self, Buffer, CallersDevice, Device, Memory, QueueLock, Semaphore, SyncFd};

pub use layout::{TfLiteVulkanBinding, TfLiteVulkanHandles, TfLiteVulkanImport};

/// The structs as `include/tflite_vulkan.h` lays them out, which says what the fields mean.
mod layout {
    #![allow(
        clippy::undocumented_unsafe_blocks,
        missing_docs,
        non_camel_case_types,
        reason = "generated from C, which documents it"
    )]
    include!(concat!(env!("OUT_DIR"), "/zero_copy.rs"));
}

/// A struct of this size is no newer version of ours: something else was passed.
const TOO_LARGE: usize = 4096;

/// What a `TfLiteVulkanBuffer` of C is.
pub struct Imported(Arc<Buffer>);

/// Reads the struct of a caller that was compiled with a header of any version: what an older one lacks is zero, what
/// only a newer one has must be zero.
///
/// # Safety
/// `from` is NULL or points to as many bytes as its first field, a `size_t`, says. Any bytes are a value of `T`.
unsafe fn read<T: Default>(from: *const T, name: &str) -> Result<T> {
    let bad = |why: &str| Err(Error::Option(format!("{name} {why}")));
    if from.is_null() {
        return bad("is NULL");
    }
    // SAFETY: the caller promises at least the first field.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    if !(size_of::<usize>()..=TOO_LARGE).contains(&size) {
        return bad("has a wrong size: its first field is the size of the struct");
    }
    let mut to = T::default();
    // SAFETY: the caller promises `size` bytes; of ours no more than all are written.
    unsafe {
        let bytes = std::slice::from_raw_parts(from.cast::<u8>(), size);
        if bytes.iter().skip(size_of::<T>()).any(|b| *b != 0) {
            return bad("has a field set that this version of the library does not know");
        }
        (&raw mut to).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), size.min(size_of::<T>()));
    }
    Ok(to)
}

/// Answers 1 if `f` succeeds with the delegate, else 0.
///
/// # Safety
/// `delegate` is NULL or was created here and not deleted yet.
unsafe fn with(delegate: *mut sys::TfLiteDelegate, f: impl FnOnce(&Delegate) -> Result<()>) -> c_int {
    // SAFETY: as the caller promises.
    guard(
        0,
        |_| {},
        || {
            // A thread that a forked child lacks may hold a lock.
            vk::not_forked()?;
            // SAFETY: as the caller promises.
            f(unsafe { Handle::share(delegate)? }.delegate()?).map(|()| 1)
        },
    )
}

/// The tensor that a caller names.
///
/// # Safety
/// The interpreters of the delegate do not run meanwhile.
unsafe fn named(delegate: &Delegate, tensor: *const sys::TfLiteTensor, index: c_int) -> Result<TensorId> {
    if tensor.is_null() {
        return Ok(TensorId { context: delegate.context_of(index)?, index });
    }
    for context in delegate.contexts()? {
        // SAFETY: a context lives as long as its kernels; the caller promises that nobody else uses it.
        let place = unsafe { Context::new(context as *mut sys::TfLiteContext)? };
        if let Some(index) = place.index_of(tensor) {
            return Ok(TensorId { context, index });
        }
    }
    Err(Error::Host("the tensor belongs to no interpreter in which something is delegated".into()))
}

fn require(present: bool, what: &str) -> Result<()> {
    if present { Ok(()) } else { Err(Error::Host(format!("{what} is missing"))) }
}

/// Creates a delegate on a device of the caller's; NULL if that fails.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanDelegateCreateOn(
    options: *const TfLiteVulkanDelegateOptions,
    handles: *const TfLiteVulkanHandles,
) -> *mut sys::TfLiteDelegate {
    guard_creation(
        |_| ptr::null_mut(),
        |_| {},
        || {
            // SAFETY: as the caller promises.
            let (options, handles) =
                unsafe { (TfLiteVulkanDelegateOptions::read(options)?.parse()?, read(handles, "handles")?) };
            // SAFETY: as above.
            let device = unsafe { adopt(&handles)? };
            Ok(Handle::give(Delegate::on(options, device)?))
        },
    )
}

/// # Safety
/// The handles are as the header says.
unsafe fn adopt(handles: &TfLiteVulkanHandles) -> Result<Arc<Device>> {
    let TfLiteVulkanHandles { instance, physical_device, device, queue, device_create_info, .. } = *handles;
    require(!instance.is_null(), "handles.instance")?;
    require(!physical_device.is_null(), "handles.physical_device")?;
    require(!device.is_null(), "handles.device")?;
    require(!queue.is_null(), "handles.queue")?;
    require(!device_create_info.is_null(), "handles.device_create_info")?;
    require(handles.api_version != 0, "handles.api_version")?;
    let lock = match (handles.lock_queue, handles.unlock_queue) {
        (Some(lock), Some(unlock)) => Some(QueueLock { lock, unlock, user_data: handles.user_data }),
        (None, None) => None,
        _ => return Err(Error::Host("lock_queue and unlock_queue need each other".into())),
    };
    let callers = CallersDevice {
        // SAFETY: the caller promises that it is this function.
        entry_point: handles.get_instance_proc_addr.map(|function| unsafe {
            std::mem::transmute::<unsafe extern "C" fn(), vk::EntryPoint>(function)
        }),
        instance: instance as u64,
        api_version: handles.api_version,
        physical_device: physical_device as u64,
        device: device as u64,
        create_info: device_create_info,
        queue: queue as u64,
        family: handles.queue_family,
        lock,
    };
    // SAFETY: as the caller promises.
    unsafe { Device::adopt(&callers) }
}

/// Tells the handles of the delegate's device.
///
/// # Safety
/// `delegate` is NULL or alive; `handles` is NULL or points to `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanGetHandles(
    delegate: *mut sys::TfLiteDelegate,
    handles: *mut TfLiteVulkanHandles,
    size: usize,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with(delegate, |delegate| {
            require(!handles.is_null(), "handles")?;
            if !(size_of::<usize>()..=TOO_LARGE).contains(&size) {
                return Err(Error::Option(format!("handles of {size} bytes: pass the size of the struct")));
            }
            let of = delegate.device()?.handles();
            let ours = TfLiteVulkanHandles {
                size,
                instance: of.instance as *mut c_void,
                physical_device: of.physical_device as *mut c_void,
                device: of.device as *mut c_void,
                queue: of.queue as *mut c_void,
                queue_family: of.family,
                api_version: of.api_version,
                get_instance_proc_addr: Some(std::mem::transmute::<vk::EntryPoint, unsafe extern "C" fn()>(
                    of.entry_point,
                )),
                ..Default::default()
            };
            let to = handles.cast::<u8>();
            to.write_bytes(0, size);
            to.copy_from_nonoverlapping((&raw const ours).cast(), size.min(size_of_val(&ours)));
            Ok(())
        })
    }
}

/// Calls `use_queue` while nothing here uses the queue.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanUseQueue(
    delegate: *mut sys::TfLiteDelegate,
    use_queue: Option<unsafe extern "C" fn(*mut c_void, *mut c_void)>,
    user_data: *mut c_void,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with(delegate, |delegate| {
            let Some(use_queue) = use_queue else { return require(false, "the function") };
            delegate.device()?.with_queue(|queue| use_queue(queue as *mut c_void, user_data));
            Ok(())
        })
    }
}

/// Imports memory; NULL if that fails.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanBufferImport(
    delegate: *mut sys::TfLiteDelegate,
    import: *const TfLiteVulkanImport,
) -> *mut Imported {
    guard(
        ptr::null_mut(),
        |_| {},
        || {
            // SAFETY: as the caller promises.
            unsafe {
                let handle = Handle::share(delegate)?;
                let device = handle.delegate()?.device()?;
                let import = read(import, "import")?;
                let memory = match import.memory {
                    1 => Memory::OpaqueFd {
                        fd: import.fd,
                        memory_type: import.memory_type,
                        dedicated: import.dedicated != 0,
                    },
                    2 => Memory::DmaBuf(import.fd),
                    3 => Memory::Host(import.pointer),
                    4 => Memory::HardwareBuffer(import.pointer),
                    other => return Err(Error::Option(format!("import.memory is {other}: out of range"))),
                };
                match memory {
                    Memory::OpaqueFd { fd, .. } | Memory::DmaBuf(fd) if fd < 0 => {
                        return Err(Error::Host(format!("import.fd is {fd}")));
                    }
                    Memory::Host(pointer) | Memory::HardwareBuffer(pointer) => {
                        require(!pointer.is_null(), "import.pointer")?;
                    }
                    _ => {}
                }
                let buffer = Buffer::import(&device, memory, import.bytes)?;
                Ok(Box::into_raw(Box::new(Imported(Arc::new(buffer)))))
            }
        },
    )
}

/// Deletes an imported buffer, unless it is bound: then it lives on.
///
/// # Safety
/// `buffer` is NULL or was imported here and not deleted yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanBufferDelete(buffer: *mut Imported) {
    guard(
        (),
        |_| {},
        || {
            if !buffer.is_null() && !vk::is_forked() {
                // SAFETY: as the caller promises.
                drop(unsafe { Box::from_raw(buffer) });
            }
            Ok(())
        },
    );
}

/// Binds a buffer to a tensor, or none.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanBind(
    delegate: *mut sys::TfLiteDelegate,
    tensor: *const sys::TfLiteTensor,
    index: c_int,
    binding: *const TfLiteVulkanBinding,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with(delegate, |delegate| {
            let tensor = named(delegate, tensor, index)?;
            if binding.is_null() {
                return delegate.bind(tensor, None);
            }
            let TfLiteVulkanBinding { buffer, imported, offset, bytes, .. } = read(binding, "binding")?;
            let buffer = match (buffer, imported.cast::<Imported>().as_ref()) {
                (0, Some(imported)) => imported.0.clone(),
                (0, None) => return require(false, "binding.buffer"),
                (raw, None) => {
                    let end = offset.checked_add(bytes);
                    let end = end.ok_or_else(|| Error::Host("the binding ends beyond 64 bits".into()))?;
                    let device = delegate.device()?;
                    Arc::new(Buffer::lent(&device, raw, end))
                }
                (_, Some(_)) => {
                    return Err(Error::Host("binding.buffer and binding.imported exclude each other".into()));
                }
            };
            if offset.checked_add(bytes).is_none_or(|end| end > buffer.bytes()) {
                return Err(Error::Host(format!(
                    "{bytes} bytes from {offset} on exceed the buffer's {}",
                    buffer.bytes()
                )));
            }
            delegate.bind(tensor, Some(External { buffer, offset, bytes }))
        })
    }
}

/// Lets the next invoke wait for a semaphore.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanWaitBefore(
    delegate: *mut sys::TfLiteDelegate,
    tensor: *const sys::TfLiteTensor,
    index: c_int,
    semaphore: u64,
    value: u64,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with(delegate, |delegate| {
            let tensor = named(delegate, tensor, index)?;
            delegate.wait(tensor, Wait::Semaphore(usable(delegate, semaphore, value)?))
        })
    }
}

/// Lets the next invoke wait for a descriptor.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanWaitBeforeFd(
    delegate: *mut sys::TfLiteDelegate,
    tensor: *const sys::TfLiteTensor,
    index: c_int,
    sync_fd: c_int,
) -> c_int {
    // SAFETY: as the caller promises; the descriptor is closed whatever happens.
    unsafe {
        let fd = SyncFd::new(sync_fd);
        with(delegate, |delegate| delegate.wait(named(delegate, tensor, index)?, Wait::Fd(fd?)))
    }
}

/// Lets the next invoke signal a semaphore.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TfLiteVulkanSignalAfter(
    delegate: *mut sys::TfLiteDelegate,
    tensor: *const sys::TfLiteTensor,
    index: c_int,
    semaphore: u64,
    value: u64,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        with(delegate, |delegate| {
            let tensor = named(delegate, tensor, index)?;
            delegate.signal(tensor, usable(delegate, semaphore, value)?)
        })
    }
}

/// # Safety
/// As the header says of the semaphore.
unsafe fn usable(delegate: &Delegate, semaphore: u64, value: u64) -> Result<Semaphore> {
    require(semaphore != 0, "the semaphore")?;
    if value != 0 && !delegate.device()?.has_timelines() {
        return Err(Error::Host("timeline semaphores are not enabled on this device".into()));
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { Semaphore::new(semaphore, value) })
}
