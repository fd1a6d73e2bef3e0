#version 450
// y = requantised convolution of x, of 16-bit integers, with w, of 8-bit ones. Sums have 64 bits. An invocation
// computes the elements of a word of y one by one, or two channels side by side (PAIRS), four products at a time.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/elements.glsl"
#include "lib/wide.glsl"
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;            // words of y
    uint row_items;        // invocations per row of the grid
    uint elements;         // of y
    uint channels;         // of y
    uint depth;            // input channels that one output channel sums over
    uint x_channels;
    uint group_channels;   // channels of y per group
    int least;
    int most;
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
};
layout(constant_id = 10) const uint FORM = 0;     // of x and y
layout(constant_id = 11) const bool TWICE = false;  // sums have 32 bits, and products are rounded twice
layout(constant_id = 12) const bool PAIRS = false;  // elements fill words, depth is a multiple of four, channels even

READS_ELEMENTS(0, X, x)
layout(std430, set = 0, binding = 0) readonly buffer X2 { uvec2 x2[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { uint w[]; };  // four weights each, channel by channel
// Of each channel: the bias, the lower word first, multiplier and shift.
layout(std430, set = 0, binding = 2) readonly buffer Scales { ivec4 scales[]; };

// (sum · multiplier) / 2ⁿ, rounded, halves up.
int short_product(uvec2 sum, int multiplier, uint n) {
    uvec2 product = wide_add(wide_multiply(sum, uvec2(multiplier, 0)), wide_left(uvec2(1, 0), n - 1));
    return int(n >= 32 ? uint(int(product.y) >> int(n - 32)) : wide_right(product, n).x);
}

// What a sum becomes.
int scaled(uvec2 sum, ivec4 scale) {
    int product = TWICE ? fixed_product(int(sum.x), scale.z, scale.w) : short_product(sum, scale.z, uint(scale.w));
    return clamp(product, least, most);
}

// The first pixel of the window of a row of y, and the picture.
ivec2 corner_of(uint row, out uint image) {
    uint line = row / y_size.y;
    image = line / y_size.x;
    return ivec2(line - image * y_size.x, row - line * y_size.y) * ivec2(stride) + origin;
}

uvec2 value(uint i) {
    uint row = i / channels, channel = i - row * channels, image;
    ivec2 corner = corner_of(row, image);
    ivec4 scale = scales[channel];
    uvec2 sum = uvec2(scale.xy);
    uint first = channel / group_channels * depth, w_at = channel * taps.x * taps.y * depth;
    // Products have 23 bits: many of them fit into a word.
    int part = 0;
    uint held = 0;
    for (uint ky = 0; ky < taps.x; ++ky) {
        uint y_at = uint(corner.x + int(ky * dilation.x));
        for (uint kx = 0; kx < taps.y; ++kx) {
            uint x_at = uint(corner.y + int(kx * dilation.y));
            if (y_at >= x_size.x || x_at >= x_size.y) {
                w_at += depth;
                continue;
            }
            uint at = ((image * x_size.x + y_at) * x_size.y + x_at) * x_channels + first;
            for (uint c = 0; c < depth; ++c) {
                part += int(load_x(FORM, at + c).x) * bitfieldExtract(int(w[w_at >> 2]), int(w_at % 4 * 8), 8);
                ++w_at;
                if (++held == 256) {
                    sum = wide_add(sum, extended(part));
                    part = 0;
                    held = 0;
                }
            }
        }
    }
    sum = wide_add(sum, extended(part));
    return extended(scaled(sum, scale));
}

ivec4 bytes_of(uint word) { return ivec4(word) << ivec4(24, 16, 8, 0) >> 24; }

// Elements 2i and 2i + 1 of y, as a word.
uint pair_of(uint i) {
    uint row = 2 * i / channels, channel = 2 * i - row * channels, image;
    ivec2 corner = corner_of(row, image);
    ivec4 scale[2] = {scales[channel], scales[channel + 1]};
    uvec2 sum[2] = {uvec2(scale[0].xy), uvec2(scale[1].xy)};
    uint first = channel / group_channels * depth, pitch = taps.x * taps.y * depth / 4, w_at = channel * pitch;
    ivec2 part = ivec2(0);
    uint held = 0;
    for (uint ky = 0; ky < taps.x; ++ky) {
        uint y_at = uint(corner.x + int(ky * dilation.x));
        for (uint kx = 0; kx < taps.y; ++kx) {
            uint x_at = uint(corner.y + int(kx * dilation.y));
            if (y_at >= x_size.x || x_at >= x_size.y) {
                w_at += depth / 4;
                continue;
            }
            uint at = (((image * x_size.x + y_at) * x_size.y + x_at) * x_channels + first) / 4;
            for (uint c = 0; c < depth / 4; ++c) {
                uvec2 pairs = x2[at + c];
                ivec4 v = ivec4(pairs.xxyy) << ivec4(16, 0, 16, 0) >> 16;
                ivec4 a = v * bytes_of(w[w_at]), b = v * bytes_of(w[w_at + pitch]);
                part += ivec2(a.x + a.y + a.z + a.w, b.x + b.y + b.z + b.w);
                ++w_at;
                if (++held == 64) {
                    [[unroll]] for (int k = 0; k < 2; ++k) sum[k] = wide_add(sum[k], extended(part[k]));
                    part = ivec2(0);
                    held = 0;
                }
            }
        }
    }
    uint word = 0;
    [[unroll]] for (int k = 0; k < 2; ++k) {
        sum[k] = wide_add(sum[k], extended(part[k]));
        word |= uint(scaled(sum[k], scale[k]) & 0xffff) << 16 * k;
    }
    return word;
}

WRITES_ELEMENTS(3, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (PAIRS) {
        y[item] = pair_of(item);
    } else {
        store_elements(FORM, item, elements);
    }
}
