#version 450
// y = requantised convolution of x with w, of 8-bit integers: each invocation computes TM neighbouring pixels of a
// line by TN quads of channels. A matrix product is the case of one tap (POINTWISE): all its rows are one line.
//
// What is read at once is a word of four input channels. Where channels do not fill words (VEC_X is false), runs of
// channels begin at any byte; all columns of a window are one run then, if they touch. w holds for each word of a run
// a row of `quads` vectors, a word for each output channel; a group's channels fill whole blocks. Unsigned elements
// count as signed ones, 128 less. Taps beyond the border read x's zero point.
//
// With DOT_PLAIN, products and sums are floats, exactly as long as there are no more than 1024 of them.
//! variant DOT = plain | packed
//! variant TN = 2 | 1
//! variant STORES = words | bytes
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TN
#define TN 2
#define DOT_PLAIN
#endif
#ifdef DOT_PACKED
#extension GL_EXT_integer_dot_product : require
#endif
#ifdef STORES_BYTES
#extension GL_EXT_shader_8bit_storage : require
#endif
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"

#define TM 4

layout(push_constant) uniform Push {
    uint rows;             // of y: batch × height × width
    uint width;            // rows per line
    uint strips;           // per line; the last of TM rows overlaps the one before
    uint strip_rows;       // TM, or 1 on lines shorter than that
    uint channels;         // of y
    uint run;              // elements of x that lie side by side under a row or a tap of the filter
    uint x_channels;
    uint part;             // elements of a run that a workgroup takes
    uint part_count;       // workgroups that share a tile
    uint quads;            // vectors per row of w
    uint blocks;           // of TN quads
    uint columns;          // blocks per workgroup
    uint group_blocks;     // blocks per group
    uint group_channels;   // channels of y per group
    uint group_depth;      // channels of x per group
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 taps;            // runs, per column and per row of the filter
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
    uint outside;          // four times x's zero point, as bytes
    uint zero_points;      // of w in the low half, of y in the high one
    uint bounds;           // the least element in the low half, the largest in the high one
    uint x_last;           // the last word of x
};
layout(constant_id = 10) const bool POINTWISE = false;
layout(constant_id = 11) const bool BORDER = true;
layout(constant_id = 12) const bool GROUPED = false;
layout(constant_id = 13) const bool VEC_X = true;
layout(constant_id = 14) const bool VEC_Y = true;
layout(constant_id = 15) const bool SPLIT = false;
layout(constant_id = 16) const bool WIDENED = false;      // elements of x and y lie in words
layout(constant_id = 17) const bool UNSIGNED = false;     // they are
layout(constant_id = 18) const bool W_ZERO_POINT = false; // w has one
layout(constant_id = 19) const bool FLUSHES = false;      // sums may have more products than floats hold exactly

