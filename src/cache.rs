//! What is kept on disk from one start to the next: for each device and model token one file of each
//! [`FileKind`].
//!
//! A file names the device, driver and library version that it is for, and carries a checksum. A truncated,
//! foreign or outdated file counts as empty. Writers replace the whole file by renaming, so that any number
//! of processes may share it.

mod facts;
mod file;
mod hash;

pub use facts::Facts;
pub use file::{Cache, FileKind, Identity, Rejected};
pub use hash::{continued, hash};
