//! Products of few rows of floats with constant weights of int8, which stay as small as they are in device memory:
//! `y[r,o] = s[o] · Σ x[r,k] · w[o,k]`.

use crate::error::Unsupported;
use crate::ir::{Constant, DType, Quantization};
use crate::kernel::table::fully_connected_hybrid::{Bind, Push, Spec, dispatch, kernel};
use crate::lower::Lower;

/// Whether a constant is int8 around 0 with one scale, or one for each slice of dimension 0.
pub(super) fn fits(w: &Constant) -> bool {
    let around_zero = |quant: &Quantization| quant.axis == 0 && quant.zero_point.iter().all(|n| *n == 0);
    w.stored == DType::I8 && w.quant.as_deref().is_some_and(around_zero)
}

/// Result 0 = operand 0 (rows × depth) times operand 1 (channels × depth), which [`fits`], through the epilogue, in
/// workgroups of `deep` invocations for each of `wide` quads of channels.
pub(super) fn emit(
    cx: &mut Lower<'_>,
    [rows, depth, channels]: [u32; 3],
    [deep, wide]: [u32; 2],
) -> Result<(), Unsupported> {
    let Some(constant) = cx.constant(1).cloned() else { unreachable!("fits has seen a constant") };
    let Some(quant) = constant.quant.clone() else { unreachable!("fits has seen scales") };
    let steps = depth.div_ceil(16);
    let (length, pitch) = (depth as usize, 16 * steps as usize);
    let places = channels.next_multiple_of(4);
    let w = cx.weights(1, "channels of int8", u64::from(places) * pitch as u64, move |to| {
        let from = constant.dense().unwrap_or_else(|e| unreachable!("checked by parse: {e}"));
        for (to, from) in to.chunks_exact_mut(pitch).zip(from.chunks_exact(length)) {
            to[..length].copy_from_slice(from);
        }
    })?;
    let scales = cx.weights(1, "scales of int8", u64::from(places) * 4, move |to| {
        for (c, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate().take(channels as usize) {
            let scale = quant.scale[if quant.scale.len() > 1 { c } else { 0 }];
            *to = scale.to_le_bytes();
        }
    })?;
    let x = cx.x(0)?;
    let epilogue = cx.epilogue(&[], x)?;
    cx.expect_rounds(steps.div_ceil(deep).into())?;
    let ([grid_x, grid_y, _], row_groups) = cx.group_grid(u64::from(channels.div_ceil(4 * wide)))?;
    let spec = Spec {
        wg_x: deep,
        wg_y: wide,
        vec_x: depth.is_multiple_of(4),
        vec_y: channels.is_multiple_of(4),
        epi_op: epilogue.op,
        epi_a: epilogue.a,
        epi_b: epilogue.b,
        ..Spec::default()
    };
    let push = Push { depth, steps, channels, row_groups, rows_per_batch: epilogue.rows_per_batch };
    let [e0, e1, e2] = epilogue.e;
    let bind = Bind { x, w, y: cx.y(0), e0, e1, e2, scales };
    let ops = 2 * u64::from(rows) * u64::from(channels) * u64::from(depth);
    let kernel = kernel(cx.store, cx.join(wide));
    cx.dispatch(dispatch(kernel, spec, push, bind, [grid_x, grid_y, rows]), ops)
}
