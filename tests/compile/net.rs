//! Small graphs, written down quickly.

use std::sync::Arc;

use tflite_vulkan::graph::{Graph, Node, ValueId};
use tflite_vulkan::ir::{
    Constant, DType, Operand, Padding, Shape, SpatialPadding, Step, StepOp, TensorType, Window,
};
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::conv_2d::Conv2d;

/// A graph under construction.
#[derive(Default)]
pub struct Net {
    graph: Graph,
    inputs: Vec<ValueId>,
    nodes: u32,
}

impl Net {
    pub fn input(&mut self, dims: &[u32]) -> ValueId {
        let id = self.graph.add_value("x", TensorType::f32(dims), None);
        self.inputs.push(id);
        id
    }

    /// An input of another element type.
    pub fn input_of(&mut self, dtype: DType, dims: &[u32]) -> ValueId {
        let id = self.graph.add_value("x", TensorType { dtype, ..TensorType::f32(dims) }, None);
        self.inputs.push(id);
        id
    }

    pub fn constant(&mut self, dims: &[u32]) -> ValueId {
        let data: Vec<f32> =
            (0..Shape::new(dims).elements()).map(|i| (i * 7 % 11 + 1) as f32 / 8.0).collect();
        self.graph.add_value("w", TensorType::f32(dims), Some(Constant::from_f32(dims, &data)))
    }

    /// A constant of 8-bit integers.
    pub fn integers(&mut self, dims: &[u32], bytes: Vec<u8>) -> ValueId {
        let shape = Shape::new(dims);
        let constant =
            Constant { shape, stored: DType::I8, bytes: Arc::new(bytes), sparsity: None, quant: None };
        self.graph.add_value("w", TensorType { shape, dtype: DType::I8, quant: None }, Some(constant))
    }

    /// A constant of one 8-bit integer.
    pub fn number(&mut self, number: i8) -> ValueId {
        let shape = Shape::new(&[]);
        let bytes = Arc::new(number.to_le_bytes().to_vec());
        let constant = Constant { shape, stored: DType::I8, bytes, sparsity: None, quant: None };
        self.graph.add_value("n", TensorType { shape, dtype: DType::I8, quant: None }, Some(constant))
    }

    pub fn half(&mut self, dims: &[u32]) -> ValueId {
        let shape = Shape::new(dims);
        let bytes = Arc::new(vec![0u8; shape.elements() as usize * 2]);
        let constant = Constant { shape, stored: DType::F16, bytes, sparsity: None, quant: None };
        self.graph.add_value("h", TensorType { shape, dtype: DType::F16, quant: None }, Some(constant))
    }

    pub fn node(
        &mut self,
        label: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
        steps: &[Step],
    ) -> ValueId {
        self.node_of(DType::F32, label, op, inputs, steps)
    }

    /// A node with results of another element type.
    pub fn node_of(
        &mut self,
        dtype: DType,
        label: &str,
        op: impl Operator + 'static,
        inputs: &[ValueId],
        steps: &[Step],
    ) -> ValueId {
        let shapes: Vec<_> = inputs.iter().map(|i| Some(self.graph.value(*i).ty.shape)).collect();
        let shape = op.infer(&shapes).expect("the operands fit").remove(0);
        let ty = TensorType { dtype, ..TensorType::f32(shape) };
        let output = self.graph.add_value(label.to_lowercase(), ty, None);
        self.graph.add_node(Node {
            op: Arc::new(op),
            inputs: inputs.iter().copied().map(Some).collect(),
            outputs: vec![output],
            epilogue: steps.to_vec(),
            origin: [self.nodes].into(),
            label: label.into(),
        });
        self.nodes += 1;
        output
    }

    /// A convolution with bias and further steps.
    pub fn conv(&mut self, x: ValueId, size: u32, channels: u32, steps: &[Step]) -> ValueId {
        let depth = self.graph.value(x).ty.shape.channels();
        let (w, b) = (self.constant(&[channels, size, size, depth]), self.constant(&[channels]));
        let steps: Vec<_> = [Step::bias(2)].iter().chain(steps).copied().collect();
        self.node("CONV_2D", Conv2d { window: window([size; 2], [1, 1], Padding::Same) }, &[x, w, b], &steps)
    }

    pub fn outputs(mut self, outputs: &[ValueId]) -> Graph {
        self.graph.set_interface(self.inputs, outputs.to_vec());
        self.graph
    }
}

pub fn window(size: [u32; 2], stride: [u32; 2], padding: Padding) -> Window {
    Window { size, stride, dilation: [1, 1], padding, zeros: SpatialPadding::default() }
}

pub const RELU: Step =
    Step { op: StepOp::Clamp { lo: 0.0, hi: f32::INFINITY }, operand: Operand::None, swapped: false };
pub const RELU6: Step =
    Step { op: StepOp::Clamp { lo: 0.0, hi: 6.0 }, operand: Operand::None, swapped: false };
