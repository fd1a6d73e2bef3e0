//! Storage buffers over memory that others have allocated.

use std::ffi::c_void;

use ash::{ext, khr, vk};

use super::buffer::Buffer;
use super::device::Device;
use super::driver_error::allocation_error;
use super::logical_device::LogicalDevice;
use crate::error::{Error, Result};

/// Where memory comes from.
#[derive(Clone, Copy, Debug)]
pub enum Memory {
    /// A file descriptor that Vulkan exported, of a memory type by number.
    OpaqueFd {
        /// The descriptor.
        fd: i32,
        /// The type of the memory there.
        memory_type: u32,
        /// It was allocated for one buffer alone.
        dedicated: bool,
    },
    /// A dma-buf of Linux.
    DmaBuf(i32),
    /// Memory of this process.
    Host(*mut c_void),
    /// An `AHardwareBuffer`.
    HardwareBuffer(*mut c_void),
}

/// A `VkExternalMemoryHandleTypeFlagBits` with the types of memory that a buffer of it may have.
struct Kind {
    handle: vk::ExternalMemoryHandleTypeFlags,
    types: u32,
    /// What is allocated for it.
    bytes: u64,
    dedicated: bool,
}

impl Buffer {
    /// A storage buffer over the first `bytes` bytes of memory that somebody else has allocated, without copying them.
    /// If that succeeds a file descriptor belongs to Vulkan; otherwise it is still the caller's. It is never mapped.
    ///
    /// # Errors
    /// [`Error::Host`] if the device cannot import such memory or its size or place do not suit; [`Error::Driver`] or
    /// [`Error::OutOfMemory`] if the driver refuses.
    ///
    /// # Safety
    /// The memory is what `memory` says, has so many bytes, and memory of the host outlives the buffer and every
    /// submission that names it.
    pub unsafe fn import(device: &Device, memory: Memory, bytes: u64) -> Result<Self> {
        let device = device.logical();
        device.alive()?;
        if bytes == 0 {
            return Err(Error::Host("memory of 0 bytes cannot be imported".into()));
        }
        // SAFETY: as the caller promises.
        let kind = unsafe { kind(device, memory, bytes)? };
        let flags = vk::BufferUsageFlags::STORAGE_BUFFER
            | vk::BufferUsageFlags::TRANSFER_SRC
            | vk::BufferUsageFlags::TRANSFER_DST;
        let asked = vk::PhysicalDeviceExternalBufferInfo::default().usage(flags).handle_type(kind.handle);
        let mut answer = vk::ExternalBufferProperties::default();
        // SAFETY: the device offers Vulkan 1.1, and the extension that the handle belongs to.
        unsafe {
            let instance = device.instance().raw();
            instance.get_physical_device_external_buffer_properties(device.physical(), &asked, &mut answer);
        }
        let offered = answer.external_memory_properties.external_memory_features;
        if !offered.contains(vk::ExternalMemoryFeatureFlags::IMPORTABLE) {
            return Err(Error::Host("this driver imports no such memory for storage buffers".into()));
        }
        let dedicated = kind.dedicated || offered.contains(vk::ExternalMemoryFeatureFlags::DEDICATED_ONLY);
        let mut external = vk::ExternalMemoryBufferCreateInfo::default().handle_types(kind.handle);
        let info = vk::BufferCreateInfo::default().size(bytes).usage(flags).push_next(&mut external);
        // SAFETY: the device is alive and the structure complete.
        let raw = unsafe { device.raw().create_buffer(&info, None) };
        // From here on, dropping `buffer` frees what exists so far.
        let mut buffer = Self::over(device.clone(), device.check("vkCreateBuffer", raw)?, bytes);
        // SAFETY: the buffer is alive.
        let needs = unsafe { device.raw().get_buffer_memory_requirements(buffer.raw()) };
        let types = needs.memory_type_bits & kind.types;
        if types == 0 {
            return Err(Error::Host("no type of this device's memory suits what is to be imported".into()));
        }
        if needs.size > kind.bytes {
            let why =
                format!("a buffer of {bytes} bytes takes {} of memory, there are {}", needs.size, kind.bytes);
            return Err(Error::Host(why));
        }
        let mut alone = vk::MemoryDedicatedAllocateInfo::default().buffer(buffer.raw());
        let mut fd_info = vk::ImportMemoryFdInfoKHR::default().handle_type(kind.handle);
        let mut host_info = vk::ImportMemoryHostPointerInfoEXT::default().handle_type(kind.handle);
        let mut android_info = vk::ImportAndroidHardwareBufferInfoANDROID::default();
        let mut info = vk::MemoryAllocateInfo::default()
            .allocation_size(kind.bytes)
            .memory_type_index(types.trailing_zeros());
        if dedicated {
            info = info.push_next(&mut alone);
        }
        info = match memory {
            Memory::OpaqueFd { fd, .. } | Memory::DmaBuf(fd) => {
                fd_info.fd = fd;
                info.push_next(&mut fd_info)
            }
            Memory::Host(pointer) => {
                host_info.p_host_pointer = pointer;
                info.push_next(&mut host_info)
            }
            Memory::HardwareBuffer(pointer) => {
                android_info.buffer = pointer.cast();
                info.push_next(&mut android_info)
            }
        };
        // SAFETY: the structures are complete and live until the end of the call; the caller vouches for the memory.
        let imported = unsafe { device.raw().allocate_memory(&info, None) }
            .map_err(|e| allocation_error("vkAllocateMemory", e, "imported memory", bytes))?;
        buffer.own(imported);
        // SAFETY: the memory is large enough, of an allowed type, and was allocated just now.
        let bound = unsafe { device.raw().bind_buffer_memory(buffer.raw(), imported, 0) };
        device.check("vkBindBufferMemory", bound)?;
        Ok(buffer)
    }
}

