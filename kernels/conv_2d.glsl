#version 450
// y = epilogue(convolution of x with w): each invocation computes TM neighbouring pixels of a line by TN
// quads of channels. A matrix product is the case of one tap (POINTWISE): all its rows are one line.
//
// w holds one row of `quads` vectors per tap and input channel; a group's channels fill whole blocks.
// A workgroup covers `columns` blocks of channels by as many strips of pixels as fit. Where the depth is
// large (SPLIT), several workgroups may take a part of it each, and the last one joins the sums.
//! variant STORE = f32 | f16
//! variant TM = 4 | 8
//! variant TN = 2 | 1
//! variant SUM = f32 | f16
//! skip STORE=f32 SUM=f16
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TM
#define TM 4
#define TN 2
#endif
#ifdef SUM_F16
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint width;            // rows per line
    uint strips;           // per line; the last of TM rows overlaps the one before
    uint strip_rows;       // TM, or 1 on lines shorter than that
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // input channels that one output channel sums over
    uint x_channels;
    uint products;         // depth times taps
    uint part;             // input channels of a workgroup
    uint part_count;       // workgroups that share a tile
    uint quads;            // vectors per row of w
    uint blocks;           // of TN quads
    uint columns;          // blocks per workgroup
    uint group_blocks;     // blocks per group
    uint group_channels;   // channels of y per group
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 11) const bool BORDER = true;
layout(constant_id = 12) const bool GROUPED = false;
layout(constant_id = 13) const bool VEC_X = true;
layout(constant_id = 14) const bool VEC_Y = true;
// With 16-bit sums: eight elements are read at once, and the weights of a block lie one after the other.
layout(constant_id = 15) const bool WIDE = false;
layout(constant_id = 16) const bool SPLIT = false;

READS(0, X, x)
READS(1, W, w)
#ifdef SUM_F16
layout(std430, set = 0, binding = 0) readonly buffer X8 { uvec4 x8[]; };
layout(std430, set = 0, binding = 1) readonly buffer W8 { uvec4 w8[]; };
#endif
WRITES_EITHER(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_START
#include "lib/epilogue.glsl"
#include "lib/tile.glsl"
#define LAST_BINDING 6
#include "lib/last.glsl"

// Elements of x, and rows of weights, as what is read at once.
#define SCALE(elements) (WIDE ? (elements) >> 3 : VEC_X ? (elements) >> 2 : (elements))
#define W_ROWS(count) (WIDE ? (count) * TN / 2 : (count) * quads)

// Adds the products of `count` input channels, the first at `channel`, under every tap.
void add_taps(uint count, uint channel, uint w, uint line, uint start) {
    // On a line shorter than TM the rows of a tile are all the same.
    int step = strip_rows == 1 ? 0 : POINTWISE ? 1 : int(stride.y);
    uint pitch = SCALE(step * x_channels);
    if (POINTWISE) {
        tile_add_line(count, w, quads, SCALE(start * x_channels + channel), pitch);
        return;
    }
    int image = int(line / y_size.x * x_size.x);
    ivec2 corner = ivec2(line % y_size.x, start) * ivec2(stride) + origin;
    for (uint ky = 0; ky < taps.x; ++ky) {
        int row = corner.x + int(ky * dilation.x);
        if (BORDER && uint(row) >= x_size.x) {
            w += W_ROWS(taps.y * depth);
            continue;
        }
        for (uint kx = 0; kx < taps.y; ++kx) {
            int column = corner.y + int(kx * dilation.y);
            uint at = uint((image + row) * int(x_size.y) + column) * x_channels + channel;
            if (BORDER && (column < 0 || column + (TM - 1) * step >= int(x_size.y))) {
                [[unroll]] for (int m = 0; m < TM; ++m) {
                    bool inside = uint(column + m * step) < x_size.y;
                    tile_at[m] = inside ? SCALE(at + m * step * x_channels) : OUTSIDE;
                }
                w = tile_add(count, w, quads);
            } else {
                w = tile_add_line(count, w, quads, SCALE(at), pitch);
            }
            if (SPLIT) w += W_ROWS(depth - count);
        }
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint tall = WG_X / columns;
    uint column = SPLIT ? gl_WorkGroupID.x / part_count : gl_WorkGroupID.x;
    uint p = SPLIT ? gl_WorkGroupID.x % part_count : 0;
    uint block = column * columns + lane % columns;
    uint tall_group = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
    uint strip = tall_group * tall + lane / columns;
    uint line = POINTWISE ? 0 : strip / strips;
    uint start = min((strip - line * strips) * strip_rows, width - strip_rows);
    uint first = line * width + start;
    bool idle = lane >= tall * columns || block >= blocks || strip >= strips && POINTWISE || first >= rows;
    if (idle && !SPLIT) return;

    uint group = GROUPED ? block / group_blocks : 0;
    uint c = group * group_channels + (block - group * group_blocks) * TN * 4;
    uint c_end = (group + 1) * group_channels;
    if (!idle) {
        if (p == 0) {
            tile_start(c, c_end);
        } else {
            [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] = vec4(0);
        }
        uint w = WIDE ? block * products * TN / 2 : block * TN;
        if (SPLIT) {
            add_taps(min(part, depth - p * part), group * depth + p * part, w + W_ROWS(p * part), line, start);
        } else {
            add_taps(depth, group * depth, w, line, start);
        }
    }
    if (SPLIT && part_count > 1) {
        uint counter = tall_group * (gl_NumWorkGroups.x / part_count) + column;
        uint at = counter * part_count * TM * TN * WG_X + lane;
        if (!idle) {
            [[unroll]] for (int i = 0; i < TM * TN; ++i) parts[at + (p * TM * TN + i) * WG_X] = tile[i];
        }
        if (!is_last(counter, part_count)) return;
        [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] = vec4(0);
        for (uint q = 0; q < part_count; ++q) {
            [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] += parts[at + (q * TM * TN + i) * WG_X];
        }
    }
    if (idle) return;

    // The epilogue is long: its loop is unrolled only when the module is specialised.
    vec4 result[TM * TN];
    [[unroll]] for (int i = 0; i < TM * TN; ++i) result[i] = tile[i];
    [[dont_unroll]] for (uint i = 0; i < TM * TN; ++i) {
        uint m = i / TN;
        if (m < strip_rows) store_quad(result[i], first + m, c + i % TN * 4, c_end);
    }
}