int half_of(uint pair, int at) { return bitfieldExtract(int(pair), at, 16); }
#define y_zero_point half_of(zero_points, 16)
#define least half_of(bounds, 0)
#define most half_of(bounds, 16)

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { ivec4 w4[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
#ifdef STORES_BYTES
layout(std430, set = 0, binding = 2) writeonly buffer Y8 { uint8_t y8[]; };
#endif
#define REQUANTIZE_BINDING 3
#define FOLLOWER_BINDING 6
#include "lib/requantize.glsl"
#include "lib/followers.glsl"
#define LAST_BINDING 4
#define LAST_TYPE ivec4
#include "lib/last.glsl"

const uint ONES = 0x01010101;

uint packed_word(uvec4 v) {
    v &= 255;
    return v.x | v.y << 8 | v.z << 16 | v.w << 24;
}

// The four elements from `at` on, which counts quads if VEC_X and elements else; words of a WIDENED operand.
uvec4 words_at(int at) {
    if (VEC_X) return uvec4(x[4 * at], x[4 * at + 1], x[4 * at + 2], x[4 * at + 3]);
    uvec4 v;
    [[unroll]] for (int k = 0; k < 4; ++k) v[k] = x[clamp(at + k, 0, int(x_last))];
    return v;
}

// The same as bytes.
uint word_at(int at) {
    uint word;
    if (WIDENED) {
        word = packed_word(words_at(at));
    } else if (VEC_X) {
        word = x[at];
    } else {
        int i = at >> 2, shift = (at & 3) * 8;
        word = x[clamp(i, 0, int(x_last))] >> shift;
        if (shift != 0) word |= x[clamp(i + 1, 0, int(x_last))] << (32 - shift);
    }
    return UNSIGNED ? word ^ 0x80808080 : word;
}

#ifdef DOT_PACKED
#define OPERAND uint
#define OUTSIDE_OPERAND outside
#define operand_at word_at

// `word` with x's zero point in the place of the elements before `first` and from `end` on.
uint bordered(uint word, int first, int end) {
    uint keep = first >= 4 || end <= 0 ? 0 : ~0u << (8 * max(first, 0));
    if (end < 4 && end > 0) keep &= ~0u >> (32 - 8 * end);
    return word & keep | outside & ~keep;
}
#else
#define OPERAND vec4
#define OUTSIDE_OPERAND vec4(bitfieldExtract(int(outside), 0, 8))
#define TOP_BYTE 5.9604644775390625e-8  // 2^-24

// The four bytes, times 2^24. Some software drivers shift each lane by itself.
vec4 top_bytes(int word) { return vec4(word * ivec4(1 << 24, 1 << 16, 1 << 8, 1) & ivec4(0xff000000)); }

vec4 operand_at(int at) {
    if (WIDENED) return vec4(ivec4(words_at(at)) - (UNSIGNED ? 128 : 0));
    return top_bytes(int(word_at(at))) * TOP_BYTE;
}

// `v` with x's zero point in the place of the elements before `first` and from `end` on.
vec4 bordered(vec4 v, int first, int end) {
    ivec4 at = ivec4(0, 1, 2, 3);
    return mix(OUTSIDE_OPERAND, v, lessThan(uvec4(at - first), uvec4(max(end - first, 0))));
}
#endif

ivec4 tile[TM * TN];
int x_sums[TM];
int tile_at[TM];
const int OUTSIDE = -1;

#define MOST_STEPS 256u
#ifdef DOT_PACKED
#define ONE_WAY false
void flush() {}
#define X_SUM(m) x_sums[m] += dotPacked4x8EXT(int(v[m]), int(ones));
#define ADD(sum, m, i) tile[sum][i] += dotPacked4x8EXT(int(v[m]), q[i]);
#else
// Software drivers take both ways of a branch.
#define ONE_WAY true
vec4 part_sums[TM * TN];
float x_part_sums[TM];
void flush() {
    [[unroll]] for (int i = 0; i < TM * TN; ++i) {
        tile[i] += ivec4(part_sums[i] * TOP_BYTE);
        part_sums[i] = vec4(0);
    }
    [[unroll]] for (int m = 0; m < TM; ++m) {
        x_sums[m] += int(x_part_sums[m] * TOP_BYTE);
        x_part_sums[m] = 0;
    }
}
#define X_SUM(m) x_part_sums[m] += dot(v[m], top_bytes(int(ones)));
#define ADD(sum, m, i) part_sums[sum][i] += v[m].x * g.x + v[m].y * g.y + v[m].z * g.z + v[m].w * g.w;
#endif
uint held = 0;

// Adds the product of a word for each row, LOAD(m), and a row of weights.
#define TILE_STEP(LOAD) { \
    OPERAND v[TM]; \
    [[unroll]] for (int m = 0; m < TM; ++m) v[m] = LOAD(m); \
    if (W_ZERO_POINT) { \
        uint ones = VEC_X || left >= 4 ? ONES : ONES >> (8 * (4 - left)); \
        [[unroll]] for (int m = 0; m < TM; ++m) { X_SUM(m) } \
    } \
    [[unroll]] for (int n = 0; n < TN; ++n) { \
        ivec4 q = w4[w + n]; \
        [[unroll]] for (int i = 0; i < 4; ++i) { \
            STEP_WEIGHT \
            [[unroll]] for (int m = 0; m < TM; ++m) { ADD(m * TN + n, m, i) } \
        } \
    } \
    w += quads; \
}
#ifdef DOT_PACKED
#define STEP_WEIGHT
#else
#define STEP_WEIGHT vec4 g = top_bytes(q[i]);
#endif

OPERAND within(int m, OPERAND v) { return tile_at[m] == OUTSIDE ? OUTSIDE_OPERAND : v; }

// The steps of a run of `count` elements.
#define TILE_STEPS(LOAD) { \
    int left = int(count); \
    while (left > 0) { \
        int pause = 0; \
        if (FLUSHES) { \
            if (held == MOST_STEPS) { \
                flush(); \
                held = 0; \
            } \
            pause = max(left - 4 * int(MOST_STEPS - held), 0); \
            held += uint(left - pause + 3) / 4; \
        } \
        for (; left > pause; left -= 4) { \
            TILE_STEP(LOAD) \
            at += VEC_X ? 1 : 4; \
        } \
    } \
}

