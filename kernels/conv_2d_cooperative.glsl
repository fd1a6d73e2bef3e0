#version 450
// y = epilogue(convolution of x with w) on cooperative matrices of MM × MN × MK, fp16 × fp16 → fp32.
// DEPTHWISE: a pointwise convolution of clamp(depthwise convolution of x with d + d_bias), which never
// reaches memory.
//
// A subgroup computes FM × FN matrices. A workgroup's subgroups stand in a grid of SM × SN such tiles,
// and SK of them share a tile by splitting the depth; several workgroups may split it further: little
// work fills a large machine that way. Pixels go through shared memory, BK products of BM pixels a
// step. w holds whole matrices, those of one block of channels behind each other along the depth, each
// with its columns in a row: a subgroup reads them from memory, or (STAGED) the workgroup shares them.
//! variant FROM = f16 | f32
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#pragma use_vulkan_memory_model
#define STORE_F16
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint channels;         // of y
    uint rows_per_batch;
    uint depth;            // input channels
    uint products;         // taps × input channels
    uint w_depth;          // matrices along the depth of w
    uint part;             // products of a workgroup
    uint part_count;       // workgroups that share a block of y
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 11) const bool DEPTHWISE = false;
layout(constant_id = 12) const bool STAGED = false;
layout(constant_id = 13) const bool VEC_X = true;   // depth is a multiple of four
layout(constant_id = 14) const bool VEC_Y = true;
layout(constant_id = 15) const uint TAPS_Y = 1;
layout(constant_id = 16) const uint TAPS_X = 1;
layout(constant_id = 17) const bool VEC_X8 = true;  // of eight
layout(constant_id = 20) const uint SUBGROUP = 32;
layout(constant_id = 21) const uint MM = 16;
layout(constant_id = 22) const uint MN = 16;
layout(constant_id = 23) const uint MK = 16;
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
const uint W_ROW = MK / 8;
const uint W_SIZE = MN * W_ROW;      // a matrix of w
const uint B_ROW = W_ROW + 1;
const uint B_MATRIX = MN * B_ROW;
const uint B_SIZE = STAGED ? BN / MN * (BK / MK) * B_MATRIX : 0;
const uint B_LOADS = BN * BK / 8 / THREADS;
const uint C_ROW = FN * MN / 4 + 1;
const uint C_TILE = MM * C_ROW;      // MM rows of a subgroup's results
const uint C_SIZE = SM * SN * SK * C_TILE;
const uint POOL = 2 * (A_SIZE + B_SIZE);

#ifdef FROM_F32
READS_AS(0, X, x, float, vec4)
#else
READS(0, X, x)
layout(std430, set = 0, binding = 0) readonly buffer X8 { uvec4 x8[]; };
#endif
READS_AS(1, W, w, uint, uvec4)
WRITES(2, Y, y)
READS(3, D, d_)
READS(4, DBias, d_bias)
#define EPI_BINDING 5
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"
#define LAST_BINDING 8
#include "lib/last.glsl"

// Two halves of pixels and weights while sums are computed, then the sums.
shared uvec4 pool[POOL > C_SIZE ? POOL : C_SIZE];

uint at[A_LOADS];        // of the first tap of each pixel that this invocation loads, in pixels of x
ivec2 corner[A_LOADS];   // its row and column
f16vec4 a_next[A_LOADS * 2];

void find_pixels(uint first_row) {
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint row = min(first_row + (i * THREADS + gl_LocalInvocationID.x) / (BK / 8), rows - 1);
        if (POINTWISE) {
            at[i] = row;
        } else {
            uint line = row / y_size.y;
            corner[i] = ivec2(uvec2(line % y_size.x, row % y_size.y) * stride) + origin;
            at[i] = (line / y_size.x * x_size.x + corner[i].x) * x_size.y + corner[i].y;
        }
    }
}

// Where pixel i has channel c under one tap, and whether that is inside of x.
bool find_x(uint i, uvec2 tap, uint c, out uint place) {
    uvec2 step = tap * dilation;
    uvec2 p = uvec2(corner[i]) + step;
    bool inside = p.x < x_size.x && p.y < x_size.y;
    place = (inside ? at[i] + step.x * x_size.y + step.y : 0) * depth + c;
    return inside;
}

// Four input channels of pixel i under one tap.
f16vec4 load_x(uint i, uvec2 tap, uint c) {
    uint place;
    bool inside = find_x(i, tap, c, place);
    f16vec4 v = f16vec4(x4[place >> 2]);
    return inside ? v : f16vec4(0);
}

uvec2 tap_of(uint k) {
    uint tap = k / depth;
    return uvec2(tap / TAPS_X, tap % TAPS_X);
}

