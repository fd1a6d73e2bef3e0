//! The runtime on a real driver: whatever the machine has, software included. Without a driver
//! these tests fail. `drivers.rs` runs them again on SwiftShader and under the validation layer,
//! which `make drivers` fetches.

mod bind;
mod cache;
mod child;
mod drivers;
mod faults;
mod kernels;
mod life;
mod net;
mod refuse;
mod run;
mod share;
mod transfer;
#[path = "../faults/vulkan.rs"]
mod vulkan;
