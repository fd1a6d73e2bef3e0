//! AVERAGE_POOL_2D and MAX_POOL_2D: the mean or the largest element of a window that moves over
//! the rows and columns of an NHWC tensor, in each channel.
//!
//! TFLite pads as SAME or VALID and leaves what lies beyond the border out of the window, of the
//! mean's divisor too. Taken for float32. Zeros of a PAD in front are counted without being stored.

use std::sync::Arc;

use crate::compile::Lower;
use crate::error::Unsupported;
use crate::ir::{HostTensor, Shape, TensorType};
use crate::kernel::table;
use crate::op::{Activation, Def, Fuses, Operator, Parsed, SpatialPadding, operand};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

pub const DEFS: &[Def] = &[
    Def {
        name: "AVERAGE_POOL_2D",
        builtin: Some(sys::kTfLiteBuiltinAveragePool2d),
        max_version: 3,
        parse: |n| parse(n, Kind::Average),
    },
    Def { name: "MAX_POOL_2D", builtin: Some(sys::kTfLiteBuiltinMaxPool2d), max_version: 3, parse: |n| parse(n, Kind::Max) },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Average,
    Max,
}

/// Pairs are height and width.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pool2d {
    kind: Kind,
    window: [u32; 2],
    stride: [u32; 2],
    same: bool,
    /// Zeros around the operand, counted as elements of it.
    zeros: SpatialPadding,
}

/// Where the windows lie along one dimension.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Number of windows.
    size: u32,
    /// Start of the first one, counted from the first stored element.
    origin: i32,
}

fn parse(node: &NodeView<'_>, kind: Kind) -> Result<Parsed, Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.float_rank(0, 4)?;
    let p = node.required_params::<sys::TfLitePoolParams>()?;
    let positive = |n: i32, what: &str| match u32::try_from(n) {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(Unsupported(format!("{what} {n}"))),
    };
    let same = match p.padding {
        sys::kTfLitePaddingSame => true,
        sys::kTfLitePaddingValid => false,
        other => unsupported!("padding {other} (1 = SAME and 2 = VALID are supported)"),
    };
    let pool = Pool2d {
        kind,
        window: [positive(p.filter_height, "window height")?, positive(p.filter_width, "window width")?],
        stride: [positive(p.stride_height, "stride height")?, positive(p.stride_width, "stride width")?],
        same,
        zeros: SpatialPadding::default(),
    };
    pool.infer(&[Some(&x)])?;
    Ok(Parsed::new(pool).activation(Activation::from_code(p.activation)?))
}

impl Pool2d {
    /// Along dimension `d` of the two spatial ones, whose stored size is `size`.
    fn extent(&self, d: usize, size: u32) -> Result<Extent, Unsupported> {
        let zeros = [self.zeros.h, self.zeros.w][d];
        let (window, stride, size) = (self.window[d], self.stride[d], size + zeros[0] + zeros[1]);
        if self.same {
            let count = size.div_ceil(stride);
            let missing = (count.saturating_sub(1) * stride + window).saturating_sub(size);
            return Ok(Extent { size: count, origin: -((missing / 2 + zeros[0]) as i32) });
        }
        if size < window {
            unsupported!("a window of {window} on {size} rows or columns");
        }
        Ok(Extent { size: (size - window) / stride + 1, origin: -(zeros[0] as i32) })
    }
}

impl Operator for Pool2d {
    fn infer(&self, inputs: &[Option<&TensorType>]) -> Result<Vec<TensorType>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [n, h, w, c] = x.shape[..] else { unsupported!("{} is not NHWC", x.shape) };
        Ok(vec![x.with_shape([n, self.extent(0, h)?.size, self.extent(1, w)?.size, c])])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<(), Unsupported> {
        use table::pool_2d::{Bind, Push, Spec, dispatch, kernel};
        let (x_shape, y_shape) = (cx.input(0).shape, cx.output(0).shape);
        let (h, w) = (self.extent(0, x_shape[1])?, self.extent(1, x_shape[2])?);
        let channels = y_shape.channels();
        let vec4 = channels % 4 == 0;
        let items = y_shape.elements() / if vec4 { 4 } else { 1 };
        let (grid, row_items, wg_x) = cx.linear_grid(items)?;
        let x = cx.x(0)?;
        let epilogue = cx.epilogue(&[], x)?;
        let signed = |pair: [u32; 2]| pair.map(|n| n as i32);
        let push = Push {
            items: items as u32,
            row_items,
            rows_per_batch: epilogue.rows_per_batch,
            channels,
            x_size: signed([x_shape[1], x_shape[2]]),
            y_size: signed([h.size, w.size]),
            window: signed(self.window),
            stride: signed(self.stride),
            origin: [h.origin, w.origin],
            zeros_before: signed([self.zeros.h[0], self.zeros.w[0]]),
            zeros_after: signed([self.zeros.h[1], self.zeros.w[1]]),
        };
        let spec = Spec {
            wg_x,
            vec4,
            average: self.kind == Kind::Average,
            epi_op: epilogue.op,
            epi_a: epilogue.a,
            epi_b: epilogue.b,
            ..Default::default()
        };
        let [e0, e1, e2] = epilogue.e;
        let bind = Bind { x, y: cx.y(0), e0, e1, e2 };
        let window = u64::from(self.window[0]) * u64::from(self.window[1]);
        cx.dispatch(dispatch(kernel(cx.store), spec, push, bind, grid), y_shape.elements() * window)
    }