// Loads are unconditional: those of a branch would not overlap.
#define ANYWHERE(m) within(m, operand_at(tile_at[m] == OUTSIDE ? 0 : tile_at[m] + at))
#define IN_LINE(m) operand_at(at + m * pitch)
#define AT_BORDER(m) bordered(operand_at(at + m * pitch), line_start - at - m * pitch, line_end - at - m * pitch)

// Adds a run of elements of each row, the rows `pitch` apart from `at` on; gives the place of the next weights.
uint add_line(uint count, uint w, int at, int pitch) {
    TILE_STEPS(IN_LINE)
    return w;
}

// The same where elements before `line_start` and from `line_end` on lie beyond the border.
uint add_border(uint count, uint w, int at, int pitch, int line_start, int line_end) {
    TILE_STEPS(AT_BORDER)
    return w;
}

// The same for rows at the places `tile_at`.
uint add_anywhere(uint count, uint w) {
    int at = 0;
    TILE_STEPS(ANYWHERE)
    return w;
}

// Elements of x as what `at` counts.
#define PLACE(elements) (VEC_X ? (elements) / 4 : (elements))

// Adds the products of `count` elements of every run, the first at `channel`. Rows and taps beyond the border count
// too: what sums begin with makes up for the zero point under every tap.
void add_taps(uint count, uint channel, uint w, uint line, uint start) {
    // On a line shorter than TM the rows of a tile are all the same.
    int step = strip_rows == 1 ? 0 : POINTWISE ? 1 : int(stride.y);
    int pitch = PLACE(step * int(x_channels));
    uint skip = ((run + 3) / 4 - (count + 3) / 4) * quads;
    int image = 0;
    ivec2 corner = ivec2(0);
    if (!POINTWISE) {
        image = int(line / y_size.x * x_size.x);
        corner = ivec2(line % y_size.x, start) * ivec2(stride) + origin;
    }
    for (uint ky = 0; ky < (POINTWISE ? 1 : taps.x); ++ky) {
        int row = corner.x + int(ky * dilation.x);
        bool beyond = BORDER && uint(row) >= x_size.x;
        int line_start = (image + row) * int(x_size.y * x_channels);
        for (uint kx = 0; kx < (POINTWISE ? 1 : taps.y); ++kx) {
            int column = corner.y + int(kx * dilation.y);
            int last = column + (TM - 1) * step;
            int at = POINTWISE ? int(start * x_channels) : line_start + column * int(x_channels);
            at += int(channel);
            if (BORDER && VEC_X && (ONE_WAY || beyond || column < 0 || last >= int(x_size.y))) {
                [[unroll]] for (int m = 0; m < TM; ++m) {
                    bool inside = !beyond && uint(column + m * step) < x_size.y;
                    tile_at[m] = inside ? PLACE(at + m * step * int(x_channels)) : OUTSIDE;
                }
                w = add_anywhere(count, w);
            } else if (BORDER && !VEC_X && (ONE_WAY || beyond || column < 0 ||
                       last * int(x_channels) + int(run) > int(x_size.y * x_channels))) {
                int line_end = beyond ? line_start : line_start + int(x_size.y * x_channels);
                w = add_border(count, w, at, pitch, line_start, line_end);
            } else {
                w = add_line(count, w, PLACE(at), pitch);
            }
            if (SPLIT) w += skip;
        }
    }
}

