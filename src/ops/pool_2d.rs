//! AVERAGE_POOL_2D and MAX_POOL_2D: the mean or the largest element of a window that moves over
//! the rows and columns of an NHWC tensor, in each channel.
//!
//! TFLite pads as SAME or VALID and leaves what lies beyond the border out of the window, of the
//! mean's divisor too. Taken for float32; the largest integers have a kernel of their own, in
//! `max_pool_integers.rs`. Zeros of a PAD in front are counted without being stored.

use std::fmt;
use std::sync::Arc;

use super::affine::bounds;
use super::max_pool_integers::{self, MaxPoolIntegers};
use super::reduce;
use super::windows;
use crate::error::Unsupported;
use crate::ir::DType::{F32, I8, I16, U8};
use crate::ir::{HostTensor, Shape, SpatialPadding, Window};
use crate::kernel::table;
use crate::lower::{Epilogue, Lower, MAX_STEPS};
use crate::op::{Def, Fusion, Operator, Parsed, of, operand};
use crate::options::Integers;
use crate::program::{BufferId, TacticKey};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub(super) const DEFS: &[Def] = &[
    Def {
        name: "AVERAGE_POOL_2D",
        builtin: Some(sys::kTfLiteBuiltinAveragePool2d),
        typed_by: 0,
        takes: &[(F32, 3)],
        parse: |n| parse(n, PoolKind::Average),
    },
    Def {
        name: "MAX_POOL_2D",
        builtin: Some(sys::kTfLiteBuiltinMaxPool2d),
        typed_by: 0,
        takes: &of([F32, I16, I8, U8], 3),
        parse: |n| parse(n, PoolKind::Max),
    },
];

/// What is computed of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// Its mean.
    Average,
    /// Its largest element.
    Max,
}

/// A pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool2d {
    /// What is computed of a window.
    pub kind: PoolKind,
    /// How it moves.
    pub window: Window,
}

fn parse(node: &NodeView<'_>, kind: PoolKind) -> Result<Parsed, Unsupported> {
    let (x, (window, activation)) = (node.input_type(0)?, windows::pool(node)?);
    let pool = Pool2d { kind, window };
    pool.infer(&[Some(x.shape)])?;
    if x.dtype == F32 {
        return Ok(Parsed::new(pool).activation(activation));
    }
    // TFLite's own tolerance.
    node.same_quantization(1e-6)?;
    if window.size.iter().any(|n| *n > max_pool_integers::MOST) {
        unsupported!("a window of {:?}", window.size);
    }
    let xnnpack = node.integers() == Integers::Xnnpack && x.dtype != I16;
    let bounds = bounds(&node.output_type(0)?, activation, xnnpack)?;
    Ok(Parsed::new(MaxPoolIntegers { window, bounds }))
}

/// An implementation of pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    /// A reduction of the whole image.
    Reduction,
    /// Window by window.
    Windows,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reduction => "reduction",
            Self::Windows => "windows",
        })
    }
}

impl Pool2d {
    /// Rounds of an invocation that visits a whole window.
    fn rounds(&self) -> u64 {
        let [rows, columns] = self.window.size.map(u64::from);
        rows.saturating_mul(columns + 1)
    }

    /// The same pooling in two: along the height, then along the width.
    fn halves(&self) -> [Self; 2] {
        let Window { size: [h, w], stride, dilation, zeros, .. } = self.window;
        let half = |size, stride, dilation, zeros| Self {
            window: Window { size, stride, dilation, zeros, ..self.window },
            ..self.clone()
        };
        let none = SpatialPadding::default();
        [
            half([h, 1], [stride[0], 1], [dilation[0], 1], SpatialPadding { h: zeros.h, ..none }),
            half([1, w], [1, stride[1]], [1, dilation[1]], SpatialPadding { w: zeros.w, ..none }),
        ]
    }

