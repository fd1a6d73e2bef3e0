//! From graphs to programs, without a device.

mod followers;
mod integer_storage;
mod net;
mod operators;
mod passes;
mod precision;
mod residuals;
mod resizing;
mod snapshots;
mod storage;
mod tables;
