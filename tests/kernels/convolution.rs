//! CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED.

use tflite_vulkan::ir::{Broadcast, Operand, Padding, Shape, SpatialPadding, Step, StepOp, Window};
use tflite_vulkan::ops::conv_2d::Conv2d;
use tflite_vulkan::ops::depthwise_conv_2d::DepthwiseConv2d;
use tflite_vulkan::ops::fully_connected::FullyConnected;
use tflite_vulkan::ops::transpose_conv::{OutputShape, TransposeConv};
use tflite_vulkan::ops::unary::Unary;

use crate::harness::{Arg, Case, check, check_every_candidate, check_wide_sides, constant, tensor};
use Padding::{Same, Valid};

/// x, (taps, stride, dilation) as height and width, channels.
pub type Row = ([u32; 4], [u32; 2], [u32; 2], [u32; 2], u32);

/// A window without the zeros of a PAD.
pub fn window(size: [u32; 2], stride: [u32; 2], dilation: [u32; 2], padding: Padding) -> Window {
    Window { size, stride, dilation, padding, zeros: SpatialPadding::default() }
}

/// With the padding that fits the window in any case, and VALID too where it fits.
pub fn paddings((x, size, _, dilation, _): &Row) -> impl Iterator<Item = Padding> + use<> {
    let fits = (0..2).all(|d| x[d + 1] > (size[d] - 1) * dilation[d]);
    [Some(Same), fits.then_some(Valid)].into_iter().flatten()
}

const CONVOLUTIONS: &[Row] = &[
    ([1, 1, 1, 1], [1, 1], [1, 1], [1, 1], 1),
    ([1, 5, 7, 4], [1, 1], [1, 1], [1, 1], 4),
    ([3, 5, 7, 8], [1, 1], [1, 1], [1, 1], 24),
    ([1, 3, 3, 3], [1, 1], [1, 1], [1, 1], 5),
    ([2, 4, 5, 42], [1, 1], [1, 1], [1, 1], 42),
    ([1, 6, 6, 12], [1, 1], [2, 2], [1, 1], 8),
    ([2, 1, 1, 16], [1, 1], [1, 1], [1, 1], 10),
    ([3, 1, 1, 37], [1, 1], [1, 1], [1, 1], 3),
    ([1, 9, 8, 3], [3, 3], [2, 2], [1, 1], 16),
    ([1, 13, 12, 3], [5, 5], [2, 2], [1, 1], 24),
    ([2, 10, 16, 3], [3, 3], [2, 2], [1, 1], 10),
    ([2, 9, 24, 3], [5, 5], [2, 2], [1, 1], 16),
    ([1, 11, 12, 3], [5, 5], [2, 2], [1, 1], 8),
    ([3, 7, 5, 8], [3, 3], [1, 1], [1, 1], 12),
    ([1, 11, 9, 4], [3, 3], [1, 1], [2, 3], 6),
    ([1, 2, 2, 4], [3, 3], [1, 1], [1, 1], 4),
    ([2, 8, 7, 5], [2, 4], [3, 1], [1, 2], 7),
    ([1, 17, 3, 1], [4, 1], [2, 1], [1, 1], 9),
    ([1, 4, 4, 20], [3, 3], [1, 1], [1, 1], 88),
    ([1, 3, 2, 8], [1, 1], [1, 1], [1, 1], 130),
    ([2, 6, 5, 8], [2, 2], [2, 2], [1, 1], 2),
    ([3, 5, 7, 6], [3, 2], [1, 1], [1, 1], 17),
    ([2, 7, 6, 8], [2, 3], [1, 2], [2, 1], 16),
    ([1, 1, 40, 3], [1, 5], [1, 2], [1, 1], 40),
];

/// Kernels may read what the host writes in another way than what was computed before.
#[test]
fn convolution_of_a_result() {
    let cases = CONVOLUTIONS.iter().map(|row| {
        let (x, size, stride, dilation, channels) = *row;
        let conv = Conv2d { window: window(size, stride, dilation, Same) };
        let args = [constant(&[channels, size[0], size[1], x[3]]), constant(&[channels])];
        Case::new(Unary(StepOp::Neg), [tensor(&x)]).then(Case::new(conv, args).step(Step::bias(2)))
    });
    check(cases);
}

