//! The geometry of a convolution, apart from any kernel.

use crate::ir::Extent;

/// A convolution of NHWC as rows × channels of sums; pairs are height and width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Geometry {
    /// Output pixels × batch.
    pub rows: u32,
    /// Channels of the result.
    pub channels: u32,
    /// Input channels of a group.
    pub depth: u32,
    /// Input channels of all groups.
    pub x_channels: u32,
    /// Channels of the result per group.
    pub group_channels: u32,
    /// Products of a sum.
    pub products: u32,
    /// Height and width of the operand.
    pub x_size: [u32; 2],
    /// Height and width of the result.
    pub y_size: [u32; 2],
    /// Size of the filter.
    pub taps: [u32; 2],
    /// Distance between windows.
    pub stride: [u32; 2],
    /// Distance between taps.
    pub dilation: [u32; 2],
    /// Start of the first window, counted from the first pixel.
    pub origin: [i32; 2],
    /// Whether every result depends on one pixel only, its own.
    pub pointwise: bool,
    /// Whether a tap of some window lies beyond the operand.
    pub border: bool,
}

impl Geometry {
    /// A product of matrices, rows × depth and depth × channels.
    pub fn product(rows: u32, depth: u32, channels: u32) -> Self {
        Self {
            rows,
            channels,
            depth,
            x_channels: depth,
            group_channels: channels,
            products: depth,
            taps: [1, 1],
            stride: [1, 1],
            pointwise: true,
            ..Self::default()
        }
    }

    /// Number of groups.
    pub fn groups(&self) -> u32 {
        (self.channels / self.group_channels.max(1)).max(1)
    }

    /// For an image of one column, the same convolution as one of an image of one line: register tiles are
    /// strips of a line.
    #[must_use]
    pub fn along_lines(self, across: Extent) -> Self {
        if self.x_size[1] != 1 || self.taps[1] != 1 || across.border {
            return self;
        }
        let turned = |[h, w]: [u32; 2]| [w, h];
        Self {
            x_size: turned(self.x_size),
            y_size: turned(self.y_size),
            taps: turned(self.taps),
            stride: turned(self.stride),
            dilation: turned(self.dilation),
            origin: [self.origin[1], self.origin[0]],
            ..self
        }
    }

    /// Multiply-adds as operations, two each.
    pub fn ops(&self) -> u64 {
        2 * u64::from(self.rows) * u64::from(self.channels) * u64::from(self.products)
    }
}
