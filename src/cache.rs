//! What is kept on disk from one start to the next: for each device and model token one file of each
//! [`FileKind`].
//!
//! A file names the device, driver and library version that it is for, and carries a checksum. A truncated,
//! foreign or outdated file counts as empty. Writers replace the whole file by renaming, so that any number
//! of processes may share it. The directory may be one that other users write to: links, pipes, devices and
//! files of others count as empty too, and a new file is its user's alone.

mod facts;
mod file;
mod hash;
mod identity;
mod untrusted;

pub use facts::Facts;
pub use file::{Cache, Rejected};
pub use hash::{continued, hash};
pub use identity::{FileKind, Identity};
pub use untrusted::create;
