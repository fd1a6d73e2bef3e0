//! Sizes beyond 32 bits do not wrap: they are refused, or count as the largest, which no kernel takes.

use tflite_vulkan::ir::{Scalar, Shape};
use tflite_vulkan::op::Operator;
use tflite_vulkan::ops::batch_matmul::BatchMatmul;
use tflite_vulkan::ops::concatenation::Concatenation;
use tflite_vulkan::ops::depth_to_space::DepthToSpace;
use tflite_vulkan::ops::space_to_batch::SpaceToBatch;

#[test]
fn sizes_beyond_32_bits_do_not_wrap() {
    let (half, all) = (1 << 16, u32::MAX);
    let to_batch = |block: [u32; 2], border: [[u32; 2]; 2], to_batch| SpaceToBatch {
        block: block.to_vec(),
        border: border.to_vec(),
        zero: Scalar::f32(0.0),
        to_batch,
    };
    let depth_to_space = |to_space| DepthToSpace { block: half, to_space };
    let cases: [(Box<dyn Operator>, Vec<Shape>); 8] = [
        (Box::new(depth_to_space(true)), vec![Shape::from([1, 1, 1, 4])]),
        (Box::new(depth_to_space(true)), vec![Shape::from([1, half, 1, all])]),
        (Box::new(depth_to_space(false)), vec![Shape::from([1, half, half, 1])]),
        (Box::new(to_batch([half; 2], [[0; 2]; 2], true)), vec![Shape::from([1, half, half, 1])]),
        (Box::new(to_batch([1; 2], [[all, 2], [0; 2]], true)), vec![Shape::from([1, 1, 1, 1])]),
        (Box::new(to_batch([half; 2], [[0; 2]; 2], false)), vec![Shape::from([all, half, 1, 1])]),
        (Box::new(Concatenation { axis: 0, count: 2 }), vec![Shape::from([all]), Shape::from([2])]),
        (
            Box::new(BatchMatmul { swapped: [false; 2] }),
            vec![Shape::from([half, half, half, 1, 1, 1]), Shape::from([half, half, half, 1, 1, 1])],
        ),
    ];
    for (op, shapes) in cases {
        let inputs: Vec<_> = shapes.iter().copied().map(Some).collect();
        if let Ok(inferred) = op.infer(&inputs) {
            assert!(inferred[0].elements() >= all.into(), "{op:?} of {shapes:?} gives {:?}", inferred[0]);
        }
    }
}
