//! Lowering of one node: its site (operands, results, fused steps), the device, and the program to add to.
//!
//! Operators see no graph here: [`Lower`] knows one node, by the types and buffers of what it reads and writes.

mod choice;
mod context;
pub mod elements;
mod epilogue;
pub mod grid;
pub mod pack;
mod site;
mod tactics;
mod tiling;
mod upload;
mod view;

pub use context::{Lower, Lowered, Target};
pub use epilogue::{Epilogue, MAX_OPERANDS, MAX_PADDED, MAX_STEPS};
pub use site::{OperandSite, ResultSite, Site};
pub use tactics::{Tactics, heuristic};
pub use tiling::Tiling;
pub use view::View;
