//! A subgraph with what is known of its tensors' contents.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::{Context, NodeView, Partition, PartitionView, TensorView, sys};
use crate::error::{Result, Unsupported};
use crate::ir::Constant;
use crate::op::Operator;
use crate::unsupported;

/// A subgraph of the model, while the delegate looks at it.
pub struct Subgraph<'a> {
    context: &'a Context<'a>,
    folds: RefCell<HashMap<i32, Rc<Fold>>>,
}

/// A tensor that a foldable node makes of constants; computed when it is first asked for.
struct Fold {
    op: Arc<dyn Operator>,
    inputs: Vec<Option<i32>>,
    result: OnceCell<Result<Constant, Unsupported>>,
}

impl<'a> Subgraph<'a> {
    /// The subgraph of a context.
    pub fn new(context: &'a Context<'a>) -> Self {
        Self { context, folds: RefCell::default() }
    }

    /// Its context.
    pub fn context(&self) -> &'a Context<'a> {
        self.context
    }

    /// The node with this index, whose tensors exist.
    pub fn node(&self, index: i32) -> Result<NodeView<'_>, Unsupported> {
        let Some((node, registration)) = self.context.node(index) else {
            unsupported!("there is no node {index}")
        };
        let view = NodeView::new(self, index, node, registration);
        let count = self.context.tensor_count();
        let unknown =
            |i: &&i32| **i != sys::kTfLiteOptionalTensor && usize::try_from(**i).map_or(true, |i| i >= count);
        match view.input_tensors().iter().chain(view.output_tensors()).find(unknown) {
            Some(i) => unsupported!("it names tensor {i}, there are {count}"),
            None => Ok(view),
        }
    }

    /// The tensor with this index.
    pub fn tensor(&self, index: i32) -> Option<TensorView<'_>> {
        TensorView::new(self, index)
    }

    /// The nodes and tensors of a partition.
    pub fn partition(&self, partition: &Partition) -> Result<PartitionView<'_>, Unsupported> {
        let nodes = partition.nodes.iter().map(|i| self.node(*i)).collect::<Result<_, _>>()?;
        let not_constant = |indices: &[i32]| -> Vec<TensorView<'_>> {
            indices.iter().filter_map(|i| self.tensor(*i)).filter(|t| !t.is_constant()).collect()
        };
        Ok(PartitionView::new(nodes, not_constant(&partition.inputs), not_constant(&partition.outputs)))
    }

    /// Declares the result of `node` constant: `op`, which folds, makes it of the node's operands,
    /// which are constant. Nodes are declared in the order of their execution.
    pub fn fold(&self, node: &NodeView<'_>, op: Arc<dyn Operator>) {
        let inputs =
            node.input_tensors().iter().map(|i| (*i != sys::kTfLiteOptionalTensor).then_some(*i)).collect();
        if let Some(output) = node.output_tensors().first() {
            // The first to write a tensor is the one that counts: folds never form a circle.
            let fold = Fold { op, inputs, result: OnceCell::new() };
            self.folds.borrow_mut().entry(*output).or_insert_with(|| Rc::new(fold));
        }
    }

    /// Whether a foldable node makes this tensor.
    pub fn is_folded(&self, tensor: i32) -> bool {
        self.folds.borrow().contains_key(&tensor)
    }

    /// What a foldable node makes of constants, if this tensor comes from one.
    pub(super) fn folded(&self, tensor: i32) -> Option<Result<Constant, Unsupported>> {
        let fold = self.folds.borrow().get(&tensor)?.clone();
        Some(fold.result.get_or_init(|| self.evaluate(&fold)).clone())
    }

    fn evaluate(&self, fold: &Fold) -> Result<Constant, Unsupported> {
        let mut inputs = Vec::new();
        for input in &fold.inputs {
            inputs.push(match input.and_then(|i| self.tensor(i)) {
                Some(tensor) => tensor.constant()?,
                None => None,
            });
        }
        let inputs: Vec<_> = inputs.iter().map(Option::as_ref).collect();
        fold.op.fold(&inputs).unwrap_or_else(|| unsupported!("{:?} does not fold", fold.op))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops;
    use crate::tflite::{mock::Host, sys};

    /// Parses every node with constant operands and declares what folds, as the delegate does.
    fn declared<'a>(context: &'a Context<'a>) -> Subgraph<'a> {
        let subgraph = Subgraph::new(context);
        for index in context.execution_plan().unwrap() {
            let node = subgraph.node(index).unwrap();
            let constant = (0..node.input_count()).all(|i| node.input(i).is_some_and(|t| t.is_constant()));
            if constant {
                subgraph.fold(&node, ops::parse(&node).unwrap().op);
            }
        }
        subgraph
    }

    fn half(x: f32) -> [u8; 2] {
        half::f16::from_f32(x).to_le_bytes()
    }

    #[test]
    fn what_is_unpacked_is_constant_in_every_partition() {
        let mut host = Host::new();
        host.constant(&[1, 2], sys::kTfLiteFloat16, &[half(1.5), half(-2.0)].concat());
        host.tensor(&[1, 2]);
        host.tensor(&[1, 2]);
        host.tensor(&[1, 2]);
        host.node(sys::kTfLiteBuiltinDequantize, &[0], &[1]);
        host.node(sys::kTfLiteBuiltinAdd, &[1, 2], &[3]);
        let context = host.context();
        let subgraph = declared(&context);
        let weights = subgraph.tensor(1).unwrap();
        let constant = weights.constant().unwrap().unwrap();
        assert_eq!(constant.to_f32(), Ok(vec![1.5, -2.0]));
        assert_eq!(weights.ty().unwrap().to_string(), "f32[1,2]");
        let later = Partition { nodes: vec![1], inputs: vec![-1, 1, 2], outputs: vec![3] };
        let view = subgraph.partition(&later).unwrap();
        let indices =
            |tensors: Vec<TensorView<'_>>| tensors.iter().map(TensorView::index).collect::<Vec<_>>();
        assert_eq!((indices(view.inputs()), indices(view.outputs())), (vec![2], vec![3]));
        let whole = Partition { nodes: vec![0, 1], inputs: vec![0, 2], outputs: vec![1, 3] };
        let view = subgraph.partition(&whole).unwrap();
        assert_eq!((indices(view.inputs()), indices(view.outputs())), (vec![2], vec![3]));
    }

    #[test]
    fn the_first_to_write_a_tensor_counts_so_there_is_no_circle() {
        let mut host = Host::new();
        host.constant(&[1], sys::kTfLiteFloat16, &half(1.0));
        host.tensor(&[1]);
        host.tensor(&[1]);
        for (input, output) in [(0, 1), (1, 2), (2, 1)] {
            host.node(sys::kTfLiteBuiltinDequantize, &[input], &[output]);
        }
        let context = host.context();
        let subgraph = Subgraph::new(&context);
        let node = |i| subgraph.node(i).unwrap();
        let op = ops::parse(&node(0)).unwrap().op;
        (0..3).for_each(|i| subgraph.fold(&node(i), op.clone()));
        assert_eq!(subgraph.tensor(1).unwrap().constant().unwrap().unwrap().to_f32(), Ok(vec![1.0]));
        assert!(subgraph.tensor(2).unwrap().constant().is_ok());
    }
}
