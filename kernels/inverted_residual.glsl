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
#define SCOPED
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
layout(constant_id = 19) const uint BLOCKS = 4;     // of MN channels of y; the grid's y counts such groups
layout(constant_id = 24) const uint SUBGROUPS = 8;  // a multiple of WIDTH / MN
layout(constant_id = 25) const uint SPLIT = 1;      // subgroups that share a matrix of sums
layout(constant_id = 26) const uint STEPS = 1;      // BK channels each, that x has
layout(constant_id = 27) const bool ONCE = false;   // a workgroup takes WIDTH channels of the middle, no more
layout(constant_id = 28) const bool SHARED = false; // several workgroups add up the sums of a tile
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
// x and w1 make room for what the depthwise convolution leaves, w2 and the middle, and those for the sums.
const uint MID = ACT_SIZE + W2_SIZE;
const uint SLICE_SIZE = X_SIZE + W1_SIZE > MID + MID_SIZE ? X_SIZE + W1_SIZE : MID + MID_SIZE;
const uint OCTETS = WIDTH / 8;
const uint TAPS = TAPS_Y * TAPS_X;
// The biases of a slice, the taps' weights and eight zeros.
const uint BIAS1 = SLICE_SIZE > SPLIT * C_SIZE ? SLICE_SIZE : SPLIT * C_SIZE;
const uint D_BIAS = BIAS1 + OCTETS;
const uint D_AT = D_BIAS + OCTETS;
const uint ZEROS = D_AT + TAPS * OCTETS;
const uint W1_BLOCK = BK / MK * W_SIZE;               // of MN channels
const uint W2_BLOCK = WIDTH / MK * W_SIZE;
const uint X_LOADS = (SEEN_M * MM * (BK / 8) + THREADS - 1) / THREADS;
const uint W1_LOADS = (WIDTH / MN * W1_BLOCK + THREADS - 1) / THREADS;
const uint D_LOADS = (TAPS * OCTETS + THREADS - 1) / THREADS;
const uint W2_LOADS = (BLOCKS * W2_BLOCK + THREADS - 1) / THREADS;
// Matrices of a subgroup. Those of the middle stand in one column.
const uint COLUMNS = WIDTH / MN;
const uint ROWS = SUBGROUPS / COLUMNS;
const uint EXPANDED = (SEEN_M + ROWS - 1) / ROWS;
const uint RESULTS = PIXELS / MM * BLOCKS;
const uint PROJECTED = SPLIT > 1 ? 1 : (RESULTS + SUBGROUPS - 1) / SUBGROUPS;
const uint PROJECT_K = WIDTH / MK / SPLIT;

layout(std430, set = 0, binding = 0) readonly buffer X { uvec4 x8[]; };
layout(std430, set = 0, binding = 1) readonly buffer W1 { uvec4 w1[]; };
layout(std430, set = 0, binding = 2) readonly buffer Bias1 { uvec4 bias1[]; };
layout(std430, set = 0, binding = 3) readonly buffer D { uvec4 d[]; };
layout(std430, set = 0, binding = 4) readonly buffer DBias { uvec4 d_bias[]; };
// Volatile, or compilers would load it no sooner than it is stored.
layout(std430, set = 0, binding = 5) readonly volatile buffer W2 { uvec4 w2[]; };
WRITES_EITHER(6, Y, y)
#define EPI_BINDING 7
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"
#define LAST_BINDING 10
#include "lib/last.glsl"

shared uvec4 pool[ZEROS + 1];

// A loop in which the invocations share items 0 to n - 1, with a number of rounds that compilers know.
#define EACH(item, n) \
    [[unroll]] for (uint round = 0, item = gl_LocalInvocationID.x; round < ((n) + THREADS - 1) / THREADS; \
                    ++round, item += THREADS) \
        if ((n) % THREADS == 0 || item < (n))

// Where unit `item` of weights goes that come as blocks of MN channels: each channel has a row.
uint in_rows(uint item, uint block, uint row) {
    uint unit = item % block;
    return (item / block * MN + unit % W_SIZE / W_ROW) * row + unit / W_SIZE * W_ROW + unit % W_ROW;
}

// What an invocation carries from device to shared memory. All loads of a slice are under way together: none
// stands in a branch, which compilers would make wait for the one before.
uvec4 x_next[X_LOADS];
uvec4 w1_next[W1_LOADS];
uvec4 d_next[D_LOADS];
uvec4 w2_next[W2_LOADS];
uvec4 bias1_next, d_bias_next;