#[test]
fn convolution() {
    let cases = CONVOLUTIONS.iter().flat_map(|row| {
        paddings(row).map(|padding| {
            let (x, size, stride, dilation, channels) = *row;
            Case::new(
                Conv2d { window: window(size, stride, dilation, padding) },
                [tensor(&x), constant(&[channels, size[0], size[1], x[3]]), constant(&[channels])],
            )
            .step(Step::bias(2))
        })
    });
    check(cases);
}

/// Enough channels for Winograd's basis on a CPU, in tiles of both sizes: odd sizes, channels that are no multiples
/// of four, a batch, both paddings, a residual behind it.
#[test]
fn convolution_in_tiles() {
    let rows: &[([u32; 4], u32)] = &[
        ([1, 13, 11, 64], 68),
        ([3, 13, 11, 48], 52),
        ([1, 7, 7, 64], 128),
        ([1, 9, 9, 64], 128),
        ([1, 9, 8, 34], 32),
        ([1, 9, 8, 32], 33),
    ];
    let cases = rows.iter().flat_map(|(x, channels)| {
        let row = (*x, [3, 3], [1, 1], [1, 1], *channels);
        paddings(&row).map(move |padding| {
            let conv = Conv2d { window: window([3, 3], [1, 1], [1, 1], padding) };
            let side = |n: u32| if padding == Same { n } else { n - 2 };
            let residual = tensor(&[x[0], side(x[1]), side(x[2]), *channels]);
            let operand = Operand::Input { input: 3, broadcast: Broadcast::Full };
            let args = [tensor(x), constant(&[*channels, 3, 3, x[3]]), constant(&[*channels]), residual];
            Case::new(conv, args)
                .step(Step::bias(2))
                .step(Step { op: StepOp::Add, operand, swapped: false })
                .step(Step::unary(StepOp::Clamp { lo: 0.0, hi: f32::INFINITY }))
        })
    });
    check(cases);
}

#[test]
fn grouped_convolution() {
    // x, depth of a group, channels of y.
    let groups = [
        ([1, 4, 5, 8], 4, 8),
        ([2, 3, 3, 6], 3, 10),
        ([1, 5, 5, 12], 4, 36),
        ([1, 3, 4, 6], 1, 6),
        ([1, 2, 3, 8], 2, 20),
    ];
    let cases = groups.into_iter().flat_map(|(x, depth, channels)| {
        [[1, 1], [3, 3]].into_iter().map(move |size| {
            Case::new(
                Conv2d { window: window(size, [1, 1], [1, 1], Same) },
                [tensor(&x), constant(&[channels, size[0], size[1], depth]), constant(&[channels])],
            )
            .step(Step::bias(2))
        })
    });
    check(cases);
}

const DEPTHWISE: &[Row] = &[
    ([1, 1, 1, 1], [1, 1], [1, 1], [1, 1], 1),
    ([1, 8, 9, 4], [3, 3], [1, 1], [1, 1], 4),
    ([3, 7, 5, 8], [3, 3], [2, 2], [1, 1], 8),
    ([1, 16, 16, 42], [3, 3], [1, 1], [1, 1], 42),
    ([1, 15, 16, 42], [3, 3], [2, 2], [1, 1], 42),
    ([2, 6, 13, 12], [5, 5], [1, 1], [1, 1], 12),
    ([1, 9, 14, 7], [5, 5], [2, 2], [1, 1], 7),
    ([1, 12, 11, 8], [3, 3], [1, 1], [3, 2], 8),
    ([1, 7, 6, 3], [3, 3], [1, 1], [1, 1], 6),
    ([2, 5, 6, 4], [2, 3], [1, 2], [1, 1], 16),
    ([1, 1, 6, 4], [3, 3], [1, 1], [1, 1], 4),
    ([1, 10, 2, 5], [7, 7], [1, 1], [1, 1], 5),
    ([2, 19, 9, 8], [3, 3], [1, 1], [1, 1], 8),
    ([3, 4, 4, 64], [5, 5], [1, 1], [1, 1], 64),
    ([1, 2, 1, 4], [5, 5], [1, 1], [1, 1], 4),
    ([1, 6, 9, 4], [3, 4], [3, 3], [2, 1], 4),
];

