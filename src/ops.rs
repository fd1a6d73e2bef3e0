//! The operators, one file each.

pub mod batch_matmul;
pub mod binary;
pub mod broadcast_to;
pub mod concatenation;
pub mod conv_2d;
pub mod densify;
pub mod depth_to_space;
pub mod depthwise_conv_2d;
pub mod dequantize;
pub mod fully_connected;
pub mod gather;
pub mod l2_normalization;
pub mod pack;
pub mod pad;
pub mod pool_2d;
pub mod reduce;
pub mod reshape;
pub mod resize;
pub mod softmax;
pub mod space_to_batch;
pub mod split;
pub mod strided_slice;
pub mod transpose;
pub mod transpose_conv;
pub mod unary;

use crate::error::Unsupported;
use crate::ir::DType;
use crate::op::{Def, Parsed};
use crate::tflite::NodeView;
use crate::unsupported;

/// Every operator that the delegate knows.
pub static ALL: &[&[Def]] = &[
    batch_matmul::DEFS,
    binary::DEFS,
    broadcast_to::DEFS,
    concatenation::DEFS,
    conv_2d::DEFS,
    densify::DEFS,
    depth_to_space::DEFS,
    depthwise_conv_2d::DEFS,
    dequantize::DEFS,
    fully_connected::DEFS,
    gather::DEFS,
    l2_normalization::DEFS,
    pack::DEFS,
    pad::DEFS,
    pool_2d::DEFS,
    reduce::DEFS,
    reshape::DEFS,
    resize::DEFS,
    softmax::DEFS,
    space_to_batch::DEFS,
    split::DEFS,
    strided_slice::DEFS,
    transpose::DEFS,
    transpose_conv::DEFS,
    unary::DEFS,
];

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
    let parsed = (def.parse)(node)?;
    check_results(node, parsed.op.fold().is_some())?;
    Ok(parsed)
}

/// Requires that every result is float32 (what is only unpacked may be float16), and another tensor than the
/// operands and than the other results.
fn check_results(node: &NodeView<'_>, unpacks: bool) -> Result<(), Unsupported> {
    let (read, written) = (node.input_tensors(), node.output_tensors());
    for (i, tensor) in written.iter().enumerate() {
        let dtype = node.output_type(i)?.dtype;
        if dtype != DType::F32 && !(unpacks && dtype == DType::F16) {
            unsupported!("output {i} is {dtype}, only float32 is supported");
        }
        if node.output(i).is_some_and(|tensor| tensor.is_model_constant()) {
            unsupported!("output {i} is a constant of the model");
        }
        if read.contains(tensor) || written[..i].contains(tensor) {
            unsupported!("output {i} is another operand or result too");
        }
    }
    Ok(())
}
