//! Constant tensors: borrowed from the model or computed by folding.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use half::slice::HalfFloatSliceExt as _;

use super::bounded::{self, collected, filled};
use super::{DType, HostTensor, Quantization, Shape, Sparsity, TensorType, sparse};
use crate::error::Unsupported;
use crate::unsupported;

/// The most elements of a tensor of integers that is computed on the host as soon as shapes are known: other
/// shapes, and what they are made of.
pub const MAX_HOST_INTEGERS: u64 = 1024;

/// Bytes that never change: a part of the model, or our own.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A constant tensor. Its stored form may differ from what the graph sees: fp16 weights stay fp16, sparse ones sparse,
/// and integers that stand for floats stay integers, until a kernel packs them.
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
    /// Present if the stored integers stand for floats.
    pub quant: Option<Arc<Quantization>>,
}

impl Constant {
    /// A dense float32 constant of our own.
    pub fn from_f32(shape: impl Into<Shape>, data: &[f32]) -> Self {
        let bytes: Vec<u8> = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { shape: shape.into(), stored: DType::F32, bytes: Arc::new(bytes), sparsity: None, quant: None }
    }

    /// Whether the graph sees floats.
    pub fn is_float(&self) -> bool {
        matches!(self.stored, DType::F32 | DType::F16) || self.quant.is_some()
    }

    /// The elements as float32.
    pub fn to_f32(&self) -> Result<Vec<f32>, Unsupported> {
        if !self.is_float() {
            unsupported!("a constant of type {} where floats are needed", self.stored);
        }
        if let Some(quant) = &self.quant {
            return self.dequantized(quant);
        }
        let (bytes, len) = (self.dense()?, self.shape.elements());
        if self.stored == DType::F32 {
            return collected(len, chunks(&bytes).map(f32::from_le_bytes), self);
        }
        let halves = collected(len, chunks(&bytes).map(half::f16::from_le_bytes), self)?;
        let mut floats = filled(len, 0.0, self)?;
        halves.convert_to_f32_slice(&mut floats);
        Ok(floats)
    }

    fn dequantized(&self, quant: &Quantization) -> Result<Vec<f32>, Unsupported> {
        let slices = quant.scale.len();
        // Elements from one slice to the next.
        let stride = if slices > 1 { self.shape[quant.axis + 1..].iter().product() } else { 1 };
        let float = |(i, n): (usize, i64)| {
            let slice = i / stride as usize % slices;
            quant.scale[slice] * (n - i64::from(quant.zero_point[slice])) as f32
        };
        collected(self.shape.elements(), self.integers()?.into_iter().enumerate().map(float), self)
    }

    /// The elements of an integer constant.
    pub fn to_i64(&self) -> Result<Vec<i64>, Unsupported> {
        if self.is_float() {
            unsupported!("a constant of type {} where integers are needed", self.stored);
        }
        self.integers()
    }

    /// The stored integers.
    pub fn integers(&self) -> Result<Vec<i64>, Unsupported> {
        let (bytes, len) = (self.dense()?, self.shape.elements());
        match self.stored {
            DType::I64 => collected(len, chunks(&bytes).map(i64::from_le_bytes), self),
            DType::I32 => collected(len, chunks(&bytes).map(|b| i64::from(i32::from_le_bytes(b))), self),
            DType::I16 => collected(len, chunks(&bytes).map(|b| i64::from(i16::from_le_bytes(b))), self),
            DType::I8 => collected(len, bytes.iter().map(|&b| i64::from(b as i8)), self),
            _ => collected(len, bytes.iter().map(|&b| i64::from(b)), self),
        }
    }

    /// A dense constant of our own with the elements of `x`.
    pub fn from_host(x: &HostTensor) -> Self {
        Self { shape: x.shape, stored: x.dtype(), bytes: Arc::new(x.to_bytes()), sparsity: None, quant: None }
    }

    /// The elements as a tensor: floats if what is stored stands for them.
    pub fn on_host(&self) -> Result<HostTensor, Unsupported> {
        if self.is_float() {
            return Ok(HostTensor::f32(self.shape, self.to_f32()?));
        }
        let ty = TensorType { dtype: self.stored, ..TensorType::f32(self.shape) };
        HostTensor::from_bytes(&ty, &self.dense()?)
    }

    /// All elements as they are stored; a copy only if they are sparse.
    pub fn dense(&self) -> Result<Cow<'_, [u8]>, Unsupported> {
        let Some(sparsity) = &self.sparsity else {
            self.check()?;
            return Ok(Cow::Borrowed((*self.bytes).as_ref()));
        };
        let mut all = filled(self.bytes(), 0, self)?;
        self.visit(sparsity, &mut |to, bytes| {
            all[to * bytes.len()..][..bytes.len()].copy_from_slice(bytes);
        })?;
        Ok(Cow::Owned(all))
    }

    /// Bytes of all elements as they are stored.
    fn bytes(&self) -> u64 {
        self.shape.elements().saturating_mul(self.stored.bytes())
    }

    fn visit(&self, sparsity: &Sparsity, f: &mut dyn FnMut(usize, &[u8])) -> Result<(), Unsupported> {
        sparse::visit(&self.shape, self.stored, (*self.bytes).as_ref(), sparsity, f)
    }

    /// Whether the bytes are those of a tensor of this shape, type and sparsity.
    pub fn check(&self) -> Result<(), Unsupported> {
        if let Some(sparsity) = &self.sparsity {
            bounded::check(self.shape.elements().saturating_mul(4), self)?;
            return self.visit(sparsity, &mut |_, _| ());
        }
        let (want, got) = (self.bytes(), (*self.bytes).as_ref().len());
        if got as u64 != want {
            unsupported!("a constant {}{} of {got} bytes, {want} expected", self.stored, self.shape);
        }
        Ok(())
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes.chunks_exact(N).map(|b| std::array::from_fn(|i| b[i]))
}

