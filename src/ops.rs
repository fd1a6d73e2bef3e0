//! The operators, one file each.

use crate::error::Unsupported;
use crate::op::{Def, Parsed};
use crate::tflite::NodeView;
use crate::unsupported;

/// Declares the operator files and collects their table entries.
macro_rules! operators {
    ($($file:ident)*) => {
        $(#[doc(hidden)] pub mod $file;)*

        /// Every operator that the delegate knows.
        pub static ALL: &[&[Def]] = &[$($file::DEFS),*];
    };
}

operators! {
    batch_matmul
    binary
    broadcast_to
    concatenation
    conv_2d
    densify
    depth_to_space
    depthwise_conv_2d
    dequantize
    fully_connected
    gather
    inverted_residual
    l2_normalization
    pack
    pad
    pool_2d
    reduce
    reshape
    resize
    separable_conv_2d
    softmax
    space_to_batch
    split
    strided_slice
    transpose
    transpose_conv
    unary
}

/// Builds the operator of a node, or says why it stays on the CPU.
pub fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let known = |def: &&Def| match def.builtin {
        Some(code) => code == node.builtin(),
        None => node.custom_name() == Some(def.name),
    };
    let Some(def) = ALL.iter().copied().flatten().find(known) else {
        unsupported!("{} is not among the supported operators", node.name());
    };
    if node.version() > def.max_version {
        unsupported!("{} version {} ({} at most)", def.name, node.version(), def.max_version);
    }
    (def.parse)(node)
}
