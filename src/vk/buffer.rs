//! A storage buffer with memory of its own; mapped for its whole life where the host needs it.

use std::ptr::NonNull;
use std::sync::Arc;

use ash::vk;

use super::device::Device;
use super::driver_error::{allocation_error, is_out_of_memory};
use super::logical_device::LogicalDevice;
use super::memory::MemoryUsage;
use crate::error::{Error, Result};

/// A `VkBuffer` bound to a `VkDeviceMemory`.
pub struct Buffer {
    device: Arc<LogicalDevice>,
    raw: vk::Buffer,
    memory: vk::DeviceMemory,
    bytes: u64,
    mapped: Option<Mapped>,
    /// The buffer is the caller's, who frees it.
    lent: bool,
}

/// Mapped memory of the owning buffer.
struct Mapped {
    start: NonNull<u8>,
    /// Writes and reads need no flush and no invalidation.
    coherent: bool,
    /// The host may read it, and write it in any order, at its usual speed.
    cached: bool,
}

// SAFETY: the memory belongs to the buffer and is reached only through references to it, as if
// `start` were a Box.
unsafe impl Send for Mapped {}
// SAFETY: a shared reference gives no access to the memory.
unsafe impl Sync for Mapped {}

/// Sizes are rounded up to a multiple of this, so that kernels may touch whole vectors.
const ROUND: u64 = 16;

impl Buffer {
    /// Allocates at least `bytes`, which may be 0, for `what`. The content is undefined.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] naming `what` if it is more than the device allows at once or has.
    pub fn new(device: &Device, bytes: u64, usage: MemoryUsage, what: &str) -> Result<Self> {
        let device = device.logical();
        device.alive()?;
        let out_of_memory = || Error::OutOfMemory { what: what.to_owned(), bytes };
        let size = bytes.max(1).checked_next_multiple_of(ROUND).ok_or_else(out_of_memory)?;
        if size > device.limits().allocation {
            return Err(out_of_memory());
        }
        let flags = vk::BufferUsageFlags::STORAGE_BUFFER
            | vk::BufferUsageFlags::TRANSFER_SRC
            | vk::BufferUsageFlags::TRANSFER_DST;
        let info =
            vk::BufferCreateInfo::default().size(size).usage(flags).sharing_mode(vk::SharingMode::EXCLUSIVE);
        // SAFETY: the device is alive and the structure complete.
        let raw = unsafe { device.raw().create_buffer(&info, None) }
            .map_err(|e| allocation_error("vkCreateBuffer", e, what, bytes))?;
        // From here on, dropping `buffer` frees what exists so far.
        let mut buffer = Self::over(device.clone(), raw, size);
        let properties = buffer.allocate(usage, what)?;
        if usage != MemoryUsage::Device {
            buffer.map(properties)?;
        }
        Ok(buffer)
    }

    /// A buffer that has no memory yet.
    pub(super) fn over(device: Arc<LogicalDevice>, raw: vk::Buffer, bytes: u64) -> Self {
        Self { device, raw, memory: vk::DeviceMemory::null(), bytes, mapped: None, lent: false }
    }

    /// Takes over the memory that will be bound to it.
    pub(super) fn own(&mut self, memory: vk::DeviceMemory) {
        self.memory = memory;
    }

    /// A buffer of the caller's, as commands name it; dropping it frees nothing. It is never mapped.
    ///
    /// # Safety
    /// `raw` is a `VkBuffer` of the device with memory, of at least `bytes` bytes, that storage buffers may use and
    /// copies may read and write. It outlives what this returns, and every submission that names it.
    pub unsafe fn lent(device: &Device, raw: u64, bytes: u64) -> Self {
        let mut buffer = Self::over(device.logical().clone(), vk::Handle::from_raw(raw), bytes);
        buffer.lent = true;
        buffer
    }

    /// Whether the buffer belongs to the device, as it is now: one that was opened again is another.
    pub fn is_of(&self, device: &Device) -> bool {
        Arc::ptr_eq(&self.device, device.logical())
    }

