#version 450
// y = epilogue(convolution of x with w): each invocation computes TM neighbouring pixels by TN quads
// of channels. A matrix product is the case of one tap (POINTWISE).
//
// w holds one row of `quads` vectors per tap and input channel; a group's channels fill whole blocks.
// A workgroup covers `columns` blocks of channels by as many blocks of pixels as fit.
//! variant STORE = f32 | f16
//! variant TM = 4 | 8
//! variant TN = 2 | 1
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TM
#define TM 4
#define TN 2
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // input channels that one output channel sums over
    uint x_channels;
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

READS(0, X, x)
READS(1, W, w)
WRITES(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_START
#include "lib/epilogue.glsl"
#include "lib/tile.glsl"

int at[TM];         // of the first tap of each pixel, in pixels of x
ivec2 corner[TM];   // its row and column

// Finds where the windows of TM pixels start, the first of them at row `first` of y.
void place(uint first) {
    ivec3 pixel = ivec3(first / y_size.y, first % y_size.y, 0);
    pixel.z = pixel.x / int(y_size.x);
    pixel.x %= int(y_size.x);
    [[unroll]] for (int m = 0; m < TM; ++m) {
        corner[m] = pixel.xy * ivec2(stride) + origin;
        at[m] = (pixel.z * int(x_size.x) + corner[m].x) * int(x_size.y) + corner[m].y;
        // Beyond the last row of y the last one is computed again.
        if (first + m + 1 < rows && ++pixel.y == y_size.y) {
            pixel.y = 0;
            if (++pixel.x == y_size.x) {
                pixel.x = 0;
                ++pixel.z;
            }
        }
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint tall = WG_X / columns;
    uint block = gl_WorkGroupID.x * columns + lane % columns;
    uint first = ((gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * tall + lane / columns) * TM;
    if (lane >= tall * columns || block >= blocks || first >= rows) return;

    uint group = GROUPED ? block / group_blocks : 0;
    uint channel = group * depth;
    uint w = block * TN;
    uint c = group * group_channels + (block - group * group_blocks) * TN * 4;
    uint c_end = (group + 1) * group_channels;
    tile_start(c, c_end);
    if (!POINTWISE) place(first);
    for (uint ky = 0; ky < (POINTWISE ? 1 : taps.x); ++ky) {
        for (uint kx = 0; kx < (POINTWISE ? 1 : taps.y); ++kx) {
            ivec2 tap = ivec2(uvec2(ky, kx) * dilation);
            [[unroll]] for (int m = 0; m < TM; ++m) {
                uint start = min(first + m, rows - 1);
                if (!POINTWISE) {
                    uvec2 p = uvec2(corner[m] + tap);
                    tile_inside[m] = p.x < x_size.x && p.y < x_size.y;
                    start = BORDER && !tile_inside[m] ? 0 : uint(at[m] + tap.x * int(x_size.y) + tap.y);
                }
                start = start * x_channels + channel;
                tile_at[m] = VEC_X ? start >> 2 : start;
            }
            w = tile_add(depth, w, quads);
        }
    }

    // The epilogue is long: its loop is unrolled only when the module is specialised.
    vec4 result[TM * TN];
    [[unroll]] for (int i = 0; i < TM * TN; ++i) result[i] = tile[i];
    [[dont_unroll]] for (uint i = 0; i < TM * TN; ++i) {
        uint row = first + i / TN;
        if (row < rows) store_quad(result[i], row, c + i % TN * 4, c_end);
    }
}