// BK of x's channels from k on of the pixels that the tile sees, and their weights for the middle from c on.
void fetch_step(uint picture, ivec2 corner, uint c, uint k) {
    [[unroll]] for (uint j = 0; j < X_LOADS; ++j) {
        uint item = j * THREADS + gl_LocalInvocationID.x;
        uint i = item / (BK / 8), own = k + item % (BK / 8) * 8;
        uvec2 p = uvec2(corner + ivec2(i / SEEN_W, i % SEEN_W));
        bool inside = i < SEEN && p.x < x_size.x && p.y < x_size.y && own < depth;
        uvec4 v = x8[inside ? (((picture * x_size.x + p.x) * x_size.y + p.y) * depth + own) >> 3 : 0];
        x_next[j] = inside ? v : uvec4(0);
    }
    [[unroll]] for (uint j = 0; j < W1_LOADS; ++j) {
        uint item = min(j * THREADS + gl_LocalInvocationID.x, COLUMNS * W1_BLOCK - 1);
        w1_next[j] = w1[((c / MN + item / W1_BLOCK) * w1_depth + k / MK) * W_SIZE + item % W1_BLOCK];
    }
}

void put_step() {
    [[unroll]] for (uint j = 0; j < X_LOADS; ++j) {
        uint item = j * THREADS + gl_LocalInvocationID.x;
        if (SEEN_M * MM * (BK / 8) % THREADS == 0 || item < SEEN_M * MM * (BK / 8))
            pool[item / (BK / 8) * X_ROW + item % (BK / 8)] = x_next[j];
    }
    [[unroll]] for (uint j = 0; j < W1_LOADS; ++j) {
        uint item = j * THREADS + gl_LocalInvocationID.x;
        if (COLUMNS * W1_BLOCK % THREADS == 0 || item < COLUMNS * W1_BLOCK)
            pool[X_SIZE + in_rows(item, W1_BLOCK, X_ROW)] = w1_next[j];
    }
}

// The rest of what a slice needs.
void fetch(uint c) {
    uint last = middle - 8;
    uint octet = min(c + gl_LocalInvocationID.x % OCTETS * 8, last) >> 3;
    bias1_next = bias1[octet];
    d_bias_next = d_bias[octet];
    [[unroll]] for (uint j = 0; j < D_LOADS; ++j) {
        uint item = min(j * THREADS + gl_LocalInvocationID.x, TAPS * OCTETS - 1);
        d_next[j] = d[(item / OCTETS * middle + min(c + item % OCTETS * 8, last)) >> 3];
    }
    [[unroll]] for (uint j = 0; j < W2_LOADS; ++j) {
        uint item = min(j * THREADS + gl_LocalInvocationID.x, BLOCKS * W2_BLOCK - 1);
        uint block = gl_WorkGroupID.y * BLOCKS + item / W2_BLOCK;
        w2_next[j] = w2[(block * w2_depth + c / MK) * W_SIZE + item % W2_BLOCK];
    }
}

void put() {
    if (gl_LocalInvocationID.x < OCTETS) {
        pool[BIAS1 + gl_LocalInvocationID.x] = bias1_next;
        pool[D_BIAS + gl_LocalInvocationID.x] = d_bias_next;
    }
    [[unroll]] for (uint j = 0; j < D_LOADS; ++j) {
        uint item = j * THREADS + gl_LocalInvocationID.x;
        if (TAPS * OCTETS % THREADS == 0 || item < TAPS * OCTETS) pool[D_AT + item] = d_next[j];
    }
}

void put_w2() {
    [[unroll]] for (uint j = 0; j < W2_LOADS; ++j) {
        uint item = j * THREADS + gl_LocalInvocationID.x;
        if (BLOCKS * W2_BLOCK % THREADS == 0 || item < BLOCKS * W2_BLOCK)
            pool[ACT_SIZE + in_rows(item, W2_BLOCK, MID_ROW)] = w2_next[j];
    }
}

MATRIX_C expanded[EXPANDED];

