#version 450
// y = epilogue(project(clamp(depthwise(clamp(expand(x))))), an inverted residual whose wide middle never
// reaches memory: two pointwise convolutions with a depthwise one between them, on cooperative matrices of
// MM × MN × MK, fp16 × fp16 → fp32.
//
// A workgroup computes TILE_H × TILE_W pixels of y. It expands what their windows see, WIDTH channels at a
// time, convolves these, and multiplies them into its sums; several workgroups share a tile by taking
// different channels of the middle. w1 and w2 hold whole matrices, those of one block of channels behind
// each other along the depth, each with its columns in a row.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#pragma use_vulkan_memory_model
#define STORE_F16
#include "lib/types.glsl"
#include "lib/workgroup.glsl"
#include "lib/divide.glsl"
#include "lib/matrices.glsl"

layout(push_constant) uniform Push {
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // channels of x, a multiple of eight
    uint middle;           // channels between, a multiple of eight
    uint part;             // of them, for a workgroup; the grid's z counts the parts
    uint w1_depth;         // matrices along the depth
    uint w2_depth;
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    ivec2 origin;          // where the first window starts in x
    uvec2 by_tiles_x;      // divisors: tiles in a row of a picture, and in a column
    uvec2 by_tiles_y;
    uint tiles_x;
    uint tiles_y;
};
layout(constant_id = 10) const uint TILE_H = 4;
layout(constant_id = 11) const uint TILE_W = 4;
layout(constant_id = 12) const uint STRIDE_Y = 1;
layout(constant_id = 13) const uint STRIDE_X = 1;
layout(constant_id = 14) const bool VEC_Y = true;   // channels is a multiple of four
layout(constant_id = 15) const uint TAPS_Y = 3;
layout(constant_id = 16) const uint TAPS_X = 3;
layout(constant_id = 17) const uint WIDTH = 64;     // of the middle at a time
layout(constant_id = 18) const uint BK = 64;        // of x's channels at a time
layout(constant_id = 19) const uint BLOCKS = 4;     // of MN channels of y
layout(constant_id = 24) const uint SUBGROUPS = 8;
layout(constant_id = 30) const float E_LO = 0;
layout(constant_id = 31) const float E_HI = 6;
layout(constant_id = 32) const float D_LO = 0;
layout(constant_id = 33) const float D_HI = 6;

const uint THREADS = SUBGROUPS * SUBGROUP;
const uint PIXELS = TILE_H * TILE_W;                  // a multiple of MM
const uint SEEN_H = (TILE_H - 1) * STRIDE_Y + TAPS_Y;
const uint SEEN_W = (TILE_W - 1) * STRIDE_X + TAPS_X;
const uint SEEN = SEEN_H * SEEN_W;                    // pixels that the windows of a tile see
const uint SEEN_M = (SEEN + MM - 1) / MM;             // matrices of them
// In units of 16 bytes, which every matrix and row of one starts at: eight halves, or four floats. Rows
// are a unit longer than needed: no two land on the same banks.
const uint X_ROW = BK / 8 + 1;
const uint X_SIZE = SEEN_M * MM * X_ROW;
const uint W1_SIZE = WIDTH * X_ROW;
const uint MID_ROW = WIDTH / 8 + 1;
const uint W2_SIZE = BLOCKS * MN * MID_ROW;
const uint MID_SIZE = SEEN_M * MM * MID_ROW;
const uint ACT_SIZE = PIXELS * MID_ROW;
const uint C_ROW = BLOCKS * MN / 4 + 1;
const uint C_SIZE = PIXELS * C_ROW;
// x and w1 make room for what the depthwise convolution leaves, and w2; the middle lies behind both.
const uint MID = X_SIZE + W1_SIZE > ACT_SIZE + W2_SIZE ? X_SIZE + W1_SIZE : ACT_SIZE + W2_SIZE;
const uint W1_BLOCK = BK / MK * W_SIZE;               // of MN channels
const uint W2_BLOCK = WIDTH / MK * W_SIZE;
const uint W2_LOADS = (BLOCKS * W2_BLOCK + THREADS - 1) / THREADS;
const uint EXPANDED = (SEEN_M * (WIDTH / MN) + SUBGROUPS - 1) / SUBGROUPS;   // matrices of a subgroup
const uint PROJECTED = (PIXELS / MM * BLOCKS + SUBGROUPS - 1) / SUBGROUPS;

