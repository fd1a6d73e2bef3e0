#version 450
// y = epilogue(convolution of x with w) on cooperative matrices of MM × MN × MK, fp16 × fp16 → fp32.
// DEPTHWISE: a pointwise convolution of clamp(depthwise convolution of x with d + d_bias), which never
// reaches memory.
//
// A subgroup computes FM × FN matrices. A workgroup's subgroups stand in a grid of SM × SN such tiles,
// and SK of them share a tile by splitting the depth; several workgroups may split it further: little
// work fills a large machine that way. BK products of BM pixels and of BN channels go through shared
// memory in a step, and the next step's are loaded while this one's are multiplied: matrices that come
// from device memory itself arrive element by element. w holds whole matrices, those of one block of
// channels behind each other along the depth, each with its columns in a row.
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
    uint rows;             // of y: batch × height × width
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // input channels
    uint products;         // taps × input channels
    uint w_depth;          // matrices along the depth of w
    uint part;             // products of a workgroup; the grid's z counts the parts
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
    uvec2 by_depth;        // divisors
    uvec2 by_height;
    uvec2 by_width;
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 11) const bool DEPTHWISE = false;
layout(constant_id = 12) const bool UNROLLED = false;  // the loop over steps: worth its size if there are many
layout(constant_id = 13) const bool VEC_X = true;      // depth is a multiple of four
layout(constant_id = 14) const bool VEC_Y = true;
layout(constant_id = 15) const uint TAPS_Y = 1;
layout(constant_id = 16) const uint TAPS_X = 1;
layout(constant_id = 17) const bool VEC_X8 = true;     // of eight
layout(constant_id = 18) const bool WHOLE = false;     // products is a multiple of BK
layout(constant_id = 19) const bool ONCE = false;      // there is one step, if known
layout(constant_id = 24) const uint SM = 2;
layout(constant_id = 25) const uint SN = 2;
layout(constant_id = 26) const uint SK = 1;
layout(constant_id = 27) const uint FM = 2;
layout(constant_id = 28) const uint FN = 2;
layout(constant_id = 29) const uint FK = 4;  // matrices along a subgroup's depth of a step
layout(constant_id = 30) const float D_LO = 0;
layout(constant_id = 31) const float D_HI = 6;

const uint THREADS = SM * SN * SK * SUBGROUP;
const uint BM = SM * FM * MM;
const uint BN = SN * FN * MN;
const uint BK = SK * FK * MK;
// In units of 16 bytes, which every matrix and row of one starts at: eight halves, or four floats. Rows
// are a unit longer than needed: no two land on the same banks.
const uint A_ROW = BK / 8 + 1;
const uint A_SIZE = BM * A_ROW;
const uint A_LOADS = BM * BK / 8 / THREADS;
const uint B_SIZE = BN / MN * (BK / MK) * B_MATRIX;
const uint B_LOADS = BN * BK / 8 / THREADS;
const uint C_ROW = FN * MN / 4 + 1;
const uint C_TILE = MM * C_ROW;      // MM rows of a subgroup's results
const uint C_SIZE = SM * SN * SK * C_TILE;
const uint AB_SIZE = A_SIZE + B_SIZE;

READS(0, X, x)
layout(std430, set = 0, binding = 0) readonly buffer X8 { uvec4 x8[]; };
READS_AS(1, W, w, uint, uvec4)
WRITES_EITHER(2, Y, y)
READS(3, D, d_)
layout(std430, set = 0, binding = 3) readonly buffer D8 { uvec4 d_8[]; };
READS(4, DBias, d_bias)
#define EPI_BINDING 5
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"
#define LAST_BINDING 8
#include "lib/last.glsl"

// A step's pixels and weights while sums are computed, then the sums.
shared uvec4 pool[AB_SIZE > C_SIZE ? AB_SIZE : C_SIZE];

MATRIX_C sums[FM * FN];