/// # Safety
/// See [`Buffer::import`].
unsafe fn kind(device: &LogicalDevice, memory: Memory, bytes: u64) -> Result<Kind> {
    let (sharing, instance) = (device.sharing(), device.instance().raw());
    let closed = |open: bool, what: &str, extension: &str| match open {
        true => Ok(()),
        false => Err(Error::Host(format!("this device cannot import {what}: it lacks {extension}"))),
    };
    match memory {
        Memory::OpaqueFd { memory_type, dedicated, .. } => {
            closed(sharing.memory_fd, "memory by a file descriptor", "VK_KHR_external_memory_fd")?;
            let types = 1u32.checked_shl(memory_type);
            let handle = vk::ExternalMemoryHandleTypeFlags::OPAQUE_FD;
            let types = types.ok_or_else(|| Error::Host(format!("there is no memory type {memory_type}")))?;
            Ok(Kind { handle, types, bytes, dedicated })
        }
        Memory::DmaBuf(fd) => {
            closed(sharing.dma_buf, "a dma-buf", "VK_EXT_external_memory_dma_buf")?;
            let functions = khr::external_memory_fd::Device::new(instance, device.raw());
            let handle = vk::ExternalMemoryHandleTypeFlags::DMA_BUF_EXT;
            let mut properties = vk::MemoryFdPropertiesKHR::default();
            // SAFETY: the extension is enabled; the caller vouches for the descriptor.
            let asked = unsafe { functions.get_memory_fd_properties(handle, fd, &mut properties) };
            device.check("vkGetMemoryFdPropertiesKHR", asked)?;
            Ok(Kind { handle, types: properties.memory_type_bits, bytes, dedicated: false })
        }
        Memory::Host(pointer) => {
            closed(sharing.host_pointer, "memory of the host", "VK_EXT_external_memory_host")?;
            let unit = device.limits().host_import;
            if !(pointer as u64).is_multiple_of(unit) || !bytes.is_multiple_of(unit) {
                return Err(Error::Host(format!(
                    "memory of the host must start at a multiple of {unit} bytes and be as long: minImportedHostPointerAlignment"
                )));
            }
            let functions = ext::external_memory_host::Device::new(instance, device.raw());
            let handle = vk::ExternalMemoryHandleTypeFlags::HOST_ALLOCATION_EXT;
            let mut properties = vk::MemoryHostPointerPropertiesEXT::default();
            // SAFETY: the extension is enabled; the caller vouches for the memory.
            let asked = unsafe {
                let ask = functions.fp().get_memory_host_pointer_properties_ext;
                ask(device.raw().handle(), handle, pointer, &mut properties).result()
            };
            device.check("vkGetMemoryHostPointerPropertiesEXT", asked)?;
            Ok(Kind { handle, types: properties.memory_type_bits, bytes, dedicated: false })
        }
        Memory::HardwareBuffer(pointer) => {
            let extension = "VK_ANDROID_external_memory_android_hardware_buffer";
            closed(sharing.hardware_buffer, "an AHardwareBuffer", extension)?;
            let functions =
                ash::android::external_memory_android_hardware_buffer::Device::new(instance, device.raw());
            let handle = vk::ExternalMemoryHandleTypeFlags::ANDROID_HARDWARE_BUFFER_ANDROID;
            let mut properties = vk::AndroidHardwareBufferPropertiesANDROID::default();
            // SAFETY: the extension is enabled; the caller vouches for the buffer.
            let asked = unsafe {
                functions.get_android_hardware_buffer_properties(&*pointer.cast(), &mut properties)
            };
            device.check("vkGetAndroidHardwareBufferPropertiesANDROID", asked)?;
            let bytes = properties.allocation_size;
            Ok(Kind { handle, types: properties.memory_type_bits, bytes, dedicated: false })
        }
    }
}