    /// Allocates memory of the best type that is not full, and binds it.
    fn allocate(&mut self, usage: MemoryUsage, what: &str) -> Result<vk::MemoryPropertyFlags> {
        let device = &self.device;
        // SAFETY: the buffer is alive.
        let needs = unsafe { device.raw().get_buffer_memory_requirements(self.raw) };
        let types = device.memory().types(needs.memory_type_bits, usage);
        let mut last = vk::Result::ERROR_OUT_OF_DEVICE_MEMORY;
        for (memory_type, flags) in types {
            // Whole atoms, so that the end can be flushed.
            let size = needs.size.next_multiple_of(device.limits().atom);
            let info = vk::MemoryAllocateInfo::default().allocation_size(size).memory_type_index(memory_type);
            // SAFETY: the type is one of the device's and allowed for the buffer.
            match unsafe { device.raw().allocate_memory(&info, None) } {
                Ok(memory) => {
                    self.memory = memory;
                    // SAFETY: the memory is large enough, of an allowed type, and nobody else's.
                    let bound = unsafe { device.raw().bind_buffer_memory(self.raw, memory, 0) };
                    bound.map_err(|e| allocation_error("vkBindBufferMemory", e, what, self.bytes))?;
                    return Ok(flags);
                }
                Err(e) if is_out_of_memory(e) => last = e,
                Err(e) => return device.check("vkAllocateMemory", Err(e)),
            }
        }
        Err(allocation_error("vkAllocateMemory", last, what, self.bytes))
    }

    fn map(&mut self, flags: vk::MemoryPropertyFlags) -> Result<()> {
        // SAFETY: the memory is host-visible, not mapped yet, and stays mapped until it is freed.
        let start = unsafe {
            self.device.raw().map_memory(self.memory, 0, vk::WHOLE_SIZE, vk::MemoryMapFlags::empty())
        };
        let start = self.device.check("vkMapMemory", start)?;
        let start = NonNull::new(start.cast::<u8>()).ok_or_else(|| Error::Driver {
            call: "vkMapMemory",
            result: "VK_SUCCESS without memory".into(),
        })?;
        self.mapped = Some(Mapped {
            start,
            coherent: flags.contains(vk::MemoryPropertyFlags::HOST_COHERENT),
            cached: flags.contains(vk::MemoryPropertyFlags::HOST_CACHED),
        });
        Ok(())
    }

    /// Its size in bytes: what was asked for, rounded up to a multiple of 16.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the host may access the mapped memory at random; otherwise it should write it once,
    /// in order, and never read it.
    pub fn is_cached(&self) -> bool {
        self.mapped.as_ref().is_some_and(|mapped| mapped.cached)
    }

    /// The mapped memory; empty for [`MemoryUsage::Device`]. Unique access proves that no submission
    /// uses the buffer: [`Commands`](super::Commands) hand it out only while none is pending.
    pub fn mapped(&mut self) -> &mut [u8] {
        match &self.mapped {
            // SAFETY: `bytes` bytes at `start` are mapped as long as the buffer lives, every bit
            // pattern is a byte, and `&mut self` excludes other references.
            Some(mapped) => unsafe {
                std::slice::from_raw_parts_mut(mapped.start.as_ptr(), self.bytes as usize)
            },
            None => &mut [],
        }
    }

    /// Where the memory is mapped; `None` for [`MemoryUsage::Device`]. It stays there as long as the buffer lives;
    /// whoever uses it sees to it that the device does not.
    pub fn address(&self) -> Option<NonNull<u8>> {
        self.mapped.as_ref().map(|mapped| mapped.start)
    }

    /// Makes what the host wrote visible to the device, as of the next submission.
    pub fn flush(&self) -> Result<()> {
        self.synchronise("vkFlushMappedMemoryRanges", |device, range| {
            // SAFETY: the memory is mapped.
            unsafe { device.flush_mapped_memory_ranges(&[range]) }
        })
    }

    /// Makes what the device wrote visible to the host.
    pub fn invalidate(&self) -> Result<()> {
        self.synchronise("vkInvalidateMappedMemoryRanges", |device, range| {
            // SAFETY: the memory is mapped.
            unsafe { device.invalidate_mapped_memory_ranges(&[range]) }
        })
    }

    /// Does `call` with the whole memory, unless that is coherent or not mapped.
    fn synchronise(
        &self,
        name: &'static str,
        call: impl FnOnce(&ash::Device, vk::MappedMemoryRange<'_>) -> ash::prelude::VkResult<()>,
    ) -> Result<()> {
        match &self.mapped {
            Some(mapped) if !mapped.coherent => {
                let range = vk::MappedMemoryRange::default().memory(self.memory).size(vk::WHOLE_SIZE);
                self.device.check(name, call(self.device.raw(), range))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn raw(&self) -> vk::Buffer {
        self.raw
    }

    /// The `VkBuffer`.
    pub fn handle(&self) -> u64 {
        vk::Handle::as_raw(self.raw)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.lent {
            return;
        }
        // SAFETY: commands that name the buffer own it or share it, and were waited for. Freeing
        // memory unmaps it; freeing NULL is allowed.
        self.device.free(|device| unsafe {
            device.destroy_buffer(self.raw, None);
            device.free_memory(self.memory, None);
        });
    }
}
