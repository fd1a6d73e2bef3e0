//! Inputs and outputs that lie in buffers of the caller, and are used where they lie.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::vk::{Buffer, Place};

/// A stretch of a buffer that the caller keeps an input or output in.
#[derive(Clone)]
pub struct External {
    /// The buffer.
    pub buffer: Arc<Buffer>,
    /// Where the stretch starts, in bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub bytes: u64,
}

impl External {
    pub(super) fn place(&self) -> Place {
        Place::Buffer(self.buffer.clone(), self.offset)
    }

    /// As many bytes of the host.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn zeros(&self) -> Result<Vec<u8>> {
        let mut zeros = Vec::new();
        let bytes = self.bytes as usize;
        let out_of_memory = |_| Error::OutOfMemory { what: format!("a copy of {self}"), bytes: self.bytes };
        zeros.try_reserve_exact(bytes).map_err(out_of_memory)?;
        zeros.resize(bytes, 0);
        Ok(zeros)
    }

    /// Whether both have a byte in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.buffer.handle() == other.buffer.handle()
            && self.offset < other.offset.saturating_add(other.bytes)
            && other.offset < self.offset.saturating_add(self.bytes)
    }
}

impl PartialEq for External {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer) && (self.offset, self.bytes) == (other.offset, other.bytes)
    }
}

impl std::fmt::Display for External {
    /// As `buffer 0x7f01+256, 1024 bytes`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "buffer {:#x}+{}, {} bytes", self.buffer.handle(), self.offset, self.bytes)
    }
}

/// Where an input comes from.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// The host's memory.
    Host(&'a [u8]),
    /// A buffer of the device.
    Device(&'a External),
}

/// Where an output goes.
pub enum Output<'a> {
    /// The host's memory.
    Host(&'a mut [u8]),
    /// A buffer of the device.
    Device(&'a External),
}

impl Input<'_> {
    pub(super) fn external(&self) -> Option<&External> {
        match self {
            Self::Host(_) => None,
            Self::Device(external) => Some(external),
        }
    }

    /// Its size in bytes; of a buffer as much as the caller offers.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Host(bytes) => bytes.len(),
            Self::Device(external) => external.bytes as usize,
        }
    }
}

impl Output<'_> {
    pub(super) fn external(&self) -> Option<&External> {
        match self {
            Self::Host(_) => None,
            Self::Device(external) => Some(external),
        }
    }

    /// Its size in bytes; of a buffer as much as the caller offers.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Host(bytes) => bytes.len(),
            Self::Device(external) => external.bytes as usize,
        }
    }
}
