//! LiteRT's tensor buffers on the device: the application writes and reads them while they are locked.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::guard::guard;
use crate::error::{Error, Result};
use crate::runtime::{External, Shuttle};
use crate::vk::{self, Buffer, Device, MemoryUsage};

type Status = c_int;
const OK: Status = 0;
const RUNTIME_FAILURE: Status = 3;

/// LiteRT's type of a Vulkan buffer whose elements lie densely.
pub(super) const PACKED: c_int = 46;

/// Up to so many bytes, shaders reach across the bus: see `runtime/transfers.rs`.
const FEW: usize = 16 << 10;

type Create = unsafe extern "C" fn(
    *mut c_void,
    *mut c_void,
    *const c_void,
    c_int,
    usize,
    usize,
    *mut *mut TensorBuffer,
) -> Status;

/// LiteRT's handlers of a type of buffer.
#[derive(Debug)]
#[repr(C)]
pub struct Handlers {
    create: Create,
    destroy: unsafe extern "C" fn(*mut TensorBuffer) -> Status,
    lock: unsafe extern "C" fn(*mut TensorBuffer, c_int, *mut *mut c_void) -> Status,
    unlock: unsafe extern "C" fn(*mut TensorBuffer) -> Status,
    clear: unsafe extern "C" fn(*mut TensorBuffer) -> Status,
    import: *const c_void,
}

/// Ours.
pub(super) const HANDLERS: Handlers = Handlers { create, destroy, lock, unlock, clear, import: ptr::null() };

/// A tensor buffer of LiteRT's on the device. It holds the device: LiteRT destroys buffers after delegates.
#[repr(C)]
pub struct TensorBuffer {
    /// First, as LiteRT asks: its own address.
    memory_handle: *mut c_void,
    external: External,
    device: Arc<Device>,
    locked: Mutex<Locked>,
}

/// What locking a buffer needs.
#[derive(Default)]
struct Locked {
    /// What unlocking has to bring to the device.
    writes: bool,
    /// Ways to and from memory that the host reads fast, made when they are needed.
    up: Option<Shuttle>,
    down: Option<Shuttle>,
}

/// The device of the delegate that LiteRT has created last: requests for buffers do not tell theirs.
static DEVICE: Mutex<Weak<Device>> = Mutex::new(Weak::new());

/// Buffers are made on this device from now on.
pub(super) fn serve(device: &Arc<Device>) {
    *DEVICE.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(device);
}

impl TensorBuffer {
    /// Where it lies.
    pub fn external(&self) -> &External {
        &self.external
    }

    fn new(device: &Arc<Device>, bytes: usize) -> Result<Self> {
        let mapping = device.mapping();
        let usage = match mapping {
            _ if mapping.reads => MemoryUsage::DeviceToHost,
            _ if bytes <= FEW => MemoryUsage::Staging,
            _ => MemoryUsage::Device,
        };
        let buffer = Buffer::new(device, bytes as u64, usage, "a tensor buffer")?;
        let bytes = (bytes as u64).next_multiple_of(4).max(4);
        let external = External { buffer: Arc::new(buffer), offset: 0, bytes };
        let locked = Mutex::default();
        Ok(Self { memory_handle: ptr::null_mut(), external, device: device.clone(), locked })
    }

    /// Where the host may read and write; `mode` is 0 to read, 1 to write, 2 for both.
    fn lock(&self, mode: c_int) -> Result<*mut u8> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        let (reads, writes) = (mode != 1, mode != 0);
        locked.writes = writes;
        if let Some(address) = self.external.buffer.address() {
            if reads {
                self.external.buffer.invalidate()?;
            }
            return Ok(address.as_ptr());
        }
        if !reads {
            return Ok(locked.up(self)?.mapped()?.as_mut_ptr());
        }
        locked.down(self)?.run()?;
        if !writes {
            return Ok(locked.down(self)?.mapped()?.as_mut_ptr());
        }
        let bytes = locked.down(self)?.mapped()?.to_vec();
        let up = locked.up(self)?.mapped()?;
        up.copy_from_slice(&bytes);
        Ok(up.as_mut_ptr())
    }

    fn unlock(&self) -> Result<()> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut locked.writes) {
            return Ok(());
        }
        match self.external.buffer.address() {
            Some(_) => self.external.buffer.flush(),
            None => locked.up(self)?.run(),
        }
    }
}

