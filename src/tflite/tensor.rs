//! A tensor of the model.

use std::ffi::CStr;
use std::fmt;
use std::sync::Arc;

use super::array::ints;
use super::nibbles::Nibbles;
use super::tensor_type::{dtype, quantization, shape, sparsity};
use super::{Subgraph, sys};
use crate::error::Unsupported;
use crate::ir::{Bytes, Constant, DType, Quantization, TensorType};
use crate::unsupported;

/// A tensor of the model.
#[derive(Clone, Copy)]
pub struct TensorView<'a> {
    subgraph: &'a Subgraph<'a>,
    index: i32,
    tensor: &'a sys::TfLiteTensor,
    /// Whether who reads it understands a sparse tensor.
    sparse_allowed: bool,
}

impl Subgraph<'_> {
    /// The tensor with this index.
    pub fn tensor(&self, index: i32) -> Option<TensorView<'_>> {
        let tensor = self.context().tensor(index)?;
        Some(TensorView { subgraph: self, index, tensor, sparse_allowed: false })
    }
}

impl TensorView<'_> {
    pub(super) fn allow_sparse(self) -> Self {
        Self { sparse_allowed: true, ..self }
    }

    /// The tensor's index in its subgraph.
    pub fn index(&self) -> i32 {
        self.index
    }

    /// Its name.
    pub fn name(&self) -> String {
        if self.tensor.name.is_null() {
            return format!("tensor {}", self.index);
        }
        // SAFETY: the host keeps the name as long as the tensor.
        unsafe { CStr::from_ptr(self.tensor.name) }.to_string_lossy().into_owned()
    }

    /// Its type, as far as it is known before the model runs: open dimensions have the size that
    /// they have now.
    ///
    /// # Errors
    /// For element types, ranks and quantisations that no operator takes, and without elements.
    pub fn ty(&self) -> Result<TensorType, Unsupported> {
        let dtype = self.dtype()?;
        self.check_sparse()?;
        let shape = match self.subgraph.computed().shape(self.index) {
            Some(assumed) => assumed,
            None => shape(self.tensor)?,
        };
        let attribute = self.is_model_constant() && matches!(dtype, DType::I32 | DType::I64);
        if shape.elements() == 0 && !attribute {
            unsupported!("its shape is {shape}: no elements");
        }
        Ok(TensorType { shape, dtype, quant: quantization(self.tensor, &shape)?.map(Arc::new) })
    }

    /// The element type that operators see: constants of 4-bit integers are unpacked.
    fn dtype(&self) -> Result<DType, Unsupported> {
        if self.holds_nibbles() { Ok(DType::I8) } else { dtype(self.tensor.type_) }
    }

    /// Whether it is a constant of 4-bit integers.
    pub fn holds_nibbles(&self) -> bool {
        self.tensor.type_ == sys::kTfLiteInt4 && self.is_model_constant()
    }

    /// How its integers stand for numbers, whether it has elements or not.
    pub(super) fn quantization(&self) -> Result<Option<Quantization>, Unsupported> {
        quantization(self.tensor, &shape(self.tensor)?)
    }

    /// The dimensions whose size the model leaves open.
    pub fn open_dimensions(&self) -> Vec<usize> {
        if self.tensor.dims_signature.is_null() {
            return Vec::new();
        }
        // SAFETY: the host keeps the array as long as the tensor.
        let signature = unsafe { ints(self.tensor.dims_signature) };
        (0..signature.len()).filter(|d| signature[*d] == -1).collect()
    }

    /// Whether its contents follow from the shapes of other tensors.
    pub fn follows_from_shapes(&self) -> bool {
        self.subgraph.computed().follows_from_shapes(self.index)
    }

    /// Refuses a sparse tensor, unless who reads it understands it.
    pub(super) fn check_sparse(&self) -> Result<(), Unsupported> {
        if !self.tensor.sparsity.is_null() && !self.sparse_allowed {
            unsupported!("a sparse tensor, which only DENSIFY reads");
        }
        Ok(())
    }

    /// Its contents, if it is constant or computed from constants.
    pub fn constant(&self) -> Result<Option<Constant>, Unsupported> {
        if self.is_model_constant() {
            return self.model_constant().map(Some);
        }
        self.subgraph.computed().constant(self.subgraph, self.index).transpose()
    }

    /// Whether its contents are known now.
    pub fn is_constant(&self) -> bool {
        self.is_model_constant() || self.subgraph.computed().has(self.index)
    }

    /// Whether it is a constant of the model itself.
    pub fn is_model_constant(&self) -> bool {
        self.tensor.allocation_type == sys::kTfLiteMmapRo
    }

    fn model_constant(&self) -> Result<Constant, Unsupported> {
        let (shape, stored) = (shape(self.tensor)?, self.dtype()?);
        let sparsity = sparsity(self.tensor, &shape)?.map(Arc::new);
        // SAFETY: every member of the union is a pointer.
        let start = unsafe { self.tensor.data.raw }.cast_const().cast::<u8>();
        let len = self.tensor.bytes;
        let elements = shape.elements();
        let bytes = match self.holds_nibbles() {
            true => elements.div_ceil(2),
            false => elements.saturating_mul(stored.bytes()),
        };
        if self.holds_nibbles() && sparsity.is_some() {
            unsupported!("a sparse constant of 4-bit integers");
        }
        if sparsity.is_none() && len as u64 != bytes {
            unsupported!("a constant {stored}{shape} of {len} bytes");
        }
        if start.is_null() && len > 0 {
            unsupported!("a constant without data");
        }
        let mut bytes: Bytes = Arc::new(ModelBytes { start, len });
        if self.holds_nibbles() {
            bytes = Arc::new(Nibbles::new(bytes, elements as usize));
        }
        Ok(Constant { shape, stored, bytes, sparsity, quant: None })
    }
}

