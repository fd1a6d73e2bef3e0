//! Constant tensors: borrowed from the model or computed by folding.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt as _;

use super::{DType, Shape, sparse};
use crate::error::Unsupported;
use crate::unsupported;

/// Bytes that never change: a part of the model, or our own.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// One dimension of a sparse tensor, as TFLite's `TfLiteDimensionMetadata`.
#[derive(Clone, Debug, PartialEq)]
pub enum SparseDimension {
    /// Every index is present.
    Dense(u32),
    /// Compressed sparse rows: `indices[segments[i]..segments[i + 1]]` are present.
    Csr {
        /// Where each row starts.
        segments: Vec<i32>,
        /// The indices that are present.
        indices: Vec<i32>,
    },
}

/// How a sparse constant is stored, as TFLite's `TfLiteSparsity`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparsity {
    /// The order in which dimensions (dense ones, then blocks) are traversed.
    pub traversal: Vec<usize>,
    /// Which dense dimension each block dimension belongs to.
    pub block_map: Vec<usize>,
    /// One per entry of `traversal`.
    pub dimensions: Vec<SparseDimension>,
}

/// A constant tensor. Its bytes may be stored in another way than the graph sees: fp16 weights stay fp16,
/// and sparse ones sparse, until a kernel packs them.
#[derive(Clone)]
pub struct Constant {
    /// Dimensions.
    pub shape: Shape,
    /// The type of the stored elements.
    pub stored: DType,
    /// The elements, row-major, not aligned; if sparse, only those that are present.
    pub bytes: Bytes,
    /// Present if the bytes are sparse.
    pub sparsity: Option<Arc<Sparsity>>,
}

impl Constant {
    /// A dense float32 constant of our own.
    pub fn from_f32(shape: impl Into<Shape>, data: &[f32]) -> Self {
        let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { shape: shape.into(), stored: DType::F32, bytes: Arc::new(bytes), sparsity: None }
    }

    /// The elements as float32.
    pub fn to_f32(&self) -> Result<Vec<f32>, Unsupported> {
        let bytes = self.dense()?;
        Ok(match self.stored {
            DType::F32 => chunks(&bytes).map(f32::from_le_bytes).collect(),
            DType::F16 => {
                let halves: Vec<half::f16> = chunks(&bytes).map(half::f16::from_le_bytes).collect();
                let mut floats = vec![0.0; halves.len()];
                halves.convert_to_f32_slice(&mut floats);
                floats
            }
            other => unsupported!("a constant of type {other} where floats are needed"),
        })
    }

    /// The elements of an integer constant.
    pub fn to_i64(&self) -> Result<Vec<i64>, Unsupported> {
        let bytes = self.dense()?;
        let ints = match self.stored {
            DType::I64 => chunks(&bytes).map(i64::from_le_bytes).collect(),
            DType::I32 => chunks(&bytes).map(|b| i64::from(i32::from_le_bytes(b))).collect(),
            DType::I16 => chunks(&bytes).map(|b| i64::from(i16::from_le_bytes(b))).collect(),
            DType::I8 => bytes.iter().map(|&b| i64::from(b as i8)).collect(),
            DType::U8 | DType::Bool => bytes.iter().map(|&b| i64::from(b)).collect(),
            other => unsupported!("a constant of type {other} where integers are needed"),
        };
        Ok(ints)
    }

    /// All elements as they are stored; a copy only if they are sparse.
    pub fn dense(&self) -> Result<Cow<'_, [u8]>, Unsupported> {
        let Some(sparsity) = &self.sparsity else {
            self.check()?;
            return Ok(Cow::Borrowed((*self.bytes).as_ref()));
        };
        let mut all = vec![0; (self.shape.elements() * self.stored.bytes()) as usize];
        sparse::visit(self, sparsity, &mut |to, bytes| {
            all[to * bytes.len()..][..bytes.len()].copy_from_slice(bytes);
        })?;
        Ok(Cow::Owned(all))
    }

    /// Whether the bytes are those of a tensor of this shape, type and sparsity.
    pub fn check(&self) -> Result<(), Unsupported> {
        if let Some(sparsity) = &self.sparsity {
            return sparse::visit(self, sparsity, &mut |_, _| ());
        }
        let (want, got) = (self.shape.elements() * self.stored.bytes(), (*self.bytes).as_ref().len());
        if got as u64 != want {
            unsupported!("a constant {}{} of {got} bytes, {want} expected", self.stored, self.shape);
        }
        Ok(())
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|b| std::array::from_fn(|i| b[i]))
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sparse = if self.sparsity.is_some() { " sparse" } else { "" };
        write!(f, "const {}{}{sparse}", self.stored, self.shape)
    }
}
