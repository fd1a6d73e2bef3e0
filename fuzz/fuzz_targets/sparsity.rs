//! The metadata of a sparse constant: it is refused, or every element has one place.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use tflite_vulkan::ir::{Constant, DType, Shape, SparseDimension, Sparsity};

#[path = "bytes.rs"]
mod bytes;

fuzz_target!(|data: &[u8]| {
    let mut from = bytes::Bytes(data);
    let stored = [DType::F32, DType::F16, DType::I8, DType::I32][from.below(4)];
    let dims: Vec<u32> = (0..from.below(5)).map(|_| from.size() as u32).collect();
    let traversal: Vec<usize> =
        (0..from.below(7)).map(|i| if from.bit() { i } else { from.below(9) }).collect();
    let block_map: Vec<usize> = (0..from.below(4)).map(|_| from.below(5)).collect();
    let dimension = |_| match from.bit() {
        true => SparseDimension::Dense(from.size() as u32),
        false => {
            let mut vector = || (0..from.below(6)).map(|_| from.size()).collect();
            SparseDimension::Csr { segments: vector(), indices: vector() }
        }
    };
    let dimensions = (0..traversal.len()).map(dimension).collect();
    let constant = Constant {
        shape: Shape::new(&dims),
        stored,
        bytes: Arc::new(from.0.to_vec()),
        sparsity: Some(Arc::new(Sparsity { traversal, block_map, dimensions })),
        quant: None,
    };
    let good = constant.check().is_ok();
    if constant.shape.elements() <= 1 << 16 {
        assert_eq!(constant.dense().is_ok(), good, "{constant:?}");
        let _ = (constant.to_f32(), constant.to_i64(), constant.on_host());
    }
});