// Adds the products of a step.
void expand_step(uint first, uint n) {
    [[unroll]] for (uint f = 0; f < BK / MK; ++f) {
        MATRIX_B b;
        coopMatLoad(b, pool, X_SIZE + n * MN * X_ROW + f * W_ROW, X_ROW, gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint i = 0; i < EXPANDED; ++i) {
            uint m = min(first + i * ROWS, SEEN_M - 1);
            MATRIX_A a;
            coopMatLoad(a, pool, m * MM * X_ROW + f * W_ROW, X_ROW, gl_CooperativeMatrixLayoutRowMajor);
            expanded[i] = coopMatMulAdd(a, b, expanded[i]);
        }
    }
}

// The expanded pixels' channels from c on, to the middle.
void expand(uint picture, ivec2 corner, uint c, uint subgroup) {
    [[unroll]] for (uint i = 0; i < EXPANDED; ++i) expanded[i] = MATRIX_C(0.0);
    uint n = subgroup % COLUMNS, first = subgroup / COLUMNS;
    fetch_step(picture, corner, c, 0);
    fetch(c);
    put_step();
    put();
    barrier();
    expand_step(first, n);
    if (STEPS > 1) {
        [[dont_unroll]] for (uint k = BK; k < STEPS * BK; k += BK) {
            fetch_step(picture, corner, c, k);
            barrier();
            put_step();
            barrier();
            expand_step(first, n);
        }
    }
    barrier();
    MATRIX_H bias;   // the same in each row
    coopMatLoad(bias, pool, BIAS1 + n * MN / 8, 0, gl_CooperativeMatrixLayoutRowMajor);
    [[unroll]] for (uint i = 0; i < EXPANDED; ++i) {
        uint m = first + i * ROWS;
        expanded[i] += MATRIX_C(bias);
        [[unroll]] for (uint j = 0; j < expanded[i].length(); ++j)
            expanded[i][j] = nan_or(expanded[i][j], clamp(expanded[i][j], E_LO, E_HI));
        if (SEEN_M % ROWS == 0 || m < SEEN_M)
            coopMatStore(MATRIX_H(expanded[i]), pool, MID + m * MM * MID_ROW + n * MN / 8, MID_ROW,
                         gl_CooperativeMatrixLayoutRowMajor);
    }
}

// Four of eight halves.
#define HALF(place, part) uvec2(pool[place][part], pool[place][part + 1])

// The depthwise convolution of the middle, to the front of the pool; zeros are around the picture.
void convolve(ivec2 corner, uint c) {
    EACH(item, PIXELS * (WIDTH / 4)) {
        uint i = item / (WIDTH / 4), q = item % (WIDTH / 4), own = c + q * 4, part = q % 2 * 2;
        uvec2 p = uvec2(corner) + uvec2(i / TILE_W * STRIDE_Y, i % TILE_W * STRIDE_X);
        uint first = MID + (i / TILE_W * STRIDE_Y * SEEN_W + i % TILE_W * STRIDE_X) * MID_ROW + q / 2;
        vec4 sum = unpack(HALF(D_BIAS + q / 2, part));
        [[unroll]] for (uint ky = 0; ky < TAPS_Y; ++ky) {
            [[unroll]] for (uint kx = 0; kx < TAPS_X; ++kx) {
                bool inside = p.x + ky < x_size.x && p.y + kx < x_size.y;
                uint place = inside ? first + (ky * SEEN_W + kx) * MID_ROW : ZEROS;
                sum += unpack(HALF(place, part)) * unpack(HALF(D_AT + (ky * TAPS_X + kx) * OCTETS + q / 2, part));
            }
        }
        uvec2 v = own < middle ? pack(f16vec4(nan_or(sum, clamp(sum, D_LO, D_HI)))) : uvec2(0);
        pool[i * MID_ROW + q / 2][part] = v.x;
        pool[i * MID_ROW + q / 2][part + 1] = v.y;
    }
}

// Stores four channels of a row of y, those that exist.
void finish(vec4 v, uint row, uint c) {
    if (VEC_Y) {
        EPI_STORE4((row * channels + c) >> 2, epilogue(v, row, c));
    } else {
        for (uint i = 0; i < min(4, channels - c); ++i)
            EPI_STORE(row * channels + c + i, epilogue(v[i], row, c + i));
    }
}

// The row of y that pixel i of the tile is, if it is one.
bool find_y(uint i, uint picture, uvec2 tile, out uint row) {
    uvec2 p = tile + uvec2(i / TILE_W, i % TILE_W);
    row = (picture * y_size.x + p.x) * y_size.y + p.y;
    return p.x < y_size.x && p.y < y_size.y;
}

