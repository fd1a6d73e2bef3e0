//! Which parameter struct belongs to which operators.

use super::sys;

/// A parameter struct of builtin operators.
///
/// # Safety
/// Every host from 2.14 on keeps a `Self`, or something larger that begins like it, in
/// `builtin_data` of the operators `CODES`, unless it is NULL, if it knows their version `SINCE`.
pub unsafe trait BuiltinParams {
    /// The builtin codes of the operators.
    const CODES: &'static [u32];
    /// The version of the operators from which on nodes have it.
    const SINCE: i32;
}

macro_rules! params {
    ($since:literal: $($params:ident: $($code:ident)+;)*) => {$(
        // SAFETY: TFLite's flatbuffer conversions (`ParseOpData`) give these operators this struct.
        unsafe impl BuiltinParams for sys::$params {
            const CODES: &'static [u32] = &[$(sys::$code),+];
            const SINCE: i32 = $since;
        }
    )*};
}

params! {
    1:
    TfLiteAddParams: kTfLiteBuiltinAdd;
    TfLiteArgMaxParams: kTfLiteBuiltinArgMax;
    TfLiteArgMinParams: kTfLiteBuiltinArgMin;
    TfLiteBatchMatMulParams: kTfLiteBuiltinBatchMatmul;
    TfLiteCastParams: kTfLiteBuiltinCast;
    TfLiteConcatenationParams: kTfLiteBuiltinConcatenation;
    TfLiteConvParams: kTfLiteBuiltinConv2d;
    TfLiteCumsumParams: kTfLiteBuiltinCumsum;
    TfLiteDepthToSpaceParams: kTfLiteBuiltinDepthToSpace;
    TfLiteDepthwiseConvParams: kTfLiteBuiltinDepthwiseConv2d;
    TfLiteDivParams: kTfLiteBuiltinDiv;
    TfLiteFullyConnectedParams: kTfLiteBuiltinFullyConnected;
    TfLiteGatherParams: kTfLiteBuiltinGather;
    TfLiteGeluParams: kTfLiteBuiltinGelu;
    TfLiteL2NormParams: kTfLiteBuiltinL2Normalization;
    TfLiteLeakyReluParams: kTfLiteBuiltinLeakyRelu;
    TfLiteLocalResponseNormParams: kTfLiteBuiltinLocalResponseNormalization;
    TfLiteLSTMParams: kTfLiteBuiltinLstm;
    TfLiteMirrorPaddingParams: kTfLiteBuiltinMirrorPad;
    TfLiteMulParams: kTfLiteBuiltinMul;
    TfLiteOneHotParams: kTfLiteBuiltinOneHot;
    TfLitePackParams: kTfLiteBuiltinPack;
    TfLitePoolParams: kTfLiteBuiltinAveragePool2d kTfLiteBuiltinMaxPool2d kTfLiteBuiltinL2Pool2d;
    TfLiteReducerParams: kTfLiteBuiltinMean kTfLiteBuiltinSum kTfLiteBuiltinReduceProd kTfLiteBuiltinReduceMax
        kTfLiteBuiltinReduceMin kTfLiteBuiltinReduceAny kTfLiteBuiltinReduceAll;
    TfLiteReshapeParams: kTfLiteBuiltinReshape;
    TfLiteResizeBilinearParams: kTfLiteBuiltinResizeBilinear;
    TfLiteResizeNearestNeighborParams: kTfLiteBuiltinResizeNearestNeighbor;
    TfLiteShapeParams: kTfLiteBuiltinShape;
    TfLiteSoftmaxParams: kTfLiteBuiltinSoftmax;
    TfLiteSpaceToDepthParams: kTfLiteBuiltinSpaceToDepth;
    TfLiteSplitParams: kTfLiteBuiltinSplit;
    TfLiteSplitVParams: kTfLiteBuiltinSplitV;
    TfLiteSqueezeParams: kTfLiteBuiltinSqueeze;
    TfLiteStridedSliceParams: kTfLiteBuiltinStridedSlice;
    TfLiteSubParams: kTfLiteBuiltinSub;
    TfLiteSVDFParams: kTfLiteBuiltinSvdf;
    TfLiteTransposeConvParams: kTfLiteBuiltinTransposeConv;
    TfLiteUnidirectionalSequenceLSTMParams: kTfLiteBuiltinUnidirectionalSequenceLstm;
    TfLiteUnpackParams: kTfLiteBuiltinUnpack;
}

params! { 5: TfLiteTransposeConvParamsVersion5: kTfLiteBuiltinTransposeConv; }
params! { 8: TfLiteConvParamsVersion8: kTfLiteBuiltinConv2d; }
params! { 11: TfLiteFullyConnectedParamsVersion11: kTfLiteBuiltinFullyConnected; }