    /// Emits the kernel for any window.
    fn windows(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.x(0)?;
        let (x_shape, y_shape, y) = (cx.input(0).shape, cx.output(0).shape, cx.y(0));
        let epilogue = cx.epilogue(&[], x)?;
        if cx.runs(self.rounds()) {
            return self.dispatch(cx, [x, y], [x_shape, y_shape], epilogue);
        }
        // Means and maxima of windows are those of their columns'.
        let [tall, wide] = self.halves();
        let middle_shape = Shape::from([x_shape[0], y_shape[1], x_shape[2], x_shape[3]]);
        let middle = cx.scratch(cx.store.bytes() * middle_shape.elements());
        let plain = Epilogue { op: [0; MAX_STEPS], ..epilogue };
        tall.dispatch(cx, [x, middle], [x_shape, middle_shape], plain)?;
        wide.dispatch(cx, [middle, y], [middle_shape, y_shape], epilogue)
    }

    /// Pools `x` to `y`, window by window.
    fn dispatch(
        &self,
        cx: &mut Lower<'_>,
        [x, y]: [BufferId; 2],
        [x_shape, y_shape]: [Shape; 2],
        epilogue: Epilogue,
    ) -> Result<(), Unsupported> {
        use table::pool_2d::{Bind, Push, Spec, dispatch, kernel};
        cx.expect_rounds(self.rounds())?;
        let [rows, columns] = self.window.extents(&x_shape)?;
        let Window { size, stride, zeros, .. } = self.window;
        let channels = y_shape.channels();
        let vec4 = channels % 4 == 0;
        let items = y_shape.elements() / if vec4 { 4 } else { 1 };
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let signed = |pair: [u32; 2]| pair.map(|n| n as i32);
        let push = Push {
            items: items as u32,
            row_items,
            rows_per_batch: epilogue.rows_per_batch,
            channels,
            x_size: signed([x_shape[1], x_shape[2]]),
            y_size: signed([rows.size, columns.size]),
            window: signed(size),
            stride: signed(stride),
            origin: [rows.origin, columns.origin],
            zeros_before: signed([zeros.h[0], zeros.w[0]]),
            zeros_after: signed([zeros.h[1], zeros.w[1]]),
        };
        let spec = Spec {
            wg_x,
            vec4,
            average: self.kind == PoolKind::Average,
            pairs: self.kind == PoolKind::Max && size == [2, 2] && zeros == SpatialPadding::default(),
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Default::default()
        };
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x, y, e0, e1, e2 };
        cx.dispatch(
            dispatch(kernel(cx.store), spec, push, bind, grid),
            y_shape.elements() * u64::from(self.window.taps()),
        )
    }
}

