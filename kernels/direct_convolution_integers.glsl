#version 450
// y = elements of the sums of the convolution of x with w, or of the one that this transposes, of integers whose weights
// are read as they are stored: sums have 64 bits, or wrap at 32. An invocation computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

#define BIAS_NONE 15u

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint channels;       // of y
    uint depth;          // channels of x for each of y
    uint x_channels;
    uint group_channels; // channels of y that read the same ones of x
    uint w_tap;          // elements of w from one tap to the next
    uint w_channel;      // and from one channel of y to the next
    int x_zero_point;
    int w_zero_point;
    int y_zero_point;
    int least;
    int most;
    uvec2 x_size;        // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;        // where the first window starts in x, or, if transposed, the first pixel of y in what x spreads over
};
layout(constant_id = 10) const uint FORM = 0;   // of y
layout(constant_id = 11) const uint X_FORM = 0;
layout(constant_id = 12) const uint W_FORM = 0;
layout(constant_id = 13) const uint BIAS_FORM = BIAS_NONE;
layout(constant_id = 14) const bool TRANSPOSED = false;
layout(constant_id = 15) const bool NARROW = false;

READS_ELEMENTS(0, X, x)
READS_ELEMENTS(1, W, w)
READS_ELEMENTS(4, Bias, bias)
#define SCALES_BINDING 3
#include "lib/wide_product.glsl"

// Adds the products of a tap with a pixel.
uvec2 plus_products(uvec2 sum, uint x_at, uint w_at) {
    int part = 0;
    for (uint k = 0; k < depth; ++k) {
        int u = int(load_x(X_FORM, x_at + k).x) - x_zero_point, v = int(load_w(W_FORM, w_at + k).x) - w_zero_point;
        if (NARROW) part += u * v;
        else sum = wide_add(sum, extended(u * v));
    }
    return NARROW ? uvec2(sum.x + uint(part), 0) : sum;
}

uvec2 value(uint i) {
    uint pixel = i / channels, channel = i - pixel * channels;
    uint line = pixel / y_size.y, image = line / y_size.x;
    ivec2 at = ivec2(line - image * y_size.x, pixel - line * y_size.y);
    uvec2 sum = scales[channel].xy;
    if (BIAS_FORM != BIAS_NONE) sum = wide_add(sum, load_bias(BIAS_FORM, channel));
    uint first = channel / group_channels * depth;
    // Taps that reach the pixel are a stride apart.
    ivec2 tap = ivec2(0), step = ivec2(1), from = at * ivec2(stride) + origin, next = ivec2(dilation);
    if (TRANSPOSED) {
        ivec2 spread = at + origin;
        tap = spread % ivec2(stride);
        step = ivec2(stride);
        from = spread / ivec2(stride);
        next = ivec2(-1);
    }
    int row = from.x;
    for (uint ky = uint(tap.x); ky < taps.x; ky += uint(step.x), row += next.x) {
        if (uint(row) >= x_size.x) continue;
        int column = from.y;
        for (uint kx = uint(tap.y); kx < taps.y; kx += uint(step.y), column += next.y) {
            if (uint(column) >= x_size.y) continue;
            uint x_at = ((image * x_size.x + uint(row)) * x_size.y + uint(column)) * x_channels + first;
            sum = plus_products(sum, x_at, channel * w_channel + (ky * taps.y + kx) * w_tap);
        }
    }
    return extended(wide_element(NARROW ? extended(sum.x) : sum, channel));
}

WRITES_ELEMENTS(2, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    store_elements(FORM, item, elements);
}
