#version 450
// y[i, n] = x[index[i, 0], index[i, 1], …, n].
// One invocation copies one element, or four if n allows it (wide); inner then counts fours.
//! variant SIZE = 32 | 16 | 8
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint wide;
    uint depth;          // indices of a slice
    uint inner;
    uint shape[6];       // of the dimensions that are indexed
};

READS(0, X, x)
#include "lib/indices.glsl"
WRITES(2, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint i = item / inner, from = 0;
    for (uint d = 0; d < depth; ++d) from = from * shape[d] + index_at(i * depth + d, shape[d]);
    from = from * inner + item - i * inner;
    if (wide != 0u) y4[item] = x4[from];
    else y[item] = x[from];
}
