//! BATCH_MATMUL.

use tflite_vulkan::ir::{Broadcast, Operand, Step, StepOp};
use tflite_vulkan::ops::batch_matmul::BatchMatmul;

use crate::harness::{Case, check, constant, tensor};

/// Batch dimensions of both operands; rows, depth, columns.
const PRODUCTS: &[(&[u32], &[u32], [u32; 3])] = &[
    (&[], &[], [1, 1, 1]),
    (&[], &[], [5, 7, 3]),
    (&[1], &[1], [8, 16, 4]),
    (&[3], &[3], [4, 8, 12]),
    (&[2], &[], [9, 6, 8]),
    (&[], &[2, 3], [2, 5, 8]),
    (&[2, 1], &[1, 3], [6, 8, 5]),
    (&[2, 3], &[2, 3], [29, 11, 37]),
    (&[2], &[2], [10, 12, 16]),
    (&[3], &[], [12, 20, 24]),
    (&[1, 2, 1, 3], &[2, 1, 2, 1], [3, 4, 4]),
];

#[test]
fn batch_matmul() {
    let mut cases = Vec::new();
    for (a, b, [rows, depth, columns]) in PRODUCTS {
        for swapped in [[false, false], [true, false], [false, true], [true, true]] {
            let shape = |batch: &[u32], swapped: bool, [h, w]: [u32; 2]| {
                [batch, &if swapped { [w, h] } else { [h, w] }].concat()
            };
            let x = shape(a, swapped[0], [*rows, *depth]);
            let w = shape(b, swapped[1], [*depth, *columns]);
            cases.push(Case::new(BatchMatmul { swapped }, [tensor(&x), tensor(&w)]));
            cases.push(Case::new(BatchMatmul { swapped }, [tensor(&x), constant(&w)]));
        }
    }
    check(cases);
}

#[test]
fn with_epilogue() {
    let cases = [8, 5].map(|columns| {
        let scale = Operand::Input { input: 2, broadcast: Broadcast::Channel };
        Case::new(BatchMatmul { swapped: [false; 2] }, [tensor(&[2, 3, 4]), tensor(&[2, 4, columns])])
            .arg(constant(&[columns]))
            .step(Step { op: StepOp::Add, operand: scale, swapped: false })
            .step(Step::unary(StepOp::Logistic))
    });
    check(cases);
}
