/*
 * What a delegate sees of TensorFlow Lite: the C structures and codes of its binary interface.
 *
 * Hosts from TensorFlow Lite 2.14 to LiteRT 2.x share this layout; newer ones only append, to the
 * structures and to the codes. Structures that a delegate makes are declared in their newest size.
 * Of those that a host makes, the fields that 2.14 lacks are left out, as reading them there is
 * out of bounds. Codes are plain integers: a host may pass values that are not listed.
 *
 * Function pointers, ownership and lifetimes are described where src/tflite.rs and src/delegate.rs
 * use them.
 */
#ifndef TFLITE_ABI_H
#define TFLITE_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Codes ---- */

/* Result of every callback. */
typedef uint32_t TfLiteStatus;
static const TfLiteStatus kTfLiteOk = 0;
static const TfLiteStatus kTfLiteError = 1;
static const TfLiteStatus kTfLiteDelegateError = 2;
static const TfLiteStatus kTfLiteApplicationError = 3;
static const TfLiteStatus kTfLiteUnresolvedOps = 7;
static const TfLiteStatus kTfLiteCancelled = 8;

/* Element type of a tensor. */
typedef uint32_t TfLiteType;
static const TfLiteType kTfLiteNoType = 0;
static const TfLiteType kTfLiteFloat32 = 1;
static const TfLiteType kTfLiteInt32 = 2;
static const TfLiteType kTfLiteUInt8 = 3;
static const TfLiteType kTfLiteInt64 = 4;
static const TfLiteType kTfLiteString = 5;
static const TfLiteType kTfLiteBool = 6;
static const TfLiteType kTfLiteInt16 = 7;
static const TfLiteType kTfLiteComplex64 = 8;
static const TfLiteType kTfLiteInt8 = 9;
static const TfLiteType kTfLiteFloat16 = 10;
static const TfLiteType kTfLiteFloat64 = 11;
static const TfLiteType kTfLiteComplex128 = 12;
static const TfLiteType kTfLiteUInt64 = 13;
static const TfLiteType kTfLiteResource = 14;
static const TfLiteType kTfLiteVariant = 15;
static const TfLiteType kTfLiteUInt32 = 16;
static const TfLiteType kTfLiteUInt16 = 17;
static const TfLiteType kTfLiteInt4 = 18;
static const TfLiteType kTfLiteBFloat16 = 19;
static const TfLiteType kTfLiteInt2 = 20;

/* Where the bytes of a tensor live. */
typedef uint32_t TfLiteAllocationType;
static const TfLiteAllocationType kTfLiteMemNone = 0;
static const TfLiteAllocationType kTfLiteMmapRo = 1; /* a constant of the model */
static const TfLiteAllocationType kTfLiteArenaRw = 2;
static const TfLiteAllocationType kTfLiteArenaRwPersistent = 3;
static const TfLiteAllocationType kTfLiteDynamic = 4; /* allocated while the graph runs */
static const TfLiteAllocationType kTfLitePersistentRo = 5; /* computed by some node's prepare, constant from then on */
static const TfLiteAllocationType kTfLiteCustom = 6; /* memory of the application */
static const TfLiteAllocationType kTfLiteVariantObject = 7;
static const TfLiteAllocationType kTfLiteNonCpu = 8;

/* What TfLiteQuantization.params points to. */
typedef uint32_t TfLiteQuantizationType;
static const TfLiteQuantizationType kTfLiteNoQuantization = 0;
static const TfLiteQuantizationType kTfLiteAffineQuantization = 1; /* TfLiteAffineQuantization */
static const TfLiteQuantizationType kTfLiteBlockwiseQuantization = 2;
static const TfLiteQuantizationType kTfLiteMultiAxisQuantization = 3;

/* How a dimension of a sparse tensor is stored. */
typedef uint32_t TfLiteDimensionType;
static const TfLiteDimensionType kTfLiteDimDense = 0;
static const TfLiteDimensionType kTfLiteDimSparseCSR = 1;

typedef uint32_t TfLitePadding;
static const TfLitePadding kTfLitePaddingUnknown = 0;
static const TfLitePadding kTfLitePaddingSame = 1;
static const TfLitePadding kTfLitePaddingValid = 2;

typedef uint32_t TfLiteMirrorPaddingMode;
static const TfLiteMirrorPaddingMode kTfLiteMirrorPaddingUnknown = 0;
static const TfLiteMirrorPaddingMode kTfLiteMirrorPaddingReflect = 1;
static const TfLiteMirrorPaddingMode kTfLiteMirrorPaddingSymmetric = 2;