    fn reference(&self, inputs: &[Option<&HostTensor>]) -> Result<Vec<HostTensor>, Unsupported> {
        let x = operand(inputs, 0)?;
        let [n, rows, columns, c] = x.shape[..] else { unsupported!("{} is not NHWC", x.shape) };
        let (h, w) = (self.extent(0, rows)?, self.extent(1, columns)?);
        let stored = |at: i64, size: u32| usize::try_from(at).ok().filter(|i| *i < size as usize);
        let counted = |at: i64, size: u32, zeros: [u32; 2]| {
            (-i64::from(zeros[0])..i64::from(size) + i64::from(zeros[1])).contains(&at)
        };
        let y = HostTensor::from_fn(Shape::from([n, h.size, w.size, c]), |i| {
            let mut seen = Vec::new();
            for dy in 0..self.window[0] {
                for dx in 0..self.window[1] {
                    let row = i64::from(h.origin) + i[1] as i64 * i64::from(self.stride[0]) + i64::from(dy);
                    let column = i64::from(w.origin) + i[2] as i64 * i64::from(self.stride[1]) + i64::from(dx);
                    if counted(row, rows, self.zeros.h) && counted(column, columns, self.zeros.w) {
                        let at = stored(row, rows).zip(stored(column, columns));
                        seen.push(at.map_or(0.0, |(row, column)| x.at(&[i[0], row, column, i[3]])));
                    }
                }
            }
            match self.kind {
                Kind::Average => seen.iter().sum::<f32>() / seen.len() as f32,
                Kind::Max => seen.into_iter().fold(f32::MIN, f32::max),
            }
        });
        Ok(vec![y])
    }

    fn fuses(&self) -> Fuses {
        Fuses::Common
    }

    fn absorb_padding(&self, padding: SpatialPadding) -> Option<Arc<dyn Operator>> {
        let sum = |a: [u32; 2], b: [u32; 2]| [a[0] + b[0], a[1] + b[1]];
        let zeros = SpatialPadding { h: sum(self.zeros.h, padding.h), w: sum(self.zeros.w, padding.w) };
        Some(Arc::new(Self { zeros, ..self.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(kind: Kind, same: bool) -> Pool2d {
        Pool2d { kind, window: [3, 2], stride: [2, 1], same, zeros: SpatialPadding::default() }
    }

    fn input(h: u32, w: u32) -> HostTensor {
        HostTensor::from_fn(Shape::from([1, h, w, 1]), |i| -1.0 - (i[1] * w as usize + i[2]) as f32)
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
    }

    #[test]
    fn the_border_is_no_part_of_the_mean() {
        let x = input(3, 2);
        let y = pool(Kind::Average, true).reference(&[Some(&x)]).unwrap().remove(0);
        // Rows 0 and 1 of column 0 and 1, then of column 1 alone; then rows 1 and 2.
        assert_eq!(y.shape, Shape::from([1, 2, 2, 1]));
        assert_eq!(y.data, [-2.5, -3.0, -4.5, -5.0]);
    }

    /// Reading a smaller tensor with counted zeros is pooling the padded one.
    #[test]
    fn absorbed_zeros_count() {
        let zeros = SpatialPadding { h: [1, 2], w: [2, 0] };
        for (kind, same) in [(Kind::Average, false), (Kind::Average, true), (Kind::Max, false), (Kind::Max, true)] {
            let plain = pool(kind, same);
            let absorbed = plain.absorb_padding(zeros).unwrap();
            for (h, w) in [(1, 1), (2, 3), (5, 4), (7, 6)] {
                let x = input(h, w);
                let expected = plain.reference(&[Some(&padded(&x, zeros))]);
                assert_eq!(absorbed.reference(&[Some(&x)]), expected, "{kind:?} same {same} {h}x{w}");
            }
        }
    }
}
