#version 450
// y = requantised convolution of x with w, of 8-bit integers, on cooperative matrices of MM × MN × MK, int8 × int8 →
// int32. Blocks, steps and shared memory are those of conv_2d_cooperative: sixteen integers lie in the place of eight
// halves. Input channels are a multiple of four. Unsigned elements count as signed ones, 128 less. Taps beyond the
// border read x's zero point. Where x has no more products, w is zero, so what is read there does not matter.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_8bit_storage : require
#pragma use_vulkan_memory_model
#define SCOPED
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"
#include "lib/divide.glsl"

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint channels;         // of y
    uint depth;            // input channels
    uint products;         // taps × input channels
    uint w_depth;          // matrices along the depth of w
    uint part;             // products of a workgroup; the grid's z counts the parts
    uint outside;          // four times x's zero point, as bytes
    int w_zero_point;
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
    uvec2 by_depth;        // divisors
    uvec2 by_height;
    uvec2 by_width;
    int y_zero_point;
    int least;
    int most;
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 11) const bool UNROLLED = false;      // the loop over steps
layout(constant_id = 12) const bool VEC_Y = true;          // channels is a multiple of four
layout(constant_id = 13) const uint TAPS_X = 1;
layout(constant_id = 14) const bool VEC_X16 = true;        // depth is a multiple of sixteen
layout(constant_id = 15) const bool UNSIGNED = false;      // elements are
layout(constant_id = 16) const bool W_ZERO_POINT = false;  // w has one
layout(constant_id = 20) const uint SUBGROUP = 32;
layout(constant_id = 21) const uint MM = 16;
layout(constant_id = 22) const uint MN = 16;
layout(constant_id = 23) const uint MK = 32;
layout(constant_id = 24) const uint SM = 2;
layout(constant_id = 25) const uint SN = 2;
layout(constant_id = 26) const uint SK = 1;
layout(constant_id = 27) const uint FM = 2;
layout(constant_id = 28) const uint FN = 2;
layout(constant_id = 29) const uint FK = 4;  // matrices along a subgroup's depth of a step

const uint THREADS = SM * SN * SK * SUBGROUP;
const uint BM = SM * FM * MM;
const uint BN = SN * FN * MN;
const uint BK = SK * FK * MK;
// In units of 16 bytes: sixteen elements, or four sums. Rows are a unit longer than needed: no two land on the same
// banks.
const uint STEP_UNITS = BK / 16;
const uint A_ROW = STEP_UNITS + 1;
const uint A_SIZE = BM * A_ROW;
const uint A_LOADS = BM * STEP_UNITS / THREADS;
const uint W_ROW = MK / 16;
const uint W_SIZE = MN * W_ROW;
const uint B_ROW = W_ROW + 1;
const uint B_MATRIX = MN * B_ROW;
const uint B_SIZE = BN / MN * (BK / MK) * B_MATRIX;
const uint B_LOADS = BN * STEP_UNITS / THREADS;
const uint C_ROW = FN * MN / 4 + 1;
const uint C_TILE = MM * C_ROW;      // MM rows of a subgroup's results
const uint C_SIZE = SM * SN * SK * C_TILE;
const uint AB_SIZE = A_SIZE + B_SIZE;

