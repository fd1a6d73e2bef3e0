//! A thin, compute-only Vulkan: one object per file, each freed when dropped.
//!
//! What is public here is safe. Three rules make it so: an object holds an [`Arc`](std::sync::Arc)
//! of the logical device that it came from; [`Commands`] own or share every buffer and pipeline that
//! they name, and are not freed before the GPU is done with them, however late that may be; and mapped memory is reachable
//! only through a unique reference to its buffer while no submission is pending. What cannot be
//! checked is that kernels stay within their buffers: the SPIR-V is trusted.
//!
//! Nothing here knows tensors or operators.

#![allow(unsafe_code, reason = "calls into the Vulkan driver")]

mod buffer;
mod commands;
mod debug;
mod descriptor;
mod device;
mod device_info;
mod driver_error;
mod environment;
mod feature_chain;
mod features;
mod fence;
mod import;
mod instance;
mod loader;
mod logical_device;
mod memory;
mod parked;
mod pipeline;
mod pipeline_cache;
mod process;
mod properties;
mod query;
mod recorder;
mod region;
mod select;
mod semaphores;
mod shared_pipelines;
mod sharing;
mod sync_fd;
mod timestamps;

pub use buffer::Buffer;
pub use commands::{Commands, Place};
pub use device::{CallersDevice, Device, Handles};
pub use device_info::DeviceInfo;
pub use environment::environment_text;
pub use import::Memory;
pub use loader::{EntryPoint, use_entry_point};
pub use logical_device::QueueLock;
pub use memory::{Mapping, MemoryUsage};
pub use pipeline::{Pipeline, PipelineKey};
pub use process::{is_forked, not_forked};
pub use query::{devices, find};
pub use recorder::{Recorder, Stage};
pub use region::{Capacity, Region, Slot};
pub use semaphores::{Semaphore, Semaphores};
pub use sync_fd::SyncFd;
