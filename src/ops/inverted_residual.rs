//! A pointwise CONV_2D, a DEPTHWISE_CONV_2D and another pointwise CONV_2D in one dispatch: the inverted
//! residuals of MobileNetV2 (Sandler et al., 2018), whose wide middle never reaches memory. No operator of
//! TFLite: the pass `fuse depthwise` makes it.

use std::fmt;

use super::conv_2d::cooperative::{self, CORES, Shape};
use super::separable_conv_2d::{POINTWISE, SeparableConv2d, activate};
use crate::caps::Caps;
use crate::compile::Lower;
use crate::error::Unsupported;
use crate::ir::{HostTensor, TensorType};
use crate::kernel::table::inverted_residual::{Bind, Push, Spec, dispatch, kernel};
use crate::kernel::{Store, divisor};
use crate::op::{Def, Fuses, Operator, Pointwise, Window, operand};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[];

/// Subgroups of a workgroup.
const SUBGROUPS: u32 = 8;

/// Operands as those of what stands behind.
#[derive(Clone, Debug, PartialEq)]
pub struct InvertedResidual {
    /// What comes first.
    pub expand: Pointwise,
    /// The rest.
    pub behind: SeparableConv2d,
}

/// Channels of x, between and of y.
type Channels = [u32; 3];

/// How the work is cut; the numbers are the kernel's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    /// Pixels of a workgroup, height and width.
    tile: [u32; 2],
    /// Channels of the middle at a time.
    width: u32,
    /// Channels of x at a time.
    step: u32,
    /// Slices of the middle for a workgroup; several workgroups share a tile.
    slices: u32,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tile: [h, w], width, step, slices } = self;
        write!(f, "{h}x{w} by {step} to {slices}x{width}")
    }
}

impl Cut {
    /// Pixels that the windows of a tile see.
    fn seen(&self, window: &Window) -> u32 {
        (0..2).map(|d| (self.tile[d] - 1) * window.stride[d] + window.size[d]).product()
    }

    fn pixels(&self) -> u32 {
        self.tile.iter().product()
    }

    /// Shared memory in bytes, as the kernel counts it.
    fn shared_bytes(&self, window: &Window, (m, n, _): Shape, channels: u32) -> u32 {
        let (seen, to) = (self.seen(window).next_multiple_of(m), channels.next_multiple_of(n));
        let [first, middle] = [self.step, self.width].map(|halves| halves / 8 + 1);
        let weights = ((seen + self.width) * first).max((self.pixels() + to) * middle);
        16 * (weights + seen * middle).max(self.pixels() * (to / 4 + 1))
    }

    fn fits(&self, caps: &Caps, window: &Window, shape: Shape, channels: u32) -> bool {
        let (m, n, k) = shape;
        self.shared_bytes(window, shape, channels) + 4 <= caps.max_shared_bytes
            && self.pixels().is_multiple_of(m)
            && self.width.is_multiple_of(n)
            && self.width.is_multiple_of(k)
            && (SUBGROUPS * caps.subgroup_size).is_multiple_of(self.width / 8)
    }

    /// Workgroups that share a tile.
    fn parts(&self, middle: u32) -> u32 {
        middle.div_ceil(self.width * self.slices)
    }

    /// The estimated time in tens of nanoseconds, fitted to 20 layers in all cuts on an NVIDIA H100: of what
    /// it chose there, the worst took 4 % longer than the best.
    fn cost(&self, window: &Window, shape: Shape, tiles: u32, [depth, middle, channels]: Channels) -> u64 {
        let (m, n, k) = shape;
        let seen = self.seen(window).div_ceil(m);
        let each = |matrices: u32| matrices.div_ceil(SUBGROUPS);
        let rounds = |octets: u32| octets.div_ceil(SUBGROUPS * 32);
        let step = 54 + 5 * each(seen * (self.width / n)) * self.step / k + 11 * rounds(seen * m * self.step / 8);
        let convolved = rounds(self.pixels() * self.width / 8) * window.taps() * 7 / 2;
        let projected = 6 * each(self.pixels() / m * channels.div_ceil(n)) * self.width / k;
        let slice = depth.div_ceil(self.step) * step + 39 + convolved + projected;
        let parts = self.parts(middle);
        let groups = u64::from(tiles) * u64::from(parts);
        // The driver leaves a core 48 KB of shared memory however many workgroups it runs.
        let side_by_side = u64::from(49152 / self.shared_bytes(window, shape, channels)).clamp(1, 2);
        let turns = groups.div_ceil(u64::from(CORES) * side_by_side);
        let sharing = side_by_side.min(groups.div_ceil(u64::from(CORES))) - 1;
        let joined = if parts > 1 { 178 + u64::from(parts * self.pixels()) * u64::from(channels) / 300 } else { 0 };
        turns * (u64::from(self.slices * slice) * (100 + 8 * sharing) / 100 + 214) + joined
    }

