#version 450
// y[b,i,j] = element of the sum Σ a[b,i,k] × b[b,k,j] of 8-bit integers, each operand possibly with its two inner
// dimensions swapped in memory, and with batches that repeat (stride 0). An invocation computes 4 × 4 elements of y,
// or, where rows of y are no whole words (not TILED), the elements of one word.
//! variant DOT = plain | packed
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/packed.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint rows;           // of y
    uint columns;
    uint depth;
    int start;           // of all sums
    int a_zero_point;
    int b_zero_point;
    int y_zero_point;
    int least;
    int most;
    uint batch[4];
    uint a_stride[4];    // in matrices; 0 where a has size 1
    uint b_stride[4];
};
layout(constant_id = 10) const uint FORM = 0;           // of a and y
layout(constant_id = 11) const uint B_FORM = 0;
layout(constant_id = 12) const uint FLIP = 0;           // 0x80808080 makes unsigned integers signed ones
layout(constant_id = 13) const uint B_FLIP = 0;
layout(constant_id = 14) const bool SWAP_A = false;
layout(constant_id = 15) const bool SWAP_B = false;
layout(constant_id = 16) const bool A_WORDS = false;    // whether lines of a are whole words
layout(constant_id = 17) const bool B_WORDS = false;
layout(constant_id = 18) const bool TILED = false;
layout(constant_id = 19) const bool PER_COLUMN = false; // whether each column has a scale
layout(constant_id = 20) const bool SUM_A = false;      // whether b has another zero point than 0
layout(constant_id = 21) const bool SUM_B = false;      // whether a has

READS_ELEMENTS(0, A, a)
READS_ELEMENTS(1, B, b)
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
#define REQUANTIZE_BINDING 3
#include "lib/requantize.glsl"

// Up to four elements `pitch` apart as signed ones in a word, then zeros.
#define GATHER(name, data, FORM, FLIP) \
    uint name(uint at, uint pitch, uint count) { \
        uint word = 0; \
        for (uint n = 0; n < 4; ++n) { \
            if (n < count) word |= ((load_##data(FORM, at + n * pitch).x ^ FLIP) & 0xffu) << (8 * n); \
        } \
        return word; \
    }
GATHER(gather_a, a, FORM, FLIP)
GATHER(gather_b, b, B_FORM, B_FLIP)

// Fours of depth from k on, of rows of a from i on: a word for each row, zeros beyond the border.
uvec4 rows_of_a(uint base, uint i, uint k) {
    uvec4 v = uvec4(0);
    if (A_WORDS) {
        if (SWAP_A) {
            for (uint n = 0; n < 4; ++n) if (k + n < depth) v[n] = a[(base + (k + n) * rows + i) / 4] ^ FLIP;
            return packed_transpose(v);
        }
        for (uint n = 0; n < 4; ++n) if (i + n < rows) v[n] = a[(base + (i + n) * depth + k) / 4] ^ FLIP;
        return v;
    }
    for (uint n = 0; n < 4; ++n) {
        if (i + n >= rows) break;
        v[n] = SWAP_A ? gather_a(base + k * rows + i + n, rows, depth - k)
                      : gather_a(base + (i + n) * depth + k, 1, depth - k);
    }
    return v;
}

// The same of columns of b from j on.
uvec4 columns_of_b(uint base, uint j, uint k) {
    uvec4 v = uvec4(0);
    if (B_WORDS) {
        if (!SWAP_B) {
            for (uint n = 0; n < 4; ++n) if (k + n < depth) v[n] = b[(base + (k + n) * columns + j) / 4] ^ B_FLIP;
            return packed_transpose(v);
        }
        for (uint n = 0; n < 4; ++n) if (j + n < columns) v[n] = b[(base + (j + n) * depth + k) / 4] ^ B_FLIP;
        return v;
    }
    for (uint n = 0; n < 4; ++n) {
        if (j + n >= columns) break;
        v[n] = SWAP_B ? gather_b(base + (j + n) * depth + k, 1, depth - k)
                      : gather_b(base + k * columns + j + n, columns, depth - k);
    }
    return v;
}

// Where the matrices of both operands begin.
uvec2 bases(uint matrix) {
    uvec2 base = uvec2(0);
    for (int d = 3; d >= 0; --d) {
        uint at = matrix % batch[d];
        matrix /= batch[d];
        base += at * uvec2(a_stride[d], b_stride[d]);
    }
    return base * uvec2(rows, columns) * depth;
}

// The channel in whose scale a column is.
uint channel_of(uint column) { return PER_COLUMN ? column : 0u; }

// One element of y.
uvec2 value(uint at) {
    uint line = at / columns, j = at - line * columns, matrix = line / rows, i = line - matrix * rows;
    uvec2 base = bases(matrix);
    int sum = start + sum_of(channel_of(j));
    for (uint k = 0; k < depth; k += 4) {
        uint count = depth - k;
        uint u = SWAP_A ? gather_a(base.x + k * rows + i, rows, count)
                        : A_WORDS ? a[(base.x + i * depth + k) / 4] ^ FLIP
                                  : gather_a(base.x + i * depth + k, 1, count);
        uint v = !SWAP_B ? gather_b(base.y + k * columns + j, columns, count)
                         : B_WORDS ? b[(base.y + j * depth + k) / 4] ^ B_FLIP
                                   : gather_b(base.y + j * depth + k, 1, count);
        sum += packed_dot(u, v);
        if (SUM_A) sum -= b_zero_point * packed_dot(u, 0x01010101);
        if (SUM_B) sum -= a_zero_point * packed_dot(v, 0x01010101);
    }
    return uvec2(requantized(sum, channel_of(j)), 0);
}

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (!TILED) {
        if (form_width(FORM) != 8u) {
            y[item] = value(item).x;
            return;
        }
        ivec4 v = ivec4(0);
        for (uint n = 0; n < 4; ++n) if (4 * item + n < elements) v[n] = int(value(4 * item + n).x);
        y[item] = packed(v);
        return;
    }
    uint strips = columns / 4, bands = (rows + 3) / 4;
    uint j = item % strips * 4, i = item / strips % bands * 4, matrix = item / strips / bands;
    uvec2 base = bases(matrix);
    ivec4 sum[4];
    [[unroll]] for (int r = 0; r < 4; ++r) sum[r] = start + sums_of(channel_of(j) / 4);
    for (uint k = 0; k < depth; k += 4) {
        uvec4 u = rows_of_a(base.x, i, k), v = columns_of_b(base.y, j, k);
        ivec4 correction = ivec4(0);
        if (SUM_B) {
            [[unroll]] for (int c = 0; c < 4; ++c) correction[c] = a_zero_point * packed_dot(v[c], 0x01010101);
        }
        [[unroll]] for (int r = 0; r < 4; ++r) {
            [[unroll]] for (int c = 0; c < 4; ++c) sum[r][c] += packed_dot(u[r], v[c]);
            if (SUM_A) sum[r] -= b_zero_point * packed_dot(u[r], 0x01010101);
            if (SUM_B) sum[r] -= correction;
        }
    }
    for (uint r = 0; r < 4; ++r) {
        if (i + r >= rows) break;
        ivec4 v = requantized(sum[r], channel_of(j) / 4);
        uint at = (matrix * rows + i + r) * columns + j;
        if (form_width(FORM) == 8u) {
            y[at / 4] = packed(v);
        } else {
            for (uint c = 0; c < 4; ++c) y[at + c] = uint(v[c]);
        }
    }
}