layout(std430, set = 0, binding = 0) readonly buffer X { uvec4 x8[]; };
layout(std430, set = 0, binding = 1) readonly buffer W1 { uvec4 w1[]; };
layout(std430, set = 0, binding = 2) readonly buffer Bias1 { uvec4 bias1[]; };
layout(std430, set = 0, binding = 3) readonly buffer D { uvec4 d[]; };
layout(std430, set = 0, binding = 4) readonly buffer DBias { uvec4 d_bias[]; };
layout(std430, set = 0, binding = 5) readonly buffer W2 { uvec4 w2[]; };
WRITES(6, Y, y)
#define EPI_BINDING 7
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"
#define LAST_BINDING 10
#include "lib/last.glsl"

shared uvec4 pool[MID + MID_SIZE > C_SIZE ? MID + MID_SIZE : C_SIZE];

// A loop in which the invocations share items 0 to n - 1, with a number of rounds that compilers know.
#define EACH(item, n) \
    [[unroll]] for (uint round = 0, item = gl_LocalInvocationID.x; round < ((n) + THREADS - 1) / THREADS; \
                    ++round, item += THREADS) \
        if ((n) % THREADS == 0 || item < (n))

// What the later phases of a slice need, loaded at its start so that all latencies pass together. An
// invocation has the same eight channels of the middle in each, as WIDTH / 8 divides THREADS.
const bool EARLY = TAPS_Y * TAPS_X <= 9;   // more would not fit into registers
uvec4 bias1_own;
uvec4 d_bias_own;
uvec4 d_own[EARLY ? TAPS_Y * TAPS_X : 1];
uvec4 w2_next[W2_LOADS];

void fetch(uint c) {
    uint own = min(c + gl_LocalInvocationID.x % (WIDTH / 8) * 8, middle - 8);
    bias1_own = bias1[own >> 3];
    d_bias_own = d_bias[own >> 3];
    if (EARLY) {
        [[unroll]] for (uint i = 0; i < TAPS_Y * TAPS_X; ++i) d_own[i] = d[(i * middle + own) >> 3];
    }
    [[unroll]] for (uint i = 0; i < W2_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        w2_next[i] = w2[(min(item / W2_BLOCK, BLOCKS - 1) * w2_depth + c / MK) * W_SIZE + item % W2_BLOCK];
    }
}

// Where unit `item` of weights goes that come as blocks of MN channels: each channel has a row.
uint in_rows(uint item, uint block, uint row) {
    uint unit = item % block;
    return (item / block * MN + unit % W_SIZE / W_ROW) * row + unit / W_SIZE * W_ROW + unit % W_ROW;
}

// Where pixel i of those that a tile sees lies in x, and whether it does.
bool find_x(uint i, ivec2 corner, out uvec2 place) {
    place = uvec2(corner + ivec2(i / SEEN_W, i % SEEN_W));
    return i < SEEN && place.x < x_size.x && place.y < x_size.y;
}

// The expanded pixels' channels from c on, without bias, to the middle.
void expand(uint picture, ivec2 corner, uint c, uint subgroup) {
    MATRIX_C sums[EXPANDED];
    [[unroll]] for (uint i = 0; i < EXPANDED; ++i) sums[i] = MATRIX_C(0.0);
    [[dont_unroll]] for (uint k = 0; k < depth; k += BK) {
        EACH(item, SEEN_M * MM * (BK / 8)) {
            uint i = item / (BK / 8), own = k + item % (BK / 8) * 8;
            uvec2 p;
            uvec4 v = uvec4(0);
            if (find_x(i, corner, p) && own < depth)
                v = x8[(((picture * x_size.x + p.x) * x_size.y + p.y) * depth + own) >> 3];
            pool[i * X_ROW + item % (BK / 8)] = v;
        }
        EACH(item, WIDTH / MN * W1_BLOCK)
            pool[X_SIZE + in_rows(item, W1_BLOCK, X_ROW)] =
                w1[((c / MN + item / W1_BLOCK) * w1_depth + k / MK) * W_SIZE + item % W1_BLOCK];
        barrier();
        [[unroll]] for (uint f = 0; f < BK / MK; ++f) {
            [[unroll]] for (uint i = 0; i < EXPANDED; ++i) {
                uint tile = i * SUBGROUPS + subgroup, m = tile / (WIDTH / MN), n = tile % (WIDTH / MN);
                if (m < SEEN_M) {
                    MATRIX_A a;
                    MATRIX_B b;
                    coopMatLoad(a, pool, m * MM * X_ROW + f * W_ROW, X_ROW, gl_CooperativeMatrixLayoutRowMajor);
                    coopMatLoad(b, pool, X_SIZE + n * MN * X_ROW + f * W_ROW, X_ROW,
                                gl_CooperativeMatrixLayoutColumnMajor);
                    sums[i] = coopMatMulAdd(a, b, sums[i]);
                }
            }
        }
        barrier();
    }
    [[unroll]] for (uint i = 0; i < EXPANDED; ++i) {
        uint tile = i * SUBGROUPS + subgroup, m = tile / (WIDTH / MN), n = tile % (WIDTH / MN);
        if (m < SEEN_M)
            coopMatStore(MATRIX_H(sums[i]), pool, MID + m * MM * MID_ROW + n * MN / 8, MID_ROW,
                         gl_CooperativeMatrixLayoutRowMajor);
    }
}

