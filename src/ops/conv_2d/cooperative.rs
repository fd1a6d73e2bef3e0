//! Convolutions and matrix products on cooperative matrices, where the device has them.

use std::fmt;

use super::Geometry;
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::ir::Window;
use crate::kernel::divisor;
use crate::kernel::table::conv_2d_cooperative::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::program::{Store, TacticKey};

use crate::program::BufferId;

/// How a workgroup tiles its block of the result; the numbers are the kernel's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockTile {
    /// For people: pixels × channels × products of a step, for matrices of 16.
    label: &'static str,
    /// Subgroups along pixels, channels and depth.
    pub subgroups: [u32; 3],
    /// Matrices of a subgroup along pixels, channels and, per step, depth.
    pub matrices: [u32; 3],
    /// Costs in tens of nanoseconds, fitted to times on an NVIDIA H100: a step's latency with one workgroup
    /// on a core, a step's share of the core's time with many, and the fixed cost of a workgroup.
    time: [u32; 3],
}

const TILES: [BlockTile; 9] = [
    BlockTile { label: "128x128x32", subgroups: [2, 2, 1], matrices: [4, 4, 2], time: [70, 44, 470] },
    BlockTile { label: "64x64x64", subgroups: [2, 2, 1], matrices: [2, 2, 4], time: [63, 98, 126] },
    BlockTile { label: "64x64x32", subgroups: [2, 2, 1], matrices: [2, 2, 2], time: [38, 56, 136] },
    BlockTile { label: "64x32x64", subgroups: [4, 2, 1], matrices: [1, 1, 4], time: [40, 47, 65] },
    BlockTile { label: "32x32x32", subgroups: [2, 2, 1], matrices: [1, 1, 2], time: [39, 16, 31] },
    BlockTile { label: "32x32x64", subgroups: [2, 2, 1], matrices: [1, 1, 4], time: [32, 28, 45] },
    BlockTile { label: "32x32x128", subgroups: [2, 2, 2], matrices: [1, 1, 4], time: [49, 39, 96] },
    BlockTile { label: "16x32x64", subgroups: [1, 2, 2], matrices: [1, 1, 2], time: [39, 16, 31] },
    BlockTile { label: "16x32x128", subgroups: [1, 2, 4], matrices: [1, 1, 2], time: [39, 36, 70] },
];

/// A tile, and how many workgroups compute a block together (split-K).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitTile {
    /// The tile.
    pub tile: BlockTile,
    /// The workgroups.
    pub parts: u32,
}

impl fmt::Display for SplitTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.tile.label, self.parts)
    }
}

/// The matrices of a device: rows, columns, depth.
pub type MatrixShape = (u32, u32, u32);

impl BlockTile {
    /// Pixels, channels and, per step, products of a workgroup.
    pub fn block(&self, (m, n, k): MatrixShape) -> [u32; 3] {
        let [sm, sn, sk] = self.subgroups;
        let [fm, fn_, fk] = self.matrices;
        [sm * fm * m, sn * fn_ * n, sk * fk * k]
    }

    fn subgroup_count(&self) -> u32 {
        let [m, n, k] = self.subgroups;
        m * n * k
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self, caps: &Caps) -> u32 {
        self.subgroup_count() * caps.subgroup_size
    }

    /// Shared memory in bytes, as the kernel counts it.
    fn shared_bytes(&self, shape: MatrixShape) -> u32 {
        let (m, n, k) = shape;
        let [bm, bn, bk] = self.block(shape);
        let step = bm * (bk / 8 + 1) + bn * (bk / k) * (k / 8 + 1);
        let sums = self.subgroup_count() * m * (self.matrices[1] * n / 4 + 1);
        16 * step.max(sums)
    }

    fn fits(&self, caps: &Caps, shape: MatrixShape) -> bool {
        let [bm, bn, bk] = self.block(shape);
        let threads = self.invocations(caps);
        let whole = |elements: u32| (elements / 8).is_multiple_of(threads);
        threads <= caps.max_invocations
            // Plus one word of kernels/lib/last.glsl.
            && self.shared_bytes(shape) + 4 <= caps.max_shared_bytes
            && whole(bm * bk)
            && whole(bn * bk)
            && threads.is_multiple_of(bk / 8)
    }
}

