#version 450
// y = epilogue(convolution of x with w) on cooperative matrices of 16×16×16, fp16 × fp16 → fp32.
//
// A workgroup computes BM pixels by BN channels. Its subgroups stand in a grid of SM × SN tiles, and
// SK of them share a tile by splitting the depth: little work fills a large machine that way.
// w holds one row of w_quads vectors per tap and input channel, padded to whole blocks with zeros.
//! variant TILE = wide | deep
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#pragma use_vulkan_memory_model
#define STORE_F16
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

#ifdef TILE_DEEP
const uint SM = 1, SN = 2, SK = 4;  // subgroups along pixels, channels, depth
const uint FM = 1, FN = 1, FK = 2;  // fragments per subgroup and step
#else
const uint SM = 2, SN = 2, SK = 1;
const uint FM = 2, FN = 2, FK = 2;
#endif
const uint SIDE = 16;
const uint SUBGROUP = 32;
const uint THREADS = SM * SN * SK * SUBGROUP;
const uint BM = SM * FM * SIDE;
const uint BN = SN * FN * SIDE;
const uint DEPTH = FK * SIDE;       // of one subgroup's step
const uint BK = SK * DEPTH;
// Rows in shared memory are four halves longer than needed twice over: no two land on the same banks.
const uint A_ROW = BK / 4 + 2;
const uint B_ROW = BN / 4 + 2;
const uint C_ROW = BN + 4;
const uint A_SIZE = BM * A_ROW;
const uint B_SIZE = BK * B_ROW;
const uint A_LOADS = BM * BK / 4 / THREADS;
const uint B_LOADS = BK * BN / 4 / THREADS;

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // input channels
    uint products;         // taps × input channels
    uint w_quads;          // vectors per row of w
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uint taps_wide;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 14) const bool VEC_Y = true;

READS(0, X, x)
READS(1, W, w)
WRITES(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"

shared f16vec4 a_tile[2 * A_SIZE];
shared f16vec4 b_tile[2 * B_SIZE];
shared float c_tile[SK * BM * C_ROW];

// Four input channels of the pixel behind row `row` of y, from element k of the window on.
f16vec4 load_x(uint row, uint k) {
    if (k >= products) return f16vec4(0);
    row = min(row, rows - 1);
    if (POINTWISE) return x4[(row * depth + k) / 4];
    uint tap = k / depth;
    uvec2 step = uvec2(tap / taps_wide, tap % taps_wide) * dilation;
    uint line = row / y_size.y;
    uvec2 pixel = uvec2(line % y_size.x, row % y_size.y);
    uvec2 at = uvec2(ivec2(pixel * stride + step) + origin);
    if (at.x >= x_size.x || at.y >= x_size.y) return f16vec4(0);
    return x4[(((line / y_size.x * x_size.x + at.x) * x_size.y + at.y) * depth + k - tap * depth) / 4];
}

f16vec4 a_next[A_LOADS];
f16vec4 b_next[B_LOADS];

void fetch(uint first_row, uint first_quad, uint k) {
    uint lane = gl_LocalInvocationID.x;
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint item = i * THREADS + lane;
        a_next[i] = load_x(first_row + item / (BK / 4), k + item % (BK / 4) * 4);
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
        uint item = i * THREADS + lane;
        b_next[i] = w4[(k + item / (BN / 4)) * w_quads + first_quad + item % (BN / 4)];
    }
}

void place(uint half_of) {
    uint lane = gl_LocalInvocationID.x;
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint item = i * THREADS + lane;
        a_tile[half_of * A_SIZE + item / (BK / 4) * A_ROW + item % (BK / 4)] = a_next[i];
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
        uint item = i * THREADS + lane;
        b_tile[half_of * B_SIZE + item / (BN / 4) * B_ROW + item % (BN / 4)] = b_next[i];
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint subgroup = lane / SUBGROUP;
    uint sk = subgroup / (SM * SN), sm = subgroup / SN % SM, sn = subgroup % SN;
    uint first_row = (gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * BM;
    uint first_channel = gl_WorkGroupID.x * BN;
    if (first_row >= rows) return;

    coopmat<float, gl_ScopeSubgroup, SIDE, SIDE, gl_MatrixUseAccumulator> sums[FM * FN];
    [[unroll]] for (uint i = 0; i < FM * FN; ++i)
        sums[i] = coopmat<float, gl_ScopeSubgroup, SIDE, SIDE, gl_MatrixUseAccumulator>(0.0);

    fetch(first_row, first_channel / 4, 0);
    uint now = 0;
    for (uint k = 0; k < products; k += BK) {
        place(now);
        barrier();
        if (k + BK < products) fetch(first_row, first_channel / 4, k + BK);
        [[unroll]] for (uint f = 0; f < FK; ++f) {
            coopmat<float16_t, gl_ScopeSubgroup, SIDE, SIDE, gl_MatrixUseA> a[FM];
            [[unroll]] for (uint m = 0; m < FM; ++m)
                coopMatLoad(a[m], a_tile, now * A_SIZE + (sm * FM + m) * SIDE * A_ROW + (sk * FK + f) * SIDE / 4,
                            A_ROW, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint n = 0; n < FN; ++n) {
                coopmat<float16_t, gl_ScopeSubgroup, SIDE, SIDE, gl_MatrixUseB> b;
                coopMatLoad(b, b_tile, now * B_SIZE + (sk * FK + f) * SIDE * B_ROW + (sn * FN + n) * SIDE / 4,
                            B_ROW, gl_CooperativeMatrixLayoutRowMajor);
                [[unroll]] for (uint m = 0; m < FM; ++m)
                    sums[m * FN + n] = coopMatMulAdd(a[m], b, sums[m * FN + n]);
            }
        }
        // The other half is written next: one barrier a step is enough.
        now ^= 1;
    }
    [[unroll]] for (uint m = 0; m < FM; ++m)
        [[unroll]] for (uint n = 0; n < FN; ++n)
            coopMatStore(sums[m * FN + n], c_tile,
                         (sk * BM + (sm * FM + m) * SIDE) * C_ROW + (sn * FN + n) * SIDE, C_ROW,
                         gl_CooperativeMatrixLayoutRowMajor);
    barrier();
    for (uint item = lane; item < BM * BN / 4; item += THREADS) {
        uint m = item / (BN / 4), n = item % (BN / 4) * 4;
        uint row = first_row + m, c = first_channel + n;
        if (row >= rows || c >= channels) continue;
        vec4 v = vec4(0);
        [[unroll]] for (uint s = 0; s < SK; ++s) {
            uint at = (s * BM + m) * C_ROW + n;
            v += vec4(c_tile[at], c_tile[at + 1], c_tile[at + 2], c_tile[at + 3]);
        }
        if (VEC_Y) {
            y4[(row * channels + c) / 4] = S4(epilogue(v, row, c));
        } else {
            for (uint i = 0; i < min(4, channels - c); ++i)
                y[row * channels + c + i] = S1(epilogue(v[i], row, c + i));
        }
    }
}