MATRIX_C projected[PROJECTED];

// A slice of the middle, from channel c on, added to the sums.
void slice(uint picture, ivec2 corner, uint c, uint subgroup, uint share) {
    uint lane = gl_LocalInvocationID.x;
    expand(picture, corner, c, subgroup);
    put_w2();
    barrier();
    convolve(corner, c);
    barrier();
    [[unroll]] for (uint k = 0; k < PROJECT_K; ++k) {
        uint f = share * PROJECT_K + k;
        [[unroll]] for (uint i = 0; i < PROJECTED; ++i) {
            uint own = SPLIT > 1 ? subgroup % RESULTS : min(i * SUBGROUPS + subgroup, RESULTS - 1);
            uint m = own / BLOCKS, n = own % BLOCKS;
            MATRIX_A a;
            MATRIX_B b;
            coopMatLoad(a, pool, m * MM * MID_ROW + f * W_ROW, MID_ROW, gl_CooperativeMatrixLayoutRowMajor);
            coopMatLoad(b, pool, ACT_SIZE + n * MN * MID_ROW + f * W_ROW, MID_ROW,
                        gl_CooperativeMatrixLayoutColumnMajor);
            projected[i] = coopMatMulAdd(a, b, projected[i]);
        }
    }
    barrier();
}

// Quad `item` of a tile's sums.
vec4 sum_of(uint item) {
    const uint ROW = BLOCKS * MN / 4;
    uint place = item / ROW * C_ROW + item % ROW;
    vec4 v = uintBitsToFloat(pool[place]);
    [[unroll]] for (uint i = 1; i < SPLIT; ++i) v += uintBitsToFloat(pool[i * C_SIZE + place]);
    return v;
}

void main() {
    uint lane = gl_LocalInvocationID.x, subgroup = lane / SUBGROUP;
    uint line = divide(gl_WorkGroupID.x, by_tiles_x), picture = divide(line, by_tiles_y);
    uvec2 tile = uvec2(line - picture * tiles_y, gl_WorkGroupID.x - line * tiles_x) * uvec2(TILE_H, TILE_W);
    ivec2 corner = ivec2(tile * uvec2(STRIDE_Y, STRIDE_X)) + origin;
    uint from = gl_WorkGroupID.z * part, to = min(from + part, middle);
    uint part_count = gl_NumWorkGroups.z;

    if (lane == 0) pool[ZEROS] = uvec4(0);
    [[unroll]] for (uint i = 0; i < PROJECTED; ++i) projected[i] = MATRIX_C(0.0);
    uint share = SPLIT > 1 ? min(subgroup / RESULTS, SPLIT - 1) : 0;
    if (ONCE) {
        slice(picture, corner, from, subgroup, share);
    } else {
        [[dont_unroll]] for (uint c = from; c < to; c += WIDTH) slice(picture, corner, c, subgroup, share);
    }

    [[unroll]] for (uint i = 0; i < PROJECTED; ++i) {
        uint own = i * SUBGROUPS + subgroup;
        if (SPLIT * RESULTS % SUBGROUPS == 0 || own < SPLIT * RESULTS) {
            uint m = own % RESULTS / BLOCKS, n = own % BLOCKS;
            coopMatStore(projected[i], pool, share * C_SIZE + m * MM * C_ROW + n * MN / 4, C_ROW,
                         gl_CooperativeMatrixLayoutRowMajor);
        }
    }
    barrier();
    const uint ROW = BLOCKS * MN / 4, TILE = PIXELS * ROW;   // quads
    uint block = gl_WorkGroupID.x * gl_NumWorkGroups.y + gl_WorkGroupID.y, left = block * part_count * TILE;
    uint first_channel = gl_WorkGroupID.y * BLOCKS * MN;
    uint row;
    if (!SHARED) {
        EACH(item, TILE) {
            uint c = first_channel + item % ROW * 4;
            if (find_y(item / ROW, picture, tile, row) && c < channels) finish(sum_of(item), row, c);
        }
        return;
    }
    EACH(item, TILE)
        parts[left + gl_WorkGroupID.z * TILE + item] = sum_of(item);
    if (!is_last(block, part_count)) return;
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
        uint c = first_channel + item % ROW * 4;
        if (find_y(item / ROW, picture, tile, row) && c < channels) finish(joined[round], row, c);
    }
}
