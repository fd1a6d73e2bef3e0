#version 450
// y[b,i,j] = element of the sum Σ a[b,i,k] × b[b,k,j] of 16-bit integers and others of 16 or 8 bits, each operand
// possibly with its two inner dimensions swapped in memory, and with batches that repeat (stride 0). Sums have 64
// bits. An invocation computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint rows;           // of y
    uint columns;
    uint depth;
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
layout(constant_id = 12) const bool SWAP_A = false;
layout(constant_id = 13) const bool SWAP_B = false;
layout(constant_id = 14) const bool PER_COLUMN = false; // whether each column has a scale
layout(constant_id = 15) const bool NARROW = false;     // whether sums wrap at 32 bits

READS_ELEMENTS(0, A, a)
READS_ELEMENTS(1, B, b)
#define SCALES_BINDING 3
#include "lib/wide_product.glsl"

uvec2 value(uint at) {
    uint line = at / columns, j = at - line * columns, rest = line / rows, i = line - rest * rows;
    uvec2 base = uvec2(0);
    for (int d = 3; d >= 0; --d) {
        uint n = rest % batch[d];
        rest /= batch[d];
        base += n * uvec2(a_stride[d], b_stride[d]);
    }
    base *= uvec2(rows, columns) * depth;
    uint channel = PER_COLUMN ? j : 0u;
    uvec2 sum = scales[channel].xy;
    for (uint k = 0; k < depth; ++k) {
        int u = int(load_a(FORM, base.x + (SWAP_A ? k * rows + i : i * depth + k)).x);
        int v = int(load_b(B_FORM, base.y + (SWAP_B ? j * depth + k : k * columns + j)).x);
        sum = wide_add(sum, extended(u * (v - b_zero_point)));
    }
    if (NARROW) sum = extended(sum.x);
    return uvec2(wide_element(sum, channel), 0);
}

WRITES_ELEMENTS(2, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    store_elements(FORM, item, elements);
}
