//! Single operators as models have them, for programs that look at kernels one by one.

use std::error::Error;
use std::sync::Arc;

use tflite_vulkan::graph::{Graph, Node};
use tflite_vulkan::ir::{Constant, Padding, Shape, SpatialPadding, Step, StepOp, TensorType, Window};
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::batch_matmul::BatchMatmul;
use tflite_vulkan::ops::binary::Binary;
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;
use tflite_vulkan::ops::fully_connected::FullyConnected;
use tflite_vulkan::ops::pool_2d::{self, Pool2d};
use tflite_vulkan::ops::reduce::{self, Reduce};
use tflite_vulkan::ops::resize::Resize;
use tflite_vulkan::ops::softmax::Softmax;
use tflite_vulkan::ops::transpose_conv::{OutputShape, TransposeConv};

/// The label of the node that is measured; conversions at the borders have others.
pub const LABEL: &str = "MEASURED";

/// One operator with random operands.
pub struct Case {
    pub name: String,
    op: Arc<dyn Operator>,
    /// Shapes of operands that are computed before.
    pub inputs: Vec<Shape>,
    /// Shapes of constant operands.
    constants: Vec<Shape>,
}

fn dims(shape: &[u32]) -> String {
    shape.iter().map(u32::to_string).collect::<Vec<_>>().join("×")
}

/// `[rows, depth]` times constant `[depth, columns]`.
fn product(rows: u32, depth: u32, columns: u32) -> Case {
    Case {
        name: format!("FULLY_CONNECTED {}", dims(&[rows, depth, columns])),
        op: Arc::new(FullyConnected { keep_num_dims: false }),
        inputs: vec![Shape::new(&[rows, depth])],
        constants: vec![Shape::new(&[columns, depth])],
    }
}

fn window(size: u32, stride: u32) -> Window {
    Window {
        size: [size; 2],
        stride: [stride; 2],
        dilation: [1, 1],
        padding: Padding::Same,
        zeros: SpatialPadding::default(),
    }
}

/// A convolution of a square picture.
fn convolution(side: u32, depth: u32, channels: u32, size: u32, stride: u32) -> Case {
    Case {
        name: format!("CONV_2D {size}×{size}/{stride} {} to {channels}", dims(&[side, side, depth])),
        op: Arc::new(Conv2d { window: window(size, stride) }),
        inputs: vec![Shape::new(&[1, side, side, depth])],
        constants: vec![Shape::new(&[channels, size, size, depth])],
    }
}

/// A depthwise convolution of a square picture.
fn depthwise(side: u32, channels: u32, size: u32, stride: u32) -> Case {
    Case {
        name: format!("DEPTHWISE_CONV_2D {size}×{size}/{stride} {}", dims(&[side, side, channels])),
        op: Arc::new(DepthwiseConv2d { window: window(size, stride) }),
        inputs: vec![Shape::new(&[1, side, side, channels])],
        constants: vec![Shape::new(&[1, size, size, channels])],
    }
}

/// The sum of two tensors.
fn addition(side: u32, channels: u32) -> Case {
    let shape = Shape::new(&[1, side, side, channels]);
    Case {
        name: format!("ADD {}", dims(&[side, side, channels])),
        op: Arc::new(Binary(StepOp::Add)),
        inputs: vec![shape, shape],
        constants: Vec::new(),
    }
}

/// The mean over a picture.
fn mean(side: u32, channels: u32) -> Case {
    Case {
        name: format!("MEAN {}", dims(&[side, side, channels])),
        op: Arc::new(Reduce { kind: reduce::ReduceKind::Mean, axes: vec![1, 2], keep_dims: true }),
        inputs: vec![Shape::new(&[1, side, side, channels])],
        constants: Vec::new(),
    }
}

/// The mean of each row.
fn row_mean(rows: u32, columns: u32) -> Case {
    Case {
        name: format!("MEAN of rows {}", dims(&[rows, columns])),
        op: Arc::new(Reduce { kind: reduce::ReduceKind::Mean, axes: vec![1], keep_dims: true }),
        inputs: vec![Shape::new(&[rows, columns])],
        constants: Vec::new(),
    }
}

/// Softmax of rows.
fn softmax(rows: u32, columns: u32) -> Case {
    Case {
        name: format!("SOFTMAX {}", dims(&[rows, columns])),
        op: Arc::new(Softmax { beta: 1.0, logarithm: false }),
        inputs: vec![Shape::new(&[rows, columns])],
        constants: Vec::new(),
    }
}

/// The product of two matrices that are computed before, `count` times.
fn batch_product(count: u32, rows: u32, depth: u32, columns: u32) -> Case {
    Case {
        name: format!("BATCH_MATMUL {}", dims(&[count, rows, depth, columns])),
        op: Arc::new(BatchMatmul { swapped: [false, false] }),
        inputs: vec![Shape::new(&[count, rows, depth]), Shape::new(&[count, depth, columns])],
        constants: Vec::new(),
    }
}

