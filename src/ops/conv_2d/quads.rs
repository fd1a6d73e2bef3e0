//! Convolutions and matrix products on drivers that run on the CPU: subgroup quads share loads.

use std::fmt;

use super::Geometry;
use crate::caps::{Caps, DeviceKind, Features};
use crate::codes;
use crate::error::Unsupported;
use crate::kernel::table::conv_2d_quads::{Bind, Push, Rgb, Spec, Tn, dispatch, kernel};
use crate::lower::Lower;
use crate::program::{BufferId, Store};

/// Invocations of a subgroup quad, which share weights.
const QUAD: u32 = 4;
/// Pixels per invocation.
const PIXELS: u32 = codes::conv_2d_quads::TM;
/// Invocations per workgroup, as a rule.
const WORKGROUP: u32 = 16;

/// How the channels of a convolution are split into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Groups of four channels per block.
    tn: u32,
    /// Blocks per group.
    group_blocks: u32,
    /// Blocks of all groups.
    blocks: u32,
    /// Channels per group.
    group_channels: u32,
    /// Neighbouring elements of the operand that a step sums.
    run: u32,
    /// Invocations per workgroup.
    workgroup: u32,
    /// The kernel's variant.
    rgb: Rgb,
}

impl Blocks {
    /// The usual blocks.
    fn new(groups: u32, group_channels: u32, run: u32) -> Self {
        let quads = group_channels.div_ceil(4);
        // Loads of the operand and of weights cost as much as the sums.
        let cost = |tn: &u32| quads.div_ceil(*tn) * (5 + 4 * tn);
        let tn = (1..=4).rev().min_by_key(cost).unwrap_or(1);
        Self::with(tn, WORKGROUP, [groups, group_channels, run])
    }

    /// Blocks that may suit the device, the usual ones first.
    fn candidates(groups: u32, group_channels: u32, run: u32) -> Vec<Self> {
        let first = Self::new(groups, group_channels, run);
        let with = |tn, workgroup| Self::with(tn, workgroup, [groups, group_channels, run]);
        let mut all = vec![first, with(first.tn, 2 * WORKGROUP), with(first.tn, 4 * WORKGROUP)];
        all.extend((1..=4).filter(|tn| *tn != first.tn).map(|tn| with(tn, WORKGROUP)));
        all
    }

    fn with(tn: u32, workgroup: u32, [groups, group_channels, run]: [u32; 3]) -> Self {
        let group_blocks = group_channels.div_ceil(4).div_ceil(tn);
        Self { tn, group_blocks, blocks: groups * group_blocks, group_channels, run, workgroup, rgb: Rgb::N0 }
    }

    /// Elements of packed weights per four neighbouring elements of the operand.
    fn row(&self) -> usize {
        (self.blocks * self.tn) as usize * 16
    }

    /// Elements of the weights of `products` products per channel.
    fn elements(&self, products: u32) -> u64 {
        u64::from(products / self.run.max(1)) * u64::from(self.run.div_ceil(4)) * self.row() as u64
    }

    /// Where the weight of product `k` of a channel goes.
    fn place(self) -> impl Fn(usize, usize) -> usize {
        let (row, run) = (self.row(), self.run.max(1) as usize);
        let group_channels = self.group_channels.max(1) as usize;
        let group_row = (self.group_blocks * self.tn) as usize * 4;
        move |channel, k| {
            let at = channel / group_channels * group_row + channel % group_channels;
            (k / run * run.div_ceil(4) + k % run / 4) * row + at * 4 + k % run % 4
        }
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocks of {} channels in workgroups of {}", 4 * self.tn, self.workgroup)
    }
}

/// Whether the kernel is the best one on this device.
pub fn fits(caps: &Caps) -> bool {
    caps.kind == DeviceKind::Software
        && caps.features.contains(Features::SUBGROUP_QUAD)
        && caps.subgroup_size.is_multiple_of(QUAD)
}

/// The steps in which a convolution visits its taps.
struct TapSteps {
    /// Neighbouring elements of the operand that a step sums.
    run: u32,
    /// Steps along height and width.
    steps: [u32; 2],
}

impl TapSteps {
    fn of(conv: &Geometry) -> Self {
        // The taps of a row, with all their channels, are contiguous.
        let rows = !conv.pointwise && conv.groups() == 1 && conv.dilation[1] == 1;
        match rows {
            true => Self { run: conv.taps[1] * conv.depth, steps: [conv.taps[0], 1] },
            false => Self { run: conv.depth, steps: conv.taps },
        }
    }
}

