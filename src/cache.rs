//! What is kept on disk from one start to the next: for each device and model token one file of each
//! [`Kind`].
//!
//! A file says whom it is for and carries a checksum; whatever is torn, foreign or old counts as empty.
//! Writers replace the whole file by renaming, so that any number of processes may share it.

mod file;
mod hash;
mod table;

pub use file::{Cache, Identity, Kind, Rejected};
pub use hash::{continued, hash};
pub use table::Table;
