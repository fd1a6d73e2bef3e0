//! Windows that move over the rows and columns of an NHWC tensor: what convolutions have in common.

use super::Shape;
use crate::error::Unsupported;
use crate::unsupported;

/// Zeros around the two spatial dimensions of an NHWC tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpatialPadding {
    /// Rows above and below.
    pub h: [u32; 2],
    /// Columns left and right.
    pub w: [u32; 2],
}

impl SpatialPadding {
    /// The zeros before and behind each dimension of an NHWC tensor; `None` if there are any but spatial ones.
    pub fn of(zeros: &[[u32; 2]]) -> Option<Self> {
        match *zeros {
            [[0, 0], h, w, [0, 0]] => Some(Self { h, w }),
            _ => None,
        }
    }
}

/// TFLite's two padding schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As many zeros as give `ceil(size / stride)` windows.
    Same,
    /// None: windows lie wholly inside.
    Valid,
}

impl Padding {
    /// From TFLite's code (`TfLitePadding`).
    pub fn from_code(code: u32) -> Result<Self, Unsupported> {
        match code {
            1 => Ok(Self::Same),
            2 => Ok(Self::Valid),
            _ => unsupported!("padding {code} (1 = SAME and 2 = VALID are supported)"),
        }
    }
}

/// The geometry of a moving window; pairs are height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps.
    pub size: [u32; 2],
    /// Distance between windows.
    pub stride: [u32; 2],
    /// Distance between taps.
    pub dilation: [u32; 2],
    /// What SAME or VALID adds to the zeros.
    pub padding: Padding,
    /// Zeros of an absorbed PAD: the window sees the operand with them around it.
    pub zeros: SpatialPadding,
}

/// Where windows lie along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Number of windows.
    pub size: u32,
    /// Start of the first one, counted from the first stored element.
    pub origin: i32,
    /// Whether a tap of some window lies beyond the stored elements.
    pub border: bool,
}

/// The most elements from a window's first tap to its last.
const MAX_SPAN: u64 = 1 << 29;

/// The largest distance between two windows, and between two taps: TFLite's own kernels refuse larger ones.
const MAX_STRIDE: u32 = i16::MAX as u32;

impl Window {
    /// A window from TFLite's parameters, as `[height, width]`.
    pub fn new(
        size: [u32; 2],
        stride: [i32; 2],
        dilation: [i32; 2],
        padding: u32,
    ) -> Result<Self, Unsupported> {
        let positive = |what: &str, pair: [i32; 2]| match pair.map(u32::try_from) {
            [Ok(h), Ok(w)] if h > 0 && w > 0 => Ok([h, w]),
            _ => Err(Unsupported(format!("{what} {pair:?}"))),
        };
        if size.contains(&0) {
            unsupported!("a window of {size:?}");
        }
        let (stride, dilation) = (positive("stride", stride)?, positive("dilation", dilation)?);
        if stride.into_iter().chain(dilation).any(|n| n > MAX_STRIDE) {
            unsupported!("strides of {stride:?} or dilations of {dilation:?}, {MAX_STRIDE} at most");
        }
        // One tap has no distance to another.
        let dilation = [0, 1].map(|d| if size[d] == 1 { 1 } else { dilation[d] });
        let zeros = SpatialPadding::default();
        let window = Self { size, stride, dilation, padding: Padding::from_code(padding)?, zeros };
        // Kernels count places in 32 bits.
        if [0, 1].into_iter().any(|d| window.span(d) > MAX_SPAN) {
            unsupported!("a window of {size:?} by strides of {stride:?} and {dilation:?}");
        }
        Ok(window)
    }

    /// Requires that a window finds a place along height and width of the NHWC shape `x`. What grows too small
    /// later on has an empty result, as in TFLite; where it is so from the start, the shape is a placeholder.
    pub fn must_fit(&self, x: &Shape) -> Result<(), Unsupported> {
        for (d, extent) in self.extents(x)?.into_iter().enumerate() {
            if extent.size == 0 && x[1 + d] > 0 {
                unsupported!("a window of {} on {} rows or columns", self.span(d), x[1 + d]);
            }
        }
        Ok(())
    }

    /// The elements from the first tap to the last along spatial dimension `d`.
    fn span(&self, d: usize) -> u64 {
        u64::from(self.size[d] - 1) * u64::from(self.dilation[d]) + 1
    }

    /// The windows along spatial dimension `d`, whose stored size is `size`; none where it is smaller than a
    /// window without padding.
    pub fn extent(&self, d: usize, size: u32) -> Result<Extent, Unsupported> {
        let zeros = [self.zeros.h, self.zeros.w][d].map(u64::from);
        let (stride, padded) = (u64::from(self.stride[d]), u64::from(size) + zeros[0] + zeros[1]);
        let span = self.span(d);
        let (count, before) = match self.padding {
            Padding::Same => {
                let count = padded.div_ceil(stride);
                (count, (count.saturating_sub(1) * stride + span).saturating_sub(padded) / 2)
            }
            Padding::Valid if padded < span => (0, 0),
            Padding::Valid => ((padded - span) / stride + 1, 0),
        };
        let first = (before + zeros[0]) as i64;
        let end = count.saturating_sub(1) as i64 * stride as i64 + span as i64 - first;
        let border = first > 0 || end > i64::from(size);
        match (u32::try_from(count), i32::try_from(-first)) {
            (Ok(size), Ok(origin)) => Ok(Extent { size, origin, border }),
            _ => unsupported!("{padded} rows or columns are too many"),
        }
    }