impl Operator for Pool2d {
    fn infer(&self, inputs: &[Option<Shape>]) -> Result<Vec<Shape>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [rows, columns] = self.window.extents(&x)?;
        Ok(vec![Shape::from([x[0], rows.size, columns.size, x[3]])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        let x = cx.input(0).shape;
        let [rows, columns] = self.window.extents(&x)?;
        let whole = self.window.size == [x[1], x[2]] && !rows.border && !columns.border;
        let name = if self.kind == PoolKind::Average { "average_pool_2d" } else { "max_pool_2d" };
        let key =
            TacticKey::new(name, cx.store).with("window", self.window.size).with("channels", [x.channels()]);
        let algorithms: &[Algorithm] =
            if whole { &[Algorithm::Reduction, Algorithm::Windows] } else { &[Algorithm::Windows] };
        if cx.choose(key, algorithms) == Algorithm::Windows {
            return self.windows(cx);
        }
        let kind = if self.kind == PoolKind::Average {
            reduce::ReduceKind::Mean
        } else {
            reduce::ReduceKind::Largest
        };
        reduce::emit(cx, kind, &[false, true, true, false])?;
        // In a larger image the window is only a part.
        if cx.runs(self.rounds()) { cx.spare(|cx| self.windows(cx)) } else { Ok(()) }
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let extents = self.window.extents(&x.shape)?;
        let [n, h, w, c] = x.shape[..] else { unsupported!("{} is not NHWC", x.shape) };
        let (size, zeros) = ([h, w], [self.window.zeros.h, self.window.zeros.w]);
        let place = |d: usize, at: usize, tap: u32| {
            let first = i64::from(extents[d].origin) + at as i64 * i64::from(self.window.stride[d]);
            first + i64::from(tap)
        };
        let stored = |d: usize, i: i64| usize::try_from(i).ok().filter(|i| *i < size[d] as usize);
        let counted = |d: usize, i: i64| {
            (-i64::from(zeros[d][0])..i64::from(size[d]) + i64::from(zeros[d][1])).contains(&i)
        };
        let y = HostTensor::from_fn(Shape::from([n, extents[0].size, extents[1].size, c]), |i| {
            let (mut count, mut sum, mut largest) = (0, 0.0, f32::NEG_INFINITY);
            for tap in 0..self.window.taps() {
                let row = place(0, i[1], tap / self.window.size[1]);
                let column = place(1, i[2], tap % self.window.size[1]);
                if counted(0, row) && counted(1, column) {
                    let at = stored(0, row).zip(stored(1, column));
                    let element = at.map_or(0.0, |(row, column)| x.at(&[i[0], row, column, i[3]]));
                    (count, sum, largest) = (count + 1, sum + element, largest.max(element));
                }
            }
            match self.kind {
                PoolKind::Average => sum / count as f32,
                PoolKind::Max => largest,
            }
        })?;
        Ok(vec![y])
    }

    fn fusion(&self) -> Fusion {
        Fusion::Common
    }

    fn absorb_padding(&self, padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        Some(Arc::new(Self { window: self.window.absorb(padding), ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Padding::{self, Same, Valid};

    fn pool(kind: PoolKind, padding: Padding) -> Pool2d {
        let zeros = SpatialPadding::default();
        Pool2d { kind, window: Window { size: [3, 2], stride: [2, 1], dilation: [1, 1], padding, zeros } }
    }

    fn input(h: u32, w: u32) -> HostTensor {
        HostTensor::from_fn(Shape::from([1, h, w, 1]), |i| -1.0 - (i[1] * w as usize + i[2]) as f32).unwrap()
    }

    /// `x` with `zeros` stored around it.
    fn padded(x: &HostTensor, zeros: SpatialPadding) -> HostTensor {
        let grown = |n: u32, z: [u32; 2]| n + z[0] + z[1];
        let shape = Shape::from([1, grown(x.shape[1], zeros.h), grown(x.shape[2], zeros.w), 1]);
        let inner = |i: usize, z: [u32; 2], n: u32| i.checked_sub(z[0] as usize).filter(|i| *i < n as usize);
        HostTensor::from_fn(shape, |i| {
            let at = inner(i[1], zeros.h, x.shape[1]).zip(inner(i[2], zeros.w, x.shape[2]));
            at.map_or(0.0, |(h, w)| x.at(&[0, h, w, 0]))
        })
        .unwrap()
    }

    #[test]
    fn the_border_is_no_part_of_the_mean() {
        let x = input(3, 2);
        let y = pool(PoolKind::Average, Same).reference(&[Some(&x)]).unwrap().remove(0);
        // Rows 0 and 1 of column 0 and 1, then of column 1 alone; then rows 1 and 2.
        assert_eq!(y.shape, Shape::from([1, 2, 2, 1]));
        assert_eq!(y.floats(), [-2.5, -3.0, -4.5, -5.0]);
    }

    /// Reading a smaller tensor with counted zeros is pooling the padded one.
    #[test]
    fn absorbed_zeros_count() {
        let zeros = SpatialPadding { h: [1, 2], w: [2, 0] };
        for (kind, padding) in [
            (PoolKind::Average, Valid),
            (PoolKind::Average, Same),
            (PoolKind::Max, Valid),
            (PoolKind::Max, Same),
        ] {
            let plain = pool(kind, padding);
            let absorbed = plain.absorb_padding(zeros).unwrap();
            for (h, w) in [(1, 1), (2, 3), (5, 4), (7, 6)] {
                let x = input(h, w);
                let expected = plain.reference(&[Some(&padded(&x, zeros))]);
                assert_eq!(absorbed.reference(&[Some(&x)]), expected, "{kind:?} {padding:?} {h}x{w}");
            }
        }
    }
}
