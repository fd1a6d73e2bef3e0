//! From graphs to programs, without a device.

mod net;
mod passes;
mod resizing;
mod snapshots;
mod storage;
