//! Matrix products of integers with few rows: the invocations of a workgroup share each sum.

use super::super::batch_matmul_integers::flip;
use super::super::conv_2d::Geometry;
use super::super::scaled_sum::{ScaledSum, signed, signed_byte};
use crate::caps::{Caps, DeviceKind};
use crate::error::Unsupported;
use crate::kernel::table::fully_connected_integers::{Bind, Dot, Push, Spec, dispatch, kernel};
use crate::lower::Lower;
use crate::lower::elements::form;
use crate::program::BufferId;
use crate::unsupported;

/// Up to so many rows, sums are split among invocations; more rows share weights in tiles.
const FEW_ROWS: u32 = 4;

/// Whether this kernel is the one for a convolution: a matrix product of few rows, or of rows that are too long for others.
pub fn fits(cx: &Lower<'_>, conv: &Geometry) -> bool {
    let long = !cx.runs(u64::from(conv.products.div_ceil(4)) + 3);
    conv.pointwise && conv.groups() == 1 && (conv.rows <= FEW_ROWS || long)
}

/// Uploads the weights as signed integers, each channel filled up with zeros to whole vectors of 16.
fn weights(cx: &mut Lower<'_>, [channels, depth]: [u32; 2]) -> Result<BufferId, Unsupported> {
    let Some(constant) = cx.constant(1).cloned() else { unsupported!("operand 1 is not constant") };
    let pitch = depth.next_multiple_of(16) as usize;
    let bytes = u64::from(channels) * pitch as u64;
    cx.weights(1, "channels of integers", bytes, move |to| {
        let from = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
        for (to, from) in to.chunks_exact_mut(pitch).zip(from.chunks_exact(depth as usize)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = signed_byte(constant.stored, *from));
        }
    })
}

/// Emits the kernel that splits each sum among the invocations of a workgroup.
pub fn emit(cx: &mut Lower<'_>, conv: &Geometry, sum: &ScaledSum) -> Result<(), Unsupported> {
    let dtype = cx.input(1).dtype;
    let [rows, channels, depth] = [conv.rows, conv.channels, conv.products];
    let places = u64::from(channels.next_multiple_of(4));
    let known = move |place| Some(place).filter(|c| *c < channels as usize);
    let (x, w, scales) = (cx.x(0)?, weights(cx, [channels, depth])?, sum.upload(cx, true, places, known)?);
    let element = cx.element();
    let elements = u64::from(rows) * u64::from(channels);
    let steps = depth.div_ceil(16);
    let [deep, wide] = workgroup(cx.caps, elements.div_ceil(4), steps);
    let one_row = rows == 1 || channels.is_multiple_of(4);
    cx.expect_rounds(steps.div_ceil(deep).into())?;
    let (grid, row_groups) = cx.group_grid(elements.div_ceil(4 * u64::from(wide)))?;
    let w_zero_point = signed(dtype, sum.w_zero_point);
    let push = Push {
        depth,
        steps,
        channels,
        elements: elements as u32,
        row_groups,
        w_zero_point,
        y_zero_point: sum.target.zero_point,
        least: sum.target.bounds[0],
        most: sum.target.bounds[1],
    };
    use crate::codes::fully_connected_integers::{READ_ELEMENTS, READ_VECTORS, READ_WORDS};
    let read = match depth {
        _ if element.bytes() > 1 => READ_ELEMENTS,
        n if n.is_multiple_of(16) => READ_VECTORS,
        n if n.is_multiple_of(4) => READ_WORDS,
        _ => READ_ELEMENTS,
    };
    let spec = Spec {
        wg_x: deep,
        wg_y: wide,
        form: form(element),
        read,
        flip: flip(dtype),
        one_row,
        shifted: w_zero_point != 0,
        rounding: sum.rounding(),
        ..Default::default()
    };
    let dot = if cx.caps.dot_8() { Dot::Packed } else { Dot::Plain };
    let kernel = kernel(cx.join(wide), dot);
    let (followers, other) = sum.followers.emit(cx, scales)?;
    let spec = Spec { followers, ..spec };
    let bind = Bind { x, w, y: cx.y(0), scales, other };
    cx.dispatch(dispatch(kernel, spec, push, bind, grid), 2 * elements * u64::from(depth))
}

/// The workgroup for so many quads of sums of so many vectors: invocations that share a quad, and quads.
fn workgroup(caps: &Caps, quads: u64, steps: u32) -> [u32; 2] {
    let most = caps.max_joined();
    let usual = match caps.kind {
        DeviceKind::Software => caps.subgroup_size,
        DeviceKind::Discrete => 64,
        _ => 32,
    };
    let enough = steps.div_ceil(caps.machine.max_rounds).next_power_of_two();
    let deep = usual.min(steps.next_power_of_two()).max(enough).min(most);
    // With short sums a workgroup has room for more quads.
    let room = if caps.kind == DeviceKind::Software { 1 } else { (32 / deep).max(1) };
    [deep, room.min(quads.min(32) as u32).max(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workgroups_suit_the_sums() {
        let caps = Caps::minimum();
        for (quads, steps) in [(1, 1), (250, 72), (1 << 20, 1), (3, 1 << 16)] {
            let [deep, wide] = workgroup(&caps, quads, steps);
            assert!(deep.is_power_of_two() && deep * wide <= caps.max_joined(), "{quads} {steps}");
            assert!(steps.div_ceil(deep) <= caps.machine.max_rounds || deep == caps.max_joined());
        }
    }
}