/* Applied to a node's result. */
typedef uint32_t TfLiteFusedActivation;
static const TfLiteFusedActivation kTfLiteActNone = 0;
static const TfLiteFusedActivation kTfLiteActRelu = 1;
static const TfLiteFusedActivation kTfLiteActReluN1To1 = 2; /* clamped to [-1, 1] */
static const TfLiteFusedActivation kTfLiteActRelu6 = 3; /* clamped to [0, 6] */
static const TfLiteFusedActivation kTfLiteActTanh = 4;
static const TfLiteFusedActivation kTfLiteActSignBit = 5;
static const TfLiteFusedActivation kTfLiteActSigmoid = 6;

typedef uint32_t TfLiteFullyConnectedWeightsFormat;
static const TfLiteFullyConnectedWeightsFormat kTfLiteFullyConnectedWeightsFormatDefault = 0;
static const TfLiteFullyConnectedWeightsFormat kTfLiteFullyConnectedWeightsFormatShuffled4x16Int8 = 1;

/* Bits of TfLiteDelegate.flags. */
static const int64_t kTfLiteDelegateFlagsNone = 0;
static const int64_t kTfLiteDelegateFlagsAllowDynamicTensors = 1;
static const int64_t kTfLiteDelegateFlagsRequirePropagatedShapes = 2;
static const int64_t kTfLiteDelegateFlagsPerOperatorProfiling = 4;
static const int64_t kTfLiteDelegateFlagsHintFullyDelegatedToSingleDelegate = 8;

static const int kTfLiteNullBufferHandle = -1;
static const int kTfLiteOptionalTensor = -1; /* in a node's inputs: left out */