// Stores what the sums of a quad of channels from `c` on become, those before `end`.
void store_quad(ivec4 sum, uint row, uint c, uint end, Scaling by) {
    ivec4 v = followed(requantized(sum, by), row, c, channels, end, VEC_Y);
    if (VEC_Y && !WIDENED) {
        y[(row * channels + c) / 4] = packed_word(uvec4(v));
        return;
    }
    [[unroll]] for (uint i = 0; i < 4; ++i) {
        if (c + i < end) {
#ifdef STORES_BYTES
            y8[row * channels + c + i] = uint8_t(v[i]);
#else
            y[row * channels + c + i] = uint(v[i]);
#endif
        }
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint tall = WG_X / columns;
    uint column = SPLIT ? gl_WorkGroupID.x / part_count : gl_WorkGroupID.x;
    uint p = SPLIT ? gl_WorkGroupID.x % part_count : 0;
    uint block = column * columns + lane % columns;
    uint tall_group = gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y;
    uint strip = tall_group * tall + lane / columns;
    uint line = POINTWISE ? 0 : strip / strips;
    uint start = min((strip - line * strips) * strip_rows, width - strip_rows);
    uint first = line * width + start;
    bool idle = lane >= tall * columns || block >= blocks || strip >= strips && POINTWISE || first >= rows;
    if (idle && !SPLIT) return;

    uint group = GROUPED ? block / group_blocks : 0;
    uint c = group * group_channels + (block - group * group_blocks) * TN * 4;
    uint c_end = (group + 1) * group_channels;
    uint quad = block * TN;
    if (!idle) {
        [[unroll]] for (int m = 0; m < TM; ++m) {
            x_sums[m] = 0;
#ifdef DOT_PLAIN
            x_part_sums[m] = 0;
#endif
            [[unroll]] for (int n = 0; n < TN; ++n) {
                tile[m * TN + n] = p == 0 ? sums_of(quad + n) : ivec4(0);
#ifdef DOT_PLAIN
                part_sums[m * TN + n] = vec4(0);
#endif
            }
        }
        if (SPLIT) {
            uint from = p * part;
            add_taps(min(part, run - from), group * group_depth + from, quad + from / 4 * quads, line, start);
        } else {
            add_taps(run, group * group_depth, quad, line, start);
        }
        flush();
        if (W_ZERO_POINT) {
            [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] -= half_of(zero_points, 0) * x_sums[i / TN];
        }
    }
    if (SPLIT && part_count > 1) {
        uint counter = tall_group * (gl_NumWorkGroups.x / part_count) + column;
        uint at = counter * part_count * TM * TN * WG_X + lane;
        if (!idle) {
            [[unroll]] for (int i = 0; i < TM * TN; ++i) parts[at + (p * TM * TN + i) * WG_X] = tile[i];
        }
        if (!is_last(counter, part_count)) return;
        [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] = ivec4(0);
        for (uint q = 0; q < part_count; ++q) {
            [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] += parts[at + (q * TM * TN + i) * WG_X];
        }
    }
    if (idle) return;

    // Requantising is long: its loops are unrolled only when the module is specialised.
    ivec4 sums[TM * TN];
    [[unroll]] for (int i = 0; i < TM * TN; ++i) sums[i] = tile[i];
    [[dont_unroll]] for (uint n = 0; n < TN; ++n) {
        if (c + n * 4 >= c_end) break;
        Scaling by = scaling_of(quad + n);
        [[dont_unroll]] for (uint m = 0; m < TM; ++m) {
            if (m < strip_rows) store_quad(sums[m * TN + n], first + m, c + n * 4, c_end, by);
        }
    }
}
