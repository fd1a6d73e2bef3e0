//! Where the elements of a sparse constant belong.
//!
//! TFLite stores a sparse tensor level by level: in the traversal order, each dimension is dense or
//! compressed (CSR), and blocks add dimensions behind the tensor's own.

use super::{DType, Shape, SparseDimension, Sparsity};
use crate::error::Unsupported;
use crate::unsupported;

/// Visits the elements that `bytes` hold of a sparse constant of this shape and type: their bytes, and their place
/// among all elements.
pub(super) fn visit(
    shape: &Shape,
    stored: DType,
    bytes: &[u8],
    sparsity: &Sparsity,
    f: &mut dyn FnMut(usize, &[u8]),
) -> Result<(), Unsupported> {
    let element = stored.bytes() as usize;
    let mut walk = Walk::new(shape, sparsity)?;
    if shape.elements() == 0 {
        return Ok(());
    }
    walk.level(0, 0, &mut |to, from| {
        match bytes.get(from * element..(from + 1) * element) {
            Some(bytes) => f(to, bytes),
            None => unsupported!("the sparse constant {stored}{shape} has too few values"),
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
    fn new(shape: &'a Shape, sparsity: &'a Sparsity) -> Result<Self, Unsupported> {
        let levels = sparsity.traversal.len();
        let mut order = sparsity.traversal.clone();
        order.sort_unstable();
        let fits = order.into_iter().eq(0..levels)
            && levels == sparsity.dimensions.len()
            && levels == shape.len() + sparsity.block_map.len()
            && sparsity
                .block_map
                .iter()
                .enumerate()
                .all(|(b, d)| *d < shape.len() && !sparsity.block_map[..b].contains(d));
        if !fits {
            unsupported!("a sparse constant whose dimensions are not those of {shape}");
        }
        let block = |b: usize| {
            let level = sparsity.traversal.iter().position(|d| *d == shape.len() + b);
            match level.map(|level| &sparsity.dimensions[level]) {
                Some(SparseDimension::Dense(size)) => Ok(*size),
                _ => Err(Unsupported("a block dimension that is not dense".into())),
            }
        };
        let blocks: Vec<u32> = (0..sparsity.block_map.len()).map(block).collect::<Result<_, _>>()?;
        for (dimension, &level) in sparsity.dimensions.iter().zip(&sparsity.traversal) {
            let whole = match (dimension, shape.get(level)) {
                (SparseDimension::Dense(_), None) => continue,
                (SparseDimension::Dense(size), Some(n)) => {
                    let block = sparsity.block_map.iter().position(|d| *d == level);
                    size.checked_mul(block.map_or(1, |b| blocks[b])) == Some(*n)
                }
                // Every row lies behind the one before: no element is visited twice.
                (SparseDimension::Csr { segments, indices }, _) => {
                    segments.is_sorted()
                        && segments.first().is_none_or(|n| *n >= 0)
                        && segments.last().is_none_or(|n| *n as usize <= indices.len())
                }
            };
            if !whole {
                unsupported!("a sparse constant {shape} whose dimension {level} has another size");
            }
        }
        Ok(Self { shape, sparsity, blocks, index: vec![0; levels], met: 0 })
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
                    let node = parent.saturating_mul(*size as usize).saturating_add(i as usize);
                    self.level(level + 1, node, visit)?;
                }
            }
            Some(SparseDimension::Csr { segments, indices }) => {
                let bound = |i: usize| segments.get(i).and_then(|n| usize::try_from(*n).ok());
                let (Some(from), Some(to)) = (bound(parent), bound(parent.saturating_add(1))) else {
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
