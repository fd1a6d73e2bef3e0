//! Constant tensors: borrowed from the model or computed by folding.

use std::fmt;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt as _;

use super::{DType, Shape};
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

/// A constant tensor. Its bytes may be stored in another type than the graph sees: fp16 weights
/// stay fp16 until a kernel packs them.
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

/// Floats as little-endian bytes.
#[derive(Clone, Copy, Debug)]
pub enum Floats<'a> {
    /// 32 bits each.
    F32(&'a [[u8; 4]]),
    /// 16 bits each.
    F16(&'a [[u8; 2]]),
}

impl Constant {
    /// A dense float32 constant of our own.
    pub fn from_f32(shape: impl Into<Shape>, data: &[f32]) -> Self {
        let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { shape: shape.into(), stored: DType::F32, bytes: Arc::new(bytes), sparsity: None }
    }

    /// The elements of a dense constant of floats, as they are stored.
    pub fn floats(&self) -> Result<Floats<'_>, Unsupported> {
        let bytes = self.dense()?;
        match self.stored {
            DType::F32 => Ok(Floats::F32(bytes.as_chunks().0)),
            DType::F16 => Ok(Floats::F16(bytes.as_chunks().0)),
            other => unsupported!("a constant of type {other} where floats are needed"),
        }
    }

    /// The elements as float32.
    pub fn to_f32(&self) -> Result<Vec<f32>, Unsupported> {
        Ok(match self.floats()? {
            Floats::F32(all) => all.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            Floats::F16(all) => {
                let halves: Vec<half::f16> = all.iter().map(|x| half::f16::from_le_bytes(*x)).collect();
                let mut floats = vec![0.0; halves.len()];
                halves.convert_to_f32_slice(&mut floats);
                floats
            }
        })
    }

    /// The elements of an integer constant.
    pub fn to_i64(&self) -> Result<Vec<i64>, Unsupported> {
        let bytes = self.dense()?;
        let ints = match self.stored {
            DType::I64 => chunks(bytes).map(i64::from_le_bytes).collect(),
            DType::I32 => chunks(bytes).map(|b| i64::from(i32::from_le_bytes(b))).collect(),
            DType::I16 => chunks(bytes).map(|b| i64::from(i16::from_le_bytes(b))).collect(),
            DType::I8 => bytes.iter().map(|&b| i64::from(b as i8)).collect(),
            DType::U8 | DType::Bool => bytes.iter().map(|&b| i64::from(b)).collect(),
            other => unsupported!("a constant of type {other} where integers are needed"),
        };
        Ok(ints)
    }

    fn dense(&self) -> Result<&[u8], Unsupported> {
        let bytes = (*self.bytes).as_ref();
        if self.sparsity.is_some() {
            unsupported!("a sparse constant where a dense one is needed");
        }
        let want = self.shape.elements() * self.stored.bytes();
        if bytes.len() as u64 != want {
            unsupported!(
                "a constant {}{} of {} bytes, {want} expected",
                self.stored,
                self.shape,
                bytes.len()
            );
        }
        Ok(bytes)
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
