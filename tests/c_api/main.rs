//! The delegate behind the C interface, in a real TensorFlow Lite: the library that the environment
//! variable `TFLITE_C_LIBRARY` names (liblitert-lm.so of PyPI's litert-lm-api; `make test` fetches it).
#![allow(unsafe_code, reason = "plays the C program")]

mod child;
mod delegate;
mod devices;
mod entry_point;
mod faults;
mod fork;
mod gpu;
mod header;
mod life;
mod options;
mod probe;
mod run;
mod shared_memory;
mod tflite;
#[path = "../faults/vulkan.rs"]
mod vulkan;
mod zero_copy;