#[test]
fn depthwise_convolution() {
    let cases = DEPTHWISE.iter().flat_map(|row| {
        paddings(row).map(|padding| {
            let (x, size, stride, dilation, channels) = *row;
            Case::new(
                DepthwiseConv2d { window: window(size, stride, dilation, padding) },
                [tensor(&x), constant(&[1, size[0], size[1], channels]), constant(&[channels])],
            )
            .step(Step::bias(2))
        })
    });
    check(cases);
}

#[test]
fn absorbed_padding() {
    let zeros = [([0, 1], [0, 1]), ([2, 0], [0, 3]), ([1, 1], [2, 5])].map(|(h, w)| SpatialPadding { h, w });
    let cases = zeros.into_iter().flat_map(|zeros| {
        [(Same, 1), (Same, 2), (Valid, 1), (Valid, 2)].into_iter().flat_map(move |(padding, stride)| {
            let window = Window { zeros, ..window([3, 3], [stride, stride], [1, 1], padding) };
            [
                Case::new(Conv2d { window }, [tensor(&[2, 5, 4, 4]), constant(&[6, 3, 3, 4])]),
                Case::new(DepthwiseConv2d { window }, [tensor(&[2, 5, 4, 4]), constant(&[1, 3, 3, 4])]),
                Case::new(DepthwiseConv2d { window }, [tensor(&[1, 6, 5, 3]), constant(&[1, 3, 3, 3])]),
            ]
        })
    });
    // A convolution of one tap reads beyond the border too then.
    let pointwise = Window { zeros: zeros[0], ..window([1, 1], [1, 1], [1, 1], Valid) };
    let pointwise = Case::new(Conv2d { window: pointwise }, [tensor(&[1, 3, 4, 4]), constant(&[4, 1, 1, 4])]);
    check(cases.chain([pointwise]));
}

#[test]
fn transposed_convolution() {
    // x, taps, stride, channels.
    let rows: [([u32; 4], [u32; 2], [u32; 2], u32); 9] = [
        ([1, 1, 1, 1], [1, 1], [1, 1], 1),
        ([1, 4, 6, 16], [2, 2], [2, 2], 1),
        ([2, 3, 5, 8], [3, 3], [2, 2], 12),
        ([1, 5, 4, 5], [4, 4], [2, 2], 7),
        ([3, 2, 3, 4], [3, 3], [1, 1], 8),
        ([1, 4, 3, 6], [5, 2], [3, 1], 3),
        ([1, 3, 3, 4], [2, 2], [3, 3], 4),
        ([3, 3, 5, 6], [2, 2], [2, 2], 8),
        ([2, 5, 4, 8], [3, 2], [3, 2], 5),
    ];
    let custom = rows.into_iter().flat_map(|(x, taps, stride, channels)| {
        [Same, Valid].into_iter().map(move |padding| {
            let args = [tensor(&x), constant(&[channels, taps[0], taps[1], x[3]]), constant(&[channels])];
            Case::new(TransposeConv { stride, padding, output: OutputShape::Computed }, args)
                .step(Step::bias(2))
        })
    });
    let builtin = rows.into_iter().flat_map(|(x, taps, stride, channels)| {
        // Every size that the convolution from it to `x` may have.
        [Same, Valid].into_iter().flat_map(move |padding| {
            (0..stride[0]).map(move |less| {
                let size = |d: usize| match padding {
                    Same => (x[d + 1] * stride[d] - less.min(stride[d] - 1)).max(1),
                    Valid => (x[d + 1] - 1) * stride[d] + taps[d] + less.min(stride[d] - 1),
                };
                let output = [x[0], size(0), size(1), channels];
                let args = [
                    Arg::Ints(output.map(|n| n as i32).to_vec()),
                    constant(&[channels, taps[0], taps[1], x[3]]),
                    tensor(&x),
                    constant(&[channels]),
                ];
                let op = TransposeConv { stride, padding, output: OutputShape::Given(Shape::from(output)) };
                Case::new(op, args).step(Step::bias(3))
            })
        })
    });
    check(custom.chain(builtin));
}

