//! From graphs to programs, without a device.

mod allocations;
mod followers;
mod integer_storage;
mod net;
mod operators;
mod passes;
mod precision;
mod residuals;
mod resizing;
mod sizes;
mod snapshots;
mod storage;
mod tables;