/// The blocks that may suit the convolution, the usual ones first.
pub fn candidates(cx: &Lower<'_>, conv: &Geometry) -> Vec<Blocks> {
    let rgb = rgb(cx.store, conv);
    let blocks = Blocks::candidates(conv.groups(), conv.group_channels, TapSteps::of(conv).run).into_iter();
    // Beside a first layer's loads, more than eight channels would not fit the instruction cache.
    let blocks = blocks.filter(|blocks| rgb == Rgb::N0 || blocks.tn == 2);
    blocks.map(|blocks| Blocks { rgb, ..blocks }).collect()
}

/// The variant for a first layer, if this is one: rows of `x` and strips of pixels begin at a vector.
fn rgb(store: Store, conv: &Geometry) -> Rgb {
    let vectors = conv.x_size[1].is_multiple_of(4) && conv.y_size[1].is_multiple_of(PIXELS);
    let three = conv.depth == 3 && conv.x_channels == 3;
    let vectors = vectors && matches!(conv.origin[1], -1 | 0);
    if !three || !vectors || store != Store::F32 || conv.stride != [2, 2] || conv.dilation != [1, 1] {
        return Rgb::N0;
    }
    match conv.taps {
        [3, 3] => Rgb::N3,
        [5, 5] => Rgb::N5,
        _ => Rgb::N0,
    }
}

/// Emits the convolution of operand 0 with operand 1 in blocks.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, blocks: &Blocks) -> Result<(), Unsupported> {
    let TapSteps { run, steps } = TapSteps::of(conv);
    let (groups, products) = (conv.groups(), conv.products);
    let packing = format!("quads/{groups}/{}/{run}", blocks.tn);
    let w = cx.rearranged(1, &packing, blocks.elements(products), products as usize, blocks.place())?;
    let push = Push {
        rows: conv.rows,
        channels: conv.channels,
        run,
        depth: conv.depth,
        x_channels: conv.x_channels,
        group_channels: conv.group_channels,
        x_size: conv.x_size,
        y_size: conv.y_size,
        steps,
        stride: conv.stride,
        dilation: conv.dilation,
        origin: conv.origin,
        ..Push::default()
    };
    let spec = Spec {
        pointwise: conv.pointwise,
        border: conv.border,
        grouped: groups > 1,
        shifted: blocks.rgb != Rgb::N0 && conv.origin[1] != 0,
        vec_y: conv.group_channels.is_multiple_of(4),
        ..Spec::default()
    };
    product(cx, 0, w, blocks, push, spec, conv.ops())
}

/// Emits a transposed convolution of operand `x` (NHWC) with operand 1 (OHWI) whose windows lie side by side:
/// each element of `x` gives `stride` pixels of the result.
pub fn emit_transposed(cx: &mut Lower<'_>, x: usize, stride: [u32; 2]) -> Result<(), Unsupported> {
    let (x_shape, y_shape) = (cx.input(x).shape, cx.output(0).shape);
    let (depth, channels) = (x_shape.channels(), y_shape.channels());
    let taps = stride[0] * stride[1];
    let blocks = Blocks::new(1, taps * channels, depth);
    let place = blocks.place();
    // Channels of the product are the taps' channels, tap by tap.
    let of = move |channel: usize, k: usize| {
        let depth = depth.max(1) as usize;
        place(k / depth * channels as usize + channel, k % depth)
    };
    let packing = format!("quads/transposed/{taps}/{}", blocks.tn);
    let w = cx.rearranged(1, &packing, blocks.elements(depth), (taps * depth) as usize, of)?;
    let push = Push {
        rows: x_shape.rows(),
        channels,
        run: depth,
        depth,
        x_channels: depth,
        group_channels: taps * channels,
        x_size: [x_shape[1], x_shape[2]],
        y_size: [y_shape[1], y_shape[2]],
        stride,
        ..Push::default()
    };
    let vec_y = channels.is_multiple_of(4);
    let spec = Spec { pointwise: true, border: false, spread: true, vec_y, ..Spec::default() };
    let ops = 2 * x_shape.elements() * u64::from(taps * channels);
    product(cx, x, w, &blocks, push, spec, ops)
}