/* TfLiteRegistration.builtin_code: the operators of the schema. */
typedef uint32_t TfLiteBuiltinOperator;
static const TfLiteBuiltinOperator kTfLiteBuiltinAdd = 0;
static const TfLiteBuiltinOperator kTfLiteBuiltinAveragePool2d = 1;
static const TfLiteBuiltinOperator kTfLiteBuiltinConcatenation = 2;
static const TfLiteBuiltinOperator kTfLiteBuiltinConv2d = 3;
static const TfLiteBuiltinOperator kTfLiteBuiltinDepthwiseConv2d = 4;
static const TfLiteBuiltinOperator kTfLiteBuiltinDepthToSpace = 5;
static const TfLiteBuiltinOperator kTfLiteBuiltinDequantize = 6;
static const TfLiteBuiltinOperator kTfLiteBuiltinEmbeddingLookup = 7;
static const TfLiteBuiltinOperator kTfLiteBuiltinFloor = 8;
static const TfLiteBuiltinOperator kTfLiteBuiltinFullyConnected = 9;
static const TfLiteBuiltinOperator kTfLiteBuiltinHashtableLookup = 10;
static const TfLiteBuiltinOperator kTfLiteBuiltinL2Normalization = 11;
static const TfLiteBuiltinOperator kTfLiteBuiltinL2Pool2d = 12;
static const TfLiteBuiltinOperator kTfLiteBuiltinLocalResponseNormalization = 13;
static const TfLiteBuiltinOperator kTfLiteBuiltinLogistic = 14;
static const TfLiteBuiltinOperator kTfLiteBuiltinLshProjection = 15;
static const TfLiteBuiltinOperator kTfLiteBuiltinLstm = 16;
static const TfLiteBuiltinOperator kTfLiteBuiltinMaxPool2d = 17;
static const TfLiteBuiltinOperator kTfLiteBuiltinMul = 18;
static const TfLiteBuiltinOperator kTfLiteBuiltinRelu = 19;
static const TfLiteBuiltinOperator kTfLiteBuiltinReluN1To1 = 20;
static const TfLiteBuiltinOperator kTfLiteBuiltinRelu6 = 21;
static const TfLiteBuiltinOperator kTfLiteBuiltinReshape = 22;
static const TfLiteBuiltinOperator kTfLiteBuiltinResizeBilinear = 23;
static const TfLiteBuiltinOperator kTfLiteBuiltinRnn = 24;
static const TfLiteBuiltinOperator kTfLiteBuiltinSoftmax = 25;
static const TfLiteBuiltinOperator kTfLiteBuiltinSpaceToDepth = 26;
static const TfLiteBuiltinOperator kTfLiteBuiltinSvdf = 27;
static const TfLiteBuiltinOperator kTfLiteBuiltinTanh = 28;
static const TfLiteBuiltinOperator kTfLiteBuiltinConcatEmbeddings = 29;
static const TfLiteBuiltinOperator kTfLiteBuiltinSkipGram = 30;
static const TfLiteBuiltinOperator kTfLiteBuiltinCall = 31;
static const TfLiteBuiltinOperator kTfLiteBuiltinCustom = 32;
static const TfLiteBuiltinOperator kTfLiteBuiltinEmbeddingLookupSparse = 33;
static const TfLiteBuiltinOperator kTfLiteBuiltinPad = 34;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnidirectionalSequenceRnn = 35;
static const TfLiteBuiltinOperator kTfLiteBuiltinGather = 36;
static const TfLiteBuiltinOperator kTfLiteBuiltinBatchToSpaceNd = 37;
static const TfLiteBuiltinOperator kTfLiteBuiltinSpaceToBatchNd = 38;
static const TfLiteBuiltinOperator kTfLiteBuiltinTranspose = 39;
static const TfLiteBuiltinOperator kTfLiteBuiltinMean = 40;
static const TfLiteBuiltinOperator kTfLiteBuiltinSub = 41;
static const TfLiteBuiltinOperator kTfLiteBuiltinDiv = 42;
static const TfLiteBuiltinOperator kTfLiteBuiltinSqueeze = 43;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnidirectionalSequenceLstm = 44;
static const TfLiteBuiltinOperator kTfLiteBuiltinStridedSlice = 45;
static const TfLiteBuiltinOperator kTfLiteBuiltinBidirectionalSequenceRnn = 46;
static const TfLiteBuiltinOperator kTfLiteBuiltinExp = 47;
static const TfLiteBuiltinOperator kTfLiteBuiltinTopkV2 = 48;
static const TfLiteBuiltinOperator kTfLiteBuiltinSplit = 49;
static const TfLiteBuiltinOperator kTfLiteBuiltinLogSoftmax = 50;
static const TfLiteBuiltinOperator kTfLiteBuiltinDelegate = 51;
static const TfLiteBuiltinOperator kTfLiteBuiltinBidirectionalSequenceLstm = 52;
static const TfLiteBuiltinOperator kTfLiteBuiltinCast = 53;
static const TfLiteBuiltinOperator kTfLiteBuiltinPrelu = 54;
static const TfLiteBuiltinOperator kTfLiteBuiltinMaximum = 55;
static const TfLiteBuiltinOperator kTfLiteBuiltinArgMax = 56;
static const TfLiteBuiltinOperator kTfLiteBuiltinMinimum = 57;
static const TfLiteBuiltinOperator kTfLiteBuiltinLess = 58;
static const TfLiteBuiltinOperator kTfLiteBuiltinNeg = 59;
static const TfLiteBuiltinOperator kTfLiteBuiltinPadv2 = 60;
static const TfLiteBuiltinOperator kTfLiteBuiltinGreater = 61;
static const TfLiteBuiltinOperator kTfLiteBuiltinGreaterEqual = 62;
static const TfLiteBuiltinOperator kTfLiteBuiltinLessEqual = 63;
static const TfLiteBuiltinOperator kTfLiteBuiltinSelect = 64;
static const TfLiteBuiltinOperator kTfLiteBuiltinSlice = 65;
static const TfLiteBuiltinOperator kTfLiteBuiltinSin = 66;
static const TfLiteBuiltinOperator kTfLiteBuiltinTransposeConv = 67;
static const TfLiteBuiltinOperator kTfLiteBuiltinSparseToDense = 68;
static const TfLiteBuiltinOperator kTfLiteBuiltinTile = 69;
static const TfLiteBuiltinOperator kTfLiteBuiltinExpandDims = 70;
static const TfLiteBuiltinOperator kTfLiteBuiltinEqual = 71;
static const TfLiteBuiltinOperator kTfLiteBuiltinNotEqual = 72;
static const TfLiteBuiltinOperator kTfLiteBuiltinLog = 73;
static const TfLiteBuiltinOperator kTfLiteBuiltinSum = 74;
static const TfLiteBuiltinOperator kTfLiteBuiltinSqrt = 75;
static const TfLiteBuiltinOperator kTfLiteBuiltinRsqrt = 76;
static const TfLiteBuiltinOperator kTfLiteBuiltinShape = 77;
static const TfLiteBuiltinOperator kTfLiteBuiltinPow = 78;
static const TfLiteBuiltinOperator kTfLiteBuiltinArgMin = 79;
static const TfLiteBuiltinOperator kTfLiteBuiltinFakeQuant = 80;
static const TfLiteBuiltinOperator kTfLiteBuiltinReduceProd = 81;
static const TfLiteBuiltinOperator kTfLiteBuiltinReduceMax = 82;
static const TfLiteBuiltinOperator kTfLiteBuiltinPack = 83;
static const TfLiteBuiltinOperator kTfLiteBuiltinLogicalOr = 84;
static const TfLiteBuiltinOperator kTfLiteBuiltinOneHot = 85;
static const TfLiteBuiltinOperator kTfLiteBuiltinLogicalAnd = 86;
static const TfLiteBuiltinOperator kTfLiteBuiltinLogicalNot = 87;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnpack = 88;
static const TfLiteBuiltinOperator kTfLiteBuiltinReduceMin = 89;
static const TfLiteBuiltinOperator kTfLiteBuiltinFloorDiv = 90;
static const TfLiteBuiltinOperator kTfLiteBuiltinReduceAny = 91;
static const TfLiteBuiltinOperator kTfLiteBuiltinSquare = 92;
static const TfLiteBuiltinOperator kTfLiteBuiltinZerosLike = 93;
static const TfLiteBuiltinOperator kTfLiteBuiltinFill = 94;
static const TfLiteBuiltinOperator kTfLiteBuiltinFloorMod = 95;
static const TfLiteBuiltinOperator kTfLiteBuiltinRange = 96;
static const TfLiteBuiltinOperator kTfLiteBuiltinResizeNearestNeighbor = 97;
static const TfLiteBuiltinOperator kTfLiteBuiltinLeakyRelu = 98;
static const TfLiteBuiltinOperator kTfLiteBuiltinSquaredDifference = 99;
static const TfLiteBuiltinOperator kTfLiteBuiltinMirrorPad = 100;
static const TfLiteBuiltinOperator kTfLiteBuiltinAbs = 101;
static const TfLiteBuiltinOperator kTfLiteBuiltinSplitV = 102;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnique = 103;
static const TfLiteBuiltinOperator kTfLiteBuiltinCeil = 104;
static const TfLiteBuiltinOperator kTfLiteBuiltinReverseV2 = 105;
static const TfLiteBuiltinOperator kTfLiteBuiltinAddN = 106;
static const TfLiteBuiltinOperator kTfLiteBuiltinGatherNd = 107;
static const TfLiteBuiltinOperator kTfLiteBuiltinCos = 108;
static const TfLiteBuiltinOperator kTfLiteBuiltinWhere = 109;
static const TfLiteBuiltinOperator kTfLiteBuiltinRank = 110;
static const TfLiteBuiltinOperator kTfLiteBuiltinElu = 111;
static const TfLiteBuiltinOperator kTfLiteBuiltinReverseSequence = 112;
static const TfLiteBuiltinOperator kTfLiteBuiltinMatrixDiag = 113;
static const TfLiteBuiltinOperator kTfLiteBuiltinQuantize = 114;
static const TfLiteBuiltinOperator kTfLiteBuiltinMatrixSetDiag = 115;
static const TfLiteBuiltinOperator kTfLiteBuiltinRound = 116;
static const TfLiteBuiltinOperator kTfLiteBuiltinHardSwish = 117;
static const TfLiteBuiltinOperator kTfLiteBuiltinIf = 118;
static const TfLiteBuiltinOperator kTfLiteBuiltinWhile = 119;
static const TfLiteBuiltinOperator kTfLiteBuiltinNonMaxSuppressionV4 = 120;
static const TfLiteBuiltinOperator kTfLiteBuiltinNonMaxSuppressionV5 = 121;
static const TfLiteBuiltinOperator kTfLiteBuiltinScatterNd = 122;
static const TfLiteBuiltinOperator kTfLiteBuiltinSelectV2 = 123;
static const TfLiteBuiltinOperator kTfLiteBuiltinDensify = 124;
static const TfLiteBuiltinOperator kTfLiteBuiltinSegmentSum = 125;
static const TfLiteBuiltinOperator kTfLiteBuiltinBatchMatmul = 126;
static const TfLiteBuiltinOperator kTfLiteBuiltinPlaceholderForGreaterOpCodes = 127;
static const TfLiteBuiltinOperator kTfLiteBuiltinCumsum = 128;
static const TfLiteBuiltinOperator kTfLiteBuiltinCallOnce = 129;
static const TfLiteBuiltinOperator kTfLiteBuiltinBroadcastTo = 130;
static const TfLiteBuiltinOperator kTfLiteBuiltinRfft2d = 131;
static const TfLiteBuiltinOperator kTfLiteBuiltinConv3d = 132;
static const TfLiteBuiltinOperator kTfLiteBuiltinImag = 133;
static const TfLiteBuiltinOperator kTfLiteBuiltinReal = 134;
static const TfLiteBuiltinOperator kTfLiteBuiltinComplexAbs = 135;
static const TfLiteBuiltinOperator kTfLiteBuiltinHashtable = 136;
static const TfLiteBuiltinOperator kTfLiteBuiltinHashtableFind = 137;
static const TfLiteBuiltinOperator kTfLiteBuiltinHashtableImport = 138;
static const TfLiteBuiltinOperator kTfLiteBuiltinHashtableSize = 139;
static const TfLiteBuiltinOperator kTfLiteBuiltinReduceAll = 140;
static const TfLiteBuiltinOperator kTfLiteBuiltinConv3dTranspose = 141;
static const TfLiteBuiltinOperator kTfLiteBuiltinVarHandle = 142;
static const TfLiteBuiltinOperator kTfLiteBuiltinReadVariable = 143;
static const TfLiteBuiltinOperator kTfLiteBuiltinAssignVariable = 144;
static const TfLiteBuiltinOperator kTfLiteBuiltinBroadcastArgs = 145;
static const TfLiteBuiltinOperator kTfLiteBuiltinRandomStandardNormal = 146;
static const TfLiteBuiltinOperator kTfLiteBuiltinBucketize = 147;
static const TfLiteBuiltinOperator kTfLiteBuiltinRandomUniform = 148;
static const TfLiteBuiltinOperator kTfLiteBuiltinMultinomial = 149;
static const TfLiteBuiltinOperator kTfLiteBuiltinGelu = 150;
static const TfLiteBuiltinOperator kTfLiteBuiltinDynamicUpdateSlice = 151;
static const TfLiteBuiltinOperator kTfLiteBuiltinRelu0To1 = 152;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnsortedSegmentProd = 153;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnsortedSegmentMax = 154;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnsortedSegmentSum = 155;
static const TfLiteBuiltinOperator kTfLiteBuiltinAtan2 = 156;
static const TfLiteBuiltinOperator kTfLiteBuiltinUnsortedSegmentMin = 157;
static const TfLiteBuiltinOperator kTfLiteBuiltinSign = 158;
static const TfLiteBuiltinOperator kTfLiteBuiltinBitcast = 159;
static const TfLiteBuiltinOperator kTfLiteBuiltinBitwiseXor = 160;
static const TfLiteBuiltinOperator kTfLiteBuiltinRightShift = 161;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloLogistic = 162;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloAdd = 163;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloDivide = 164;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloMultiply = 165;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloMaximum = 166;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloReshape = 167;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloClamp = 168;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloConcatenate = 169;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloBroadcastInDim = 170;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloConvolution = 171;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloSlice = 172;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloCustomCall = 173;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloReduce = 174;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloAbs = 175;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloAnd = 176;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloCosine = 177;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloExponential = 178;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloFloor = 179;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloLog = 180;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloMinimum = 181;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloNegate = 182;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloOr = 183;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloPower = 184;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloRemainder = 185;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloRsqrt = 186;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloSelect = 187;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloSubtract = 188;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloTanh = 189;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloScatter = 190;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloCompare = 191;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloConvert = 192;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloDynamicSlice = 193;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloDynamicUpdateSlice = 194;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloPad = 195;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloIota = 196;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloDotGeneral = 197;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloReduceWindow = 198;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloSort = 199;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloWhile = 200;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloGather = 201;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloTranspose = 202;
static const TfLiteBuiltinOperator kTfLiteBuiltinDilate = 203;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloRngBitGenerator = 204;
static const TfLiteBuiltinOperator kTfLiteBuiltinReduceWindow = 205;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloComposite = 206;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloShiftLeft = 207;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloCbrt = 208;
static const TfLiteBuiltinOperator kTfLiteBuiltinStablehloCase = 209;

