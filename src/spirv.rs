//! What happens to a kernel's module before the driver sees it: constants take their values, and the code
//! that they rule out goes.

mod instruction;
mod prune;
mod specialize;

pub use prune::prune;
pub use specialize::specialize;