#[test]
fn fully_connected() {
    // x, channels, keep_num_dims.
    let rows: [(&[u32], u32, bool); 9] = [
        (&[1, 1], 1, false),
        (&[1, 1152], 63, false),
        (&[1, 672], 1, false),
        (&[3, 37], 10, false),
        (&[4, 128], 40, false),
        (&[5, 29], 7, false),
        (&[2, 3, 5, 8], 24, true),
        (&[9, 64], 36, false),
        (&[7], 3, false),
    ];
    check(rows.into_iter().map(|(x, channels, keep_num_dims)| {
        let depth = x[x.len() - 1];
        let args = [tensor(x), constant(&[channels, depth]), constant(&[channels])];
        Case::new(FullyConnected { keep_num_dims }, args).step(Step::bias(2))
    }));
    let flattened = [tensor(&[2, 2, 3, 4]), constant(&[5, 12])];
    check([Case::new(FullyConnected { keep_num_dims: false }, flattened)]);
}

/// Each kind of kernel with every common function and every way to spread an operand.
#[test]
fn epilogues() {
    check(epilogue_cases());
}

#[test]
fn epilogues_with_wide_operands_and_results() {
    check_wide_sides(epilogue_cases());
}

fn epilogue_cases() -> Vec<Case> {
    let functions = [
        StepOp::Clamp { lo: -0.5, hi: 6.0 },
        StepOp::LeakyRelu { alpha: 0.1 },
        StepOp::Logistic,
        StepOp::Tanh,
        StepOp::HardSwish,
    ];
    let kernels = |channels: u32| {
        let w = window([3, 3], [1, 1], [1, 1], Same);
        let pointwise = window([1, 1], [1, 1], [1, 1], Same);
        let x = [2, 3, 5, channels];
        [
            Case::new(Conv2d { window: w }, [tensor(&x), constant(&[channels, 3, 3, channels])]),
            Case::new(Conv2d { window: pointwise }, [tensor(&x), constant(&[channels, 1, 1, channels])]),
            Case::new(DepthwiseConv2d { window: w }, [tensor(&x), constant(&[1, 3, 3, channels])]),
            Case::new(
                TransposeConv { stride: [1, 1], padding: Same, output: OutputShape::Computed },
                [tensor(&x), constant(&[channels, 3, 3, channels])],
            ),
            Case::new(FullyConnected { keep_num_dims: true }, [tensor(&x), constant(&[channels, channels])]),
        ]
    };
    let of_channels = |channels| {
        let y = [2, 3, 5, channels];
        let unary =
            functions.into_iter().flat_map(move |f| kernels(channels).map(|c| c.step(Step::unary(f))));
        let spread = [
            (Broadcast::Full, y),
            (Broadcast::Channel, [1, 1, 1, channels]),
            (Broadcast::Row, [2, 3, 5, 1]),
            (Broadcast::Batch, [2, 1, 1, channels]),
            (Broadcast::One, [1, 1, 1, 1]),
        ];
        let binary = spread.into_iter().flat_map(move |(broadcast, shape)| {
            [StepOp::Add, StepOp::Sub, StepOp::Mul, StepOp::Prelu].into_iter().flat_map(move |op| {
                let step = |swapped| Step { op, operand: Operand::Input { input: 2, broadcast }, swapped };
                let swapped = !op.commutes() && op != StepOp::Prelu;
                kernels(channels).map(|c| c.arg(tensor(&shape)).step(step(swapped)))
            })
        });
        let long = kernels(channels).map(|c| {
            let step = |op, input, broadcast| Step {
                op,
                operand: Operand::Input { input, broadcast },
                swapped: false,
            };
            c.arg(constant(&[channels]))
                .arg(tensor(&y))
                .arg(tensor(&[2, 1, 1, channels]))
                .step(Step::bias(2))
                .step(Step::unary(StepOp::HardSwish))
                .step(step(StepOp::Add, 3, Broadcast::Full))
                .step(Step { op: StepOp::Mul, operand: Operand::Scalar(0.5), swapped: false })
                .step(step(StepOp::Mul, 4, Broadcast::Batch))
                .step(Step::unary(StepOp::Clamp { lo: -1.0, hi: 1.0 }))
        });
        unary.chain(binary).chain(long)
    };
    [4, 5].into_iter().flat_map(of_channels).collect()
}