/// As `const f32[1,2]`, or `const f32[1,2] sparse`.
impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sparse = if self.sparsity.is_some() { " sparse" } else { "" };
        write!(f, "const {}{}{sparse}", self.stored, self.shape)
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::SparseDimension;
    use super::*;

    fn sparse(shape: &[u32], values: &[f32], sparsity: Sparsity) -> Constant {
        Constant { sparsity: Some(Arc::new(sparsity)), ..Constant::from_f32(shape, values) }
    }

    #[test]
    fn rows_of_compressed_columns() {
        let sparsity = Sparsity {
            traversal: vec![0, 1],
            block_map: vec![],
            dimensions: vec![
                SparseDimension::Dense(3),
                SparseDimension::Csr { segments: vec![0, 2, 2, 3], indices: vec![0, 3, 1] },
            ],
        };
        let x = sparse(&[3, 4], &[1.0, 2.0, 3.0], sparsity);
        let expected = [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0];
        assert_eq!(x.to_f32().unwrap(), expected);
    }

    #[test]
    fn compressed_blocks() {
        // [4, 4] in blocks of 2 × 2, of which (0, 1) and (1, 0) are present.
        let sparsity = Sparsity {
            traversal: vec![0, 1, 2, 3],
            block_map: vec![0, 1],
            dimensions: vec![
                SparseDimension::Dense(2),
                SparseDimension::Csr { segments: vec![0, 1, 2], indices: vec![1, 0] },
                SparseDimension::Dense(2),
                SparseDimension::Dense(2),
            ],
        };
        let x = sparse(&[4, 4], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], sparsity);
        let expected = [0., 0., 1., 2., 0., 0., 3., 4., 5., 6., 0., 0., 7., 8., 0., 0.];
        assert_eq!(x.to_f32().unwrap(), expected);
    }

    #[test]
    fn nonsense_is_refused() {
        let csr = |segments: &[i32], indices: &[i32]| Sparsity {
            traversal: vec![0, 1],
            block_map: vec![],
            dimensions: vec![
                SparseDimension::Dense(2),
                SparseDimension::Csr { segments: segments.to_vec(), indices: indices.to_vec() },
            ],
        };
        for (segments, indices) in
            [(&[0, 1][..], &[0][..]), (&[0, 1, 2], &[0]), (&[0, 1, 2], &[0, 9]), (&[0, -1, 2], &[0, 1])]
        {
            let x = sparse(&[2, 2], &[1.0, 2.0], csr(segments, indices));
            assert!(x.check().is_err() && x.to_f32().is_err(), "{segments:?} {indices:?}");
        }
        let short = sparse(&[2, 2], &[1.0], csr(&[0, 1, 2], &[0, 1]));
        assert!(short.check().is_err() && short.to_f32().is_err());
    }

    #[test]
    fn a_sparse_constant_of_any_size_is_refused_in_time() {
        let dense = |sizes: &[u32]| Sparsity {
            traversal: (0..sizes.len()).collect(),
            block_map: vec![],
            dimensions: sizes.iter().map(|n| SparseDimension::Dense(*n)).collect(),
        };
        let most = i32::MAX as u32;
        for (shape, sizes) in [
            (&[4, 4, 4][..], &[most, most, 0][..]),
            (&[4, 4], &[most, 0]),
            (&[4, 4], &[most, most]),
            (&[2, 2], &[2, 3]),
            (&[2, 2], &[1, 2]),
        ] {
            assert!(sparse(shape, &[1.0], dense(sizes)).check().is_err(), "{shape:?} {sizes:?}");
        }
        assert_eq!(sparse(&[most, 0], &[], dense(&[most, 0])).to_f32(), Ok(vec![]));
        // Nothing is stored, so nothing is visited.
        let rows = SparseDimension::Csr { segments: vec![0, 0], indices: vec![] };
        let nothing = Sparsity {
            traversal: vec![0, 1],
            block_map: vec![],
            dimensions: vec![rows, SparseDimension::Dense(1 << 18)],
        };
        let huge = sparse(&[1 << 20, 1 << 18], &[], nothing);
        assert!(huge.check().unwrap_err().0.contains("too large"));
        assert!(huge.to_f32().unwrap_err().0.contains("too large"));
        // Rows that overlap are visited again and again.
        let again: Vec<i32> = (0..=1000).map(|i| i % 2 * 1000).collect();
        let again = || SparseDimension::Csr { segments: again.clone(), indices: vec![0; 1000] };
        let overlaps = Sparsity {
            traversal: vec![0, 1, 2, 3],
            block_map: vec![],
            dimensions: vec![SparseDimension::Dense(1000), again(), again(), again()],
        };
        assert!(sparse(&[1000; 4], &[1.0; 9], overlaps).check().is_err());
        // More blocks than dimensions: a level each.
        let deep = Sparsity {
            traversal: (0..100_001).collect(),
            block_map: vec![0; 100_000],
            dimensions: vec![SparseDimension::Dense(1); 100_001],
        };
        assert!(sparse(&[1], &[1.0], deep).check().is_err());
    }
}
