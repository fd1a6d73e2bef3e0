#version 450
// y[p] = x[p] w[p] for many products p of matrices, on drivers that make every load a loop over the lanes of a
// SIMD register: four neighbouring invocations, a quad, compute TM neighbouring rows each, in the same TN
// quads of channels. Each loads a fourth of the weights, and the others' come by swaps.
//
// w holds, per product, four elements of the depth and block of channels, TN times four vectors of four
// elements' weights, one vector per channel.
//! variant TN = 1 | 2 | 3 | 4
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TN
#define TN 4
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"
#include "lib/quad.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint quads;            // vectors per row of x
    uint channels;         // of y, a multiple of four
    uint blocks;           // of TN quads
    uint row_blocks;       // of 4 * TM rows
    uint row_groups;       // workgroups per row of the grid
    uint items;
};

READS(0, X, x)
READS(1, W, w)
WRITES(2, Y, y)

const int TM = 4;

// Element r of [m * TN + n] belongs to the channel that differs by r from the invocation's place.
float sum[TM * TN * 4];

void main() {
    uint lane = gl_SubgroupInvocationID & 3u;
    uint item = ((gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x) * WG_X + gl_LocalInvocationID.x) >> 2;
    if (item >= items) return;
    uint block = item % blocks, rest = item / blocks;
    uint product = rest / row_blocks;
    uint first = ((rest - product * row_blocks) * 4 + lane) * TM;

    [[unroll]] for (int i = 0; i < TM * TN * 4; ++i) sum[i] = 0;
    uint at[TM];
    [[unroll]] for (int m = 0; m < TM; ++m) at[m] = (product * rows + min(first + m, rows - 1)) * quads;
    uint pitch = blocks * TN * 4;
    uint w_at = product * quads * pitch + block * TN * 4 + lane;
    for (uint k = 0; k < quads; ++k) {
        vec4 v[TM];
        [[unroll]] for (int m = 0; m < TM; ++m) v[m] = vec4(x4[at[m] + k]);
        [[unroll]] for (int n = 0; n < TN; ++n) {
            vec4 own = vec4(w4[w_at + 4 * n]);
            [[unroll]] for (int r = 0; r < 4; ++r) {
                vec4 q = SWAPPED(own, r);
                [[unroll]] for (int m = 0; m < TM; ++m) {
                    float s = sum[(m * TN + n) * 4 + r];
                    s = s + v[m].x * q.x + v[m].y * q.y + v[m].z * q.z + v[m].w * q.w;
                    sum[(m * TN + n) * 4 + r] = s;
                }
            }
        }
        w_at += pitch;
    }

    bool odd = (lane & 1u) != 0, high_half = (lane & 2u) != 0;
    uint c = block * TN * 4;
    [[unroll]] for (int i = 0; i < TM * TN; ++i) {
        vec4 v = vec4(sum[4 * i], sum[4 * i + 1], sum[4 * i + 2], sum[4 * i + 3]);
        v = mix(v, v.yxwz, bvec4(odd));
        v = mix(v, v.zwxy, bvec4(high_half));
        uint row = first + i / TN, channel = c + i % TN * 4;
        if (row < rows && channel < channels) y4[((product * rows + row) * channels + channel) >> 2] = S4(v);
    }
}
