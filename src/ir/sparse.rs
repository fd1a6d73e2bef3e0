//! Where the elements of a sparse constant belong.
//!
//! TFLite stores a sparse tensor level by level: in the traversal order, each dimension is dense or
//! compressed (CSR), and blocks add dimensions behind the tensor's own.

use super::constant::{Constant, SparseDimension, Sparsity};
use crate::error::Unsupported;
use crate::unsupported;

/// Visits the present elements of a sparse constant: their bytes, and their place among all elements.
pub(super) fn visit(
    x: &Constant,
    sparsity: &Sparsity,
    f: &mut dyn FnMut(usize, &[u8]),
) -> Result<(), Unsupported> {
    let element = x.stored.bytes() as usize;
    let bytes = (*x.bytes).as_ref();
    Walk::new(x, sparsity)?.level(0, 0, &mut |to, from| {
        match bytes.get(from * element..(from + 1) * element) {
            Some(bytes) => f(to, bytes),
            None => unsupported!("the sparse constant {x:?} has too few values"),
        }
        Ok(())
    })
}

/// The present elements in the order in which they are stored.
struct Walk<'a> {
    shape: &'a [u32],
    sparsity: &'a Sparsity,
    /// Size of each block dimension.
    blocks: Vec<u32>,
    /// The index at each level.
    index: Vec<u32>,
    /// Elements met so far.
    met: usize,
}

/// Receives the place of an element in the dense tensor and among the stored elements.
type Visit<'a> = &'a mut dyn FnMut(usize, usize) -> Result<(), Unsupported>;

impl<'a> Walk<'a> {
    fn new(x: &'a Constant, sparsity: &'a Sparsity) -> Result<Self, Unsupported> {
        let levels = sparsity.traversal.len();
        let mut order = sparsity.traversal.clone();
        order.sort_unstable();
        let fits = order.into_iter().eq(0..levels)
            && levels == sparsity.dimensions.len()
            && levels == x.shape.len() + sparsity.block_map.len()
            && sparsity.block_map.iter().all(|d| *d < x.shape.len());
        if !fits {
            unsupported!("{sparsity:?} does not describe {}", x.shape);
        }
        let block = |b: usize| {
            let level = sparsity.traversal.iter().position(|d| *d == x.shape.len() + b);
            match level.map(|level| &sparsity.dimensions[level]) {
                Some(SparseDimension::Dense(size)) => Ok(*size),
                _ => Err(Unsupported("a block dimension that is not dense".into())),
            }
        };
        let blocks = (0..sparsity.block_map.len()).map(block).collect::<Result<_, _>>()?;
        Ok(Self { shape: &x.shape, sparsity, blocks, index: vec![0; levels], met: 0 })
    }

    /// Visits what lies below node `parent` of the level above.
    fn level(&mut self, level: usize, parent: usize, visit: Visit<'_>) -> Result<(), Unsupported> {
        let sparsity = self.sparsity;
        match sparsity.dimensions.get(level) {
            None => {
                visit(self.place()?, self.met)?;
                self.met += 1;
            }
            Some(SparseDimension::Dense(size)) => {
                for i in 0..*size {
                    self.index[level] = i;
                    self.level(level + 1, parent * *size as usize + i as usize, visit)?;
                }
            }
            Some(SparseDimension::Csr { segments, indices }) => {
                let bound = |i: usize| segments.get(i).and_then(|n| usize::try_from(*n).ok());
                let (Some(from), Some(to)) = (bound(parent), bound(parent + 1)) else {
                    unsupported!("a sparse constant without segment {parent}");
                };
                for node in from..to {
                    let Some(i) = indices.get(node).and_then(|i| u32::try_from(*i).ok()) else {
                        unsupported!("a sparse constant without index {node}");
                    };
                    self.index[level] = i;
                    self.level(level + 1, node, visit)?;
                }
            }
        }
        Ok(())
    }

    /// Where the present element lies in the dense tensor.
    fn place(&self) -> Result<usize, Unsupported> {
        let rank = self.shape.len();
        let mut index = vec![0usize; rank];
        for (&dimension, &i) in self.sparsity.traversal.iter().zip(&self.index) {
            if dimension < rank {
                index[dimension] = i as usize;
            }
        }
        for (level, &dimension) in self.sparsity.traversal.iter().enumerate() {
            if let Some(block) = dimension.checked_sub(rank) {
                let whole = &mut index[self.sparsity.block_map[block]];
                *whole = *whole * self.blocks[block] as usize + self.index[level] as usize;
            }
        }
        if index.iter().zip(self.shape).any(|(i, n)| *i >= *n as usize) {
            unsupported!("a sparse constant with an element at {index:?} of {:?}", self.shape);
        }
        Ok(index.iter().zip(self.shape).fold(0, |at, (i, &n)| at * n as usize + i))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
}