impl fmt::Debug for TensorView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tensor {} {}", self.index, self.name())
    }
}

/// A constant tensor's bytes, in the model.
struct ModelBytes {
    start: *const u8,
    len: usize,
}

// SAFETY: nobody ever writes to a model's constants.
unsafe impl Send for ModelBytes {}
// SAFETY: as above.
unsafe impl Sync for ModelBytes {}

impl AsRef<[u8]> for ModelBytes {
    fn as_ref(&self) -> &[u8] {
        if self.start.is_null() {
            return &[];
        }
        // SAFETY: TFLite never moves a tensor of allocation type mmap-ro, and an application keeps the
        // model until the interpreter is gone. The interpreter frees its kernels first, and only these
        // and the callbacks of a living interpreter hold constants.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Quantization, Shape, SparseDimension, Sparsity};
    use crate::tflite::mock::Host;

    /// What the type of the last tensor is, or the reason why it has none.
    fn ty(host: &mut Host) -> Result<TensorType, String> {
        let last = host.tensors.len() as i32 - 1;
        let context = host.context();
        Subgraph::new(&context).tensor(last).unwrap().ty().map_err(|e| e.0)
    }

    #[test]
    fn shapes_and_types_that_no_operator_takes_are_refused() {
        type Change = fn(&mut sys::TfLiteTensor);
        let cases: &[(&[i32], Change, &str)] = &[
            (&[2, 3], |t| t.dims = std::ptr::null_mut(), "its shape is not known"),
            (&[1; 7], |_| {}, "rank 7 (6 at most)"),
            (&[2, -1], |_| {}, "its shape is [2, -1]"),
            (&[i32::MAX; 6], |_| {}, "too large"),
            (&[2, 0], |_| {}, "no elements"),
            (&[2], |t| t.type_ = sys::kTfLiteString, "element type STRING"),
            (&[2], |t| t.type_ = sys::kTfLiteResource, "element type RESOURCE"),
            (&[2], |t| t.type_ = sys::kTfLiteVariant, "element type VARIANT"),
            (&[2], |t| t.type_ = sys::kTfLiteInt4, "element type INT4"),
            (&[2], |t| t.type_ = sys::kTfLiteInt2, "element type INT2"),
            (&[2], |t| t.type_ = 99, "element type 99"),
            (&[2], |t| t.type_ = 4_000_000_000, "element type 4000000000"),
        ];
        for (dims, change, want) in cases {
            let mut host = Host::new();
            change(host.tensor(dims));
            let error = ty(&mut host).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn a_scalar_and_rank_six_are_taken() {
        let mut host = Host::new();
        host.tensor(&[]);
        assert_eq!(ty(&mut host), Ok(TensorType::f32([])));
        host.tensor(&[1, 2, 3, 4, 5, 6]);
        assert_eq!(ty(&mut host), Ok(TensorType::f32([1, 2, 3, 4, 5, 6])));
    }

    #[test]
    fn a_constant_shape_may_be_empty() {
        let mut host = Host::new();
        host.constant(&[0], sys::kTfLiteInt32, &[]);
        assert_eq!(ty(&mut host).unwrap().shape, Shape::new(&[0]));
        host.constant(&[0], sys::kTfLiteFloat32, &[]);
        assert!(ty(&mut host).is_err());
    }

    /// A tensor of int8[2,3] with this quantisation.
    fn quantized(
        type_: sys::TfLiteQuantizationType,
        affine: Option<(Option<&[f32]>, Option<&[i32]>, i32)>,
    ) -> Result<Option<Quantization>, String> {
        let mut host = Host::new();
        let params = affine.map_or(std::ptr::null_mut(), |(scale, zero_point, quantized_dimension)| {
            let scale = scale.map_or(std::ptr::null_mut(), |s| host.floats(s));
            let zero_point = zero_point.map_or(std::ptr::null_mut(), |z| host.ints(z));
            host.keep(sys::TfLiteAffineQuantization { scale, zero_point, quantized_dimension }).cast()
        });
        let tensor = host.tensor(&[2, 3]);
        tensor.type_ = sys::kTfLiteInt8;
        tensor.quantization = sys::TfLiteQuantization { type_, params };
        ty(&mut host).map(|ty| ty.quant.map(|q| (*q).clone()))
    }

    #[test]
    fn quantisation_is_read_within_its_bounds() {
        let some = |scale: &[f32], zero: &[i32], axis| {
            Ok(Some(Quantization { scale: scale.to_vec(), zero_point: zero.to_vec(), axis }))
        };
        assert_eq!(quantized(0, None), Ok(None));
        assert_eq!(quantized(1, None), Ok(None));
        assert_eq!(quantized(1, Some((None, None, 0))), Ok(None));
        assert_eq!(quantized(1, Some((Some(&[0.5]), Some(&[-3]), 7))), some(&[0.5], &[-3], 0));
        let three: &[f32] = &[1.0, 2.0, 3.0];
        assert_eq!(quantized(1, Some((Some(three), Some(&[0; 3]), 1))), some(three, &[0; 3], 1));
        for (scale, zero, axis) in
            [(three, &[0; 3][..], 0), (three, &[0; 3], 2), (three, &[0; 3], -1), (three, &[0], 1)]
        {
            assert!(
                quantized(1, Some((Some(scale), Some(zero), axis))).is_err(),
                "{scale:?} {zero:?} {axis}"
            );
        }
        assert!(quantized(1, Some((Some(three), None, 1))).is_err());
        for kind in [2, 3, 4, 1000] {
            assert!(quantized(kind, None).is_err());
        }
    }

    #[test]
    fn constants_have_the_bytes_that_their_shape_says() {
        let mut host = Host::new();
        host.constant(&[2], sys::kTfLiteFloat32, &[0, 0, 128, 63, 0, 0, 0, 64]);
        host.constant(&[2], sys::kTfLiteFloat32, &[0; 7]);
        host.constant(&[1], sys::kTfLiteFloat32, &[0; 4]);
        host.tensors[2].data.raw = std::ptr::null_mut();
        host.tensor(&[2]);
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let constant = |i| subgraph.tensor(i).unwrap().constant();
        assert_eq!(constant(0).unwrap().unwrap().to_f32(), Ok(vec![1.0, 2.0]));
        assert!(constant(1).is_err());
        assert!(constant(2).is_err());
        assert!(constant(3).unwrap().is_none());
        assert!(subgraph.tensor(4).is_none() && subgraph.tensor(-1).is_none());
        assert!(subgraph.tensor(i32::MIN).is_none() && subgraph.tensor(i32::MAX).is_none());
    }

    #[test]
    fn tensors_without_name_have_their_number() {
        let mut host = Host::new();
        host.tensor(&[2]);
        host.tensor(&[2]).name = std::ptr::null();
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        assert_eq!(subgraph.tensor(0).unwrap().name(), "t0");
        assert_eq!(subgraph.tensor(1).unwrap().name(), "tensor 1");
    }

    /// The sparsity of a float[4,4] constant: rows dense, columns compressed, changed by `change`.
    fn sparse(change: impl FnOnce(&mut Host, &mut sys::TfLiteSparsity)) -> Result<Sparsity, String> {
        let mut host = Host::new();
        let dense = sys::TfLiteDimensionMetadata { dense_size: 4, ..Default::default() };
        let csr = sys::TfLiteDimensionMetadata {
            format: sys::kTfLiteDimSparseCSR,
            array_segments: host.ints(&[0, 1, 1, 1, 1]),
            array_indices: host.ints(&[2]),
            ..Default::default()
        };
        let mut sparsity = sys::TfLiteSparsity {
            traversal_order: host.ints(&[0, 1]),
            dim_metadata: host.keep([dense, csr]).cast(),
            dim_metadata_size: 2,
            ..Default::default()
        };
        change(&mut host, &mut sparsity);
        host.constant(&[4, 4], sys::kTfLiteFloat32, &[0; 4]);
        host.tensors[0].sparsity = host.keep(sparsity);
        assert_eq!(ty(&mut host).unwrap_err(), "a sparse tensor, which only DENSIFY reads");
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let constant = subgraph.tensor(0).unwrap().constant().map_err(|e| e.0)?.unwrap();
        Ok(constant.sparsity.unwrap().as_ref().clone())
    }

    #[test]
    fn sparse_storage_is_read_within_its_bounds() {
        let whole = sparse(|_, _| {}).unwrap();
        assert_eq!(whole.traversal, [0, 1]);
        assert_eq!(whole.dimensions[0], SparseDimension::Dense(4));
        type Change = fn(&mut Host, &mut sys::TfLiteSparsity);
        let bad: &[Change] = &[
            |_, s| s.traversal_order = std::ptr::null_mut(),
            |h, s| s.traversal_order = h.ints(&[0]),
            |h, s| s.traversal_order = h.ints(&[0, 2]),
            |h, s| s.traversal_order = h.ints(&[0, -1]),
            |h, s| s.block_map = h.ints(&[7]),
            |h, s| s.block_map = h.ints(&[0]),
            |_, s| s.dim_metadata = std::ptr::null_mut(),
            |_, s| s.dim_metadata_size = 1,
            |_, s| s.dim_metadata_size = -2,
            |h, s| {
                s.dim_metadata =
                    h.keep([sys::TfLiteDimensionMetadata { format: 5, ..Default::default() }; 2]).cast()
            },
            |h, s| {
                s.dim_metadata =
                    h.keep([sys::TfLiteDimensionMetadata { dense_size: -1, ..Default::default() }; 2]).cast()
            },
        ];
        for change in bad {
            assert_eq!(sparse(change), Err("its sparse storage makes no sense".into()));
        }
    }
}
