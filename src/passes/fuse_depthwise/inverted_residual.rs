//! A pointwise CONV_2D, a DEPTHWISE_CONV_2D and another pointwise CONV_2D in one dispatch: the inverted
//! residuals of MobileNetV2 (Sandler et al., 2018), whose expanded activation never reaches memory. TFLite
//! has no such operator: the pass `fuse depthwise` makes it.

use std::fmt;

use super::separable_conv_2d::{POINTWISE, SeparableConv2d, activate};
use crate::caps::{Caps, Machine};
use crate::error::Unsupported;
use crate::ir::{HostTensor, Shape, Window};
use crate::kernel::divisor;
use crate::kernel::table::inverted_residual::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::op::{Fusion, Operator, operand};
use crate::ops::conv_2d::cooperative::{self, MatrixShape};
use crate::program::{Store, TacticKey};
use crate::unsupported;

/// A pointwise convolution in front of an operator: `clamp(convolution + bias)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointwise {
    /// The bounds of its activation.
    pub clamp: [f32; 2],
    /// Where its weights (`[channels, 1, 1, input channels]`) and its bias stand among the node's operands.
    pub inputs: [usize; 2],
}

/// Output pixels of a workgroup, height and width.
const TILES: [[u32; 2]; 4] = [[4, 4], [2, 8], [4, 8], [8, 8]];

/// Expanded channels of a slice, and subgroups of a workgroup.
const SHAPES: [(u32, u32); 7] = [(32, 8), (48, 6), (64, 8), (64, 12), (96, 12), (144, 9), (192, 12)];

/// The most candidates that are worth timing for a layer.
const MAX_CANDIDATES: usize = 32;

/// The operands are those of `behind`, of which operand 0 is expanded first.
#[derive(Clone, Debug, PartialEq)]
pub struct InvertedResidual {
    /// The expansion.
    pub expand: Pointwise,
    /// The depthwise convolution and the projection.
    pub behind: SeparableConv2d,
}

/// Channels of x, of the expanded activation, and of y.
type Channels = [u32; 3];

/// How the work is split; the numbers are the kernel's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FusedTile {
    /// One of [`TILES`].
    tile: [u32; 2],
    /// Expanded channels of a slice.
    width: u32,
    /// Subgroups of a workgroup.
    subgroups: u32,
    /// Workgroups that compute the same pixels, each its own channels of y.
    groups: u32,
    /// Channels of x per step of the expansion.
    step: u32,
    /// Slices per workgroup; other workgroups compute the other slices of a tile (split-K).
    slices: u32,
}

impl fmt::Display for FusedTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tile: [h, w], width, step, slices, subgroups, groups } = self;
        write!(f, "{h}x{w} by {step} to {slices}x{width} on {subgroups} for {groups}")
    }
}

impl FusedTile {
    /// Pixels of x under the windows of a tile.
    fn seen(&self, window: &Window) -> u32 {
        (0..2).map(|d| (self.tile[d] - 1) * window.stride[d] + window.size[d]).product()
    }

    fn pixels(&self) -> u32 {
        self.tile.iter().product()
    }

    /// Blocks of n channels of y that a workgroup computes.
    fn blocks(&self, n: u32, channels: u32) -> u32 {
        channels.div_ceil(n).div_ceil(self.groups)
    }

    /// Subgroups that split the sums of one matrix.
    fn split(&self, (m, n, k): MatrixShape, channels: u32) -> u32 {
        let most = self.subgroups / (self.pixels() / m * self.blocks(n, channels));
        let whole = self.width / k;
        (1..=most.max(1)).rev().find(|split| whole.is_multiple_of(*split)).unwrap_or(1)
    }

    /// Shared memory in bytes, as the kernel counts it.
    fn shared_bytes(&self, window: &Window, shape: MatrixShape, channels: u32) -> u32 {
        let (m, n, _) = shape;
        let (seen, to) = (self.seen(window).next_multiple_of(m), self.blocks(n, channels) * n);
        let [first, middle] = [self.step, self.width].map(|halves| halves / 8 + 1);
        let slice = ((seen + self.width) * first).max((self.pixels() + to + seen) * middle);
        let sums = self.split(shape, channels) * self.pixels() * (to / 4 + 1);
        16 * (slice.max(sums) + (window.taps() + 2) * self.width / 8 + 1)
    }

    fn fits(&self, caps: &Caps, window: &Window, shape: MatrixShape, channels: u32) -> bool {
        let (m, n, k) = shape;
        self.subgroups * caps.subgroup_size <= caps.max_invocations
            && self.pixels().is_multiple_of(m)
            && self.width.is_multiple_of(n)
            && self.width.is_multiple_of(k)
            && self.subgroups.is_multiple_of(self.width / n)
            && (self.subgroups * caps.subgroup_size).is_multiple_of(self.width / 4)
            && self.blocks(n, channels) * self.groups == channels.div_ceil(n)
            // Plus one word of kernels/lib/last.glsl.
            && self.shared_bytes(window, shape, channels) + 4 <= caps.max_shared_bytes
    }

