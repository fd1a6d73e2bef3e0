#version 450
// y = epilogue(convolution of x with w), for drivers that make every load a loop over the lanes of a
// SIMD register: four neighbouring invocations, a quad, compute TM neighbouring pixels each, in the same
// TN quads of channels. Each loads a fourth of the weights, and the others' come by swaps.
//
// The sums run over `steps` of `run` neighbouring elements of x: a row of taps, or one tap where taps are
// dilated or grouped. w holds, per four elements of a run (the last four filled up with zeros) and block
// of channels, TN times four vectors of four elements' weights, one vector per channel.
//
// A transposed convolution whose windows tile y is the matrix product of x and the weights of all taps,
// the taps being groups of channels, whose result is spread over the pixels of y (SPREAD).
//
// The first layer of a network has a variant of its own: windows of RGB × RGB pixels of three channels, two
// pixels apart. The TM windows of an invocation overlap, and all that they see of a row of x is loaded once.
//! variant STORE = f32 | f16
//! variant TN = 1 | 2 | 3 | 4
//! variant RGB = 0 | 3 | 5
//! skip STORE=f16 RGB=3|5
//! skip TN=1|3|4 RGB=3|5
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TN
#define TN 4
#define RGB 0
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"
#include "lib/quad.glsl"

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint channels;         // of y
    uint rows_per_batch;
    uint row_groups;       // workgroups per row of the grid
    uint run;
    uint depth;            // input channels of a group
    uint x_channels;
    uint blocks;           // of TN quads of channels
    uint group_blocks;     // blocks per group
    uint group_channels;   // channels of y per group; if SPREAD, of all taps
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 steps;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 11) const bool BORDER = true;
layout(constant_id = 12) const bool GROUPED = false;
layout(constant_id = 13) const bool VEC_X = true;
layout(constant_id = 14) const bool VEC_Y = true;
layout(constant_id = 15) const bool SPREAD = false;
layout(constant_id = 16) const bool SHIFTED = false;   // of RGB: windows start behind a vector's first element

