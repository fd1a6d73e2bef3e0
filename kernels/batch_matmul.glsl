#version 450
// y[b,i,j] = Σ a[b,i,k] × b[b,k,j], each operand possibly with its two inner dimensions swapped
// in memory, and with batches that repeat (stride 0).
// One invocation computes 4 × 4 elements of y.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint rows_per_batch;
    uint rows;           // of y
    uint columns;
    uint depth;
    uint wide_a;         // whether fours of depth (of rows if swapped) lie side by side in a
    uint wide_b;         // whether fours of columns (of depth if swapped) lie side by side in b
    uint batch[4];
    uint a_stride[4];    // in matrices; 0 where a has size 1
    uint b_stride[4];
};
layout(constant_id = 10) const bool SWAP_A = false;
layout(constant_id = 11) const bool SWAP_B = false;

READS(0, A, a)
READS(1, B, b)
WRITES_EITHER(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS columns
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"

// The 4 × 4 elements of a matrix from row i and column j on, one row a vector; 0 beyond the border.
#define BLOCK(name, data) \
    mat4 name(uint base, uint i, uint j, uint height, uint width, bool wide) { \
        mat4 m = mat4(0); \
        for (uint r = 0; r < 4; ++r) { \
            if (i + r >= height) break; \
            uint at = base + (i + r) * width + j; \
            if (wide) { \
                m[r] = vec4(data##4[at / 4]); \
            } else { \
                for (uint c = 0; c < 4; ++c) if (j + c < width) m[r][c] = float(data[at + c]); \
            } \
        } \
        return m; \
    }
BLOCK(block_a, a)
BLOCK(block_b, b)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint strips = (columns + 3) / 4, bands = (rows + 3) / 4;
    uint j = item % strips * 4, i = item / strips % bands * 4, matrix = item / strips / bands;
    uint rest = matrix, a_base = 0, b_base = 0;
    for (int d = 3; d >= 0; --d) {
        uint at = rest % batch[d];
        rest /= batch[d];
        a_base += at * a_stride[d];
        b_base += at * b_stride[d];
    }
    a_base *= rows * depth;
    b_base *= depth * columns;

    // Columns of these are rows of the matrices.
    mat4 sum = mat4(0);
    if (wide_a != 0u && wide_b != 0u && depth % 4 == 0 && i + 4 <= rows && j + 4 <= columns) {
        // Whole vectors throughout: where the first one of four lies, how far the next, and the next four.
        uint a_at = (a_base + (SWAP_A ? i : i * depth)) / 4, a_pitch = (SWAP_A ? rows : depth) / 4;
        uint b_at = (b_base + (SWAP_B ? j * depth : j)) / 4, b_pitch = (SWAP_B ? depth : columns) / 4;
        for (uint k = 0; k < depth; k += 4) {
            mat4 ma;
            [[unroll]] for (int r = 0; r < 4; ++r) ma[r] = vec4(a4[a_at + r * a_pitch]);
            ma = SWAP_A ? transpose(ma) : ma;
            // Of b one vector at a time: registers are few.
            [[unroll]] for (int c = 0; c < 4; ++c) {
                vec4 b_row = vec4(b4[b_at + c * b_pitch]);
                [[unroll]] for (int r = 0; r < 4; ++r) {
                    if (SWAP_B) sum[r][c] += dot(ma[r], b_row);
                    else sum[r] += ma[r][c] * b_row;
                }
            }
            a_at += SWAP_A ? rows : 1;
            b_at += SWAP_B ? 1 : columns;
        }
    } else {
        for (uint k = 0; k < depth; k += 4) {
            mat4 ma = SWAP_A ? transpose(block_a(a_base, k, i, depth, rows, wide_a != 0u))
                             : block_a(a_base, i, k, rows, depth, wide_a != 0u);
            mat4 mb = SWAP_B ? transpose(block_b(b_base, j, k, columns, depth, wide_b != 0u))
                             : block_b(b_base, k, j, depth, columns, wide_b != 0u);
            for (uint r = 0; r < 4; ++r) sum[r] += mb * ma[r];
        }
    }

    for (uint r = 0; r < 4; ++r) {
        if (i + r >= rows) break;
        uint row = matrix * rows + i + r;
        if (columns % 4 == 0) {
            EPI_STORE4((row * columns + j) / 4, epilogue(sum[r], row, j));
        } else {
            for (uint c = 0; c < 4; ++c) {
                if (j + c < columns) EPI_STORE(row * columns + j + c, epilogue(sum[r][c], row, j + c));
            }
        }
    }
}