    /// Workgroups that share a tile by split-K.
    fn parts(&self, middle: u32) -> u32 {
        middle.div_ceil(self.width * self.slices)
    }

    /// The estimated time in tens of nanoseconds, fitted to 20 layers in all tilings on an NVIDIA H100: what
    /// it chose there took 1.4 % longer than the best on average, 7 % at most. A wave of resident workgroups
    /// costs its slices (loads, expansion, depthwise convolution, projection) and a fixed cost per workgroup;
    /// each further workgroup on a core makes slices a tenth slower. Split-K comes on top.
    fn cost(
        &self,
        caps: &Caps,
        window: &Window,
        shape: MatrixShape,
        tiles: u32,
        [depth, middle, channels]: Channels,
    ) -> u64 {
        let (m, n, k) = shape;
        let invocations = self.subgroups * caps.subgroup_size;
        let rounds = |items: u32| items.div_ceil(invocations);
        let (blocks, split) = (self.blocks(n, channels), self.split(shape, channels));
        let seen = self.seen(window).div_ceil(m);
        let expanded = seen.div_ceil(self.subgroups / (self.width / n));
        let loads = rounds(seen * m * self.step / 8) + rounds(self.width * self.step / 8);
        let steps = depth.div_ceil(self.step) * (23 + 4 * expanded * (self.step / k) + 3 * loads);
        let convolved = rounds(self.pixels() * self.width / 4) * window.taps() * 11 / 4;
        let projected =
            (self.pixels() / m * blocks * split).div_ceil(self.subgroups) * (self.width / k / split);
        let weights = rounds(blocks * n * self.width / 8);
        let slice = steps + 15 + 9 * expanded + 2 * weights + convolved + 8 * projected;
        let fixed = 160 + 7 * rounds(self.pixels() * blocks * n / 4);
        let parts = self.parts(middle);
        let split_cost = if parts > 1 { 145 + parts * self.pixels() * blocks * n / 256 } else { 0 };
        let workgroups = u64::from(tiles) * u64::from(parts * self.groups);
        let Machine { cores, core_shared_bytes, core_invocations, .. } = caps.machine;
        let shared_bytes = self.shared_bytes(window, shape, channels);
        let resident = (core_shared_bytes / shared_bytes).min(core_invocations / invocations).max(1);
        let (cores, resident) = (u64::from(cores), u64::from(resident));
        let waves = workgroups.div_ceil(cores * resident);
        let others = resident.min(workgroups.div_ceil(cores)) - 1;
        waves * (u64::from(self.slices * slice) * (10 + others) / 10 + u64::from(fixed))
            + u64::from(split_cost)
    }

    /// All tilings that the device has room for, the cheapest by estimate first.
    fn candidates(
        caps: &Caps,
        window: &Window,
        [batch, height, width]: [u32; 3],
        channels: Channels,
    ) -> Vec<Self> {
        let Some(shape) = cooperative::shape(caps) else { return Vec::new() };
        let [depth, middle, to] = channels;
        let mut all = Vec::new();
        for tile in TILES {
            let tiles = batch * height.div_ceil(tile[0]) * width.div_ceil(tile[1]);
            for ((width, subgroups), groups) in SHAPES.into_iter().flat_map(|shape| [(shape, 1), (shape, 2)])
            {
                let whole = Self { tile, width, subgroups, groups, step: 0, slices: 1 };
                let counts = 1..=depth.div_ceil(shape.2);
                let steps = counts.map(|n| depth.div_ceil(n).next_multiple_of(shape.2));
                let mut fitting = steps.map(|step| Self { step, ..whole });
                let Some(fit) = fitting.find(|tiling| tiling.fits(caps, window, shape, to)) else { continue };
                let most = middle.div_ceil(width);
                let some = (1..=most).filter(|n| *n < 5 || *n == most).map(|slices| Self { slices, ..fit });
                all.extend(some.map(|tiling| (tiling.cost(caps, window, shape, tiles, channels), tiling)));
            }
        }
        all.sort_by_key(|(cost, _)| *cost);
        all.into_iter().take(MAX_CANDIDATES).map(|(_, tiling)| tiling).collect()
    }
}

/// Whether the kernel takes such a convolution with these channels.
pub fn fits(caps: &Caps, store: Store, window: &Window, channels: Channels) -> bool {
    cooperative::fits(caps, store)
        && caps.max_storage_buffers as usize >= kernel().bindings.len()
        && window.dilation == [1, 1]
        && channels[..2].iter().all(|n| n.is_multiple_of(8))
        && !FusedTile::candidates(caps, window, [1; 3], channels).is_empty()
}

