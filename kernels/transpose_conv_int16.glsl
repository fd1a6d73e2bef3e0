#version 450
// y = elements of the sums of the transposed convolution of x with w, of 16-bit integers by 8-bit ones: each pixel of y
// sums the taps that reach it, in 64 bits. An invocation computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint channels;       // of y
    uint depth;          // channels of x
    int y_zero_point;
    int least;
    int most;
    uvec2 x_size;        // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 padding;       // taps that lie before y's first pixel
};
layout(constant_id = 10) const uint FORM = 0;   // of x and y
layout(constant_id = 11) const uint W_FORM = 0;

READS_ELEMENTS(0, X, x)
READS_ELEMENTS(1, W, w)
#define SCALES_BINDING 3
#include "lib/wide_product.glsl"

uvec2 value(uint i) {
    uint pixel = i / channels, channel = i - pixel * channels;
    uint line = pixel / y_size.y, image = line / y_size.x;
    uvec2 at = uvec2(line - image * y_size.x, pixel - line * y_size.y) + padding, first = at % stride;
    uvec2 sum = scales[channel].xy;
    int row = int(at.x / stride.x);
    for (uint ky = first.x; ky < taps.x; ky += stride.x, --row) {
        if (uint(row) >= x_size.x) continue;
        int column = int(at.y / stride.y);
        for (uint kx = first.y; kx < taps.y; kx += stride.y, --column) {
            if (uint(column) >= x_size.y) continue;
            uint from = ((image * x_size.x + uint(row)) * x_size.y + uint(column)) * depth;
            uint weights = ((channel * taps.x + ky) * taps.y + kx) * depth;
            for (uint k = 0; k < depth; ++k) {
                int product = int(load_x(FORM, from + k).x) * int(load_w(W_FORM, weights + k).x);
                sum = wide_add(sum, extended(product));
            }
        }
    }
    return uvec2(wide_element(sum, channel), 0);
}

WRITES_ELEMENTS(2, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    store_elements(FORM, item, elements);
}
