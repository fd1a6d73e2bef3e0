#version 450
// y = epilogue(transposed convolution of x with w): each pixel of y sums the taps that reach it.
// Pixels of one phase (their place modulo the stride) are reached by the same taps; an invocation
// computes TM of them, neighbours in a line, by TN quads of channels.
//
// w holds one row of `quads` vectors per tap and input channel. A workgroup covers `columns` blocks
// of channels by as many strips of pixels as fit; gl_WorkGroupID.z is the phase.
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
    uint lines;            // per phase: batch × height, rounded up to whole strides
    uint strips;           // per line; the last of TM rows overlaps the one before
    uint strip_rows;       // TM, or 1 on lines shorter than that
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

READS(0, X, x)
READS(1, W, w)
WRITES_EITHER(2, Y, y)
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
    uint strip = gl_WorkGroupID.y * tall + lane / columns;
    uint line = strip / strips;
    uint start = min((strip - line * strips) * strip_rows, phase_size.y - strip_rows);
    if (lane >= tall * columns || block >= blocks || line >= lines) return;

    uvec2 phase = uvec2(gl_WorkGroupID.z / stride.y, gl_WorkGroupID.z % stride.y);
    uvec2 tap0 = (phase + padding) % stride;
    ivec2 x0 = ivec2((phase + padding) / stride);
    uint image = line / phase_size.x;
    uint in_phase = line - image * phase_size.x;
    // On a line shorter than TM the rows of a tile are all the same.
    int step = strip_rows == 1 ? 0 : 1;
    uint pitch = VEC_X ? (step * depth) >> 2 : step * depth;

    uint c = block * TN * 4;
    tile_start(c, channels);
    int row = x0.x + int(in_phase);
    for (uint ky = tap0.x; ky < taps.x; ky += stride.x, --row) {
        if (uint(row) >= x_size.x) continue;
        int column = x0.y + int(start);
        for (uint kx = tap0.y; kx < taps.y; kx += stride.y, --column) {
            uint at = uint(int((image * x_size.x + row) * x_size.y) + column) * depth;
            uint w = (ky * taps.y + kx) * depth * quads + block * TN;
            if (column < 0 || column + (TM - 1) * step >= int(x_size.y)) {
                [[unroll]] for (int m = 0; m < TM; ++m) {
                    uint p = at + m * step * depth;
                    tile_at[m] = uint(column + m * step) >= x_size.y ? OUTSIDE : VEC_X ? p >> 2 : p;
                }
                tile_add(depth, w, quads);
            } else {
                tile_add_line(depth, w, quads, VEC_X ? at >> 2 : at, pitch);
            }
        }
    }

    // The epilogue is long: its loop is unrolled only when the module is specialised.
    vec4 result[TM * TN];
    [[unroll]] for (int i = 0; i < TM * TN; ++i) result[i] = tile[i];
    uvec2 p = uvec2(in_phase, start) * stride + phase;
    if (p.x >= y_size.x) return;
    [[dont_unroll]] for (uint i = 0; i < TM * TN; ++i) {
        uint m = i / TN;
        uint column = p.y + m * stride.y;
        if (m >= strip_rows || column >= y_size.y) continue;
        store_quad(result[i], (image * y_size.x + p.x) * y_size.y + column, c + i % TN * 4, channels);
    }
}