/// The device's matrices for fp16 products that are added up in fp32, the largest ones.
pub fn shape(caps: &Caps) -> Option<MatrixShape> {
    let usable = caps.cooperative_matrix.iter().filter(|(_, n, k)| n % 4 == 0 && k % 8 == 0);
    usable.max_by_key(|(m, n, k)| m * n * k).copied()
}

/// Whether the kernel takes convolutions of one group on this device.
pub fn fits(caps: &Caps, store: Store) -> bool {
    // A driver that runs on the CPU emulates them: it gains nothing, and compiles for minutes.
    store == Store::F16
        && caps.kind != DeviceKind::Software
        && caps.features.contains(kernel().needs)
        && caps.max_storage_buffers as usize >= kernel().bindings.len()
        && shape(caps).is_some_and(|shape| tiles(caps, shape).next().is_some())
}

/// The tiles that fit the device.
pub fn tiles(caps: &Caps, shape: MatrixShape) -> impl Iterator<Item = BlockTile> {
    TILES.into_iter().filter(move |tile| tile.fits(caps, shape))
}

impl SplitTile {
    /// The estimated time in tens of nanoseconds: the cost of all steps (latency, or throughput of a full
    /// core), the fixed cost, and that of split-K. `load_cost` is what eight elements of x cost beyond one
    /// vector load.
    fn cost(
        &self,
        caps: &Caps,
        shape: MatrixShape,
        [rows, channels, products]: [u32; 3],
        load_cost: u32,
    ) -> u64 {
        let [bm, bn, bk] = self.tile.block(shape);
        let steps = products.div_ceil(bk).div_ceil(self.parts);
        let groups = u64::from(rows.div_ceil(bm)) * u64::from(channels.div_ceil(bn) * self.parts);
        let loads = load_cost * (bm * bk / 8 / self.tile.invocations(caps).max(1));
        let [latency, core_time, fixed] = self.tile.time.map(u64::from);
        let per_core = |time: u64| (groups * time).div_ceil(u64::from(caps.machine.cores));
        let step = (latency + u64::from(loads)).max(per_core(core_time + u64::from(loads)));
        u64::from(steps) * step + fixed.max(per_core(fixed)) + split_cost(caps, self.parts, bm * bn)
    }

    /// All tilings of a result of rows × channels with sums of `products`, the cheapest by estimate first.
    pub fn candidates(caps: &Caps, shape: MatrixShape, sizes: [u32; 3], load_cost: u32) -> Vec<Self> {
        let splits = |tile: BlockTile| {
            let steps = sizes[2].div_ceil(tile.block(shape)[2]);
            let parts = [1, 2, 4, 8].into_iter().filter(move |n| *n == 1 || *n <= steps);
            parts.map(move |parts| Self { tile, parts })
        };
        let mut all: Vec<Self> = tiles(caps, shape).flat_map(splits).collect();
        all.sort_by_key(|tiling| tiling.cost(caps, shape, sizes, load_cost));
        all
    }
}

/// The cost of split-K in tens of nanoseconds, for a block of so many results: partial sums are written,
/// waited for, and read back by the last workgroup.
fn split_cost(caps: &Caps, parts: u32, results: u32) -> u64 {
    let waiting = u64::from(caps.machine.barrier_ns) / 10;
    if parts > 1 { waiting + u64::from(parts * results) / 117 } else { 0 }
}

/// Uploads constant operand `i`, `products` elements for each channel, as k × n matrices, with zeros up to
/// `columns` × `depth`. Matrices of the same n columns follow each other along the depth. Within a matrix,
/// the k elements of a column lie side by side.
pub fn matrices(
    cx: &mut Lower<'_>,
    i: usize,
    (_, n, k): MatrixShape,
    [columns, depth]: [u32; 2],
    products: u32,
) -> Result<BufferId, Unsupported> {
    let packing = format!("cooperative/{n}x{k}/{columns}x{depth}");
    let place = move |channel, i| {
        let [n, k, depth] = [n, k, depth].map(|x| x as usize);
        (channel / n * depth + i / k * k) * n + channel % n * k + i % k
    };
    cx.rearranged(i, &packing, u64::from(columns) * u64::from(depth), products as usize, place)
}

/// A fused depthwise convolution, `clamp(convolution + bias)`: the kernel computes its results instead of
/// loading them.
#[derive(Clone, Debug, PartialEq)]
pub struct Depthwise {
    /// How its filter moves.
    pub window: Window,
    /// The bounds of its activation.
    pub clamp: [f32; 2],
    /// Where its weights (`[1, height, width, channels]`) and its bias stand among the node's operands.
    pub inputs: [usize; 2],
}

