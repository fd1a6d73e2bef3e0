//! How a device shares memory and semaphores with others.

use std::ffi::CStr;

use ash::{ext, khr, vk};

use super::feature_chain::Chain;

/// Which ways are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sharing {
    /// Memory by file descriptors of Vulkan's own.
    pub memory_fd: bool,
    /// Memory by Linux's dma-buf.
    pub dma_buf: bool,
    /// Memory of the host, where it lies.
    pub host_pointer: bool,
    /// Android's hardware buffers.
    pub hardware_buffer: bool,
    /// Semaphores that count.
    pub timeline: bool,
    /// Recorded commands may be given other buffers.
    pub update_after_bind: bool,
}

const HARDWARE_BUFFER: [&CStr; 2] =
    [ash::android::external_memory_android_hardware_buffer::NAME, ext::queue_family_foreign::NAME];

impl Sharing {
    /// What these extensions and features allow.
    pub fn new(has: impl Fn(&CStr) -> bool, features: &Chain) -> Self {
        let memory_fd = has(khr::external_memory_fd::NAME);
        Self {
            memory_fd,
            dma_buf: memory_fd && has(ext::external_memory_dma_buf::NAME),
            host_pointer: has(ext::external_memory_host::NAME),
            hardware_buffer: HARDWARE_BUFFER.into_iter().all(&has),
            timeline: features.timeline.timeline_semaphore == vk::TRUE,
            update_after_bind: features.indexing.descriptor_binding_storage_buffer_update_after_bind
                == vk::TRUE,
        }
    }

    /// The extensions that it needs.
    pub fn extensions(&self) -> Vec<&'static CStr> {
        let one = |open: bool, name: &'static CStr| open.then_some(name);
        let mut all: Vec<_> = [
            one(self.memory_fd, khr::external_memory_fd::NAME),
            one(self.dma_buf, ext::external_memory_dma_buf::NAME),
            one(self.host_pointer, ext::external_memory_host::NAME),
        ]
        .into_iter()
        .flatten()
        .collect();
        if self.hardware_buffer {
            all.extend(HARDWARE_BUFFER);
        }
        all
    }

    /// What both allow.
    pub fn and(self, other: &Self) -> Self {
        Self {
            memory_fd: self.memory_fd && other.memory_fd,
            dma_buf: self.dma_buf && other.dma_buf,
            host_pointer: self.host_pointer && other.host_pointer,
            hardware_buffer: self.hardware_buffer && other.hardware_buffer,
            timeline: self.timeline && other.timeline,
            update_after_bind: self.update_after_bind && other.update_after_bind,
        }
    }
}
