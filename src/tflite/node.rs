//! A node of the model.

use std::ffi::CStr;
use std::fmt;

use super::array::ints;
use super::names::builtin_name;
use super::params::BuiltinParams;
use super::{Subgraph, TensorView, sys};
use crate::error::Unsupported;
use crate::ir::Quantization;
use crate::options::Integers;
use crate::unsupported;

impl Subgraph<'_> {
    /// The node with this index, whose tensors exist.
    pub fn node(&self, index: i32) -> Result<NodeView<'_>, Unsupported> {
        let Some((node, registration)) = self.context().node(index) else {
            unsupported!("there is no node {index}")
        };
        let view = NodeView { subgraph: self, index, node, registration };
        let count = self.context().tensor_count();
        let unknown =
            |i: &&i32| **i != sys::kTfLiteOptionalTensor && usize::try_from(**i).map_or(true, |i| i >= count);
        match view.input_tensors().iter().chain(view.output_tensors()).find(unknown) {
            Some(i) => unsupported!("it names tensor {i}, there are {count}"),
            None => Ok(view),
        }
    }
}

/// A node of the model, whose tensors exist.
#[derive(Clone, Copy)]
pub struct NodeView<'a> {
    subgraph: &'a Subgraph<'a>,
    index: i32,
    node: &'a sys::TfLiteNode,
    registration: &'a sys::TfLiteRegistration,
}

impl<'a> NodeView<'a> {
    /// Which of TFLite's kernels integer results have to equal.
    pub fn integers(&self) -> Integers {
        self.subgraph.integers()
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

    /// The quantisation of intermediate `i`, a tensor that only describes what the operator computes inside; `None`
    /// if there is none.
    pub fn intermediate(&self, i: usize) -> Result<Option<Quantization>, Unsupported> {
        // SAFETY: as above.
        let tensors = unsafe { ints(self.node.intermediates) };
        let Some(tensor) = tensors.get(i).and_then(|index| self.subgraph.tensor(*index)) else {
            return Ok(None);
        };
        tensor.quantization()
    }

    /// The builtin operator's parameters; `None` if the host gives none, or `T` belongs to another
    /// operator or to later versions.
    pub fn params<T: BuiltinParams>(&self) -> Option<&'a T> {
        let data = self.node.builtin_data.cast::<T>();
        if !T::CODES.contains(&self.builtin()) || self.version() < T::SINCE || !data.is_aligned() {
            return None;
        }
        // SAFETY: this is what the host keeps there for these operators, as long as the node lives. It knows the
        // node's version, else it had not loaded the model.
        unsafe { data.as_ref() }
    }

