#version 450
// y[b, o, i, n] = x[b, o, index[b, i], n].
// One invocation copies one element, or four if n allows it (wide); inner then counts fours.
//! variant SIZE = 32 | 16 | 8
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint wide;
    uint outer;
    uint axis;           // size of the dimension that is indexed
    uint indices;        // per b
    uint inner;
};

READS(0, X, x)
#include "lib/indices.glsl"
WRITES(2, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint n = item % inner, rest = item / inner;
    uint i = rest % indices, row = rest / indices;
    uint at = index_at(row / outer * indices + i, axis);
    uint from = (row * axis + at) * inner + n;
    if (wide != 0u) y4[item] = x4[from];
    else y[item] = x[from];
}