    /// All cuts that the device has room for, the best by estimate first.
    fn candidates(
        caps: &Caps,
        window: &Window,
        [batch, height, width]: [u32; 3],
        channels: Channels,
    ) -> Vec<Self> {
        let Some(shape) = cooperative::shape(caps) else { return Vec::new() };
        let [depth, middle, to] = channels;
        let mut cuts = Vec::new();
        for tile in [[4, 4], [4, 8], [8, 8]] {
            for width in [32, 64] {
                let whole = Self { tile, width, step: 0, slices: 1 };
                let steps = (1..=depth).map(|n| depth.div_ceil(n).next_multiple_of(shape.2));
                let mut fitting = steps.map(|step| Self { step, ..whole });
                let Some(cut) = fitting.find(|cut| cut.fits(caps, window, shape, to)) else { continue };
                let all = middle.div_ceil(width);
                cuts.extend((1..=all).filter(|n| *n < 5 || *n == all).map(|slices| Self { slices, ..cut }));
            }
        }
        cuts.sort_by_key(|cut| {
            let tiles = batch * height.div_ceil(cut.tile[0]) * width.div_ceil(cut.tile[1]);
            cut.cost(window, shape, tiles, channels)
        });
        cuts
    }
}

/// Whether the kernel takes such a convolution between channels of x, between and of y.
pub fn fits(caps: &Caps, store: Store, window: &Window, channels: Channels) -> bool {
    cooperative::fits(caps, store)
        && caps.max_storage_buffers as usize >= kernel().bindings.len()
        && caps.max_invocations >= SUBGROUPS * caps.subgroup_size
        && window.dilation == [1, 1]
        && channels[..2].iter().all(|n| n.is_multiple_of(8))
        && !Cut::candidates(caps, window, [1; 3], channels).is_empty()
}

impl Operator for InvertedResidual {
    fn infer(&self, inputs: &[Option<&TensorType>]) -> Result<Vec<TensorType>, Unsupported> {
        let weights = operand(inputs, self.expand.inputs[0])?;
        let middle = POINTWISE.infer(&[Some(operand(inputs, 0)?), Some(weights)])?;
        let behind: Vec<_> = middle.first().into_iter().chain(inputs[1..].iter().flatten().copied()).map(Some).collect();
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
        let candidates = Cut::candidates(caps, &window, [y[0], y[1], y[2]], channels);
        let Some(shape) = cooperative::shape(caps).filter(|_| !candidates.is_empty()) else {
            unsupported!("no room for the channels {channels:?}");
        };
        let [depth, _, to] = channels;
        let key = format!(
            "inverted_residual rows {} {:?}/{:?} channels {depth} {middle} {to}",
            y.rows(),
            window.size,
            window.stride
        );
        let cut = cx.choose(&key, &candidates);
        let part_count = cut.parts(middle);
        let (mm, mn, mk) = shape;
        let blocks = to.div_ceil(mn);
        let (room, w1_depth) = (middle.next_multiple_of(cut.width), depth.next_multiple_of(cut.step));
        let w1 = cooperative::matrices(cx, self.expand.inputs[0], shape, [room, w1_depth], depth)?;
        let w2 = cooperative::matrices(cx, 1, shape, [blocks * mn, room], middle)?;
        let x_buffer = cx.x(0)?;
        let [bias1, d, dbias] = [self.expand.inputs[1], depthwise.inputs[0], depthwise.inputs[1]];
        let [bias1, d, dbias] = [cx.x(bias1)?, cx.x(d)?, cx.x(dbias)?];
        let epilogue = cx.epilogue(&[], x_buffer)?;
        let [tiles_y, tiles_x] = [y[1].div_ceil(cut.tile[0]), y[2].div_ceil(cut.tile[1])];
        let tiles = y[0] * tiles_y * tiles_x;
        let push = Push {
            channels: to,
            rows_per_batch: epilogue.rows_per_batch,
            depth,
            middle,
            part: cut.slices * cut.width,
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
            wg_x: SUBGROUPS * caps.subgroup_size,
            tile_h: cut.tile[0],
            tile_w: cut.tile[1],
            stride_y: window.stride[0],
            stride_x: window.stride[1],
            vec_y: to.is_multiple_of(4),
            taps_y: window.size[0],
            taps_x: window.size[1],
            width: cut.width,
            bk: cut.step,
            blocks,
            subgroup: caps.subgroup_size,
            mm,
            mn,
            mk,
            subgroups: SUBGROUPS,
            e_lo: self.expand.clamp[0],
            e_hi: self.expand.clamp[1],
            d_lo: depthwise.clamp[0],
            d_hi: depthwise.clamp[1],
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Spec::default()
        };
        let left = u64::from(tiles * part_count) * u64::from(cut.pixels() * blocks * mn) * 4;
        let [parts, arrived] = cx.parts(left, u64::from(tiles), part_count)?;
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x: x_buffer, w1, bias1, d, dbias, w2, y: cx.y(0), e0, e1, e2, parts, arrived };
        let per_pixel = u64::from(middle) * u64::from(to + window.taps());
        let ops = 2 * (u64::from(x.rows()) * u64::from(depth * middle) + u64::from(y.rows()) * per_pixel);
        cx.dispatch(dispatch(kernel(), spec, push, bind, [tiles, 1, part_count]), ops)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let Pointwise { clamp, inputs: [weights, bias] } = self.expand;
        let middle = POINTWISE.reference(&[Some(operand(inputs, 0)?), Some(operand(inputs, weights)?)])?;
        let middle = activate(middle, operand(inputs, bias)?, clamp);
        let behind: Vec<_> = middle.first().into_iter().chain(inputs[1..].iter().flatten().copied()).map(Some).collect();
        self.behind.reference(&behind)
    }

    fn fuses(&self) -> Fuses {
        Fuses::Common
    }
}