    /// The type of sums, and of a bias, that a convolution or matrix product of int16 asks for; `None` if operators of
    /// the node's version do not say.
    pub fn quantized_bias_type(&self) -> Option<sys::TfLiteType> {
        let conv = self.params::<sys::TfLiteConvParamsVersion8>().map(|p| p.quantized_bias_type);
        let product =
            || self.params::<sys::TfLiteFullyConnectedParamsVersion11>().map(|p| p.quantized_bias_type);
        let transposed =
            || self.params::<sys::TfLiteTransposeConvParamsVersion5>().map(|p| p.quantized_bias_type);
        conv.or_else(product).or_else(transposed)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tflite::mock::Host;

    fn refusal(host: &mut Host, index: i32) -> String {
        let context = host.context();
        Subgraph::new(&context).node(index).unwrap_err().0
    }

    #[test]
    fn nodes_that_name_no_tensor_are_refused() {
        let mut host = Host::new();
        host.tensor(&[2]);
        host.node(sys::kTfLiteBuiltinAdd, &[0, 1], &[0]);
        host.node(sys::kTfLiteBuiltinAdd, &[0, -2], &[0]);
        host.node(sys::kTfLiteBuiltinAdd, &[0], &[i32::MAX]);
        for (node, tensor) in [(0, 1), (1, -2), (2, i32::MAX)] {
            assert_eq!(refusal(&mut host, node), format!("it names tensor {tensor}, there are 1"));
        }
        assert_eq!(refusal(&mut host, 3), "there is no node 3");
        assert_eq!(refusal(&mut host, -1), "there is no node -1");
        host.raw.GetNodeAndRegistration = None;
        assert_eq!(refusal(&mut host, 0), "there is no node 0");
    }

    #[test]
    fn arrays_that_are_null_or_negative_are_empty() {
        let mut host = Host::new();
        host.node(sys::kTfLiteBuiltinAdd, &[], &[]).inputs = std::ptr::null_mut();
        let negative = host.ints(&[]);
        // SAFETY: the array is alive.
        unsafe { (*negative).size = -4 };
        host.nodes[0].0.outputs = negative;
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let node = subgraph.node(0).unwrap();
        assert_eq!((node.input_count(), node.output_count()), (0, 0));
        assert!(node.input(0).is_none() && node.output(0).is_none());
    }

    #[test]
    fn an_operand_may_be_left_out() {
        let mut host = Host::new();
        host.tensor(&[2]);
        host.node(sys::kTfLiteBuiltinConv2d, &[0, -1, 0], &[0]);
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let node = subgraph.node(0).unwrap();
        assert_eq!(node.input_count(), 3);
        assert!(node.input(0).is_some() && node.input(1).is_none() && node.input(3).is_none());
        assert_eq!(node.to_string(), "#0 CONV_2D");
    }

    #[test]
    fn parameters_belong_to_their_operator() {
        let mut host = Host::new();
        let params = sys::TfLiteConvParams { stride_width: 3, ..Default::default() };
        let params = host.keep(params);
        host.node(sys::kTfLiteBuiltinConv2d, &[], &[]).builtin_data = params.cast();
        host.node(sys::kTfLiteBuiltinConv2d, &[], &[]);
        host.node(sys::kTfLiteBuiltinConv2d, &[], &[]).builtin_data = params.wrapping_byte_add(1).cast();
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let node = |i| subgraph.node(i).unwrap();
        assert_eq!(node(0).params::<sys::TfLiteConvParams>().unwrap().stride_width, 3);
        assert!(node(0).params::<sys::TfLiteAddParams>().is_none());
        assert!(node(1).params::<sys::TfLiteConvParams>().is_none());
        assert!(node(2).params::<sys::TfLiteConvParams>().is_none());
    }

    /// Hosts of 2.14 have no more than this there; newer ones append.
    #[test]
    fn parameters_end_where_those_of_the_oldest_host_end() {
        assert_eq!(size_of::<sys::TfLiteConvParams>(), 24);
        assert_eq!(size_of::<sys::TfLiteFullyConnectedParams>(), 12);
        assert_eq!(size_of::<sys::TfLiteTransposeConvParams>(), 16);
    }

    #[test]
    fn parameters_of_later_versions_are_those_of_later_nodes() {
        let mut host = Host::new();
        let older = sys::TfLiteConvParams { stride_width: 3, ..Default::default() };
        let params = sys::TfLiteConvParamsVersion8 { older, quantized_bias_type: sys::kTfLiteInt32 };
        let params = host.keep(params);
        for version in [7, 8] {
            host.node(sys::kTfLiteBuiltinConv2d, &[], &[]).builtin_data = params.cast();
            host.nodes.last_mut().unwrap().1.version = version;
        }
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let node = |i| subgraph.node(i).unwrap();
        assert_eq!(node(0).quantized_bias_type(), None);
        assert_eq!(node(1).quantized_bias_type(), Some(sys::kTfLiteInt32));
        assert_eq!(node(1).params::<sys::TfLiteConvParams>().unwrap().stride_width, 3);
    }

    #[test]
    fn custom_operators_have_a_name_and_options() {
        let mut host = Host::new();
        let options = host.keep([7u8, 8, 9]);
        let node = host.node(sys::kTfLiteBuiltinCustom, &[], &[]);
        (node.custom_initial_data, node.custom_initial_data_size) = (options.cast(), 3);
        host.nodes[0].1.custom_name = c"Blur".as_ptr();
        host.node(sys::kTfLiteBuiltinCustom, &[], &[]).custom_initial_data_size = 5;
        host.node(sys::kTfLiteBuiltinAdd, &[], &[]).custom_initial_data_size = -1;
        host.nodes[2].1.custom_name = c"Blur".as_ptr();
        host.node(5000, &[], &[]);
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let node = |i| subgraph.node(i).unwrap();
        assert_eq!((node(0).custom_name(), node(0).custom_options()), (Some("Blur"), &[7, 8, 9][..]));
        assert_eq!((node(1).custom_name(), node(1).custom_options()), (None, &[][..]));
        assert_eq!((node(2).custom_name(), node(2).custom_options()), (None, &[][..]));
        let names: Vec<String> = (0..4).map(|i| node(i).name()).collect();
        assert_eq!(names, ["Blur", "CUSTOM", "ADD", "operator 5000"]);
    }
}