#define MATRIX_A coopmat<int8_t, gl_ScopeSubgroup, MM, MK, gl_MatrixUseA>
#define MATRIX_B coopmat<int8_t, gl_ScopeSubgroup, MK, MN, gl_MatrixUseB>
#define MATRIX_C coopmat<int, gl_ScopeSubgroup, MM, MN, gl_MatrixUseAccumulator>

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 0) readonly buffer X4 { uvec4 x4[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { uvec4 w4[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y8 { uint8_t y8[]; };
#define REQUANTIZE_BINDING 3
#define FOLLOWER_BINDING 6
#include "lib/requantize.glsl"
#include "lib/followers.glsl"
#define LAST_BINDING 4
#define LAST_TYPE ivec4
#include "lib/last.glsl"

// A step's pixels and weights while sums are computed, then the sums.
shared uvec4 pool[AB_SIZE > C_SIZE ? AB_SIZE : C_SIZE];
shared int row_sums[BM];  // of the elements of x of each row, if W_ZERO_POINT

MATRIX_C sums[FM * FN];

// What this invocation loads for the next step, whether that counts, and where from.
uvec4 a_next[A_LOADS];
bool a_inside[A_LOADS];
uvec4 b_next[B_LOADS];
uint at[A_LOADS];        // of the first channel under the first tap of each pixel
ivec2 corner[A_LOADS];   // that tap's row and column in x
uint w_at[B_LOADS];
int x_sums[A_LOADS];

void find(uint first_row, uint first_channel) {
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint row = min(first_row + (i * THREADS + gl_LocalInvocationID.x) / STEP_UNITS, rows - 1);
        x_sums[i] = 0;
        if (POINTWISE) {
            at[i] = row * depth;
        } else {
            uint line = divide(row, by_width), picture = divide(line, by_height);
            corner[i] = ivec2(uvec2(line - picture * y_size.x, row - line * y_size.y) * stride) + origin;
            at[i] = ((picture * x_size.x + corner[i].x) * x_size.y + corner[i].y) * depth;
        }
    }
    const uint BLOCK = BK / MK * W_SIZE;  // of a step, for MN channels
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        w_at[i] = (first_channel / MN + item / BLOCK) * w_depth * W_SIZE + item % BLOCK;
    }
}

// Where pixel i has channel c under one tap, and whether that is inside of x.
bool find_x(uint i, uvec2 tap, uint c, out uint place) {
    uvec2 step = tap * dilation;
    uvec2 p = uvec2(corner[i]) + step;
    place = at[i] + ((step.x * x_size.y + step.y) * depth + c);
    return p.x < x_size.x && p.y < x_size.y;
}

// Element k of the depth as tap and input channel.
uvec2 tap_of(uint k, out uint c) {
    uint tap = divide(k, by_depth);
    c = k - tap * depth;
    return uvec2(tap / TAPS_X, tap % TAPS_X);
}

// No load stands in a branch, which compilers would make wait for the one before: what is outside reads the
// start of x instead.

// Pixel i's elements k to k + 3 of the depth.
uint fetch_quad(uint i, uint k) {
    uint own = min(k, products - 4), c, place;
    if (POINTWISE) return x[(at[i] + own) >> 2];
    uvec2 tap = tap_of(own, c);
    bool inside = find_x(i, tap, c, place);
    uint word = x[inside ? place >> 2 : 0];
    return inside ? word : UNSIGNED ? outside ^ 0x80808080 : outside;
}

// What the step needs that starts at element k of the depth.
void fetch(uint k) {
    // All loads of an invocation lie in the same columns, as the rows' length divides THREADS.
    uint own = k + gl_LocalInvocationID.x % STEP_UNITS * 16;
    if (VEC_X16) {
        own = min(own, products - 16);
        uint c;
        uvec2 tap = POINTWISE ? uvec2(0) : tap_of(own, c);
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
            uint place = at[i] + own;
            a_inside[i] = POINTWISE || find_x(i, tap, c, place);
            a_next[i] = x4[a_inside[i] ? place >> 4 : 0];
        }
    } else {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
            [[unroll]] for (uint q = 0; q < 4; ++q) a_next[i][q] = fetch_quad(i, own + 4 * q);
            a_inside[i] = true;
        }
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) b_next[i] = w4[w_at[i] + k / MK * W_SIZE];
}

// The sum of the signed bytes of the first `quads` words.
int byte_sum(uvec4 v, uint quads) {
    uint pairs = 0;
    [[unroll]] for (uint q = 0; q < 4; ++q) {
        uint word = q < quads ? v[q] ^ 0x80808080 : 0x80808080;
        pairs += (word & 0xff00ff) + (word >> 8 & 0xff00ff);
    }
    return int((pairs & 0xffff) + (pairs >> 16)) - 128 * 16;
}

// A step: what was fetched is multiplied while the next step's is fetched.
void step(uint k, uint last, uvec3 own) {
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        uvec4 v = UNSIGNED ? a_next[i] ^ 0x80808080 : a_next[i];
        v = a_inside[i] ? v : uvec4(outside);
        pool[item / STEP_UNITS * A_ROW + item % STEP_UNITS] = v;
        if (W_ZERO_POINT) {
            uint first = k + item % STEP_UNITS * 16;
            x_sums[i] += byte_sum(v, first < products ? (products - first) / 4 : 0);
        }
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        pool[A_SIZE + item / W_ROW * B_ROW + item % W_ROW] = b_next[i];
    }
    barrier();
    // A branch around the loads costs more than to load the last step's again.
    fetch(min(k + BK, last));
    [[unroll]] for (uint f = 0; f < FK; ++f) {
        uint column = own.z * FK + f;
        MATRIX_B b[FN];
        [[unroll]] for (uint n = 0; n < FN; ++n)
            coopMatLoad(b[n], pool, A_SIZE + ((own.y * FN + n) * (BK / MK) + column) * B_MATRIX, B_ROW,
                        gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint m = 0; m < FM; ++m) {
            MATRIX_A a;
            coopMatLoad(a, pool, (own.x * FM + m) * MM * A_ROW + column * W_ROW, A_ROW,
                        gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint n = 0; n < FN; ++n)
                sums[m * FN + n] = coopMatMulAdd(a, b[n], sums[m * FN + n]);
        }
    }
    barrier();
}