impl Operator for InvertedResidual {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let weights = operand(inputs, self.expand.inputs[0])?;
        let middle = POINTWISE.infer(&[Some(operand(inputs, 0)?), Some(weights)])?;
        let behind: Vec<_> =
            middle.first().into_iter().chain(inputs[1..].iter().flatten()).copied().map(Some).collect();
        self.behind.infer(&behind)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let (x, y) = (cx.input(0).shape, cx.output(0).shape);
        let depthwise = &self.behind.depthwise;
        let window = depthwise.window;
        let middle = cx.input(self.expand.inputs[0]).shape[0];
        let channels = [x.channels(), middle, y.channels()];
        let [h, v] = window.extents(&x)?;
        let caps = cx.caps;
        let candidates = FusedTile::candidates(caps, &window, [y[0], y[1], y[2]], channels);
        let Some(shape) = cooperative::shape(caps).filter(|_| !candidates.is_empty()) else {
            unsupported!("no room for the channels {channels:?}");
        };
        let [depth, _, to] = channels;
        let key = TacticKey::new("inverted_residual", cx.store)
            .rows(y.rows())
            .with("window", window.size)
            .with("stride", window.stride)
            .with("channels", channels);
        let tiling = cx.choose(key, &candidates);
        let part_count = tiling.parts(middle);
        let (mm, mn, mk) = shape;
        let blocks = tiling.blocks(mn, to);
        let (room, w1_depth) = (middle.next_multiple_of(tiling.width), depth.next_multiple_of(tiling.step));
        let w1 = cooperative::matrices(cx, self.expand.inputs[0], shape, [room, w1_depth], depth)?;
        let w2 = cooperative::matrices(cx, 1, shape, [tiling.groups * blocks * mn, room], middle)?;
        let x_buffer = cx.x(0)?;
        let [bias1, d, dbias] = [self.expand.inputs[1], depthwise.inputs[0], depthwise.inputs[1]];
        let [bias1, d, dbias] = [cx.x(bias1)?, cx.x(d)?, cx.x(dbias)?];
        let epilogue = cx.epilogue(&[], x_buffer)?;
        let [tiles_y, tiles_x] = [y[1].div_ceil(tiling.tile[0]), y[2].div_ceil(tiling.tile[1])];
        let tiles = y[0] * tiles_y * tiles_x;
        let push = Push {
            channels: to,
            rows_per_batch: epilogue.rows_per_batch,
            depth,
            middle,
            part: tiling.slices * tiling.width,
            w1_depth: w1_depth / mk,
            w2_depth: room / mk,
            x_size: [x[1], x[2]],
            y_size: [y[1], y[2]],
            origin: [h.origin, v.origin],
            by_tiles_x: divisor(tiles_x),
            by_tiles_y: divisor(tiles_y),
            tiles_x,
            tiles_y,
        };
        let spec = Spec {
            wg_x: tiling.subgroups * caps.subgroup_size,
            tile_h: tiling.tile[0],
            tile_w: tiling.tile[1],
            stride_y: window.stride[0],
            stride_x: window.stride[1],
            vec_y: to.is_multiple_of(4),
            taps_y: window.size[0],
            taps_x: window.size[1],
            width: tiling.width,
            bk: tiling.step,
            steps: w1_depth / tiling.step,
            once: tiling.slices == 1,
            shared: part_count > 1,
            blocks,
            subgroup: caps.subgroup_size,
            mm,
            mn,
            mk,
            subgroups: tiling.subgroups,
            split: tiling.split(shape, to),
            e_lo: self.expand.clamp[0],
            e_hi: self.expand.clamp[1],
            d_lo: depthwise.clamp[0],
            d_hi: depthwise.clamp[1],
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Spec::default()
        };
        let left =
            u64::from(tiles * tiling.groups * part_count) * u64::from(tiling.pixels() * blocks * mn) * 4;
        let [parts, arrived] = cx.parts(left, u64::from(tiles * tiling.groups), part_count)?;
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x: x_buffer, w1, bias1, d, dbias, w2, y: cx.y(0), e0, e1, e2, parts, arrived };
        let per_pixel = u64::from(middle) * u64::from(to + window.taps());
        let ops = 2 * (u64::from(x.rows()) * u64::from(depth * middle) + u64::from(y.rows()) * per_pixel);
        cx.dispatch(dispatch(kernel(), spec, push, bind, [tiles, tiling.groups, part_count]), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let Pointwise { clamp, inputs: [weights, bias] } = self.expand;
        let middle = POINTWISE.reference(&[Some(operand(inputs, 0)?), Some(operand(inputs, weights)?)])?;
        let middle = activate(middle, operand(inputs, bias)?, clamp);
        let behind: Vec<_> =
            middle.first().into_iter().chain(inputs[1..].iter().flatten().copied()).map(Some).collect();
        self.behind.reference(&behind)
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }
}
