//! Convolutions and matrix products of integers on cooperative matrices, where the device has them.

use super::super::conv_2d::Geometry;
use super::super::conv_2d::cooperative::{MatrixShape, SplitTile, tiles};
use super::super::scaled_sum::{ScaledSum, signed, signed_byte, splat};
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::ir::DType;
use crate::kernel::divisor;
use crate::kernel::table::conv_2d_cooperative_integers::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::program::{BufferId, Element, TacticKey};
use crate::unsupported;

/// With fewer rows most of a matrix would be empty.
const ROWS: u32 = 8;

/// The device's matrices for int8 products that are added up in 32 bits, the largest ones.
fn shape(caps: &Caps) -> Option<MatrixShape> {
    let usable = caps.cooperative_matrix_integers.iter().filter(|(_, n, k)| n % 4 == 0 && k % 16 == 0);
    usable.max_by_key(|(m, n, k)| m * n * k).copied()
}

/// The matrices of halves that take as much memory, and as much time: tilings were fitted for those.
fn of_halves((m, n, k): MatrixShape) -> MatrixShape {
    (m, n, k / 2)
}

/// Whether the kernel takes this convolution on this device.
pub fn fits(cx: &Lower<'_>, conv: &Geometry) -> bool {
    let caps = cx.caps;
    // A driver that runs on the CPU emulates matrices: it gains nothing, and compiles for minutes.
    conv.groups() == 1
        && conv.depth.is_multiple_of(4)
        && conv.products >= 16
        && conv.rows >= ROWS
        && cx.element_of(0) != Element::I32
        && caps.kind != DeviceKind::Software
        && caps.features.contains(kernel().needs)
        && caps.max_storage_buffers as usize >= kernel().bindings.len()
        && shape(caps).is_some_and(|shape| tiles(caps, of_halves(shape)).next().is_some())
}

/// Emits the convolution of operand 0 with operand 1, and operand 2 as bias.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, sum: &ScaledSum) -> Result<(), Unsupported> {
    let (caps, dtype) = (cx.caps, cx.input(0).dtype);
    let shape = shape(caps).unwrap_or_else(|| unreachable!("fits has checked that"));
    let (rows, channels, products) = (conv.rows, conv.channels, conv.products);
    let in_sixteens = conv.depth.is_multiple_of(16);
    let key = TacticKey::new("conv_2d_cooperative_integers", cx.store)
        .rows(rows)
        .with("products", [products])
        .with("channels", [channels]);
    let halves = of_halves(shape);
    let sizes = [rows, channels, products.div_ceil(2)];
    let load_cost = if in_sixteens { 0 } else { 12 };
    let SplitTile { tile, parts } = cx.choose(key, &SplitTile::candidates(caps, halves, sizes, load_cost));
    let [bm, bn, half_bk] = tile.block(halves);
    let bk = 2 * half_bk;
    let part = products.div_ceil(parts).next_multiple_of(bk);
    let part_count = products.div_ceil(part);
    let (columns, depth) = (channels.next_multiple_of(bn), products.next_multiple_of(bk));
    let w = matrices(cx, shape, [columns, depth], products)?;
    let places = u64::from(channels.next_multiple_of(4));
    let scales = sum.upload(cx, true, places, move |place| Some(place).filter(|c| *c < channels as usize))?;
    let [least, most] = sum.target.bounds;
    let w_zero_point = signed(dtype, sum.w_zero_point);
    let push = Push {
        rows,
        channels,
        depth: conv.depth,
        products,
        w_depth: depth / shape.2,
        part,
        outside: splat(dtype, sum.x_zero_point),
        w_zero_point,
        x_size: conv.x_size,
        y_size: conv.y_size,
        stride: conv.stride,
        dilation: conv.dilation,
        origin: conv.origin,
        by_depth: divisor(conv.depth),
        by_height: divisor(conv.y_size[0]),
        by_width: divisor(conv.y_size[1]),
        y_zero_point: sum.target.zero_point,
        least,
        most,
    };
    let [sm, sn, sk] = tile.subgroups;
    let [fm, fn_, fk] = tile.matrices;
    let (mm, mn, mk) = shape;
    let spec = Spec {
        wg_x: tile.invocations(caps),
        pointwise: conv.pointwise,
        unrolled: fm * fn_ >= 16,
        vec_y: channels.is_multiple_of(4),
        taps_x: conv.taps[1],
        vec_x16: in_sixteens,
        unsigned: dtype == DType::U8,
        w_zero_point: w_zero_point != 0,
        subgroup: caps.subgroup_size,
        mm,
        mn,
        mk,
        sm,
        sn,
        sk,
        fm,
        r#fn: fn_,
        fk,
        rounding: sum.rounding(),
        ..Spec::default()
    };
    let tall = rows.div_ceil(bm).max(1);
    let blocks = u64::from(tall) * u64::from(columns / bn);
    let left = blocks * u64::from(part_count) * u64::from(bm * bn) * 4;
    let [parts, arrived] = cx.parts(left, blocks, part_count)?;
    let (followers, other) = sum.followers.emit(cx, scales)?;
    let spec = Spec { followers, ..spec };
    let bind = Bind { x: cx.x(0)?, w, y: cx.y(0), scales, parts, arrived, other };
    cx.dispatch(dispatch(kernel(), spec, push, bind, [tall, columns / bn, part_count]), conv.ops())
}

/// Uploads operand 1, `products` elements for each channel, as k × n matrices, with zeros up to `columns` × `depth`.
/// Matrices of the same n columns follow each other along the depth. Within a matrix, the k elements of a column lie
/// side by side.
fn matrices(
    cx: &mut Lower<'_>,
    (_, n, k): MatrixShape,
    [columns, depth]: [u32; 2],
    products: u32,
) -> Result<BufferId, Unsupported> {
    let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
    let packing = format!("cooperative/{n}x{k}/{columns}x{depth}");
    cx.weights(1, &packing, u64::from(columns) * u64::from(depth), move |bytes| {
        let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
        let [n, k, depth, products] = [n, k, depth, products].map(|x| x as usize);
        for (channel, weights) in all.chunks_exact(products).enumerate() {
            for (i, run) in weights.chunks(k).enumerate() {
                let place = (channel / n * depth + i * k) * n + channel % n * k;
                let to = bytes[place..][..run.len()].iter_mut();
                to.zip(run).for_each(|(to, from)| *to = signed_byte(constant.stored, *from));
            }
        }
    })
}
