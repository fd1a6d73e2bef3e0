//! UNIDIRECTIONAL_SEQUENCE_LSTM and LSTM of 8-bit integers with 8-bit weights and cells of 16 bits.
//!
//! The results are the states behind each step in time; the last state and the cells are what the node begins with when
//! it runs next, until the host resets them. Taken with constant weights, coupled gates or not, a projection or not, up
//! to 1024 cells and results; without peepholes and layer normalisation.

mod layer;
mod operator;
mod parse;

pub use layer::{Layer, Product, Sizes};
pub use operator::LstmIntegers;
pub(super) use parse::DEFS;