/// Emits `count` products of `rows` × `depth` and `depth` × `channels`, where depth and channels are
/// multiples of four. `weights` computes those of operand 1: it calls back with `[channel, index in the
/// depth]` and the element of each product there.
pub fn batch(
    cx: &mut Lower<'_>,
    [x, y]: [BufferId; 2],
    [count, rows, depth, channels]: [u32; 4],
    packing: &str,
    weights: impl Fn(&[f32], &mut dyn FnMut([usize; 2], &[f32])) + Send + Sync + 'static,
) -> Result<(), Unsupported> {
    use crate::kernel::table::batch_product_quads::{Bind, Push, Spec, Tn, dispatch, kernel};
    cx.expect_rounds((depth / 4).into())?;
    let blocks = Blocks::new(1, channels, depth);
    let (place, each) = (blocks.place(), blocks.elements(depth));
    let packing = format!("quads/{packing}/{}", blocks.tn);
    let w = cx.floats(1, &packing, each * u64::from(count), move |floats, to| {
        weights(floats, &mut |[channel, k], values| {
            let at = place(channel, k);
            for (product, v) in values.iter().enumerate() {
                to[product * each as usize + at] = v.to_le_bytes();
            }
        });
    })?;
    let row_blocks = rows.div_ceil(QUAD * codes::batch_product_quads::TM);
    let items = u64::from(count) * u64::from(row_blocks) * u64::from(blocks.blocks);
    let (grid, row_groups) = cx.group_grid(items.div_ceil(u64::from(blocks.workgroup / QUAD)))?;
    let push = Push {
        items: items as u32,
        row_groups,
        rows,
        row_blocks,
        quads: depth / 4,
        channels,
        blocks: blocks.blocks,
    };
    let spec = Spec { wg_x: blocks.workgroup, ..Spec::default() };
    let ops = 2 * u64::from(count) * u64::from(rows) * u64::from(depth) * u64::from(channels);
    let tn = [Tn::N1, Tn::N2, Tn::N3, Tn::N4][blocks.tn as usize - 1];
    cx.dispatch(dispatch(kernel(tn), spec, push, Bind { x, w, y }, grid), ops)
}

/// Adds the arguments that follow from the blocks, and dispatches.
fn product(
    cx: &mut Lower<'_>,
    x: usize,
    w: BufferId,
    blocks: &Blocks,
    push: Push,
    spec: Spec,
    ops: u64,
) -> Result<(), Unsupported> {
    let steps = if spec.pointwise { 1 } else { u64::from(push.steps[0]) * u64::from(push.steps[1]) };
    cx.expect_rounds(steps * u64::from(push.run.div_ceil(4)))?;
    let x = cx.x(x)?;
    let epilogue = cx.epilogue(&[], x)?;
    let items = u64::from(push.rows.div_ceil(QUAD * PIXELS)) * u64::from(blocks.blocks);
    let (grid, row_groups) = cx.group_grid(items.div_ceil(u64::from(blocks.workgroup / QUAD)))?;
    let push = Push {
        rows_per_batch: epilogue.rows_per_batch,
        row_groups,
        blocks: blocks.blocks,
        group_blocks: blocks.group_blocks,
        ..push
    };
    let spec = Spec {
        wg_x: blocks.workgroup,
        vec_x: push.depth.is_multiple_of(4) && push.x_channels.is_multiple_of(4),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..spec
    };
    let tn = [Tn::N1, Tn::N2, Tn::N3, Tn::N4][blocks.tn as usize - 1];
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2 };
    let Some(kernel) = kernel(cx.store, tn, blocks.rgb) else {
        unreachable!("only first layers have blocks of their own")
    };
    cx.dispatch(dispatch(kernel, spec, push, bind, grid), ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_waste_little() {
        let tn = |channels| (Blocks::new(1, channels, 1).tn, Blocks::new(1, channels, 1).blocks);
        assert_eq!(tn(1), (1, 1));
        assert_eq!(tn(24), (3, 2));
        assert_eq!(tn(28), (4, 2));
        assert_eq!(tn(42), (4, 3));
        assert_eq!(tn(64), (4, 4));
    }

    #[test]
    fn four_elements_of_a_channel_lie_side_by_side() {
        // Two groups of one channel, two steps of three elements.
        let b = Blocks {
            tn: 1,
            group_blocks: 1,
            blocks: 2,
            group_channels: 1,
            run: 3,
            workgroup: 16,
            rgb: Rgb::N0,
        };
        assert_eq!(b.elements(6), 64);
        let place = b.place();
        let channel = |c| (0..6).map(|k| place(c, k)).collect::<Vec<_>>();
        assert_eq!(channel(0), [0, 1, 2, 32, 33, 34]);
        assert_eq!(channel(1), [16, 17, 18, 48, 49, 50]);
    }
}
