#version 450
// y = project(depthwise(expand(x))) of 8-bit integers, an inverted residual whose wide middle never reaches memory: two
// pointwise convolutions with a depthwise one between them. Each result is requantised to int8 as if it were stored.
// Without EXPAND, x is the depthwise convolution's operand.
//
// A workgroup computes TILE_H × TILE_W pixels of y. It expands what their windows see, a slice of QUADS words of four
// channels at a time, convolves these, and adds their products to its sums; several workgroups share a tile by taking
// different slices. Pixels of the middle beyond the border hold its zero point: what sums begin with makes up for the
// zero point under every tap.
//
// Weights are rows of vectors, a word for each of four channels of the result: w1 has a row for each word of x's
// channels, d for each four taps, w2 for each word of the middle. Behind the rows of w1 and d lie their scales
// (lib/requantize.glsl). The middle's channels fill whole slices; those that do not exist have weights of zero.
//! variant DOT = plain | packed
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"
#include "lib/divide.glsl"
#include "lib/packed.glsl"

layout(push_constant) uniform Push {
    uint channels;         // of y, a multiple of four
    uint depth;            // words of a pixel of x
    uint middle;           // words of a pixel between, in whole slices
    uint slices;
    uint part;             // of them, for a workgroup; the grid's z counts the parts
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    ivec2 origin;          // where the first window starts in x
    uvec2 by_tiles_x;      // divisors: tiles in a row of a picture, and in a column
    uvec2 by_tiles_y;
    uint tiles_x;
    uint tiles_y;
    uint outside;          // four times the zero point that the depthwise convolution reads, as bytes
    uint expanded;         // zero point, least and largest element of a result, as bytes
    uint convolved;
    uint projected;
};
layout(constant_id = 10) const uint TILE_H = 4;
layout(constant_id = 11) const uint TILE_W = 4;
layout(constant_id = 12) const uint STRIDE_Y = 1;
layout(constant_id = 13) const uint STRIDE_X = 1;
layout(constant_id = 14) const uint TAPS_Y = 3;
layout(constant_id = 15) const uint TAPS_X = 3;
layout(constant_id = 16) const bool EXPAND = true;
layout(constant_id = 17) const uint DEPTH = 4;       // depth, if EXPAND
layout(constant_id = 18) const uint QUADS = 8;       // of a slice
layout(constant_id = 19) const uint Y_QUADS = 4;     // of y's channels; the grid's y counts such groups
layout(constant_id = 20) const uint SEEN_ROWS = 2;   // pixels that an invocation expands at once
layout(constant_id = 21) const uint Y_ROWS = 2;      // pixels that it projects at once, a divisor of a tile's
layout(constant_id = 22) const bool SHARED = false;  // several workgroups add up the sums of a tile
layout(constant_id = 23) const bool WIDENED = false; // elements of x and y lie in words

