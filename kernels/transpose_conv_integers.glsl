#version 450
// y = elements of the sums of the transposed convolution of x with w, of 8-bit integers: each pixel of y sums the taps
// that reach it. Pixels of one phase (their place modulo the stride) are reached by the same taps; an invocation
// computes four of them, neighbours in a line, by four channels, or, where channels are no whole words (not TILED), the
// elements of one word.
//
// w holds for each tap and channel the weights as signed integers, filled up with zeros to whole words, and a word with
// the sum of what they are above their zero point.
//! variant DOT = plain | packed
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/packed.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint channels;       // of y
    uint depth;          // channels of x
    uint strips;         // of four pixels, per line and phase
    int x_zero_point;
    int w_zero_point;
    int y_zero_point;
    int least;
    int most;
    uvec2 x_size;        // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 padding;       // taps that lie before y's first pixel
};
layout(constant_id = 10) const uint FORM = 0;        // of x and y
layout(constant_id = 11) const uint FLIP = 0;        // 0x80808080 makes unsigned integers signed ones
layout(constant_id = 12) const bool X_WORDS = false; // whether pixels of x are whole words
layout(constant_id = 13) const bool TILED = false;
layout(constant_id = 14) const bool SHIFTED = false; // whether the weights have another zero point than 0

READS_ELEMENTS(0, X, x)
layout(std430, set = 0, binding = 1) readonly buffer W { uint w[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
#define REQUANTIZE_BINDING 3
#include "lib/requantize.glsl"

const uint OUTSIDE = 0xffffffffu;

// Four channels of x from `at` on as signed integers; behind the last one, and for pixels outside, zeros.
uint load(uint at, uint k) {
    if (at == OUTSIDE) return 0u;
    if (X_WORDS) return x[(at + k) >> 2] ^ FLIP;
    uint word = 0u;
    for (uint n = 0; n < 4; ++n) {
        if (k + n < depth) word |= ((load_x(FORM, at + k + n).x ^ FLIP) & 0xffu) << (8 * n);
    }
    return word;
}

// Adds the taps that reach `count` pixels of y of one line and phase, from column `column` on, to the sums of four
// channels, or of one.
void add(inout ivec4 sum[4], uint image, uvec2 at, uint count, uvec4 channel) {
    uint words = (depth + 3) / 4, pitch = words + 1;
    uvec2 first = (at + padding) % stride;
    int row = int((at.x + padding.x) / stride.x);
    for (uint ky = first.x; ky < taps.x; ky += stride.x, --row) {
        if (uint(row) >= x_size.x) continue;
        int column = int((at.y + padding.y) / stride.y);
        for (uint kx = first.y; kx < taps.y; kx += stride.y, --column) {
            uvec4 pixel = uvec4(OUTSIDE);
            for (uint m = 0; m < count; ++m) {
                uint c = uint(column + int(m));
                if (c < x_size.y) pixel[m] = ((image * x_size.x + uint(row)) * x_size.y + c) * depth;
            }
            uvec4 from = ((ky * taps.y + kx) * channels + channel) * pitch;
            for (uint k = 0; k < words; ++k) {
                uvec4 v = uvec4(w[from.x + k], w[from.y + k], w[from.z + k], w[from.w + k]);
                [[unroll]] for (uint m = 0; m < 4; ++m) {
                    if (m >= count || pixel[m] == OUTSIDE) continue;
                    uint u = load(pixel[m], 4 * k);
                    [[unroll]] for (int c = 0; c < 4; ++c) sum[m][c] += packed_dot(u, v[c]);
                    if (SHIFTED) sum[m] -= w_zero_point * packed_dot(u, 0x01010101);
                }
            }
            ivec4 weights = ivec4(w[from.x + words], w[from.y + words], w[from.z + words], w[from.w + words]);
            [[unroll]] for (uint m = 0; m < 4; ++m) {
                if (m < count && pixel[m] != OUTSIDE) sum[m] -= x_zero_point * weights;
            }
        }
    }
}

// One element of y.
int element(uint at) {
    uint pixel = at / channels, channel = at - pixel * channels;
    uint line = pixel / y_size.y, image = line / y_size.x;
    ivec4 sum[4] = ivec4[4](ivec4(0), ivec4(0), ivec4(0), ivec4(0));
    add(sum, image, uvec2(line - image * y_size.x, pixel - line * y_size.y), 1, uvec4(channel));
    return requantized(sum[0].x + sum_of(channel), channel);
}

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (!TILED) {
        if (form_width(FORM) != 8u) {
            y[item] = uint(element(item));
            return;
        }
        ivec4 v = ivec4(0);
        for (uint n = 0; n < 4; ++n) if (4 * item + n < elements) v[n] = element(4 * item + n);
        y[item] = packed(v);
        return;
    }
    uint quads = channels / 4, quad = item % quads, rest = item / quads;
    uint strip = rest % strips;
    rest /= strips;
    uint phase = rest % stride.y;
    rest /= stride.y;
    uint image = rest / y_size.x;
    uvec2 at = uvec2(rest - image * y_size.x, phase + 4 * strip * stride.y);
    if (at.y >= y_size.y) return;
    uint count = min((y_size.y - at.y + stride.y - 1) / stride.y, 4u);
    ivec4 start = sums_of(quad);
    ivec4 sum[4] = ivec4[4](start, start, start, start);
    add(sum, image, at, count, 4 * quad + uvec4(0, 1, 2, 3));
    for (uint m = 0; m < count; ++m) {
        ivec4 v = requantized(sum[m], quad);
        uint to = (rest * y_size.y + at.y + m * stride.y) * channels + 4 * quad;
        if (form_width(FORM) == 8u) {
            y[to / 4] = packed(v);
        } else {
            for (uint c = 0; c < 4; ++c) y[to + c] = uint(v[c]);
        }
    }
}