/* ---- Arrays and quantisation ---- */

/* Made with malloc where the host takes ownership. */
typedef struct TfLiteIntArray {
    int size;
    int data[];
} TfLiteIntArray;

typedef struct TfLiteFloatArray {
    int size;
    float data[];
} TfLiteFloatArray;

/*
 * What TfLiteFloatArray becomes after LiteRT 2.3. A quantised tensor has as many scales as zero
 * points: a TfLiteFloatArray whose size is another one is one of these.
 */
typedef struct TfLiteFloatArrayIndirect {
    float* data;
    int size;
    bool owning;
} TfLiteFloatArrayIndirect;

/* Of the whole tensor; older than TfLiteQuantization, and still filled in. scale is 0 without quantisation. */
typedef struct TfLiteQuantizationParams {
    float scale;
    int32_t zero_point;
} TfLiteQuantizationParams;

typedef struct TfLiteQuantization {
    TfLiteQuantizationType type;
    void* params;
} TfLiteQuantization;

/* real = scale[c] * (stored - zero_point[c]), c the index in quantized_dimension; one of each, or one per c. */
typedef struct TfLiteAffineQuantization {
    TfLiteFloatArray* scale;
    TfLiteIntArray* zero_point;
    int32_t quantized_dimension;
} TfLiteAffineQuantization;

