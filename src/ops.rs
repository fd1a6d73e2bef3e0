//! The operators, one file each.

pub mod affine;
pub mod arg_max;
pub mod arithmetic;
pub mod average_pool_integers;
pub mod batch_matmul;
pub mod batch_matmul_int16;
pub mod batch_matmul_integers;
pub mod binary;
pub mod broadcast_to;
pub mod cast;
pub mod comparison;
pub mod concatenation;
pub mod concatenation_integers;
pub mod conv_2d;
pub mod conv_2d_integers;
pub mod conv_2d_wide_integers;
pub mod densify;
pub mod depth_to_space;
pub mod depthwise_conv_2d;
pub mod depthwise_conv_2d_integers;
pub mod dequantize;
mod direct_convolution;
pub mod fill;
pub mod fully_connected;
pub mod fully_connected_hybrid;
pub mod fully_connected_int16;
pub mod fully_connected_integers;
pub mod gather;
pub mod gather_nd;
pub mod l2_normalization;
pub mod l2_normalization_integers;
pub mod logical;
pub mod lookup;
pub mod lstm_integers;
pub mod max_pool_integers;
pub mod one_hot;
pub mod pack;
pub mod pad;
pub mod pool_2d;
pub mod product_integers;
pub mod quantize;
pub mod quantized_binary;
pub mod reduce;
pub mod reduce_integers;
pub mod reshape;
pub mod resize;
pub mod resize_bilinear_integers;
pub mod resize_nearest_neighbor;
pub mod reverse;
mod row_integers;
pub mod scaled_sum;
pub mod select;
pub mod shape;
pub mod softmax;
pub mod softmax_integers;
pub mod space_to_batch;
pub mod split;
pub mod strided_slice;
pub mod sum_integers;
pub mod svdf_integers;
pub mod transpose;
pub mod transpose_conv;
pub mod transpose_conv_int16;
pub mod transpose_conv_integers;
pub mod unary;
mod windows;

use crate::error::Unsupported;
use crate::ir::DType;
use crate::op::{Def, Parsed};
use crate::tflite::NodeView;
use crate::unsupported;

/// Every operator that the delegate knows.
pub static ALL: &[&[Def]] = &[
    arg_max::DEFS,
    average_pool_integers::DEFS,
    batch_matmul::DEFS,
    batch_matmul_int16::DEFS,
    batch_matmul_integers::DEFS,
    binary::DEFS,
    broadcast_to::DEFS,
    cast::DEFS,
    comparison::DEFS,
    concatenation::DEFS,
    concatenation_integers::DEFS,
    conv_2d::DEFS,
    conv_2d_integers::DEFS,
    conv_2d_wide_integers::DEFS,
    densify::DEFS,
    depth_to_space::DEFS,
    depthwise_conv_2d::DEFS,
    depthwise_conv_2d_integers::DEFS,
    dequantize::DEFS,
    fill::DEFS,
    fully_connected::DEFS,
    fully_connected_int16::DEFS,
    fully_connected_integers::DEFS,
    gather::DEFS,
    gather_nd::DEFS,
    l2_normalization::DEFS,
    l2_normalization_integers::DEFS,
    logical::DEFS,
    lookup::DEFS,
    lstm_integers::DEFS,
    one_hot::DEFS,
    pack::DEFS,
    pad::DEFS,
    pool_2d::DEFS,
    product_integers::DEFS,
    quantize::DEFS,
    quantized_binary::DEFS,
    reduce::DEFS,
    reduce_integers::DEFS,
    reshape::DEFS,
    resize::DEFS,
    resize_bilinear_integers::DEFS,
    select::DEFS,
    resize_nearest_neighbor::DEFS,
    reverse::DEFS,
    shape::DEFS,
    softmax::DEFS,
    softmax_integers::DEFS,
    space_to_batch::DEFS,
    split::DEFS,
    strided_slice::DEFS,
    sum_integers::DEFS,
    svdf_integers::DEFS,
    transpose::DEFS,
    transpose_conv::DEFS,
    transpose_conv_int16::DEFS,
    transpose_conv_integers::DEFS,
    unary::DEFS,
];

/// Builds the operator of a node, or says why it stays on the CPU.
pub fn parse(node: &NodeView<'_>) -> Result<Parsed, Unsupported> {
    let known = |def: &&Def| match def.builtin {
        Some(code) => code == node.builtin(),
        None => node.custom_name() == Some(def.name),
    };
    let defs: Vec<&Def> = ALL.iter().copied().flatten().filter(known).collect();
    let Some(typed_by) = defs.first().map(|def| def.typed_by) else {
        unsupported!("{} is not among the supported operators", node.name());
    };
    let dtype = node.input_type(typed_by)?.dtype;
    let taken = |def: &&Def| def.takes.iter().find(|(taken, _)| *taken == dtype).map(|(_, version)| *version);
    let Some((def, version)) = defs.iter().find_map(|def| Some((def, taken(def)?))) else {
        unsupported!("input {typed_by} is {dtype}, {} is supported", listed(&defs));
    };
    if node.version() > version {
        unsupported!("{} version {} of {dtype} ({version} at most)", def.name, node.version());
    }
    let parsed = (def.parse)(node)?;
    check_results(node, results(&parsed, dtype))?;
    Ok(parsed)
}

/// Whether the host's kernel will give a result another element type than the model does: it does so while it
/// prepares, after nodes were chosen.
pub fn changes_type(node: &NodeView<'_>) -> bool {
    let of_builtin = |def: &&Def| def.builtin == Some(node.builtin());
    let gives = |def: &Def| {
        let dtype = node.input_type(def.typed_by).ok()?.dtype;
        let taken = def.takes.iter().any(|(taken, _)| *taken == dtype);
        if taken { results(&(def.parse)(node).ok()?, dtype) } else { None }
    };
    let Some(gives) = ALL.iter().copied().flatten().filter(of_builtin).find_map(gives) else { return false };
    (0..node.output_count()).any(|i| node.output_type(i).is_ok_and(|ty| ty.dtype != gives))
}

/// The element type of a node's results, whose operand that tells the node's type has type `dtype`; `None` for
/// floats of any width.
fn results(parsed: &Parsed, dtype: DType) -> Option<DType> {
    if parsed.op.fold().is_some() { None } else { Some(parsed.results.unwrap_or(dtype)) }
}

/// The element types of an operator's table entries, for people.
fn listed(defs: &[&Def]) -> String {
    let takes = defs.iter().flat_map(|def| def.takes);
    takes.map(|(dtype, _)| dtype.to_string()).collect::<Vec<_>>().join(" or ")
}

/// Requires that every result is of type `dtype` (`None`: floats of any width), and another tensor than the
/// operands and than the other results.
fn check_results(node: &NodeView<'_>, dtype: Option<DType>) -> Result<(), Unsupported> {
    let (read, written) = (node.input_tensors(), node.output_tensors());
    for (i, tensor) in written.iter().enumerate() {
        let got = node.output_type(i)?.dtype;
        if dtype.map_or(!matches!(got, DType::F32 | DType::F16), |dtype| dtype != got) {
            unsupported!("output {i} is {got}, {} expected", dtype.unwrap_or(DType::F32));
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
