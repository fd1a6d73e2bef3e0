//! What nodes usually look like: most operators refuse tensors that do not belong together.

use tflite_vulkan::tflite::sys;

/// The operands of an operator: each a sign for what it is, then its dimensions: letters for sizes, equal ones for
/// equal letters, or digits. Signs are `=` for constant weights, `+` for a constant bias, `#` for constant int32
/// numbers, `i` for int32 indices, `?` for booleans; a computed tensor has none.
pub type Form = &'static [&'static str];

/// The usual form of a builtin operator.
pub fn of(code: u32) -> Form {
    match code {
        sys::kTfLiteBuiltinConv2d => &["nhwc", "=oklc", "+o"],
        sys::kTfLiteBuiltinDepthwiseConv2d => &["nhwc", "=1klc", "+c"],
        sys::kTfLiteBuiltinTransposeConv => &["#4", "=oklc", "nhwc", "+o"],
        sys::kTfLiteBuiltinFullyConnected => &["nc", "=oc", "+o"],
        sys::kTfLiteBuiltinBatchMatmul => &["nhc", "nco"],
        sys::kTfLiteBuiltinAveragePool2d
        | sys::kTfLiteBuiltinMaxPool2d
        | sys::kTfLiteBuiltinDepthToSpace
        | sys::kTfLiteBuiltinSpaceToDepth => &["nhwc"],
        sys::kTfLiteBuiltinResizeBilinear | sys::kTfLiteBuiltinResizeNearestNeighbor => &["nhwc", "#2"],
        sys::kTfLiteBuiltinSpaceToBatchNd | sys::kTfLiteBuiltinBatchToSpaceNd => &["nhwc", "#2", "#22"],
        sys::kTfLiteBuiltinPad | sys::kTfLiteBuiltinMirrorPad => &["nhc", "#32"],
        sys::kTfLiteBuiltinSplit => &["#", "nhc"],
        sys::kTfLiteBuiltinSplitV => &["nhc", "#2", "#"],
        sys::kTfLiteBuiltinStridedSlice => &["nhc", "#3", "#3", "#3"],
        sys::kTfLiteBuiltinSlice => &["nhc", "#3", "#3"],
        sys::kTfLiteBuiltinTranspose | sys::kTfLiteBuiltinTile | sys::kTfLiteBuiltinBroadcastTo => {
            &["nhc", "#3"]
        }
        sys::kTfLiteBuiltinMean
        | sys::kTfLiteBuiltinSum
        | sys::kTfLiteBuiltinReduceProd
        | sys::kTfLiteBuiltinReduceMax
        | sys::kTfLiteBuiltinReduceMin
        | sys::kTfLiteBuiltinReverseV2 => &["nhc", "#1"],
        sys::kTfLiteBuiltinArgMax | sys::kTfLiteBuiltinArgMin | sys::kTfLiteBuiltinExpandDims => {
            &["nhc", "#"]
        }
        sys::kTfLiteBuiltinGather => &["nhc", "ih"],
        sys::kTfLiteBuiltinGatherNd => &["nhc", "ik2"],
        sys::kTfLiteBuiltinOneHot => &["inh", "#", "=", "="],
        sys::kTfLiteBuiltinSelect | sys::kTfLiteBuiltinSelectV2 => &["?nhc", "nhc", "nhc"],
        sys::kTfLiteBuiltinPrelu => &["nhc", "=c"],
        sys::kTfLiteBuiltinAdd
        | sys::kTfLiteBuiltinSub
        | sys::kTfLiteBuiltinMul
        | sys::kTfLiteBuiltinDiv
        | sys::kTfLiteBuiltinMaximum
        | sys::kTfLiteBuiltinMinimum
        | sys::kTfLiteBuiltinSquaredDifference
        | sys::kTfLiteBuiltinEqual
        | sys::kTfLiteBuiltinNotEqual
        | sys::kTfLiteBuiltinGreater
        | sys::kTfLiteBuiltinGreaterEqual
        | sys::kTfLiteBuiltinLess
        | sys::kTfLiteBuiltinLessEqual
        | sys::kTfLiteBuiltinConcatenation
        | sys::kTfLiteBuiltinPack => &["nhc", "nhc"],
        _ => &["nhc"],
    }
}
