//! How convolutions and pools of every element type move their windows, as the nodes say.

use crate::error::Unsupported;
use crate::ir::{Activation, Extent, Shape, Window};
use crate::tflite::{NodeView, sys};
use crate::unsupported;

/// The window of a CONV_2D with OHWI weights of this shape, and the fused activation.
pub fn conv_2d(node: &NodeView<'_>, w: &Shape) -> Result<(Window, Activation), Unsupported> {
    let p = node.required_params::<sys::TfLiteConvParams>()?;
    let dilation = [p.dilation_height_factor, p.dilation_width_factor];
    let window = Window::new([w[1], w[2]], [p.stride_height, p.stride_width], dilation, p.padding)?;
    Ok((window, Activation::from_code(p.activation)?))
}

/// The window of a DEPTHWISE_CONV_2D with weights `[1, height, width, channels]` of this shape, and the fused activation.
pub fn depthwise_conv_2d(node: &NodeView<'_>, w: &Shape) -> Result<(Window, Activation), Unsupported> {
    let p = node.required_params::<sys::TfLiteDepthwiseConvParams>()?;
    let dilation = [p.dilation_height_factor, p.dilation_width_factor];
    let window = Window::new([w[1], w[2]], [p.stride_height, p.stride_width], dilation, p.padding)?;
    Ok((window, Activation::from_code(p.activation)?))
}

/// The window of a pool, which fits its operand of rank 4, and the fused activation.
pub fn pool(node: &NodeView<'_>) -> Result<(Window, Activation), Unsupported> {
    node.expect(1..=1, 1)?;
    let x = node.input_type(0)?;
    if x.shape.len() != 4 {
        unsupported!("{x} is not NHWC");
    }
    let p = node.required_params::<sys::TfLitePoolParams>()?;
    let size = [p.filter_height, p.filter_width];
    let [Ok(height), Ok(width)] = size.map(u32::try_from) else { unsupported!("a window of {size:?}") };
    let window = Window::new([height, width], [p.stride_height, p.stride_width], [1, 1], p.padding)?;
    window.must_fit(&x.shape)?;
    Ok((window, Activation::from_code(p.activation)?))
}

/// Row and column of each element of an NHWC operand that the window for an element of a pool's result sees.
pub fn seen(
    window: Window,
    extents: [Extent; 2],
    x: Shape,
    [row, column]: [usize; 2],
) -> impl Iterator<Item = [usize; 2]> {
    let inside = move |d: usize, at: usize| {
        let first = i64::from(extents[d].origin) + at as i64 * i64::from(window.stride[d]);
        let taps = (0..window.size[d]).map(move |tap| first + i64::from(tap));
        taps.filter_map(move |i| usize::try_from(i).ok().filter(|i| *i < x[1 + d] as usize))
    };
    inside(0, row).flat_map(move |row| inside(1, column).map(move |column| [row, column]))
}
