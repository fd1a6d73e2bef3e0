//! What is found out about tensors while the delegate looks at a subgraph: constants that foldable nodes
//! (DEQUANTIZE of fp16, DENSIFY) compute, sizes that stand for open ones, and integers that follow from shapes.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::Fold;
use crate::error::Unsupported;
use crate::ir::{Constant, HostTensor, Shape};
use crate::tflite::{Computed, NodeView, Subgraph};

/// What is known of tensors besides what the model says.
#[derive(Default)]
pub struct Findings {
    /// The tensors that foldable nodes compute from constants.
    folded: RefCell<HashMap<i32, Rc<Folded>>>,
    shapes: RefCell<HashMap<i32, Shape>>,
    numbers: RefCell<HashMap<i32, HostTensor>>,
}

/// Computed when it is first asked for.
struct Folded {
    fold: Fold,
    inputs: Vec<Option<i32>>,
    result: OnceCell<Result<Constant, Unsupported>>,
}

impl Findings {
    /// Declares the result of `node` constant: `fold` computes it from the node's operands, which are
    /// constant. Nodes are declared in the order of their execution.
    pub fn declare(&self, node: &NodeView<'_>, fold: Fold) {
        let inputs = node.input_tensors().iter().map(|i| (*i >= 0).then_some(*i)).collect();
        if let Some(output) = node.output_tensors().first() {
            // The first to write a tensor is the one that counts: findings never form a circle.
            let folded = Folded { fold, inputs, result: OnceCell::new() };
            self.folded.borrow_mut().entry(*output).or_insert_with(|| Rc::new(folded));
        }
    }

    /// Takes `shape` for that of `tensor`, whose sizes are open.
    pub fn assume(&self, tensor: i32, shape: Shape) {
        self.shapes.borrow_mut().insert(tensor, shape);
    }

    /// Forgets all shapes that were assumed, and what follows from them.
    pub fn forget_shapes(&self) {
        self.shapes.borrow_mut().clear();
        self.numbers.borrow_mut().clear();
    }

    /// Remembers that `tensor` follows from shapes: for those that are assumed it is `numbers`.
    pub fn know(&self, tensor: i32, numbers: HostTensor) {
        self.numbers.borrow_mut().insert(tensor, numbers);
    }

    /// The numbers in `tensor` for the shapes that are assumed, if it follows from them.
    pub fn numbers(&self, tensor: i32) -> Option<HostTensor> {
        self.numbers.borrow().get(&tensor).cloned()
    }
}

impl Folded {
    fn evaluate(&self, subgraph: &Subgraph<'_>) -> Result<Constant, Unsupported> {
        let mut inputs = Vec::new();
        for input in &self.inputs {
            inputs.push(match input.and_then(|i| subgraph.tensor(i)) {
                Some(tensor) => tensor.constant()?,
                None => None,
            });
        }
        let inputs: Vec<_> = inputs.iter().map(Option::as_ref).collect();
        (self.fold)(&inputs)
    }
}

impl Computed for Findings {
    fn has(&self, tensor: i32) -> bool {
        self.folded.borrow().contains_key(&tensor)
    }

    fn shape(&self, tensor: i32) -> Option<Shape> {
        self.shapes.borrow().get(&tensor).copied()
    }

    fn follows_from_shapes(&self, tensor: i32) -> bool {
        self.numbers.borrow().contains_key(&tensor)
    }

    fn constant(&self, subgraph: &Subgraph<'_>, tensor: i32) -> Option<Result<Constant, Unsupported>> {
        let folded = self.folded.borrow().get(&tensor)?.clone();
        Some(folded.result.get_or_init(|| folded.evaluate(subgraph)).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tflite::{Context, Partition, TensorView, mock::Host, sys};

    /// As DEQUANTIZE and DENSIFY do.
    const UNPACK: Fold = |inputs| Ok(inputs[0].unwrap().clone());

    /// Declares every node whose operands are constant, as the delegate does.
    fn declare(context: &Context<'_>, findings: &Findings) {
        let subgraph = Subgraph::new(context).with(findings);
        for index in context.execution_plan().unwrap() {
            let node = subgraph.node(index).unwrap();
            if (0..node.input_count()).all(|i| node.input(i).is_some_and(|t| t.is_constant())) {
                findings.declare(&node, UNPACK);
            }
        }
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
        let findings = Findings::default();
        declare(&context, &findings);
        let subgraph = Subgraph::new(&context).with(&findings);
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
        let findings = Findings::default();
        let subgraph = Subgraph::new(&context).with(&findings);
        (0..3).for_each(|i| findings.declare(&subgraph.node(i).unwrap(), UNPACK));
        assert_eq!(subgraph.tensor(1).unwrap().constant().unwrap().unwrap().to_f32(), Ok(vec![1.0]));
        assert!(subgraph.tensor(2).unwrap().constant().is_ok());
    }
}