/// A transposed convolution that doubles a square picture.
fn upsampling(side: u32, depth: u32, channels: u32) -> Case {
    Case {
        name: format!("TRANSPOSE_CONV 2×2/2 {} to {channels}", dims(&[side, side, depth])),
        op: Arc::new(TransposeConv { stride: [2, 2], padding: Padding::Same, output: OutputShape::Computed }),
        inputs: vec![Shape::new(&[1, side, side, depth])],
        constants: vec![Shape::new(&[channels, 2, 2, depth])],
    }
}

/// The largest of 3 × 3 numbers, at every other place.
fn pooling(side: u32, channels: u32) -> Case {
    Case {
        name: format!("MAX_POOL_2D 3×3/2 {}", dims(&[side, side, channels])),
        op: Arc::new(Pool2d { kind: pool_2d::PoolKind::Max, window: window(3, 2) }),
        inputs: vec![Shape::new(&[1, side, side, channels])],
        constants: Vec::new(),
    }
}

/// A square picture, twice as large.
fn doubling(side: u32, channels: u32) -> Case {
    let size = [2 * side; 2];
    Case {
        name: format!("RESIZE_BILINEAR ×2 {}", dims(&[side, side, channels])),
        op: Arc::new(Resize {
            size: Some(size),
            nearest: false,
            align_corners: false,
            half_pixel_centers: true,
        }),
        inputs: vec![Shape::new(&[1, side, side, channels])],
        constants: Vec::new(),
    }
}

/// Layers of MobileNet, ResNet50 and transformers; `small` leaves out what takes a CPU minutes.
pub fn layers(small: bool) -> Vec<Case> {
    let sizes: &[u32] = if small { &[128, 256, 512] } else { &[512, 1024, 2048, 4096] };
    let large = if small { 128 } else { 1024 };
    let mut cases: Vec<_> = sizes.iter().map(|n| product(*n, *n, *n)).collect();
    cases.extend([
        product(1, 1024, 1024),
        product(1, 2048, 1000),
        product(1, 4096, 4096),
        batch_product(8, 128, 64, 128),
        convolution(224, 3, 32, 3, 2),
        convolution(56, 64, 64, 3, 1),
        convolution(28, 128, 128, 3, 1),
        convolution(14, 256, 256, 3, 1),
        convolution(7, 512, 512, 3, 1),
        convolution(112, 32, 64, 1, 1),
        convolution(56, 64, 256, 1, 1),
        convolution(28, 192, 32, 1, 1),
        convolution(14, 512, 512, 1, 1),
        convolution(7, 960, 320, 1, 1),
        depthwise(112, 32, 3, 1),
        depthwise(112, 96, 3, 2),
        depthwise(56, 128, 3, 1),
        depthwise(28, 240, 5, 1),
        depthwise(14, 512, 3, 1),
        upsampling(64, 32, 16),
        pooling(112, 64),
        doubling(64, 32),
        addition(56, 64),
        addition(large, 32),
        mean(7, 1280),
        mean(128, 64),
        row_mean(1024, 1024),
        softmax(1, 1000),
        softmax(1024, 1024),
    ]);
    cases
}

/// Numbers of -1..1, different enough to keep a device busy.
pub fn numbers(shape: &Shape) -> Vec<f32> {
    let mut state = 1_u32;
    (0..shape.elements())
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

/// The graph of the operator alone, with a bias if it has weights.
pub fn graph(case: &Case) -> Result<Graph, Box<dyn Error>> {
    let mut graph = Graph::default();
    let mut operands: Vec<_> =
        case.inputs.iter().map(|s| graph.add_value("x", TensorType::f32(*s), None)).collect();
    let inputs = operands.clone();
    for shape in &case.constants {
        let constant = Constant::from_f32(*shape, &numbers(shape));
        operands.push(graph.add_value("w", TensorType::f32(*shape), Some(constant)));
    }
    let shapes: Vec<_> = operands.iter().map(|id| Some(graph.value(*id).ty.shape)).collect();
    let result = case.op.infer(&shapes).map_err(|why| why.0)?.remove(0);
    let mut epilogue = Vec::new();
    if !case.constants.is_empty() {
        let shape = Shape::new(&[result.channels()]);
        let bias = Constant::from_f32(shape, &numbers(&shape));
        epilogue.push(Step::bias(operands.len()));
        operands.push(graph.add_value("bias", TensorType::f32(shape), Some(bias)));
    }
    let output = graph.add_value("y", TensorType::f32(result), None);
    graph.add_node(Node {
        op: case.op.clone(),
        inputs: operands.into_iter().map(Some).collect(),
        outputs: vec![output],
        epilogue,
        origin: [0].into(),
        label: LABEL.into(),
    });
    graph.set_interface(inputs, vec![output]);
    Ok(graph)
}