// Bias and clamp of the expanded pixels, and zeros around the picture.
void activate(ivec2 corner, uint c) {
    EACH(item, SEEN * (WIDTH / 8)) {
        uint i = item / (WIDTH / 8), q = item % (WIDTH / 8), place = MID + i * MID_ROW + q, own = c + q * 8;
        uvec2 p;
        uvec4 v = uvec4(0);
        if (find_x(i, corner, p) && own < middle) {
            uvec4 raw = pool[place];
            v.xy = pack(f16vec4(clamp(unpack(raw.xy) + unpack(bias1_own.xy), E_LO, E_HI)));
            v.zw = pack(f16vec4(clamp(unpack(raw.zw) + unpack(bias1_own.zw), E_LO, E_HI)));
        }
        pool[place] = v;
    }
}

// The depthwise convolution of the middle, to the front of the pool.
void convolve(uint c) {
    EACH(item, PIXELS * (WIDTH / 8)) {
        uint i = item / (WIDTH / 8), q = item % (WIDTH / 8), own = c + q * 8;
        uint first = MID + (i / TILE_W * STRIDE_Y * SEEN_W + i % TILE_W * STRIDE_X) * MID_ROW + q;
        uvec4 v = uvec4(0);
        if (own < middle) {
            vec4 low = unpack(d_bias_own.xy), high = unpack(d_bias_own.zw);
            [[unroll]] for (uint ky = 0; ky < TAPS_Y; ++ky) {
                [[unroll]] for (uint kx = 0; kx < TAPS_X; ++kx) {
                    uint tap = ky * TAPS_X + kx;
                    uvec4 w = EARLY ? d_own[EARLY ? tap : 0] : d[(tap * middle + own) >> 3];
                    uvec4 x = pool[first + (ky * SEEN_W + kx) * MID_ROW];
                    low += unpack(x.xy) * unpack(w.xy);
                    high += unpack(x.zw) * unpack(w.zw);
                }
            }
            v = uvec4(pack(f16vec4(clamp(low, D_LO, D_HI))), pack(f16vec4(clamp(high, D_LO, D_HI))));
        }
        pool[i * MID_ROW + q] = v;
    }
}

// Stores four channels of a row of y, those that exist.
void finish(vec4 v, uint row, uint c) {
    if (VEC_Y) {
        y4[(row * channels + c) >> 2] = S4(epilogue(v, row, c));
    } else {
        for (uint i = 0; i < min(4, channels - c); ++i)
            y[row * channels + c + i] = S1(epilogue(v[i], row, c + i));
    }
}

// The row of y that pixel i of the tile is, if it is one.
bool find_y(uint i, uint picture, uvec2 tile, out uint row) {
    uvec2 p = tile + uvec2(i / TILE_W, i % TILE_W);
    row = (picture * y_size.x + p.x) * y_size.y + p.y;
    return p.x < y_size.x && p.y < y_size.y;
}