// What this invocation loads for the next step, whether that counts, and where from.
uvec4 a_next[A_LOADS];
bool a_inside[A_LOADS];
uvec4 b_next[B_LOADS];
uint at[A_LOADS];        // of the first channel under the first tap of each pixel
ivec2 corner[A_LOADS];   // that tap's row and column in x
uint w_at[B_LOADS];

void find(uint first_row, uint first_channel) {
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint row = min(first_row + (i * THREADS + gl_LocalInvocationID.x) / (BK / 8), rows - 1);
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

// Four input channels of pixel i under one tap.
f16vec4 load_x(uint i, uvec2 tap, uint c) {
    uint place;
    bool inside = find_x(i, tap, c, place);
    f16vec4 v = x4[inside ? place >> 2 : 0];
    return inside ? v : f16vec4(0);
}

// Pixel i's elements k to k + 3 of the depth.
f16vec4 fetch_quad(uint i, uint k) {
    f16vec4 v;
    uint c, place;
    if (!VEC_X) {
        // Neighbouring elements may belong to different taps.
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            uvec2 tap = tap_of(min(k + j, products - 1), c);
            bool inside = k + j < products && (POINTWISE || find_x(i, tap, c, place));
            if (POINTWISE) place = at[i] + k + j;
            float16_t one = x[inside ? place : 0];
            v[j] = inside ? one : float16_t(0);
        }
        return v;
    }
    uint own = min(k, products - 4);
    if (POINTWISE) {
        v = x4[(at[i] + own) >> 2];
    } else if (DEPTHWISE) {
        vec4 sum = vec4(d_bias4[own >> 2]);
        [[unroll]] for (uint ky = 0; ky < TAPS_Y; ++ky)
            [[unroll]] for (uint kx = 0; kx < TAPS_X; ++kx)
                sum += vec4(load_x(i, uvec2(ky, kx), own)) * vec4(d_4[((ky * TAPS_X + kx) * depth + own) >> 2]);
        v = f16vec4(nan_or(sum, clamp(sum, D_LO, D_HI)));
    } else {
        uvec2 tap = tap_of(own, c);
        v = load_x(i, tap, c);
    }
    return k < products ? v : f16vec4(0);
}

// Eight channels of pixel i under one tap, or anything outside.
uvec4 load_tap8(uint i, uvec2 tap, uint c, out bool inside) {
    uint place;
    inside = find_x(i, tap, c, place);
    return x8[inside ? place >> 3 : 0];
}

// Every pixel's elements k to k + 7 of the depth, where eight never belong to two taps.
void fetch_octets(uint k) {
    uint own = WHOLE ? k : min(k, products - 8);
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) a_inside[i] = WHOLE || k < products;
    if (POINTWISE) {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) a_next[i] = x8[(at[i] + own) >> 3];
    } else if (DEPTHWISE) {
        vec4 sums[2 * A_LOADS];
        vec4 start[2] = {vec4(d_bias4[own >> 2]), vec4(d_bias4[(own >> 2) + 1])};
        [[unroll]] for (uint i = 0; i < 2 * A_LOADS; ++i) sums[i] = start[i % 2];
        [[unroll]] for (uint ky = 0; ky < TAPS_Y; ++ky) {
            [[unroll]] for (uint kx = 0; kx < TAPS_X; ++kx) {
                uvec4 q = d_8[((ky * TAPS_X + kx) * depth + own) >> 3];
                [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
                    bool inside;
                    uvec4 v = load_tap8(i, uvec2(ky, kx), own, inside);
                    if (!inside) v = uvec4(0);
                    sums[2 * i] += unpack(v.xy) * unpack(q.xy);
                    sums[2 * i + 1] += unpack(v.zw) * unpack(q.zw);
                }
            }
        }
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i)
            a_next[i] = uvec4(pack(f16vec4(nan_or(sums[2 * i], clamp(sums[2 * i], D_LO, D_HI)))),
                              pack(f16vec4(nan_or(sums[2 * i + 1], clamp(sums[2 * i + 1], D_LO, D_HI)))));
    } else {
        uint c;
        uvec2 tap = tap_of(own, c);
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
            bool inside;
            a_next[i] = load_tap8(i, tap, c, inside);
            a_inside[i] = a_inside[i] && inside;
        }
    }
}

