//! Convolutions and matrix products on cooperative matrices, where the device has them.

use super::{Push as Convolution, Spec as Form};
use crate::compile::Lower;
use crate::error::Unsupported;
use crate::kernel::Store;
use crate::kernel::table::conv_2d_cooperative::{Bind, Push, Spec, Tile, dispatch, kernel};
use crate::unsupported;

/// Side of the matrices that the kernel is written for.
const SIDE: u32 = 16;
/// Invocations per subgroup that it is written for.
const SUBGROUP: u32 = 32;
/// Sums from this length on are split over the subgroups of a workgroup: layers with so many input
/// channels have few pixels as a rule. Independent of the pixels, so that a resize keeps the pipeline.
const DEEP: u32 = 192;

/// What a workgroup covers; the numbers are those of the kernel's variants.
struct Block {
    tile: Tile,
    rows: u32,
    channels: u32,
    depth: u32,
    subgroups: u32,
}

const WIDE: Block = Block { tile: Tile::Wide, rows: 64, channels: 64, depth: 32, subgroups: 4 };
const NARROW: Block = Block { tile: Tile::Deep, rows: 16, channels: 32, depth: 128, subgroups: 8 };

/// Whether the kernel takes this convolution on this device.
pub fn fits(cx: &Lower<'_>, conv: &Convolution, form: &Form) -> bool {
    let caps = cx.caps;
    cx.store == Store::F16
        && caps.features.contains(kernel(Tile::Wide).needs)
        && caps.cooperative_matrix.contains(&(SIDE, SIDE, SIDE))
        && caps.subgroup_size == SUBGROUP
        && caps.max_invocations >= NARROW.subgroups * SUBGROUP
        && caps.max_shared_bytes >= 40 << 10
        && !form.grouped
        && conv.depth.is_multiple_of(4)
        && conv.channels >= 8
}

/// Emits the convolution; each result sums `products` products.
pub fn emit(cx: &mut Lower<'_>, conv: &Convolution, form: &Form, products: u32) -> Result<(), Unsupported> {
    let block = if products >= DEEP { &NARROW } else { &WIDE };
    let row = conv.channels.next_multiple_of(block.channels);
    let depth = products.next_multiple_of(block.depth);
    let packing = format!("cooperative/{row}x{depth}");
    let place = move |channel, k| k * row as usize + channel;
    let w = cx.rearranged(1, &packing, u64::from(row) * u64::from(depth), products as usize, place)?;
    let x = cx.x(0)?;
    let epilogue = cx.epilogue(&[], x)?;
    let push = Push {
        rows: conv.rows,
        channels: conv.channels,
        rows_per_batch: epilogue.rows_per_batch,
        depth: conv.depth,
        products,
        w_quads: row / 4,
        x_size: conv.x_size,
        y_size: conv.y_size,
        taps_wide: conv.taps[1],
        stride: conv.stride,
        dilation: conv.dilation,
        origin: conv.origin,
    };
    let spec = Spec {
        wg_x: block.subgroups * SUBGROUP,
        pointwise: form.pointwise,
        vec_y: conv.channels.is_multiple_of(4),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..Spec::default()
    };
    let tall = conv.rows.div_ceil(block.rows);
    let y = tall.min(cx.caps.max_grid[1]).max(1);
    let z = tall.div_ceil(y);
    if z > cx.caps.max_grid[2] {
        unsupported!("{} rows are too many for one dispatch", conv.rows);
    }
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2 };
    let ops = 2 * u64::from(conv.rows) * u64::from(conv.channels) * u64::from(products);
    let grid = [row / block.channels, y, z];
    cx.dispatch(dispatch(kernel(block.tile), spec, push, bind, grid), ops)
}