void main() {
    uint lane = gl_LocalInvocationID.x, subgroup = lane / SUBGROUP;
    uint line = divide(gl_WorkGroupID.x, by_tiles_x), picture = divide(line, by_tiles_y);
    uvec2 tile = uvec2(line - picture * tiles_y, gl_WorkGroupID.x - line * tiles_x) * uvec2(TILE_H, TILE_W);
    ivec2 corner = ivec2(tile * uvec2(STRIDE_Y, STRIDE_X)) + origin;
    uint from = gl_WorkGroupID.z * part, to = min(from + part, middle);
    uint part_count = gl_NumWorkGroups.z;

    MATRIX_C sums[PROJECTED];
    [[unroll]] for (uint i = 0; i < PROJECTED; ++i) sums[i] = MATRIX_C(0.0);
    [[dont_unroll]] for (uint c = from; c < to; c += WIDTH) {
        fetch(c);
        expand(picture, corner, c, subgroup);
        [[unroll]] for (uint i = 0; i < W2_LOADS; ++i) {
            uint item = i * THREADS + lane;
            if (BLOCKS * W2_BLOCK % THREADS == 0 || item < BLOCKS * W2_BLOCK)
                pool[ACT_SIZE + in_rows(item, W2_BLOCK, MID_ROW)] = w2_next[i];
        }
        barrier();
        activate(corner, c);
        barrier();
        convolve(c);
        barrier();
        [[unroll]] for (uint f = 0; f < WIDTH / MK; ++f) {
            [[unroll]] for (uint i = 0; i < PROJECTED; ++i) {
                uint own = i * SUBGROUPS + subgroup, m = own / BLOCKS, n = own % BLOCKS;
                if (m < PIXELS / MM) {
                    MATRIX_A a;
                    MATRIX_B b;
                    coopMatLoad(a, pool, m * MM * MID_ROW + f * W_ROW, MID_ROW,
                                gl_CooperativeMatrixLayoutRowMajor);
                    coopMatLoad(b, pool, ACT_SIZE + n * MN * MID_ROW + f * W_ROW, MID_ROW,
                                gl_CooperativeMatrixLayoutColumnMajor);
                    sums[i] = coopMatMulAdd(a, b, sums[i]);
                }
            }
        }
        barrier();
    }

    [[unroll]] for (uint i = 0; i < PROJECTED; ++i) {
        uint own = i * SUBGROUPS + subgroup, m = own / BLOCKS, n = own % BLOCKS;
        if (m < PIXELS / MM)
            coopMatStore(sums[i], pool, m * MM * C_ROW + n * MN / 4, C_ROW, gl_CooperativeMatrixLayoutRowMajor);
    }
    barrier();
    const uint ROW = BLOCKS * MN / 4, TILE = PIXELS * ROW;   // quads
    uint left = gl_WorkGroupID.x * part_count * TILE;
    uint row;
    if (part_count == 1) {
        EACH(item, TILE) {
            uint i = item / ROW, c = item % ROW * 4;
            if (find_y(i, picture, tile, row) && c < channels)
                finish(uintBitsToFloat(pool[i * C_ROW + item % ROW]), row, c);
        }
        return;
    }
    EACH(item, TILE)
        parts[left + gl_WorkGroupID.z * TILE + item] = uintBitsToFloat(pool[item / ROW * C_ROW + item % ROW]);
    if (!is_last(gl_WorkGroupID.x, part_count)) return;
    // As many loads at a time as registers hold.
    const uint ROUNDS = (TILE + THREADS - 1) / THREADS, TOGETHER = clamp(24 / ROUNDS, 1, 8);
    vec4 joined[ROUNDS];
    [[unroll]] for (uint i = 0; i < ROUNDS; ++i) joined[i] = vec4(0);
    [[dont_unroll]] for (uint p = 0; p < part_count; p += TOGETHER) {
        [[unroll]] for (uint i = 0; i < ROUNDS; ++i) {
            [[unroll]] for (uint j = 0; j < TOGETHER; ++j) {
                // None in a branch, and no place again and again: such loads wait for each other.
                uint part = p + j < part_count ? p + j : min(p + j - part_count, part_count - 1);
                vec4 v = parts[left + part * TILE + min(i * THREADS + lane, TILE - 1)];
                joined[i] += p + j < part_count ? v : vec4(0);
            }
        }
    }
    EACH(item, TILE) {
        uint c = item % ROW * 4;
        if (find_y(item / ROW, picture, tile, row) && c < channels) finish(joined[round], row, c);
    }
}