READS(0, X, x)
READS(1, W, w)
WRITES_EITHER(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_START
#define EPI_HOLD
#include "lib/epilogue.glsl"

const int TM = 4;

// The row and the channel of y for a channel of the product, whose rows are the pixels of x.
uvec2 place(uint row, uint c) {
    if (!SPREAD) return uvec2(row, c);
    uint tap = c / channels, line = row / x_size.y;
    uint ky = tap / stride.y, kx = tap - ky * stride.y;
    uint column = (row - line * x_size.y) * stride.y + kx;
    return uvec2((line * stride.x + ky) * y_size.y + column, c - tap * channels);
}

// Stores `v` as channels from `c` on of a row of the product, those before `end`.
void store_scalars(vec4 v, uint row, uint c, uint end) {
    [[dont_unroll]] for (uint i = 0; i < 4; ++i) {
        if (c + i >= end) return;
        uvec2 to = place(row, c + i);
        EPI_STORE(to.x * channels + to.y, epilogue(v[i], to.x, to.y));
    }
}

// Element r of [m * TN + n] belongs to the channel that differs by r from the invocation's place.
float sum[TM * TN * 4];

#if RGB > 0
const int RUN = 3 * RGB, APART = 2 * 3, SPAN = (TM - 1) * APART + RUN, VECTORS = (SPAN + 1 + 3) / 4;
#endif

// Where the run of each pixel starts in x, in elements or (VEC_X) in vectors, and its part inside.
int at[TM];
int from[TM];
uint inside[TM];

// Four elements of pixel m's run, from number 4 k on.
vec4 load_x(int m, int k) {
    vec4 v;
    if (VEC_X) {
        if (BORDER) {
            bool seen = uint(k - from[m]) < inside[m];
            v = mix(vec4(0), vec4(x4[mix(0, at[m] + k, seen)]), bvec4(seen));
        } else {
            v = vec4(x4[at[m] + k]);
        }
    } else {
        [[unroll]] for (int i = 0; i < 4; ++i) {
            int e = 4 * k + i;
            bool seen = uint(e - from[m]) < inside[m];
            v[i] = mix(0.0, float(x[mix(0, at[m] + e, seen)]), seen);
        }
    }
    return v;
}

void main() {
    uint lane = gl_SubgroupInvocationID & 3u;
    uint item = ((gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x) * WG_X + gl_LocalInvocationID.x) >> 2;
    uint block = item % blocks;
    uint first = (item / blocks * 4 + lane) * TM;
    // The quad stays together for its swaps: beyond the last row of y that one is computed again.
    if (item / blocks * 4 * TM >= rows) return;

    uint group = GROUPED ? block / group_blocks : 0;
    uint c = group * group_channels + (block - group * group_blocks) * TN * 4;
    uint c_end = (group + 1) * group_channels;
    [[unroll]] for (int n = 0; n < TN; ++n) {
        float bias = epilogue_start(place(0, min(c + 4 * n + lane, c_end - 1)).y);
        [[unroll]] for (int r = 0; r < 4; ++r) {
            float start = SWAPPED(bias, r);
            [[unroll]] for (int m = 0; m < TM; ++m) sum[(m * TN + n) * 4 + r] = start;
        }
    }

    uint w_at = block * TN * 4 + lane, w_pitch = blocks * TN * 4;
#if RGB > 0
    int y_wide = int(y_size.y), y_high = int(y_size.x), high = int(x_size.x), pitch = int(x_size.y) * 3 >> 2;
    int line = int(min(first, rows - 1)) / y_wide, image = line / y_high;
    int row = (line - image * y_high) * 2 + origin.x;
    int left = ((int(min(first, rows - 1)) - line * y_wide) * APART + origin.y * 3 - int(SHIFTED)) >> 2;
    for (int end = row + RGB; row < end; ++row) {
        float span[4 * VECTORS];
        [[unroll]] for (int i = 0; i < VECTORS; ++i) {
            bool seen = uint(row) < uint(high) && uint(left + i) < uint(pitch);
            vec4 v = vec4(x4[mix(0, (image * high + row) * pitch + left + i, seen)]);
            v = mix(vec4(0), v, bvec4(seen));
            [[unroll]] for (int j = 0; j < 4; ++j) span[4 * i + j] = v[j];
        }
        [[unroll]] for (int i = 0; i < SPAN; ++i) span[i] = mix(span[i], span[i + 1], SHIFTED);
        [[unroll]] for (int k = 0; k < (RUN + 3) / 4; ++k) {
            [[unroll]] for (int n = 0; n < TN; ++n) {
                vec4 own = vec4(w4[w_at + 4 * n]);
                [[unroll]] for (int r = 0; r < 4; ++r) {
                    vec4 q = SWAPPED(own, r);
                    [[unroll]] for (int m = 0; m < TM; ++m) {
                        float s = sum[(m * TN + n) * 4 + r];
                        [[unroll]] for (int j = 0; j < 4; ++j) {
                            if (4 * k + j < RUN) s += span[m * APART + 4 * k + j] * q[j];
                        }
                        sum[(m * TN + n) * 4 + r] = s;
                    }
                }
            }
            w_at += w_pitch;
        }
    }
#else
    int wide = int(x_size.y), pitch = int(x_channels), length = int(run), quads = (length + 3) >> 2;
    ivec2 corner[TM];
    int line[TM];          // of the image in x that holds the pixel, its first one
    if (!POINTWISE) {
        int row = int(min(first, rows - 1)), y_wide = int(y_size.y), y_high = int(y_size.x);
        ivec3 pixel = ivec3(row / y_wide, row % y_wide, 0);
        pixel.z = pixel.x / y_high;
        pixel.x -= pixel.z * y_high;
        [[unroll]] for (int m = 0; m < TM; ++m) {
            corner[m] = pixel.xy * ivec2(stride) + origin;
            line[m] = pixel.z * int(x_size.x);
            bool on = first + m + 1 < rows;
            bool right = pixel.y + 1 == y_wide, below = right && pixel.x + 1 == y_high;
            ivec3 next = mix(pixel + ivec3(0, 1, 0), ivec3(pixel.x + 1, 0, pixel.z), bvec3(right));
            next = mix(next, ivec3(0, 0, pixel.z + 1), bvec3(below));
            pixel = mix(pixel, next, bvec3(on));
        }
    }
    int high = int(x_size.x), channel = int(group * depth), columns = int(steps.y), k = 0;
    ivec2 apart = ivec2(dilation), tap = ivec2(0);
    if (POINTWISE) {
        [[unroll]] for (int m = 0; m < TM; ++m) {
            at[m] = int(min(first + m, rows - 1)) * pitch + channel;
            if (VEC_X) at[m] >>= 2;
            from[m] = 0;
            inside[m] = uint(length);
        }
    }
    // One loop over steps and their runs: the more loops, the more often all sums are handed over.
    int rounds = POINTWISE ? quads : quads * columns * int(steps.x);
    for (int t = 0; t < rounds; ++t) {
        if (!POINTWISE) {
            [[unroll]] for (int m = 0; m < TM; ++m) {
                int row = corner[m].x + tap.x * apart.x, column = corner[m].y + tap.y * apart.y;
                at[m] = ((line[m] + row) * wide + column) * pitch + channel;
                from[m] = max(-column, 0) * pitch;
                int to = min((wide - column) * pitch, length);
                inside[m] = uint(mix(0, max(to - from[m], 0), uint(row) < uint(high)));
                if (VEC_X) {
                    at[m] >>= 2;
                    from[m] >>= 2;
                    inside[m] >>= 2;
                }
            }
        }
        vec4 v[TM];
        [[unroll]] for (int m = 0; m < TM; ++m) v[m] = load_x(m, k);
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
        w_at += w_pitch;
        ++k;
        if (!POINTWISE) {
            bool next = k == quads;
            k = mix(k, 0, next);
            tap.y += int(next);
            bool below = tap.y == columns;
            tap = mix(tap, ivec2(tap.x + 1, 0), bvec2(below));
        }
    }
#endif

    bool odd = (lane & 1u) != 0, high_half = (lane & 2u) != 0;
    vec4 result[TM * TN];
    [[unroll]] for (int i = 0; i < TM * TN; ++i) {
        vec4 v = vec4(sum[4 * i], sum[4 * i + 1], sum[4 * i + 2], sum[4 * i + 3]);
        v = mix(v, v.yxwz, bvec4(odd));
        result[i] = mix(v, v.zwxy, bvec4(high_half));
    }
    // The epilogue is long: with bounds that no constant gives, no driver unrolls its loops.
    uint count = min(TM, rows - min(first, rows));
    for (uint n = 0; n < TN * min(count, 1); ++n) {
        vec4 quad[TM];
        [[unroll]] for (int m = 0; m < TM; ++m) {
            quad[m] = result[m * TN];
            [[unroll]] for (int i = 1; i < TN; ++i) quad[m] = mix(quad[m], result[m * TN + i], bvec4(n == i));
        }
        uint c_first = c + 4 * n, channel = place(0, c_first).y;
        bool inside = c_first < c_end;
        if (VEC_Y) epilogue_hold(inside ? channel : 0);
        for (uint m = 0; m < (inside ? count : 0); ++m) {
            bvec4 odd = bvec4((m & 1) != 0);
            vec4 v = mix(mix(quad[0], quad[1], odd), mix(quad[2], quad[3], odd), bvec4(m > 1));
            if (VEC_Y) {
                uint row = place(first + m, c_first).x;
                EPI_STORE4(row * epi_quads + epi_quad, epilogue(v, row, channel));
            } else {
                store_scalars(v, first + m, c_first, c_end);
            }
        }
    }
}