// Every pixel's elements k to k + 3 of the depth, as the quads from `half_` on.
void fetch_quads(uint k, const uint half_) {
    if (k >= products) {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) a_next[2 * i + half_] = f16vec4(0);
    } else if (!VEC_X) {
        // Neighbouring elements may belong to different taps.
        [[unroll]] for (uint j = 0; j < 4; ++j) {
            bool known = k + j < products;
            uvec2 tap = tap_of(k + j);
            uint c = (k + j) % depth, place;
            [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
                bool inside = POINTWISE || find_x(i, tap, c, place);
                if (POINTWISE) place = at[i] * depth + k + j;
                float16_t v = float16_t(x[known ? place : 0]);
                a_next[2 * i + half_][j] = known && inside ? v : float16_t(0);
            }
        }
    } else if (POINTWISE) {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) a_next[2 * i + half_] = f16vec4(x4[(at[i] * depth + k) >> 2]);
    } else if (DEPTHWISE) {
        vec4 sums[A_LOADS];
        vec4 start = vec4(d_bias4[k >> 2]);
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) sums[i] = start;
        [[unroll]] for (uint ky = 0; ky < TAPS_Y; ++ky) {
            [[unroll]] for (uint kx = 0; kx < TAPS_X; ++kx) {
                vec4 q = vec4(d_4[((ky * TAPS_X + kx) * depth + k) >> 2]);
                [[unroll]] for (uint i = 0; i < A_LOADS; ++i) sums[i] += vec4(load_x(i, uvec2(ky, kx), k)) * q;
            }
        }
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) a_next[2 * i + half_] = f16vec4(clamp(sums[i], D_LO, D_HI));
    } else {
        uvec2 tap = tap_of(k);
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) a_next[2 * i + half_] = load_x(i, tap, k % depth);
    }
}

// Eight elements of x from a multiple of eight on.
void load_x8(uint place, out f16vec4 low, out f16vec4 high) {
#ifdef FROM_F32
    low = f16vec4(x4[place >> 2]);
    high = f16vec4(x4[(place >> 2) + 1]);
#else
    uvec4 v = x8[place >> 3];
    low = f16vec4(unpackFloat2x16(v.x), unpackFloat2x16(v.y));
    high = f16vec4(unpackFloat2x16(v.z), unpackFloat2x16(v.w));
#endif
}

// The same for eight channels under one tap.
void load_tap8(uint i, uvec2 tap, uint c, out f16vec4 low, out f16vec4 high) {
    uint place;
    bool inside = find_x(i, tap, c, place);
    load_x8(place, low, high);
    if (!inside) low = high = f16vec4(0);
}

// Every pixel's elements k to k + 7 of the depth, where eight never belong to two taps.
void fetch_octets(uint k) {
    if (k >= products) {
        [[unroll]] for (uint i = 0; i < 2 * A_LOADS; ++i) a_next[i] = f16vec4(0);
    } else if (POINTWISE) {
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i) load_x8(at[i] * depth + k, a_next[2 * i], a_next[2 * i + 1]);
    } else if (DEPTHWISE) {
        vec4 sums[2 * A_LOADS];
        vec4 start[2] = {vec4(d_bias4[k >> 2]), vec4(d_bias4[(k >> 2) + 1])};
        [[unroll]] for (uint i = 0; i < 2 * A_LOADS; ++i) sums[i] = start[i % 2];
        [[unroll]] for (uint ky = 0; ky < TAPS_Y; ++ky) {
            [[unroll]] for (uint kx = 0; kx < TAPS_X; ++kx) {
                uint w_at = ((ky * TAPS_X + kx) * depth + k) >> 2;
                vec4 q0 = vec4(d_4[w_at]), q1 = vec4(d_4[w_at + 1]);
                [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
                    f16vec4 low, high;
                    load_tap8(i, uvec2(ky, kx), k, low, high);
                    sums[2 * i] += vec4(low) * q0;
                    sums[2 * i + 1] += vec4(high) * q1;
                }
            }
        }
        [[unroll]] for (uint i = 0; i < 2 * A_LOADS; ++i) a_next[i] = f16vec4(clamp(sums[i], D_LO, D_HI));
    } else {
        uvec2 tap = tap_of(k);
        [[unroll]] for (uint i = 0; i < A_LOADS; ++i)
            load_tap8(i, tap, k % depth, a_next[2 * i], a_next[2 * i + 1]);
    }
}

// The pixels' part of the step that starts at element k of the depth.
void fetch_a(uint k) {
    // All loads of an invocation lie in the same eight columns, as the rows' length divides THREADS.
    k += gl_LocalInvocationID.x % (BK / 8) * 8;
    if (VEC_X8) {
        fetch_octets(k);
    } else {
        fetch_quads(k, 0);
        fetch_quads(k + 4, 1);
    }
}

