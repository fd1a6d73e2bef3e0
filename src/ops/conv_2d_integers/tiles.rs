//! Convolutions and matrix products of integers over register tiles.

use super::super::conv_2d::Geometry;
use super::super::scaled_sum::{ScaledSum, signed, signed_byte, splat};
use crate::error::Unsupported;
use crate::ir::DType;
use crate::kernel::table::conv_2d_integers::{Bind, Dot, Push, Spec, Stores, Tn, dispatch, kernel};
use crate::lower::{Lower, Tiling};
use crate::program::{BufferId, Element, TacticKey};
use crate::unsupported;

/// From so many products per sum on, sums may be split among workgroups (split-K).
const DEEP: u32 = 256;
/// Rows of a register tile: some compilers take seconds for twice as many.
const TM: u32 = 4;
/// So many words of products floats add up exactly.
const EXACT_STEPS: u64 = 256;
/// The fewest input channels of a partial sum.
const PART: u32 = 32;

/// Elements of the operand that lie side by side under the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Runs {
    /// How many there are, per column and per row of the filter.
    count: [u32; 2],
    /// Elements of each.
    length: u32,
}

impl Runs {
    /// Those of a convolution, whose channels fill words or not.
    fn of(conv: &Geometry, fills_words: bool) -> Self {
        // Where pixels touch, so do the taps of a line.
        if !fills_words && conv.dilation[1] <= 1 && conv.groups() == 1 {
            return Self { count: [conv.taps[0], 1], length: conv.taps[1] * conv.depth };
        }
        Self { count: conv.taps, length: conv.depth }
    }

    /// Words that the filter of a channel has.
    fn words(self) -> u64 {
        u64::from(self.count[0]) * u64::from(self.count[1]) * u64::from(self.length.div_ceil(4))
    }
}

/// Emits the convolution of operand 0 with operand 1, and operand 2 as bias.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, sum: &ScaledSum) -> Result<(), Unsupported> {
    let dtype = cx.input(0).dtype;
    let widened = cx.element_of(0) == Element::I32;
    let elements = cx.input(0).shape.elements();
    if elements > i32::MAX as u64 {
        unsupported!("{elements} elements are too many for this kernel");
    }
    let groups = conv.groups();
    let multiple = |n: u32| conv.depth.is_multiple_of(n) && conv.x_channels.is_multiple_of(n);
    let vec_x = multiple(4);
    let runs = Runs::of(conv, vec_x);
    let dot = if cx.caps.dot_8() { Dot::Packed } else { Dot::Plain };
    let split = conv.products >= DEEP && multiple(8) && !cx.caps.few_registers();
    let small = !conv.pointwise || split;
    let key = TacticKey::new("conv_2d_integers", cx.store)
        .with("window", conv.taps)
        .with("stride", conv.stride)
        .with("depth", [conv.depth])
        .with("channels", [conv.channels])
        .with("groups", [groups]);
    let mut candidates = Tiling::candidates(cx.caps, groups, conv.group_channels, small, conv.products);
    candidates.retain(|t| t.tm == TM);
    let t = cx.choose(key, &candidates);
    let width = if conv.pointwise { conv.rows } else { conv.y_size[1] };
    let strip_rows = if width < t.tm { 1 } else { t.tm };
    let strips = width.div_ceil(strip_rows);
    let [x_groups, y_groups, z_groups] = t.grid(cx.caps, conv.rows / width.max(1) * strips)?;
    let workgroups = u64::from(x_groups) * u64::from(y_groups) * u64::from(z_groups);
    let shares = (u64::from(cx.caps.machine.busy_workgroups) / workgroups.max(1)) as u32;
    let part_count = if split { shares.clamp(1, (runs.length / PART).max(1)) } else { 1 };
    let part = runs.length.div_ceil(part_count).next_multiple_of(8);
    let part_count = runs.length.div_ceil(part);
    let [rows, columns] = runs.count.map(u64::from);
    cx.expect_rounds(rows * (columns * (u64::from(part.div_ceil(4)) + 2) + 1))?;
    let left = workgroups * u64::from(part_count) * u64::from(t.invocations * t.tm * t.tn) * 16;
    let [parts, arrived] = cx.parts(left, workgroups, part_count)?;
    let vec_y = conv.channels.is_multiple_of(4) && conv.group_channels.is_multiple_of(4);
    let half = |n: i32| n.cast_unsigned() & 0xffff;
    let [least, most] = sum.target.bounds;
    let w_zero_point = signed(dtype, sum.w_zero_point);
    let x_words = if widened { elements } else { elements.div_ceil(4) };
    let push = Push {
        rows: conv.rows,
        width,
        strips,
        strip_rows,
        channels: conv.channels,
        run: runs.length,
        x_channels: conv.x_channels,
        part,
        part_count,
        quads: t.quads,
        blocks: t.blocks,
        columns: t.columns,
        group_blocks: t.group_blocks,
        group_channels: conv.group_channels,
        group_depth: conv.depth,
        x_size: conv.x_size,
        y_size: conv.y_size,
        taps: runs.count,
        stride: conv.stride,
        dilation: conv.dilation,
        origin: conv.origin,
        outside: splat(dtype, sum.x_zero_point),
        zero_points: half(w_zero_point) | half(sum.target.zero_point) << 16,
        bounds: half(least) | half(most) << 16,
        x_last: x_words.saturating_sub(1) as u32,
    };
    let spec = Spec {
        wg_x: t.invocations,
        pointwise: conv.pointwise,
        border: conv.border,
        grouped: groups > 1,
        vec_x,
        vec_y,
        split,
        widened,
        unsigned: dtype == DType::U8,
        w_zero_point: w_zero_point != 0,
        flushes: dot == Dot::Plain && runs.words() > EXACT_STEPS,
        rounding: sum.rounding(),
        ..Spec::default()
    };
    let tn = if t.tn == 1 { Tn::N1 } else { Tn::N2 };
    let stores = if vec_y || widened { Stores::Words } else { Stores::Bytes };
    let (x, w, scales) = (cx.x(0)?, weights(cx, &t, runs)?, scales(cx, &t, sum, groups)?);
    let (followers, other) = sum.followers.emit(cx, scales)?;
    let spec = Spec { followers, ..spec };
    let bind = Bind { x, w, y: cx.y(0), scales, parts, arrived, other };
    let kernel = kernel(dot, tn, stores);
    let grid = [x_groups * part_count, y_groups, z_groups];
    cx.dispatch(dispatch(kernel, spec, push, bind, grid), conv.ops())
}