impl Locked {
    fn up(&mut self, of: &TensorBuffer) -> Result<&mut Shuttle> {
        if self.up.is_none() {
            self.up = Some(Shuttle::up(&of.device, &of.external)?);
        }
        self.up.as_mut().ok_or(Error::DeviceLost)
    }

    fn down(&mut self, of: &TensorBuffer) -> Result<&mut Shuttle> {
        if self.down.is_none() {
            self.down = Some(Shuttle::down(&of.device, &of.external)?);
        }
        self.down.as_mut().ok_or(Error::DeviceLost)
    }
}

/// Answers OK if `f` succeeds with a buffer.
///
/// # Safety
/// `buffer` is NULL or one of ours that is alive.
unsafe fn with(buffer: *mut TensorBuffer, f: impl FnOnce(&TensorBuffer) -> Result<()>) -> Status {
    guard(
        RUNTIME_FAILURE,
        |_| {},
        || {
            vk::not_forked()?;
            // SAFETY: as the caller promises.
            let buffer = unsafe { buffer.as_ref() };
            f(buffer.ok_or_else(|| Error::Host("the tensor buffer is NULL".into()))?).map(|()| OK)
        },
    )
}

unsafe extern "C" fn create(
    _device: *mut c_void,
    _queue: *mut c_void,
    _tensor_type: *const c_void,
    _buffer_type: c_int,
    bytes: usize,
    _packed_bytes: usize,
    made: *mut *mut TensorBuffer,
) -> Status {
    guard(
        RUNTIME_FAILURE,
        |_| {},
        || {
            if made.is_null() {
                return Err(Error::Host("there is no place for a tensor buffer".into()));
            }
            let device = DEVICE.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
            let device = device.ok_or_else(|| Error::NoDevice("no accelerator is in use".into()))?;
            let buffer = Box::into_raw(Box::new(TensorBuffer::new(&device, bytes)?));
            // SAFETY: the buffer is new; LiteRT gives a place for its address.
            unsafe {
                (*buffer).memory_handle = buffer.cast();
                made.write(buffer);
            }
            Ok(OK)
        },
    )
}

unsafe extern "C" fn destroy(buffer: *mut TensorBuffer) -> Status {
    guard(
        RUNTIME_FAILURE,
        |_| {},
        || {
            if !buffer.is_null() && !vk::is_forked() {
                // SAFETY: LiteRT destroys once what `create` gave it.
                drop(unsafe { Box::from_raw(buffer) });
            }
            Ok(OK)
        },
    )
}

unsafe extern "C" fn lock(buffer: *mut TensorBuffer, mode: c_int, address: *mut *mut c_void) -> Status {
    // SAFETY: LiteRT gives a buffer of ours and a place for an address.
    unsafe {
        with(buffer, |buffer| {
            let Some(address) = address.as_mut() else {
                return Err(Error::Host("there is no place for an address".into()));
            };
            *address = buffer.lock(mode)?.cast();
            Ok(())
        })
    }
}

unsafe extern "C" fn unlock(buffer: *mut TensorBuffer) -> Status {
    // SAFETY: LiteRT gives a buffer of ours.
    unsafe { with(buffer, TensorBuffer::unlock) }
}

unsafe extern "C" fn clear(buffer: *mut TensorBuffer) -> Status {
    // SAFETY: LiteRT gives a buffer of ours; as many bytes as it has are mapped while it is locked.
    unsafe {
        with(buffer, |buffer| {
            let start = buffer.lock(1)?;
            start.write_bytes(0, buffer.external.bytes as usize);
            buffer.unlock()
        })
    }
}
