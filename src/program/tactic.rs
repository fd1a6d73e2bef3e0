//! Choices among several candidates (kernels, tilings) for a node, whose speed depends on the device.

use std::fmt;
use std::ops::Range;

use super::kernel::Store;

/// What the fastest candidate for a node depends on: nodes with the same key take the same candidate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TacticKey {
    /// The family of kernels to choose from, as `conv_2d_quads`.
    pub kernel: &'static str,
    /// Sizes that do not depend on batch and image size, by name: channels, the window.
    pub sizes: Vec<(&'static str, Vec<u32>)>,
    /// Output pixels × batch; `None` where the best candidate does not depend on them.
    pub rows: Option<u32>,
    /// How activations are stored.
    pub store: Store,
}

impl TacticKey {
    /// A key without sizes.
    pub fn new(kernel: &'static str, store: Store) -> Self {
        Self { kernel, sizes: Vec::new(), rows: None, store }
    }

    /// The key with one more size, of one number per dimension.
    pub fn with<const N: usize>(mut self, name: &'static str, size: [u32; N]) -> Self {
        self.sizes.push((name, size.to_vec()));
        self
    }

    /// The key of a choice that depends on the number of rows too.
    pub fn rows(self, rows: u32) -> Self {
        Self { rows: Some(rows), ..self }
    }

    /// The key without its number of rows: the same for every batch and image size.
    pub fn class(&self) -> Self {
        Self { rows: None, ..self.clone() }
    }
}

/// As `conv_2d_quads window 3x3 channels 16 rows 196 F32`: the key of tables on disk.
impl fmt::Display for TacticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kernel)?;
        for (name, size) in &self.sizes {
            let size: Vec<String> = size.iter().map(u32::to_string).collect();
            write!(f, " {name} {}", size.join("x"))?;
        }
        if let Some(rows) = self.rows {
            write!(f, " rows {rows}")?;
        }
        write!(f, " {:?}", self.store)
    }
}

/// A choice among candidates for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What it depends on.
    pub key: TacticKey,
    /// Candidates by name; the first is the usual one on devices of this kind.
    pub candidates: Vec<String>,
    /// The index of the one that was taken.
    pub taken: usize,
    /// The dispatches that compute the node.
    pub dispatches: Range<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_a_key_leaves_out_rows() {
        let key = TacticKey::new("matrix", Store::F16).with("window", [3, 5]).with("channels", [64]);
        let rows = key.clone().rows(196);
        assert_eq!(rows.to_string(), "matrix window 3x5 channels 64 rows 196 F16");
        assert_ne!(rows, key);
        assert_eq!((rows.class(), key.class()), (key.clone(), key));
    }
}