/* ---- Tensors ---- */

typedef struct TfLiteDimensionMetadata {
    TfLiteDimensionType format;
    int dense_size;
    TfLiteIntArray* array_segments;
    TfLiteIntArray* array_indices;
} TfLiteDimensionMetadata;

typedef struct TfLiteSparsity {
    TfLiteIntArray* traversal_order;
    TfLiteIntArray* block_map;
    TfLiteDimensionMetadata* dim_metadata;
    int dim_metadata_size;
} TfLiteSparsity;

typedef int TfLiteBufferHandle;

typedef union TfLitePtrUnion {
    void* data;
    char* raw;
    float* f;
    int8_t* int8;
    uint8_t* uint8;
    int32_t* i32;
} TfLitePtrUnion;

typedef struct TfLiteTensor {
    TfLiteType type;
    TfLitePtrUnion data;
    TfLiteIntArray* dims;
    TfLiteQuantizationParams params;
    TfLiteAllocationType allocation_type;
    size_t bytes;
    const void* allocation;
    const char* name;
    struct TfLiteDelegate* delegate;
    TfLiteBufferHandle buffer_handle;
    bool data_is_stale;
    bool is_variable;
    TfLiteQuantization quantization;
    TfLiteSparsity* sparsity; /* NULL if dense */
    const TfLiteIntArray* dims_signature; /* -1 where the model leaves a size open; may be NULL or empty */
} TfLiteTensor;