// What the step needs that starts at element k of the depth.
void fetch(uint k) {
    // All loads of an invocation lie in the same eight columns, as the rows' length divides THREADS.
    uint own = k + gl_LocalInvocationID.x % (BK / 8) * 8;
    if (VEC_X8) {
        fetch_octets(own);
    } else {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
            a_next[i] = uvec4(pack(fetch_quad(i, own)), pack(fetch_quad(i, own + 4)));
            a_inside[i] = true;
        }
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) b_next[i] = w4[w_at[i] + k / MK * W_SIZE];
}

// A step: what was fetched is multiplied while the next step's is fetched, if this isn't the last.
void step(uint k, uint last, uvec3 own) {
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        pool[item / (BK / 8) * A_ROW + item % (BK / 8)] = a_inside[i] ? a_next[i] : uvec4(0);
    }
    [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        pool[A_SIZE + item / W_ROW * B_ROW + item % W_ROW] = b_next[i];
    }
    barrier();
    // A branch around the loads costs more than to load the last step's again, if that is little work.
    if (!ONCE && (VEC_X8 && !DEPTHWISE || k < last)) fetch(min(k + BK, last));
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

// Stores four channels of a row of y, those that exist.
void finish(vec4 v, uint row, uint c) {
    if (VEC_Y) {
        EPI_STORE4((row * channels + c) >> 2, epilogue(v, row, c));
    } else {
        for (uint i = 0; i < min(4, channels - c); ++i)
            EPI_STORE(row * channels + c + i, epilogue(v[i], row, c + i));
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint subgroup = lane / SUBGROUP;
    uvec3 own = uvec3(subgroup / SN % SM, subgroup % SN, subgroup / (SM * SN));  // rows, channels, depth
    uint first_row = gl_WorkGroupID.x * BM, first_channel = gl_WorkGroupID.y * BN;
    uint from = gl_WorkGroupID.z * part, to = min(from + part, products);
    uint part_count = ONCE ? 1 : gl_NumWorkGroups.z;
    if (first_row >= rows) return;

    [[unroll]] for (uint i = 0; i < FM * FN; ++i) sums[i] = MATRIX_C(0.0);
    find(first_row, first_channel);
    fetch(from);
    uint last = from + (to - from - 1) / BK * BK;
    if (ONCE) {
        step(from, last, own);
    } else if (UNROLLED) {
        for (uint k = from; k < to; k += BK) step(k, last, own);
    } else {
        [[dont_unroll]] for (uint k = from; k < to; k += BK) step(k, last, own);
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
        // Pairs of quads.
        for (uint item = lane; item < SM * MM * ROW / 2; item += THREADS) {
            uint r = item / (ROW / 2), n = item % (ROW / 2) * 2;
            uint line = (r / MM * FM + m) * MM + r % MM;
            uint row = first_row + line;
            if (row >= rows) continue;
            uint place = (r / MM * SN + n / TILE_ROW) * C_TILE + r % MM * C_ROW + n % TILE_ROW;
            [[unroll]] for (uint q = 0; q < 2; ++q) {
                uint c = first_channel + (n + q) * 4;
                if (c >= channels) continue;
                vec4 v = uintBitsToFloat(pool[place + q]);
                [[unroll]] for (uint s = 1; s < SK; ++s)
                    v += uintBitsToFloat(pool[place + q + s * SM * SN * C_TILE]);
                if (part_count == 1) {
                    finish(v, row, c);
                } else {
                    parts[left + line * ROW + n + q] = v;
                }
            }
        }
    }
    if (part_count == 1 || !is_last(block, part_count)) return;
    for (uint item = lane; item < BLOCK; item += THREADS) {
        uint row = first_row + item / ROW, c = first_channel + item % ROW * 4;
        if (row >= rows || c >= channels) continue;
        vec4 v = vec4(0);
        for (uint p = 0; p < part_count; ++p) v += parts[(block * part_count + p) * BLOCK + item];
        finish(v, row, c);
    }
}
