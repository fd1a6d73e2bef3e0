#version 450
// y = epilogue(transposed convolution of x with w): each pixel of y sums the taps that reach it.
// Pixels of one phase (their place modulo the stride) are reached by the same taps; an invocation
// computes TM of them by TN quads of channels.
//
// w holds one row of `quads` vectors per tap and input channel. A workgroup covers `columns` blocks
// of channels by as many blocks of pixels as fit; gl_WorkGroupID.z is the phase.
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
    uint rows;             // per phase: batch × height × width, rounded up to whole strides
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // channels of x
    uint quads;            // vectors per row of w
    uint blocks;           // of TN quads
    uint columns;          // blocks per workgroup
    uvec2 phase_size;      // pairs are height, width
    uvec2 x_size;
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 padding;         // taps that lie before y's first pixel
};
layout(constant_id = 10) const bool VEC_X = true;
layout(constant_id = 11) const bool VEC_Y = true;
const bool BORDER = true;

READS(0, X, x)
READS(1, W, w)
WRITES(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_START
#include "lib/epilogue.glsl"
#include "lib/tile.glsl"

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint tall = WG_X / columns;
    uint block = gl_WorkGroupID.x * columns + lane % columns;
    uint first = (gl_WorkGroupID.y * tall + lane / columns) * TM;
    if (lane >= tall * columns || block >= blocks || first >= rows) return;

    uvec2 phase = uvec2(gl_WorkGroupID.z / stride.y, gl_WorkGroupID.z % stride.y);
    uvec2 tap0 = (phase + padding) % stride;
    ivec2 x0 = ivec2((phase + padding) / stride);
    uvec3 pixel[TM];   // image, row and column within the phase
    [[unroll]] for (int m = 0; m < TM; ++m) {
        uint row = min(first + m, rows - 1);
        uint line = row / phase_size.y;
        pixel[m] = uvec3(line / phase_size.x, line % phase_size.x, row % phase_size.y);
    }

    uint c = block * TN * 4;
    tile_start(c, channels);
    uvec2 step = uvec2(0);
    for (uint ky = tap0.x; ky < taps.x; ky += stride.x) {
        step.y = 0;
        for (uint kx = tap0.y; kx < taps.y; kx += stride.y) {
            [[unroll]] for (int m = 0; m < TM; ++m) {
                uvec2 p = uvec2(x0 + ivec2(pixel[m].yz) - ivec2(step));
                uint at = ((pixel[m].x * x_size.x + p.x) * x_size.y + p.y) * depth;
                tile_at[m] = p.x >= x_size.x || p.y >= x_size.y ? OUTSIDE : VEC_X ? at >> 2 : at;
            }
            tile_add(depth, (ky * taps.y + kx) * depth * quads + block * TN, quads);
            ++step.y;
        }
        ++step.x;
    }

    // The epilogue is long: its loop is unrolled only when the module is specialised.
    vec4 result[TM * TN];
    uint rows_of_y[TM];
    [[unroll]] for (int i = 0; i < TM * TN; ++i) result[i] = tile[i];
    [[unroll]] for (int m = 0; m < TM; ++m) {
        uvec2 p = pixel[m].yz * stride + phase;
        bool inside = first + m < rows && p.x < y_size.x && p.y < y_size.y;
        rows_of_y[m] = inside ? (pixel[m].x * y_size.x + p.x) * y_size.y + p.y : ~0u;
    }
    [[dont_unroll]] for (uint i = 0; i < TM * TN; ++i) {
        uint row = rows_of_y[i / TN];
        if (row != ~0u) store_quad(result[i], row, c + i % TN * 4, channels);
    }
}
