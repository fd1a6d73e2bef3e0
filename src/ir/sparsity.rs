//! How TFLite describes a sparse tensor.

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