/* ---- Graph ---- */

typedef struct TfLiteNode {
    TfLiteIntArray* inputs; /* indices of tensors */
    TfLiteIntArray* outputs;
    TfLiteIntArray* intermediates;
    TfLiteIntArray* temporaries;
    void* user_data; /* what TfLiteRegistration.init returned */
    void* builtin_data; /* one of the parameter structures below; may be NULL */
    const void* custom_initial_data;
    int custom_initial_data_size;
    struct TfLiteDelegate* delegate;
    bool might_have_side_effect;
} TfLiteNode;

/* A partition: given to TfLiteRegistration.init as its buffer. */
typedef struct TfLiteDelegateParams {
    struct TfLiteDelegate* delegate;
    TfLiteIntArray* nodes_to_replace;
    TfLiteIntArray* input_tensors; /* with the constants */
    TfLiteIntArray* output_tensors;
} TfLiteDelegateParams;

typedef struct TfLiteContext TfLiteContext;
typedef struct TfLiteDelegate TfLiteDelegate;

/* Passed by value to ReplaceNodeSubsetsWithDelegateKernels: its size is part of the interface. */
typedef struct TfLiteRegistration {
    void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
    void (*free)(TfLiteContext* context, void* user_data);
    TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
    TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
    const char* (*profiling_string)(const TfLiteContext* context, const TfLiteNode* node);
    int32_t builtin_code;
    const char* custom_name;
    int version;
    void* registration_external;
    void* (*async_kernel)(TfLiteContext* context, TfLiteNode* node);
    uint64_t inplace_operator;
} TfLiteRegistration;

struct TfLiteContext {
    size_t tensors_size;
    TfLiteStatus (*GetExecutionPlan)(TfLiteContext* context, TfLiteIntArray** plan);
    TfLiteTensor* tensors;
    void* impl_;
    TfLiteStatus (*ResizeTensor)(TfLiteContext* context, TfLiteTensor* tensor, TfLiteIntArray* owned_size);
    void (*ReportError)(TfLiteContext* context, const char* format, ...);
    TfLiteStatus (*AddTensors)(TfLiteContext* context, int count, int* first_index);
    TfLiteStatus (*GetNodeAndRegistration)(
        TfLiteContext* context, int node_index, TfLiteNode** node, TfLiteRegistration** registration);
    TfLiteStatus (*ReplaceNodeSubsetsWithDelegateKernels)(
        TfLiteContext* context, TfLiteRegistration registration, const TfLiteIntArray* nodes_to_replace,
        TfLiteDelegate* delegate);
    int recommended_num_threads;
    void* (*GetExternalContext)(TfLiteContext* context, int32_t kind);
    void (*SetExternalContext)(TfLiteContext* context, int32_t kind, void* external);
    bool allow_fp32_relax_to_fp16;
    void* profiler;
    void* (*AllocatePersistentBuffer)(TfLiteContext* context, size_t bytes);
    TfLiteStatus (*AllocateBufferForEval)(TfLiteContext* context, size_t bytes, void** pointer);
    TfLiteStatus (*RequestScratchBufferInArena)(TfLiteContext* context, size_t bytes, int* index);
    void* (*GetScratchBuffer)(TfLiteContext* context, int index);
    TfLiteStatus (*ResizeTensorExplicit)(TfLiteContext* context, TfLiteTensor* tensor, int rank, const int* shape);
    TfLiteStatus (*PreviewDelegatePartitioning)(
        TfLiteContext* context, const TfLiteIntArray* nodes_to_replace, TfLiteDelegateParams** partitions,
        int* partition_count);
    TfLiteTensor* (*GetTensor)(const TfLiteContext* context, int index);
    void* (*GetEvalTensor)(const TfLiteContext* context, int index);
    TfLiteStatus (*GetModelMetadata)(
        const TfLiteContext* context, const char* name, const char** pointer, size_t* bytes);
    TfLiteStatus (*AcquireSubgraphContext)(TfLiteContext* context, int subgraph_index, TfLiteContext** acquired);
    TfLiteStatus (*ReleaseSubgraphContext)(TfLiteContext* context, int subgraph_index);
};

struct TfLiteDelegate {
    void* data_;
    TfLiteStatus (*Prepare)(TfLiteContext* context, TfLiteDelegate* delegate);
    TfLiteStatus (*CopyFromBufferHandle)(
        TfLiteContext* context, TfLiteDelegate* delegate, TfLiteBufferHandle handle, TfLiteTensor* tensor);
    TfLiteStatus (*CopyToBufferHandle)(
        TfLiteContext* context, TfLiteDelegate* delegate, TfLiteBufferHandle handle, TfLiteTensor* tensor);
    void (*FreeBufferHandle)(TfLiteContext* context, TfLiteDelegate* delegate, TfLiteBufferHandle* handle);
    int64_t flags;
    void* opaque_delegate_builder; /* stays NULL */
};

