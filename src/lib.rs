//! A TensorFlow Lite delegate that runs models on any GPU with a Vulkan driver.

pub mod cache;
pub mod caps;
pub mod compile;
pub mod delegate;
pub mod error;
pub mod ffi;
pub mod graph;
pub mod halves;
pub mod ir;
pub mod kernel;
pub mod logging;
pub mod lower;
pub mod noise;
pub mod op;
pub mod ops;
pub mod options;
pub mod passes;
pub mod plan;
pub mod profile;
pub mod program;
pub mod reference;
pub mod runtime;
pub mod spirv;
pub mod tflite;
pub mod tune;
pub mod vk;