/// Emits the convolution of operand 0 with operand 1 through the epilogue. With `depthwise` it is a pointwise
/// one behind a depthwise one, whose window `conv` describes.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, depthwise: Option<&Depthwise>) -> Result<(), Unsupported> {
    let caps = cx.caps;
    let shape = shape(caps).unwrap_or_else(|| unreachable!("fits has checked that"));
    let taps = depthwise.map_or(0, |d| d.window.taps());
    let sizes @ [rows, channels, products] = [conv.rows, conv.channels, conv.products];
    let in_eights = conv.depth.is_multiple_of(8);
    let load_cost = 9 * taps + if in_eights { 0 } else { 21 };
    let key = TacticKey::new("conv_2d_cooperative", cx.store)
        .rows(rows)
        .with("products", [products])
        .with("channels", [channels])
        .with("depthwise_taps", [taps]);
    let SplitTile { tile, parts } = cx.choose(key, &SplitTile::candidates(caps, shape, sizes, load_cost));
    let [bm, bn, bk] = tile.block(shape);
    let part = products.div_ceil(parts).next_multiple_of(bk);
    let part_count = products.div_ceil(part);
    let (columns, depth) = (conv.channels.next_multiple_of(bn), products.next_multiple_of(bk));
    let w = matrices(cx, 1, shape, [columns, depth], products)?;
    let x = cx.x(0)?;
    let epilogue = cx.epilogue(&[], x)?;
    let push = Push {
        rows: conv.rows,
        channels: conv.channels,
        rows_per_batch: epilogue.rows_per_batch,
        depth: conv.depth,
        products,
        w_depth: depth / shape.2,
        part,
        x_size: conv.x_size,
        y_size: conv.y_size,
        stride: conv.stride,
        dilation: conv.dilation,
        origin: conv.origin,
        by_depth: divisor(conv.depth),
        by_height: divisor(conv.y_size[0]),
        by_width: divisor(conv.y_size[1]),
    };
    let [sm, sn, sk] = tile.subgroups;
    let [fm, fn_, fk] = tile.matrices;
    let (mm, mn, mk) = shape;
    let mut spec = Spec {
        wg_x: tile.invocations(caps),
        taps_y: conv.taps[0],
        taps_x: conv.taps[1],
        pointwise: conv.pointwise && depthwise.is_none(),
        depthwise: depthwise.is_some(),
        unrolled: fm * fn_ >= 16,
        vec_x: conv.depth.is_multiple_of(4),
        vec_x8: in_eights,
        whole: products.is_multiple_of(bk),
        // Worth a pipeline of its own only where it removes much code.
        once: products <= bk && (depthwise.is_some() || !in_eights),
        vec_y: conv.channels.is_multiple_of(4),
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
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..Spec::default()
    };
    let mut before = [x; 2];
    if let Some(Depthwise { clamp: [lo, hi], inputs: [weights, bias], .. }) = depthwise {
        (spec.d_lo, spec.d_hi) = (*lo, *hi);
        before = [cx.x(*weights)?, cx.x(*bias)?];
    }
    let [d, dbias] = before;
    let tall = conv.rows.div_ceil(bm).max(1);
    let [e0, e1, e2] = epilogue.e;
    let blocks = u64::from(tall) * u64::from(columns / bn);
    let left = blocks * u64::from(part_count) * u64::from(bm * bn) * 4;
    let [parts, arrived] = cx.parts(left, blocks, part_count)?;
    let bind = Bind { x, w, y: cx.y(0), d, dbias, e0, e1, e2, parts, arrived };
    let ops = 2 * u64::from(conv.rows) * u64::from(products) * u64::from(conv.channels + taps);
    cx.dispatch(dispatch(kernel(), spec, push, bind, [tall, columns / bn, part_count]), ops)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caps::Features;

    #[test]
    fn drivers_on_the_cpu_get_no_matrices() {
        let caps = |kind| Caps {
            kind,
            features: Features(u32::MAX),
            cooperative_matrix: vec![(16, 16, 16)],
            max_shared_bytes: 48 << 10,
            max_invocations: 1024,
            max_storage_buffers: 16,
            subgroup_size: 32,
            ..Caps::minimum()
        };
        assert!(fits(&caps(DeviceKind::Discrete), Store::F16));
        assert!(!fits(&caps(DeviceKind::Software), Store::F16));
    }
}
