//! Types of tensors, from TFLite's structures.

use super::array::{floats, ints};
use super::sys;
use crate::error::Unsupported;
use crate::ir::{DType, MAX_RANK, Quantization, Shape, SparseDimension, Sparsity};
use crate::unsupported;

/// The element type of this code.
pub(super) fn dtype(code: sys::TfLiteType) -> Result<DType, Unsupported> {
    Ok(match TYPES.iter().find(|(known, ..)| *known == code) {
        Some((_, _, Some(dtype))) => *dtype,
        Some((_, name, None)) => unsupported!("element type {name}"),
        None => unsupported!("element type {code}"),
    })
}

/// TFLite's element types: code, name, and what operators may see of them.
#[rustfmt::skip]
const TYPES: &[(sys::TfLiteType, &str, Option<DType>)] = &[
    (sys::kTfLiteNoType, "NOTYPE", None),
    (sys::kTfLiteFloat32, "FLOAT32", Some(DType::F32)),
    (sys::kTfLiteInt32, "INT32", Some(DType::I32)),
    (sys::kTfLiteUInt8, "UINT8", Some(DType::U8)),
    (sys::kTfLiteInt64, "INT64", Some(DType::I64)),
    (sys::kTfLiteString, "STRING", None),
    (sys::kTfLiteBool, "BOOL", Some(DType::Bool)),
    (sys::kTfLiteInt16, "INT16", Some(DType::I16)),
    (sys::kTfLiteComplex64, "COMPLEX64", None),
    (sys::kTfLiteInt8, "INT8", Some(DType::I8)),
    (sys::kTfLiteFloat16, "FLOAT16", Some(DType::F16)),
    (sys::kTfLiteFloat64, "FLOAT64", None),
    (sys::kTfLiteComplex128, "COMPLEX128", None),
    (sys::kTfLiteUInt64, "UINT64", None),
    (sys::kTfLiteResource, "RESOURCE", None),
    (sys::kTfLiteVariant, "VARIANT", None),
    (sys::kTfLiteUInt32, "UINT32", None),
    (sys::kTfLiteUInt16, "UINT16", None),
    (sys::kTfLiteInt4, "INT4", None),
    (sys::kTfLiteBFloat16, "BFLOAT16", None),
    (sys::kTfLiteInt2, "INT2", None),
];

/// The present shape; dimensions may be 0.
pub(super) fn shape(tensor: &sys::TfLiteTensor) -> Result<Shape, Unsupported> {
    if tensor.dims.is_null() {
        unsupported!("its shape is not known");
    }
    // SAFETY: the host keeps the array while nobody resizes the tensor.
    let dims = unsafe { ints(tensor.dims) };
    if dims.len() > MAX_RANK {
        unsupported!("rank {} ({MAX_RANK} at most)", dims.len());
    }
    let mut sizes = [1; MAX_RANK];
    for (size, dim) in sizes.iter_mut().zip(dims) {
        *size = u32::try_from(*dim).map_err(|_| Unsupported(format!("its shape is {dims:?}")))?;
    }
    let elements = sizes.iter().try_fold(1u64, |n, size| n.checked_mul((*size).into()));
    if elements.is_none_or(|n| n > MAX_ELEMENTS) {
        unsupported!("its shape is {dims:?}: too large");
    }
    Ok(Shape::new(&sizes[..dims.len()]))
}

/// So many elements of any type have a size that fits everywhere.
const MAX_ELEMENTS: u64 = 1 << 40;

/// How integers of a tensor of this shape stand for numbers.
pub(super) fn quantization(
    tensor: &sys::TfLiteTensor,
    shape: &Shape,
) -> Result<Option<Quantization>, Unsupported> {
    let sys::TfLiteQuantization { type_, params } = tensor.quantization;
    match type_ {
        sys::kTfLiteNoQuantization => return Ok(None),
        sys::kTfLiteAffineQuantization => {}
        sys::kTfLiteBlockwiseQuantization => unsupported!("blockwise quantisation"),
        sys::kTfLiteMultiAxisQuantization => unsupported!("quantisation along several axes"),
        other => unsupported!("quantisation of kind {other}"),
    }
    // SAFETY: this is what `params` points to for this kind, and nobody changes it.
    let (scale, zero_point, axis) = unsafe {
        let Some(affine) = params.cast::<sys::TfLiteAffineQuantization>().as_ref() else { return Ok(None) };
        (floats(affine.scale), ints(affine.zero_point), affine.quantized_dimension)
    };
    if scale.is_empty() {
        return Ok(None);
    }
    if scale.len() != zero_point.len() {
        unsupported!("{} scales with {} zero points", scale.len(), zero_point.len());
    }
    let axis = usize::try_from(axis).unwrap_or(usize::MAX);
    if scale.len() > 1 && shape.get(axis).is_none_or(|n| *n as usize != scale.len()) {
        unsupported!("{} scales along dimension {axis} of {shape}", scale.len());
    }
    let axis = if scale.len() > 1 { axis } else { 0 };
    Ok(Some(Quantization { scale: scale.to_vec(), zero_point: zero_point.to_vec(), axis }))
}

/// How a sparse tensor of this shape is stored.
pub(super) fn sparsity(tensor: &sys::TfLiteTensor, shape: &Shape) -> Result<Option<Sparsity>, Unsupported> {
    // SAFETY: the host keeps the structure, its arrays and `dim_metadata_size` dimensions unchanged.
    unsafe {
        let Some(sparsity) = tensor.sparsity.as_ref() else { return Ok(None) };
        let count = usize::try_from(sparsity.dim_metadata_size).unwrap_or(0);
        let dimensions = match (sparsity.dim_metadata.is_null(), count) {
            (true, _) => &[],
            (false, count) => std::slice::from_raw_parts(sparsity.dim_metadata, count),
        };
        let dimensions = dimensions.iter().map(|d| match d.format {
            sys::kTfLiteDimDense => u32::try_from(d.dense_size).map(SparseDimension::Dense).map_err(|_| ()),
            sys::kTfLiteDimSparseCSR => Ok(SparseDimension::Csr {
                segments: ints(d.array_segments).to_vec(),
                indices: ints(d.array_indices).to_vec(),
            }),
            _ => Err(()),
        });
        let below = |bound: usize| move |i: &i32| usize::try_from(*i).ok().filter(|i| *i < bound).ok_or(());
        let read = || {
            let traversal = ints(sparsity.traversal_order);
            let block_map: Vec<_> =
                ints(sparsity.block_map).iter().map(below(shape.len())).collect::<Result<_, _>>()?;
            let rank = shape.len() + block_map.len();
            if traversal.len() != rank || dimensions.len() != rank {
                return Err(());
            }
            let traversal = traversal.iter().map(below(rank)).collect::<Result<_, _>>()?;
            Ok(Sparsity { traversal, block_map, dimensions: dimensions.collect::<Result<_, _>>()? })
        };
        read().map(Some).map_err(|()| Unsupported("its sparse storage makes no sense".into()))
    }
}