/* ---- TfLiteNode.builtin_data, as 2.14 has it ---- */

typedef struct TfLiteLSTMParams {
    TfLiteFusedActivation activation;
    float cell_clip;
    float proj_clip;
    uint32_t kernel_type; /* 0 full, 1 basic */
    bool asymmetric_quantize_inputs;
} TfLiteLSTMParams;

typedef struct TfLiteUnidirectionalSequenceLSTMParams {
    TfLiteFusedActivation activation;
    float cell_clip;
    float proj_clip;
    bool time_major;
    bool asymmetric_quantize_inputs;
} TfLiteUnidirectionalSequenceLSTMParams;

typedef struct TfLiteSVDFParams {
    int rank;
    TfLiteFusedActivation activation;
    bool asymmetric_quantize_inputs;
} TfLiteSVDFParams;

typedef struct TfLiteConvParams {
    TfLitePadding padding;
    int stride_width;
    int stride_height;
    TfLiteFusedActivation activation;
    int dilation_width_factor;
    int dilation_height_factor;
} TfLiteConvParams;

typedef struct TfLiteDepthwiseConvParams {
    TfLitePadding padding;
    int stride_width;
    int stride_height;
    int depth_multiplier; /* unreliable: take the shapes */
    TfLiteFusedActivation activation;
    int dilation_width_factor;
    int dilation_height_factor;
} TfLiteDepthwiseConvParams;

typedef struct TfLiteTransposeConvParams {
    TfLitePadding padding;
    int stride_width;
    int stride_height;
    TfLiteFusedActivation activation;
} TfLiteTransposeConvParams;

typedef struct TfLitePaddingValues {
    int width;
    int height;
    int width_offset;
    int height_offset;
} TfLitePaddingValues;

typedef struct TfLitePoolParams {
    TfLitePadding padding;
    int stride_width;
    int stride_height;
    int filter_width;
    int filter_height;
    TfLiteFusedActivation activation;
    TfLitePaddingValues computed_padding; /* scratch of the CPU kernel */
} TfLitePoolParams;

typedef struct TfLiteFullyConnectedParams {
    TfLiteFusedActivation activation;
    TfLiteFullyConnectedWeightsFormat weights_format;
    bool keep_num_dims;
    bool asymmetric_quantize_inputs;
} TfLiteFullyConnectedParams;

/* What hosts that know version 8 of CONV_2D keep there. */
typedef struct TfLiteConvParamsVersion8 {
    TfLiteConvParams older;
    TfLiteType quantized_bias_type;
} TfLiteConvParamsVersion8;

/* What hosts that know version 11 of FULLY_CONNECTED keep there. */
typedef struct TfLiteFullyConnectedParamsVersion11 {
    TfLiteFullyConnectedParams older;
    TfLiteType quantized_bias_type;
} TfLiteFullyConnectedParamsVersion11;

/* What hosts that know version 5 of TRANSPOSE_CONV keep there. */
typedef struct TfLiteTransposeConvParamsVersion5 {
    TfLiteTransposeConvParams older;
    TfLiteType quantized_bias_type;
} TfLiteTransposeConvParamsVersion5;

typedef struct TfLiteBatchMatMulParams {
    bool adj_x;
    bool adj_y;
    bool asymmetric_quantize_inputs;
} TfLiteBatchMatMulParams;

typedef struct TfLiteAddParams {
    TfLiteFusedActivation activation;
    bool pot_scale_int16;
} TfLiteAddParams;

typedef struct TfLiteSubParams {
    TfLiteFusedActivation activation;
    bool pot_scale_int16;
} TfLiteSubParams;

typedef struct TfLiteMulParams {
    TfLiteFusedActivation activation;
} TfLiteMulParams;

typedef struct TfLiteDivParams {
    TfLiteFusedActivation activation;
} TfLiteDivParams;

typedef struct TfLiteL2NormParams {
    TfLiteFusedActivation activation;
} TfLiteL2NormParams;

typedef struct TfLiteLocalResponseNormParams {
    int radius;
    float bias;
    float alpha;
    float beta;
} TfLiteLocalResponseNormParams;

typedef struct TfLiteSoftmaxParams {
    float beta;
} TfLiteSoftmaxParams;

typedef struct TfLiteLeakyReluParams {
    float alpha;
} TfLiteLeakyReluParams;

typedef struct TfLiteGeluParams {
    bool approximate;
} TfLiteGeluParams;

typedef struct TfLiteConcatenationParams {
    int axis;
    TfLiteFusedActivation activation;
} TfLiteConcatenationParams;

