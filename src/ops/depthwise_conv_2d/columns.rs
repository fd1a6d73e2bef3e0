//! Depthwise convolutions on drivers that run on the CPU.

use crate::caps::{Caps, DeviceKind};
use crate::codes;
use crate::error::Unsupported;
use crate::ir::Window;
use crate::kernel::table::depthwise_conv_2d_columns::{Bind, Push, Spec, Stride, Taps, dispatch, kernel};
use crate::lower::Lower;

/// Neighbouring columns that one invocation computes.
const PIXELS: u32 = codes::depthwise_conv_2d_columns::PIXELS;
/// Invocations per workgroup.
const WORKGROUP: u32 = 16;
/// Invocations that keep a thread of the driver busy. With more, each has fewer rows, and loads cost more.
const INVOCATIONS: u64 = 64;
/// Rounds of an invocation's loops per row.
const ROUNDS: u32 = 1 + PIXELS;
/// The fewest rows that are worth an invocation.
const ROWS: u32 = 4;

/// Whether the kernel takes this convolution and is the best one on this device.
pub fn fits(caps: &Caps, window: &Window, channels: u32, multiplier: u32) -> bool {
    caps.kind == DeviceKind::Software
        && matches!(window.size, [3, 3] | [5, 5])
        && matches!(window.stride, [1, 1] | [2, 2])
        && window.dilation == [1, 1]
        && multiplier == 1
        && channels.is_multiple_of(4)
}

/// Emits the convolution of operand 0 with operand 1.
pub fn emit(cx: &mut Lower<'_>, window: &Window) -> Result<(), Unsupported> {
    let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
    let [h, v] = window.extents(&x_shape)?;
    let channels = y_shape.channels();
    let strips = y_shape[2].div_ceil(PIXELS);
    let columns = u64::from(y_shape[0]) * u64::from(strips) * u64::from(channels / 4);
    let bands = (INVOCATIONS * u64::from(cx.caps.machine.cores))
        .div_ceil(columns.max(1))
        .min(y_shape[1].div_ceil(ROWS).into())
        .max(u64::from(y_shape[1]).div_ceil(u64::from(cx.caps.machine.max_rounds / ROUNDS)))
        .max(1) as u32;
    let height = y_shape[1].div_ceil(bands);
    let bands = y_shape[1].div_ceil(height.max(1));
    let items = columns * u64::from(bands);
    let (grid, row_groups) = cx.group_grid(items.div_ceil(WORKGROUP.into()))?;
    let x = cx.x(0)?;
    let w = cx.x(1)?;
    let epilogue = cx.epilogue(&[], x)?;
    let spec = Spec {
        wg_x: WORKGROUP,
        // The last strip of a row may reach beyond the border even where windows do not.
        border: h.border || v.border || !y_shape[2].is_multiple_of(PIXELS),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..Spec::default()
    };
    let push = Push {
        items: items as u32,
        row_items: row_groups * WORKGROUP,
        channels,
        rows_per_batch: epilogue.rows_per_batch,
        strips,
        bands,
        height,
        x_size: [x_shape[1], x_shape[2]],
        y_size: [y_shape[1], y_shape[2]],
        origin: [h.origin, v.origin],
    };
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2 };
    let taps = if window.size == [3, 3] { Taps::N3 } else { Taps::N5 };
    let stride = if window.stride == [1, 1] { Stride::N1 } else { Stride::N2 };
    let ops = 2 * y_shape.elements() * u64::from(window.taps());
    cx.dispatch(dispatch(kernel(cx.store, taps, stride), spec, push, bind, grid), ops)
}
