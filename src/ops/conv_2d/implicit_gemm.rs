//! Convolutions and matrix products as implicit GEMM over register tiles, or whichever kernel suits the device
//! better.

use super::{Geometry, cooperative, quads, software};
use crate::error::Unsupported;
use crate::kernel::table::conv_2d::{Bind, Push, Spec, Sum, Tm, Tn, dispatch, kernel};
use crate::lower::{Lower, Tiling};
use crate::program::TacticKey;

/// From so many products per sum on, sums may be split among workgroups (split-K).
const DEEP: u32 = 256;
/// The fewest input channels of a partial sum.
const PART: u32 = 32;

/// Emits the convolution of operand 0 with operand 1 through the epilogue: with the kernel that suits the device.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry) -> Result<(), Unsupported> {
    if conv.groups() == 1 && cooperative::fits(cx.caps, cx.store) {
        return cooperative::emit(cx, conv, None);
    }
    if quads::fits(cx.caps) {
        return software::emit(cx, conv);
    }
    tiles(cx, conv)
}

/// Chooses the register tile, fills in what follows from it and dispatches.
fn tiles(cx: &mut Lower<'_>, conv: &Geometry) -> Result<(), Unsupported> {
    let groups = conv.groups();
    let multiple = |n: u32| conv.depth.is_multiple_of(n) && conv.x_channels.is_multiple_of(n);
    let sum = if cx.sums_16 && multiple(4) { Sum::F16 } else { Sum::F32 };
    let wide = sum == Sum::F16 && multiple(8);
    // Whether sums may be split depends on the depth alone, so that a resize keeps the pipeline. With few
    // registers there is room for split-K only in pointwise convolutions with 32-bit sums.
    let room = conv.pointwise && sum == Sum::F32 || !cx.caps.few_registers();
    let split = conv.products >= DEEP && multiple(8) && room;
    let small = !conv.pointwise || sum == Sum::F16 || split;
    let key = TacticKey::new("conv_2d", cx.store)
        .with("window", conv.taps)
        .with("stride", conv.stride)
        .with("depth", [conv.depth])
        .with("channels", [conv.channels])
        .with("groups", [groups])
        .with("sum_bits", [if sum == Sum::F16 { 16 } else { 32 }]);
    let t = cx.choose(key, &Tiling::candidates(cx.caps, groups, conv.group_channels, small, conv.products));
    let t = Tiling { by_block: wide, ..t };
    let w = t.weights(cx, 1, conv.products)?;
    let x = cx.x(0)?;
    let epilogue = cx.epilogue(&[], x)?;
    let width = if conv.pointwise { conv.rows } else { conv.y_size[1] };
    let strip_rows = if width < t.tm { 1 } else { t.tm };
    let strips = width.div_ceil(strip_rows);
    let [x_groups, y_groups, z_groups] = t.grid(cx.caps, conv.rows / width.max(1) * strips)?;
    let workgroups = u64::from(x_groups) * u64::from(y_groups) * u64::from(z_groups);
    let shares = (u64::from(cx.caps.machine.busy_workgroups) / workgroups.max(1)) as u32;
    let part_count = if split { shares.clamp(1, (conv.depth / PART).max(1)) } else { 1 };
    let part = conv.depth.div_ceil(part_count).next_multiple_of(8);
    let part_count = conv.depth.div_ceil(part);
    let vectors = if multiple(4) { part.div_ceil(4) } else { part };
    let [rows, columns] = conv.taps.map(u64::from);
    cx.expect_rounds(rows * (columns * (u64::from(vectors) + 1) + 1))?;
    let left = workgroups * u64::from(part_count) * u64::from(t.invocations * t.tm * t.tn) * 16;
    let [parts, arrived] = cx.parts(left, workgroups, part_count)?;
    let push = Push {
        rows: conv.rows,
        channels: conv.channels,
        depth: conv.depth,
        x_channels: conv.x_channels,
        group_channels: conv.group_channels,
        x_size: conv.x_size,
        y_size: conv.y_size,
        taps: conv.taps,
        stride: conv.stride,
        dilation: conv.dilation,
        origin: conv.origin,
        width,
        strips,
        strip_rows,
        products: conv.products,
        part,
        part_count,
        rows_per_batch: epilogue.rows_per_batch,
        quads: t.quads,
        blocks: t.blocks,
        columns: t.columns,
        group_blocks: t.group_blocks,
    };
    let spec = Spec {
        wg_x: t.invocations,
        pointwise: conv.pointwise,
        border: conv.border,
        grouped: groups > 1,
        vec_x: multiple(4),
        wide,
        split,
        vec_y: conv.group_channels.is_multiple_of(4),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..Spec::default()
    };
    let tm = if t.tm == 8 { Tm::N8 } else { Tm::N4 };
    let tn = if t.tn == 1 { Tn::N1 } else { Tn::N2 };
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2, parts, arrived };
    let Some(kernel) = kernel(cx.store, tm, tn, sum) else {
        unreachable!("16-bit sums are of 16-bit numbers")
    };
    let grid = [x_groups * part_count, y_groups, z_groups];
    cx.dispatch(dispatch(kernel, spec, push, bind, grid), conv.ops())
}
