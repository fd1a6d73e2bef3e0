//! A node of the model.

use std::ffi::CStr;
use std::fmt;

use super::array::ints;
use super::names::builtin_name;
use super::params::BuiltinParams;
use super::{Subgraph, TensorView, sys};

/// A node of the model, whose tensors exist.
#[derive(Clone, Copy)]
pub struct NodeView<'a> {
    subgraph: &'a Subgraph<'a>,
    index: i32,
    node: &'a sys::TfLiteNode,
    registration: &'a sys::TfLiteRegistration,
}

impl<'a> NodeView<'a> {
    pub(super) fn new(
        subgraph: &'a Subgraph<'a>,
        index: i32,
        node: &'a sys::TfLiteNode,
        registration: &'a sys::TfLiteRegistration,
    ) -> Self {
        Self { subgraph, index, node, registration }
    }

    /// The node's index in its subgraph.
    pub fn index(&self) -> i32 {
        self.index
    }

    /// TFLite's builtin operator code.
    pub fn builtin(&self) -> u32 {
        self.registration.builtin_code as u32
    }

    /// The custom operator's name.
    pub fn custom_name(&self) -> Option<&'a str> {
        let name = self.registration.custom_name;
        if self.builtin() != sys::kTfLiteBuiltinCustom || name.is_null() {
            return None;
        }
        // SAFETY: the host keeps the name as long as the node.
        unsafe { CStr::from_ptr(name) }.to_str().ok()
    }

    /// The operator's name: `CONV_2D`, or the custom name.
    pub fn name(&self) -> String {
        let builtin = || builtin_name(self.builtin()).map(str::to_owned);
        let name = self.custom_name().map(str::to_owned).or_else(builtin);
        name.unwrap_or_else(|| format!("operator {}", self.builtin()))
    }

    /// The operator's version.
    pub fn version(&self) -> i32 {
        self.registration.version
    }

    /// Indices of the operands' tensors; -1 for one left out.
    pub fn input_tensors(&self) -> &'a [i32] {
        // SAFETY: the host's array does not change while the subgraph is looked at.
        unsafe { ints(self.node.inputs) }
    }

    /// Indices of the results' tensors.
    pub fn output_tensors(&self) -> &'a [i32] {
        // SAFETY: as above.
        unsafe { ints(self.node.outputs) }
    }

    /// Number of operands, absent ones included.
    pub fn input_count(&self) -> usize {
        self.input_tensors().len()
    }

    /// Number of results.
    pub fn output_count(&self) -> usize {
        self.output_tensors().len()
    }

    /// Operand `i`; `None` if it is left out.
    pub fn input(&self, i: usize) -> Option<TensorView<'a>> {
        let tensor = self.subgraph.tensor(*self.input_tensors().get(i)?)?;
        let reads_sparse = self.builtin() == sys::kTfLiteBuiltinDensify;
        Some(if reads_sparse { tensor.allow_sparse() } else { tensor })
    }

    /// Result `i`.
    pub fn output(&self, i: usize) -> Option<TensorView<'a>> {
        self.subgraph.tensor(*self.output_tensors().get(i)?)
    }

    /// The builtin operator's parameters; `None` if the host gives none, or `T` belongs to another
    /// operator.
    pub fn params<T: BuiltinParams>(&self) -> Option<&'a T> {
        let data = self.node.builtin_data.cast::<T>();
        if !T::CODES.contains(&self.builtin()) || !data.is_aligned() {
            return None;
        }
        // SAFETY: this is what the host keeps there for these operators, as long as the node lives.
        unsafe { data.as_ref() }
    }

    /// The custom operator's options.
    pub fn custom_options(&self) -> &'a [u8] {
        let (data, bytes) = (self.node.custom_initial_data, self.node.custom_initial_data_size);
        match usize::try_from(bytes) {
            // SAFETY: the host keeps so many bytes there as long as the model lives.
            Ok(bytes) if !data.is_null() => unsafe { std::slice::from_raw_parts(data.cast(), bytes) },
            _ => &[],
        }
    }
}

impl fmt::Debug for NodeView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for NodeView<'_> {
    /// As `#3 CONV_2D`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.index, self.name())
    }
}