/// What the tuner may choose is as right as what is chosen without it.
#[test]
fn every_candidate() {
    let rows: [Row; 4] = [
        ([2, 9, 5, 8], [3, 3], [1, 1], [1, 1], 12),
        ([1, 7, 5, 5], [2, 3], [2, 1], [1, 1], 7),
        ([1, 6, 11, 12], [1, 1], [1, 1], [1, 1], 40),
        ([2, 7, 6, 4], [3, 3], [1, 1], [1, 1], 6),
    ];
    let convolution = |(i, row): (usize, &Row)| {
        let (x, size, stride, dilation, channels) = *row;
        // The last one has two groups.
        let depth = if i == 3 { x[3] / 2 } else { x[3] };
        let conv = Conv2d { window: window(size, stride, dilation, Same) };
        Case::new(conv, [tensor(&x), constant(&[channels, size[0], size[1], depth]), constant(&[channels])])
            .step(Step::bias(2))
    };
    let mut cases: Vec<Case> = rows.iter().enumerate().map(convolution).collect();
    for (channels, size, stride, width, padding) in [
        (8, 3, 1, 11, Same),
        (3, 5, 1, 11, Same),
        (4, 3, 2, 13, Same),
        (8, 5, 1, 10, Valid),
        (4, 5, 2, 2, Same),
        (4, 4, 1, 7, Same),
    ] {
        let conv = DepthwiseConv2d { window: window([size; 2], [stride; 2], [1, 1], padding) };
        let x = tensor(&[2, 9, width, channels]);
        cases.push(Case::new(conv, [x, constant(&[1, size, size, channels])]));
    }
    for (rows, depth, channels) in [(1, 37, 10), (3, 128, 130)] {
        let fc = FullyConnected { keep_num_dims: false };
        cases.push(Case::new(fc, [tensor(&[rows, depth]), constant(&[channels, depth])]));
    }
    check_every_candidate(&cases);
}

/// Adds an operand that has fewer channels than the result, and zeros behind them.
#[test]
fn padded_operands() {
    let add = Step {
        op: StepOp::Add,
        operand: Operand::Input { input: 2, broadcast: Broadcast::Padded },
        swapped: false,
    };
    let cases = [(8, 4), (12, 8), (8, 5), (7, 4), (5, 1)].into_iter().flat_map(|(channels, fewer)| {
        let (x, w) = ([2, 3, 5, channels], window([1, 1], [1, 1], [1, 1], Same));
        [
            Case::new(Conv2d { window: w }, [tensor(&x), constant(&[channels, 1, 1, channels])]),
            Case::new(DepthwiseConv2d { window: w }, [tensor(&x), constant(&[1, 1, 1, channels])]),
            Case::new(FullyConnected { keep_num_dims: true }, [tensor(&x), constant(&[channels, channels])]),
        ]
        .map(|case| case.arg(tensor(&[2, 3, 5, fewer])).step(add))
    });
    check(cases);
}

/// A convolution whose window is its operand is a matrix product.
#[test]
fn one_window() {
    let rows = [([1, 3, 2, 8], 12), ([3, 4, 4, 5], 7), ([2, 2, 3, 4], 33)];
    check(rows.into_iter().map(|(x, channels)| {
        let window = window([x[1], x[2]], [1, 1], [1, 1], Valid);
        let args = [tensor(&x), constant(&[channels, x[1], x[2], x[3]]), constant(&[channels])];
        Case::new(Conv2d { window }, args).step(Step::bias(2))
    }));
}
