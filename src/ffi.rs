//! The C edge: every function that a host calls, and nothing that decides. Each goes through
//! `guard`: errors and panics become an answer in C, a text for the caller and a line in the log.
#![allow(unsafe_code, reason = "takes and gives pointers of C callers")]

mod callbacks;
mod devices;
mod factory;
mod guard;
#[cfg(not(target_os = "ios"))]
mod jni;
mod litert;
mod litert_buffers;
mod litert_lender;
mod options;
mod plugin;
mod zero_copy;

pub use devices::TfLiteVulkanDevice;
pub use litert::LiteRtAcceleratorImpl;
pub use options::TfLiteVulkanDelegateOptions;
pub use zero_copy::{TfLiteVulkanBinding, TfLiteVulkanHandles, TfLiteVulkanImport};