void place_a(uint start) {
    [[unroll]] for (uint i = 0; i < A_LOADS; ++i) {
        uint item = i * THREADS + gl_LocalInvocationID.x;
        f16vec4 low = a_next[2 * i], high = a_next[2 * i + 1];
        pool[start + item / (BK / 8) * A_ROW + item % (BK / 8)] =
            uvec4(packFloat2x16(low.xy), packFloat2x16(low.zw), packFloat2x16(high.xy), packFloat2x16(high.zw));
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

#define MATRIX_A coopmat<float16_t, gl_ScopeSubgroup, MM, MK, gl_MatrixUseA>
#define MATRIX_B coopmat<float16_t, gl_ScopeSubgroup, MK, MN, gl_MatrixUseB>
#define MATRIX_C coopmat<float, gl_ScopeSubgroup, MM, MN, gl_MatrixUseAccumulator>

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint subgroup = lane / SUBGROUP;
    uint sk = subgroup / (SM * SN), sm = subgroup / SN % SM, sn = subgroup % SN;
    uint row_block = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
    uint first_row = row_block * BM;
    uint first_channel = gl_WorkGroupID.x / part_count * BN;
    uint from = gl_WorkGroupID.x % part_count * part, to = min(from + part, products);
    if (first_row >= rows) return;

    MATRIX_C sums[FM * FN];
    [[unroll]] for (uint i = 0; i < FM * FN; ++i) sums[i] = MATRIX_C(0.0);
    // Where this workgroup's, and this subgroup's, matrices of w begin.
    uint w_block = first_channel / MN * w_depth * W_SIZE;
    uint w_own = w_block + (sn * FN * w_depth + sk * FK) * W_SIZE;
    MATRIX_B b_next[FN * FK];
    uvec4 staged_next[B_LOADS];

    find_pixels(first_row);
    uint now = 0;
    for (uint k = from; k < to + BK; k += BK) {
        MATRIX_B b[FN * FK];
        if (k > from) {
            place_a(now * A_SIZE);
            if (STAGED) {
                [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
                    uint item = i * THREADS + lane;
                    pool[2 * A_SIZE + now * B_SIZE + item / W_ROW * B_ROW + item % W_ROW] = staged_next[i];
                }
            } else {
                [[unroll]] for (uint i = 0; i < FN * FK; ++i) b[i] = b_next[i];
            }
            barrier();
        }
        if (k < to) {
            fetch_a(k);
            uint w_at = k / MK * W_SIZE;
            if (STAGED) {
                [[unroll]] for (uint i = 0; i < B_LOADS; ++i) {
                    uint item = i * THREADS + lane, row = BK / MK * W_SIZE;
                    staged_next[i] = w4[w_block + w_at + item / row * w_depth * W_SIZE + item % row];
                }
            } else {
                [[unroll]] for (uint n = 0; n < FN; ++n)
                    [[unroll]] for (uint f = 0; f < FK; ++f)
                        coopMatLoad(b_next[n * FK + f], w4, w_own + w_at + (n * w_depth + f) * W_SIZE, W_ROW,
                                    gl_CooperativeMatrixLayoutColumnMajor);
            }
        }
        if (k == from) continue;
        [[unroll]] for (uint f = 0; f < FK; ++f) {
            MATRIX_A a[FM];
            [[unroll]] for (uint m = 0; m < FM; ++m)
                coopMatLoad(a[m], pool, now * A_SIZE + (sm * FM + m) * MM * A_ROW + (sk * FK + f) * W_ROW, A_ROW,
                            gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint n = 0; n < FN; ++n) {
                MATRIX_B own;
                if (STAGED) {
                    uint matrix = (sn * FN + n) * (BK / MK) + sk * FK + f;
                    coopMatLoad(own, pool, 2 * A_SIZE + now * B_SIZE + matrix * B_MATRIX, B_ROW,
                                gl_CooperativeMatrixLayoutColumnMajor);
                } else {
                    own = b[n * FK + f];
                }
                [[unroll]] for (uint m = 0; m < FM; ++m)
                    sums[m * FN + n] = coopMatMulAdd(a[m], own, sums[m * FN + n]);
            }
        }
        // The other half is written next: one barrier a step is enough.
        now ^= 1;
    }

    // Quads of a block, and where this block's and this workgroup's ones lie among what is left for the last.
    const uint ROW = BN / 4, BLOCK = BM * ROW;
    uint block = row_block * (gl_NumWorkGroups.x / part_count) + gl_WorkGroupID.x / part_count;
    uint left = (block * part_count + gl_WorkGroupID.x % part_count) * BLOCK;
    [[unroll]] for (uint m = 0; m < FM; ++m) {
        barrier();
        [[unroll]] for (uint n = 0; n < FN; ++n)
            coopMatStore(sums[m * FN + n], pool, subgroup * C_TILE + n * MN / 4, C_ROW,
                         gl_CooperativeMatrixLayoutRowMajor);
        barrier();
        for (uint item = lane; item < SM * MM * ROW; item += THREADS) {
            uint r = item / ROW, n = item % ROW;
            uint own = (r / MM * FM + m) * MM + r % MM;
            uint row = first_row + own, c = first_channel + n * 4;
            if (row >= rows || c >= channels) continue;
            uint tile = r / MM * SN + n / (FN * MN / 4);
            uint place = tile * C_TILE + r % MM * C_ROW + n % (FN * MN / 4);
            vec4 v = vec4(0);
            [[unroll]] for (uint s = 0; s < SK; ++s) v += uintBitsToFloat(pool[place + s * SM * SN * C_TILE]);
            if (part_count == 1) {
                finish(v, row, c);
            } else {
                parts[left + own * ROW + n] = v;
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