const uint PIXELS = TILE_H * TILE_W;
const uint SEEN_H = (TILE_H - 1) * STRIDE_Y + TAPS_Y;
const uint SEEN_W = (TILE_W - 1) * STRIDE_X + TAPS_X;
const uint SEEN = SEEN_H * SEEN_W;                   // pixels that the windows of a tile see
const uint TAPS = TAPS_Y * TAPS_X;
const uint FOURS = (TAPS + 3) / 4;                   // of taps
// Rows have an odd number of words: neighbouring pixels lie on different banks.
const uint X_ROW = DEPTH | 1;
const uint X_SIZE = EXPAND ? SEEN * X_ROW : 1;
const uint ROW = QUADS | 1;
const uint SEEN_STRIPS = (SEEN + SEEN_ROWS - 1) / SEEN_ROWS;
const uint Y_STRIPS = PIXELS / Y_ROWS;
const uint Y_ITEMS = Y_STRIPS * Y_QUADS;
const uint Y_ROUNDS = (Y_ITEMS + WG_X - 1) / WG_X;
const uint SUMS = Y_ROUNDS * Y_ROWS;

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 1) readonly buffer W1 { ivec4 w1[]; };
layout(std430, set = 0, binding = 2) readonly buffer D { ivec4 d[]; };
layout(std430, set = 0, binding = 3) readonly buffer W2 { ivec4 w2[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Y { uint y[]; };
// Of the result that is being requantised.
int y_zero_point, least, most;
#define REQUANTIZE_BINDING 5
#define FOLLOWER_BINDING 6
#include "lib/requantize.glsl"
#include "lib/followers.glsl"
#define LAST_BINDING 7
#define LAST_TYPE ivec4
#include "lib/last.glsl"

shared uint seen[X_SIZE];
shared uint between[SEEN * ROW];
shared uint act[PIXELS * ROW];

ivec4 sums[SUMS];

void aim_at(uint target) {
    y_zero_point = bitfieldExtract(int(target), 0, 8);
    least = bitfieldExtract(int(target), 8, 8);
    most = bitfieldExtract(int(target), 16, 8);
}

// The pixel of x that pixel p of those seen is, counted from the first picture's first one, if it is one.
bool find_x(uint p, uint picture, ivec2 corner, out uint pixel) {
    uvec2 at = uvec2(corner + ivec2(p / SEEN_W, p % SEEN_W));
    bool inside = at.x < x_size.x && at.y < x_size.y;
    pixel = inside ? (picture * x_size.x + at.x) * x_size.y + at.y : 0;
    return inside;
}

// Word i of x.
uint load_x(uint i) {
    if (!WIDENED) return x[i];
    ivec4 v;
    [[unroll]] for (uint n = 0; n < 4; ++n) v[n] = int(x[4 * i + n]);
    return packed(v);
}

void add_products(inout ivec4 sum, uint v, ivec4 w) {
    [[unroll]] for (int i = 0; i < 4; ++i) sum[i] += packed_dot(v, uint(w[i]));
}

// All channels of x that the tile sees, to shared memory.
void load(uint picture, ivec2 corner) {
    for (uint item = gl_LocalInvocationID.x; item < SEEN * DEPTH; item += WG_X) {
        uint p = item / DEPTH, k = item % DEPTH, pixel;
        bool inside = find_x(p, picture, corner, pixel);
        uint word = load_x(pixel * DEPTH + k);
        seen[p * X_ROW + k] = inside ? word : 0;
    }
}

// The slice's channels of the depthwise convolution's operand.
void expand(uint slice, uint picture, ivec2 corner) {
    aim_at(expanded);
    for (uint item = gl_LocalInvocationID.x; item < SEEN_STRIPS * QUADS; item += WG_X) {
        uint q = item % QUADS, first = item / QUADS, quad = slice * QUADS + q;
        ivec4 sum[SEEN_ROWS];
        uint at[SEEN_ROWS];
        [[unroll]] for (uint m = 0; m < SEEN_ROWS; ++m) {
            sum[m] = ivec4(0);
            at[m] = min(first + m * SEEN_STRIPS, SEEN - 1) * X_ROW;
        }
        for (uint k = 0; k < DEPTH; ++k) {
            ivec4 w = w1[k * middle + quad];
            [[unroll]] for (uint m = 0; m < SEEN_ROWS; ++m) add_products(sum[m], seen[at[m] + k], w);
        }
        uint scales_at = DEPTH * middle + 3 * quad;
        ivec4 start = w1[scales_at];
        Scaling by = Scaling(w1[scales_at + 1], w1[scales_at + 2]);
        [[unroll]] for (uint m = 0; m < SEEN_ROWS; ++m) {
            uint p = first + m * SEEN_STRIPS, pixel;
            if (p >= SEEN) break;
            uint word = packed(requantized(start + sum[m], by));
            between[p * ROW + q] = find_x(p, picture, corner, pixel) ? word : outside;
        }
    }
}

// The same without an expansion.
void copy(uint slice, uint picture, ivec2 corner) {
    for (uint item = gl_LocalInvocationID.x; item < SEEN * QUADS; item += WG_X) {
        uint p = item / QUADS, q = item % QUADS, pixel;
        bool inside = find_x(p, picture, corner, pixel);
        uint word = load_x(pixel * depth + min(slice * QUADS + q, depth - 1));
        between[p * ROW + q] = inside ? word : outside;
    }
}

// The depthwise convolution of the slice.
void convolve(uint slice) {
    aim_at(convolved);
    for (uint item = gl_LocalInvocationID.x; item < PIXELS * QUADS; item += WG_X) {
        uint i = item / QUADS, q = item % QUADS, quad = slice * QUADS + q;
        uint first = (i / TILE_W * STRIDE_Y * SEEN_W + i % TILE_W * STRIDE_X) * ROW + q;
        uint scales_at = FOURS * middle + 3 * quad;
        ivec4 sum = d[scales_at];
        [[unroll]] for (uint f = 0; f < FOURS; ++f) {
            uvec4 v;
            [[unroll]] for (uint n = 0; n < 4; ++n) {
                // What stands for a fifth tap has a weight of zero.
                uint tap = min(4 * f + n, TAPS - 1);
                v[n] = between[first + (tap / TAPS_X * SEEN_W + tap % TAPS_X) * ROW];
            }
            v = packed_transpose(v);
            ivec4 w = d[f * middle + quad];
            [[unroll]] for (int n = 0; n < 4; ++n) sum[n] += packed_dot(v[n], uint(w[n]));
        }
        act[i * ROW + q] = packed(requantized(sum, Scaling(d[scales_at + 1], d[scales_at + 2])));
    }
}

// Strip of pixels and quad of channels of y that the invocation computes in a round. What does not exist is computed
// too, in place of the last one.
uvec2 item_of(uint round) {
    uint item = min(round * WG_X + gl_LocalInvocationID.x, Y_ITEMS - 1);
    return uvec2(item / Y_QUADS, gl_WorkGroupID.y * Y_QUADS + item % Y_QUADS);
}

// Adds the slice's products.
void project(uint slice) {
    uint row = channels / 4;
    [[unroll]] for (uint j = 0; j < Y_ROUNDS; ++j) {
        uvec2 own = item_of(j);
        uint w_at = slice * QUADS * row + min(own.y, row - 1);
        for (uint k = 0; k < QUADS; ++k) {
            ivec4 w = w2[w_at + k * row];
            [[unroll]] for (uint m = 0; m < Y_ROWS; ++m)
                add_products(sums[j * Y_ROWS + m], act[(own.x + m * Y_STRIPS) * ROW + k], w);
        }
    }
}

// Stores what a sum becomes.
void finish(ivec4 sum, uint i, uint quad, uint picture, uvec2 tile) {
    uvec2 p = tile + uvec2(i / TILE_W, i % TILE_W);
    if (p.x >= y_size.x || p.y >= y_size.y) return;
    uint row = (picture * y_size.x + p.x) * y_size.y + p.y, c = 4 * quad;
    ivec4 v = followed(requantized(sums_of(quad) + sum, scaling_of(quad)), row, c, channels, channels, true);
    if (WIDENED) {
        [[unroll]] for (uint n = 0; n < 4; ++n) y[row * channels + c + n] = uint(v[n]);
    } else {
        y[(row * channels + c) / 4] = packed(v);
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint line = divide(gl_WorkGroupID.x, by_tiles_x), picture = divide(line, by_tiles_y);
    uvec2 tile = uvec2(line - picture * tiles_y, gl_WorkGroupID.x - line * tiles_x) * uvec2(TILE_H, TILE_W);
    ivec2 corner = ivec2(tile * uvec2(STRIDE_Y, STRIDE_X)) + origin;
    uint from = gl_WorkGroupID.z * part, to = min(from + part, slices), part_count = gl_NumWorkGroups.z;

    [[unroll]] for (uint i = 0; i < SUMS; ++i) sums[i] = ivec4(0);
    if (EXPAND) {
        load(picture, corner);
        barrier();
    }
    [[dont_unroll]] for (uint slice = from; slice < to; ++slice) {
        if (EXPAND) expand(slice, picture, corner);
        else copy(slice, picture, corner);
        barrier();
        convolve(slice);
        barrier();
        project(slice);
    }

    if (SHARED) {
        uint block = gl_WorkGroupID.x * gl_NumWorkGroups.y + gl_WorkGroupID.y;
        uint left = block * part_count * SUMS * WG_X + lane;
        [[unroll]] for (uint i = 0; i < SUMS; ++i) parts[left + (gl_WorkGroupID.z * SUMS + i) * WG_X] = sums[i];
        if (!is_last(block, part_count)) return;
        [[unroll]] for (uint i = 0; i < SUMS; ++i) sums[i] = ivec4(0);
        [[dont_unroll]] for (uint p = 0; p < part_count; ++p) {
            [[unroll]] for (uint i = 0; i < SUMS; ++i) sums[i] += parts[left + (p * SUMS + i) * WG_X];
        }
    }
    aim_at(projected);
    // What follows is long: its loops stay loops, and index a copy, so that sums stay in registers.
    ivec4 ready[SUMS];
    [[unroll]] for (uint i = 0; i < SUMS; ++i) ready[i] = sums[i];
    [[dont_unroll]] for (uint i = 0; i < SUMS; ++i) {
        uint round = i / Y_ROWS;
        uvec2 own = item_of(round);
        if (round * WG_X + lane >= Y_ITEMS || 4 * own.y >= channels) continue;
        finish(ready[i], own.x + i % Y_ROWS * Y_STRIPS, own.y, picture, tile);
    }
}
