//! A TensorFlow Lite delegate that runs models on any GPU with a Vulkan driver.

pub mod caps;
pub mod error;
pub mod kernel;
pub mod options;
pub mod plan;
pub mod program;