// Stores what the sums of four channels of a row of y become, those that exist.
void finish(ivec4 v, uint row, uint c) {
    v = followed(requantized(v + sums_of(c >> 2), c >> 2), row, c, channels, channels, VEC_Y);
    if (VEC_Y) {
        uvec4 u = uvec4(v) & 255;
        y[(row * channels + c) >> 2] = u.x | u.y << 8 | u.z << 16 | u.w << 24;
    } else {
        [[unroll]] for (uint i = 0; i < 4; ++i) {
            if (c + i < channels) y8[row * channels + c + i] = uint8_t(v[i]);
        }
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint subgroup = lane / SUBGROUP;
    uvec3 own = uvec3(subgroup / SN % SM, subgroup % SN, subgroup / (SM * SN));  // rows, channels, depth
    uint first_row = gl_WorkGroupID.x * BM, first_channel = gl_WorkGroupID.y * BN;
    uint from = gl_WorkGroupID.z * part, to = min(from + part, products);
    uint part_count = gl_NumWorkGroups.z;
    if (first_row >= rows) return;

    [[unroll]] for (uint i = 0; i < FM * FN; ++i) sums[i] = MATRIX_C(0);
    find(first_row, first_channel);
    fetch(from);
    uint last = from + (to - from - 1) / BK * BK;
    if (UNROLLED) {
        for (uint k = from; k < to; k += BK) step(k, last, own);
    } else {
        [[dont_unroll]] for (uint k = from; k < to; k += BK) step(k, last, own);
    }
    if (W_ZERO_POINT) {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) pool[i * THREADS + lane].x = uint(x_sums[i]);
        barrier();
        for (uint r = lane; r < BM; r += THREADS) {
            int sum = 0;
            for (uint i = 0; i < STEP_UNITS; ++i) sum += int(pool[r * STEP_UNITS + i].x);
            row_sums[r] = sum;
        }
        barrier();
    }

    // Quads of a block, and where this block's and this workgroup's ones lie among what is left for the last.
    const uint ROW = BN / 4, BLOCK = BM * ROW, TILE_ROW = FN * MN / 4;
    uint block = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint left = (block * part_count + gl_WorkGroupID.z) * BLOCK;
    [[unroll]] for (uint m = 0; m < FM; ++m) {
        if (m > 0) barrier();
        [[unroll]] for (uint n = 0; n < FN; ++n)
            coopMatStore(sums[m * FN + n], pool, subgroup * C_TILE + n * MN / 4, C_ROW,
                         gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        for (uint item = lane; item < SM * MM * ROW; item += THREADS) {
            uint r = item / ROW, n = item % ROW;
            uint line = (r / MM * FM + m) * MM + r % MM;
            uint row = first_row + line, c = first_channel + n * 4;
            if (row >= rows || c >= channels) continue;
            uint place = (r / MM * SN + n / TILE_ROW) * C_TILE + r % MM * C_ROW + n % TILE_ROW;
            ivec4 v = ivec4(pool[place]);
            [[unroll]] for (uint s = 1; s < SK; ++s) v += ivec4(pool[place + s * SM * SN * C_TILE]);
            if (W_ZERO_POINT) v -= w_zero_point * row_sums[line];
            if (part_count == 1) {
                finish(v, row, c);
            } else {
                parts[left + line * ROW + n] = v;
            }
        }
    }
    if (part_count == 1 || !is_last(block, part_count)) return;
    for (uint item = lane; item < BLOCK; item += THREADS) {
        uint row = first_row + item / ROW, c = first_channel + item % ROW * 4;
        if (row >= rows || c >= channels) continue;
        ivec4 v = ivec4(0);
        for (uint p = 0; p < part_count; ++p) v += parts[(block * part_count + p) * BLOCK + item];
        finish(v, row, c);
    }
}