typedef struct TfLiteResizeBilinearParams {
    bool align_corners;
    bool half_pixel_centers;
} TfLiteResizeBilinearParams;

typedef struct TfLiteResizeNearestNeighborParams {
    bool align_corners;
    bool half_pixel_centers;
} TfLiteResizeNearestNeighborParams;

/* Only for models without a shape operand. */
typedef struct TfLiteReshapeParams {
    int32_t shape[8];
    int num_dimensions;
} TfLiteReshapeParams;

typedef struct TfLiteSqueezeParams {
    int32_t squeeze_dims[8];
    int num_squeeze_dims;
} TfLiteSqueezeParams;

typedef struct TfLiteReducerParams {
    bool keep_dims;
} TfLiteReducerParams;

typedef struct TfLiteArgMaxParams {
    TfLiteType output_type;
} TfLiteArgMaxParams;

typedef struct TfLiteArgMinParams {
    TfLiteType output_type;
} TfLiteArgMinParams;

typedef struct TfLiteShapeParams {
    TfLiteType out_type;
} TfLiteShapeParams;

typedef struct TfLiteStridedSliceParams {
    int begin_mask;
    int end_mask;
    int ellipsis_mask;
    int new_axis_mask;
    int shrink_axis_mask;
    bool offset; /* end counts from begin */
} TfLiteStridedSliceParams;

typedef struct TfLiteDepthToSpaceParams {
    int block_size;
} TfLiteDepthToSpaceParams;

typedef struct TfLiteSpaceToDepthParams {
    int block_size;
} TfLiteSpaceToDepthParams;

typedef struct TfLiteMirrorPaddingParams {
    TfLiteMirrorPaddingMode mode;
} TfLiteMirrorPaddingParams;

typedef struct TfLiteGatherParams {
    int axis;
    int batch_dims;
} TfLiteGatherParams;

typedef struct TfLiteOneHotParams {
    int axis;
} TfLiteOneHotParams;

typedef struct TfLiteCumsumParams {
    bool exclusive;
    bool reverse;
} TfLiteCumsumParams;

typedef struct TfLiteCastParams {
    TfLiteType in_data_type;
    TfLiteType out_data_type;
} TfLiteCastParams;

typedef struct TfLitePackParams {
    int values_count;
    int axis;
} TfLitePackParams;

typedef struct TfLiteUnpackParams {
    int num;
    int axis;
} TfLiteUnpackParams;

typedef struct TfLiteSplitParams {
    int num_splits;
} TfLiteSplitParams;

typedef struct TfLiteSplitVParams {
    int num_splits;
} TfLiteSplitVParams;

/* ---- What the hosts were measured to have ---- */

#if UINTPTR_MAX == UINT64_MAX
#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has another size")
#define PLACE(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), #type "." #field " moved")
SIZE(TfLiteContext, 200);
PLACE(TfLiteContext, tensors, 16);
PLACE(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels, 64);
PLACE(TfLiteContext, profiler, 104);
PLACE(TfLiteContext, PreviewDelegatePartitioning, 152);
PLACE(TfLiteContext, ReleaseSubgraphContext, 192);
SIZE(TfLiteTensor, 112);
PLACE(TfLiteTensor, data, 8);
PLACE(TfLiteTensor, bytes, 40);
PLACE(TfLiteTensor, delegate, 64);
PLACE(TfLiteTensor, data_is_stale, 76);
PLACE(TfLiteTensor, quantization, 80);
PLACE(TfLiteTensor, dims_signature, 104);
SIZE(TfLiteNode, 80);
PLACE(TfLiteNode, builtin_data, 40);
PLACE(TfLiteNode, custom_initial_data_size, 56);
SIZE(TfLiteDelegateParams, 32);
SIZE(TfLiteDelegate, 56);
PLACE(TfLiteDelegate, flags, 40);
SIZE(TfLiteRegistration, 88);
PLACE(TfLiteRegistration, builtin_code, 40);
PLACE(TfLiteRegistration, registration_external, 64);
SIZE(TfLiteQuantization, 16);
SIZE(TfLiteAffineQuantization, 24);
SIZE(TfLiteSparsity, 32);
SIZE(TfLiteDimensionMetadata, 24);
SIZE(TfLiteConvParams, 24);
SIZE(TfLiteDepthwiseConvParams, 28);
SIZE(TfLiteTransposeConvParams, 16);
SIZE(TfLiteFullyConnectedParams, 12);
PLACE(TfLiteConvParamsVersion8, quantized_bias_type, 24);
PLACE(TfLiteFullyConnectedParamsVersion11, quantized_bias_type, 12);
PLACE(TfLiteTransposeConvParamsVersion5, quantized_bias_type, 16);
SIZE(TfLitePoolParams, 40);
SIZE(TfLiteReshapeParams, 36);
SIZE(TfLiteShapeParams, 4);
SIZE(TfLiteStridedSliceParams, 24);
#undef SIZE
#undef PLACE
#endif

#endif
