#version 450
// y = elements of the sums x w for few rows of 8-bit integers: WG_X invocations, a power of two, share the depth of
// four sums, which become one word of y, or four; a workgroup has WG_Y such quads.
//
// w holds the weights channel by channel as signed integers, each filled up with zeros to `steps` vectors of 16.
//! variant JOIN = memory | subgroups
//! variant DOT = plain | packed
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/packed.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint depth;
    uint steps;          // vectors per channel of w
    uint channels;
    uint elements;       // of y
    uint row_groups;     // workgroups per row of the grid
    int w_zero_point;
    int y_zero_point;
    int least;
    int most;
};
layout(constant_id = 10) const uint FORM = 0;       // of x and y
layout(constant_id = 11) const uint READ = 0;       // how x is read
layout(constant_id = 12) const uint FLIP = 0;       // 0x80808080 makes unsigned integers signed ones
layout(constant_id = 13) const bool ONE_ROW = true; // whether the sums of a quad are of one row
layout(constant_id = 14) const bool SHIFTED = true; // whether the weights have another zero point than 0
#define READ_ELEMENTS 0u
#define READ_WORDS 1u
#define READ_VECTORS 2u

READS_ELEMENTS(0, X, x)
layout(std430, set = 0, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { uvec4 w[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
#define REQUANTIZE_BINDING 3
#define FOLLOWER_BINDING 4
#include "lib/requantize.glsl"
#include "lib/followers.glsl"
#define JOIN_T ivec4
#define JOIN_COUNT WG_X
#define JOIN_LANE gl_LocalInvocationID.x
#define JOIN_RESULT gl_LocalInvocationID.y
#include "lib/join.glsl"

// Vector k of a row; behind its end zeros.
uvec4 load(uint row, uint k) {
    if (READ == READ_VECTORS) return x4[row * steps + k] ^ FLIP;
    uvec4 v = uvec4(0);
    if (READ == READ_WORDS) {
        uint words = depth >> 2, from = row * words;
        for (uint i = 0; i < 4; ++i) if (4 * k + i < words) v[i] = x[from + 4 * k + i] ^ FLIP;
        return v;
    }
    uint from = row * depth;
    for (uint i = 0; i < 16; ++i) {
        uint at = 16 * k + i;
        if (at < depth) v[i >> 2] |= ((load_x(FORM, from + at).x ^ FLIP) & 0xffu) << (8 * (i & 3u));
    }
    return v;
}

int dot16(uvec4 a, uvec4 b) {
    return packed_dot(a.x, b.x) + packed_dot(a.y, b.y) + packed_dot(a.z, b.z) + packed_dot(a.w, b.w);
}

void main() {
    uint group = gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x;
    uint quad = group * WG_Y + gl_LocalInvocationID.y, first = 4 * quad;
    // Behind the last element its sum once more.
    uvec4 at = min(first + uvec4(0, 1, 2, 3), uvec4(elements - 1)), row = at / channels, channel = at - row * channels;
    ivec4 sum = ivec4(0);
    if (first < elements) {
        for (uint k = gl_LocalInvocationID.x; k < steps; k += WG_X) {
            uvec4 v = load(row.x, k);
            [[unroll]] for (int i = 0; i < 4; ++i) {
                if (!ONE_ROW && i > 0) v = load(row[i], k);
                sum[i] += dot16(v, w[channel[i] * steps + k]);
                if (SHIFTED) sum[i] -= w_zero_point * dot16(v, uvec4(0x01010101));
            }
        }
    }
    sum = join_sum(sum);
    if (gl_LocalInvocationID.x != 0 || first >= elements) return;
    ivec4 v;
    [[unroll]] for (int i = 0; i < 4; ++i) {
        v[i] = requantized(sum[i] + sum_of(channel[i]), channel[i]);
    }
    if (FOLLOWERS != 0u) {
        [[dont_unroll]] for (int i = 0; i < 4; ++i) v[i] = followed(v[i], row[i], channel[i], channels);
    }
    if (form_width(FORM) == 8u) {
        y[quad] = packed(v);
        return;
    }
    for (uint i = 0; i < 4; ++i) if (first + i < elements) y[first + i] = uint(v[i]);
}
