//! From graphs to programs, without a device.

mod integers;
mod net;
mod operators;
mod passes;
mod resizing;
mod snapshots;
