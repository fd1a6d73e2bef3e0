//! From graphs to programs, without a device.

mod net;
mod passes;
mod precision;
mod resizing;
mod snapshots;