/// Channels of a result in the order of its packed weights.
#[derive(Clone, Copy, Debug)]
struct Places {
    group_channels: usize,
    group_places: usize,
}

impl Places {
    fn of(t: &Tiling) -> Self {
        Self {
            group_channels: t.group_channels.max(1) as usize,
            group_places: (t.group_blocks * t.tn * 4) as usize,
        }
    }

    fn place(self, channel: usize) -> usize {
        channel / self.group_channels * self.group_places + channel % self.group_channels
    }

    fn channel(self, place: usize) -> Option<usize> {
        let within = place % self.group_places.max(1);
        let group = place / self.group_places.max(1);
        (within < self.group_channels).then_some(group * self.group_channels + within)
    }
}

/// Uploads operand 1: for each word of the runs a row with a word for each output channel.
fn weights(cx: &mut Lower<'_>, t: &Tiling, runs: Runs) -> Result<BufferId, Unsupported> {
    let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
    let (places, row) = (Places::of(t), t.quads as usize * 4);
    let [run, run_words] = [runs.length, runs.length.div_ceil(4)].map(|n| n as usize);
    let filter = run * (runs.count[0] * runs.count[1]) as usize;
    let packing = format!("dot/{}x{}x{}/{run}", t.blocks, t.group_blocks, t.tn);
    cx.weights(1, &packing, runs.words() * row as u64 * 4, move |bytes| {
        let all = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
        let (words, _) = bytes.as_chunks_mut::<4>();
        for (channel, filter) in all.chunks_exact(filter).enumerate() {
            let place = places.place(channel);
            for (n, run) in filter.chunks_exact(run).enumerate() {
                for (k, quad) in run.chunks(4).enumerate() {
                    let word = &mut words[(n * run_words + k) * row + place];
                    word.iter_mut()
                        .zip(quad)
                        .for_each(|(to, from)| *to = signed_byte(constant.stored, *from));
                }
            }
        }
    })
}

/// Uploads what the kernel reads of each channel.
fn scales(cx: &mut Lower<'_>, t: &Tiling, sum: &ScaledSum, groups: u32) -> Result<BufferId, Unsupported> {
    let places = Places::of(t);
    let channels = groups as usize * places.group_channels;
    let channel = move |place| places.channel(place).filter(|channel| *channel < channels);
    sum.upload(cx, true, u64::from(t.quads) * 4, channel)
}