    /// The windows along height and width of the NHWC shape `x`.
    pub fn extents(&self, x: &Shape) -> Result<[Extent; 2], Unsupported> {
        let [_, h, w, _] = x[..] else { unsupported!("{x} is not NHWC") };
        Ok([self.extent(0, h)?, self.extent(1, w)?])
    }

    /// The same windows with the size of weights of this shape, whose dimensions 1 and 2 are height and width.
    #[must_use]
    pub fn sized(mut self, w: &Shape) -> Self {
        if let [_, height, width, ..] = w[..] {
            self.size = [height, width];
        }
        self
    }

    /// The same windows over an operand without the zeros that a PAD had put around it.
    #[must_use]
    pub fn absorb(mut self, zeros: SpatialPadding) -> Self {
        for (own, more) in [(&mut self.zeros.h, zeros.h), (&mut self.zeros.w, zeros.w)] {
            *own = [own[0] + more[0], own[1] + more[1]];
        }
        self
    }

    /// The taps of window `at` (row, column) that lie on stored elements of the NHWC shape `x`, as
    /// places in the filter and in `x`. For reference implementations.
    pub fn inside(
        &self,
        x: &Shape,
        extents: [Extent; 2],
        at: [usize; 2],
    ) -> impl Iterator<Item = ([usize; 2], [usize; 2])> {
        let (window, size) = (*self, [x[1], x[2]]);
        let place = move |d: usize, tap: u32| {
            let origin = i64::from(extents[d].origin) + at[d] as i64 * i64::from(window.stride[d]);
            let place = origin + i64::from(tap) * i64::from(window.dilation[d]);
            usize::try_from(place).ok().filter(|place| *place < size[d] as usize)
        };
        (0..window.size[0]).flat_map(move |ky| {
            (0..window.size[1])
                .filter_map(move |kx| Some(([ky as usize, kx as usize], [place(0, ky)?, place(1, kx)?])))
        })
    }

    /// Calls `f` for every window on the NHWC shape `x` and each of its taps that lies on a stored element: with the
    /// number of the window, that of the tap, and that of the pixel in `x`.
    pub fn visit(&self, x: &Shape, extents: [Extent; 2], mut f: impl FnMut(usize, usize, usize)) {
        let [rows, columns] = extents.map(|extent| extent.size as usize);
        let [height, width, taps] = [x[1], x[2], self.size[1]].map(|n| n as usize);
        for image in 0..x[0] as usize {
            for (i, j) in (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))) {
                let number = (image * rows + i) * columns + j;
                for (tap, [row, column]) in self.inside(x, extents, [i, j]) {
                    f(number, tap[0] * taps + tap[1], (image * height + row) * width + column);
                }
            }
        }
    }

    /// Number of taps.
    pub fn taps(&self) -> u32 {
        self.size[0] * self.size[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(
        size: u32,
        stride: u32,
        dilation: u32,
        padding: Padding,
        zeros: [u32; 2],
        input: u32,
    ) -> (u32, i32, bool) {
        let zeros = SpatialPadding { h: zeros, w: [0, 0] };
        let window = Window { size: [size, 1], stride: [stride, 1], dilation: [dilation, 1], padding, zeros };
        let extent = window.extent(0, input).unwrap();
        (extent.size, extent.origin, extent.border)
    }

    /// TFLite's `ComputeOutSize` and `ComputePadding`.
    #[test]
    fn sizes_and_origins_are_those_of_tflite() {
        use Padding::{Same, Valid};
        assert_eq!(extent(3, 1, 1, Same, [0, 0], 8), (8, -1, true));
        assert_eq!(extent(3, 2, 1, Same, [0, 0], 8), (4, 0, true));
        assert_eq!(extent(3, 2, 1, Same, [0, 0], 7), (4, -1, true));
        assert_eq!(extent(5, 2, 1, Same, [0, 0], 128), (64, -1, true));
        assert_eq!(extent(3, 1, 2, Same, [0, 0], 5), (5, -2, true));
        assert_eq!(extent(1, 2, 1, Same, [0, 0], 7), (4, 0, false));
        assert_eq!(extent(3, 2, 1, Valid, [0, 0], 8), (3, 0, false));
        assert_eq!(extent(3, 1, 3, Valid, [0, 0], 7), (1, 0, false));
        assert_eq!(extent(3, 2, 1, Valid, [0, 1], 8), (4, 0, true));
        assert_eq!(extent(3, 2, 1, Valid, [1, 0], 8), (4, -1, true));
        // SAME counts the zeros as elements: 10 of them give 5 windows with one more zero behind.
        assert_eq!(extent(3, 2, 1, Same, [2, 0], 8), (5, -2, true));
    }

    #[test]
    fn a_window_larger_than_its_operand_has_no_place() {
        let window = Window::new([3, 3], [1, 1], [1, 1], 2).unwrap();
        assert_eq!(window.extent(0, 2).unwrap().size, 0);
        let fits = |h, w| window.must_fit(&Shape::from([1, h, w, 1])).is_ok();
        assert_eq!([fits(3, 3), fits(2, 3), fits(3, 1), fits(0, 3)], [true, false, false, true]);
        assert!(Window::new([3, 3], [0, 1], [1, 1], 1).is_err());
    }

    #[test]
    fn distances_are_such_as_kernels_count() {
        let most = i32::from(i16::MAX);
        assert_eq!(Window::new([1, 1], [most, 1], [most, most], 1).unwrap().dilation, [1, 1]);
        assert!(Window::new([1, 1], [most + 1, 1], [1, 1], 1).is_err());
        assert!(Window::new([1, 1], [1, 1], [1, most + 1], 1).is_err());
        assert!(Window::new([1, 1 << 15], [1, 1], [1, most], 1).is_err());
    }
}
