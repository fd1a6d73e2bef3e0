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

layout(constant_id = 10) const uint INDEX_BITS = 32;

READS(0, X, x)
layout(std430, set = 0, binding = 1) readonly buffer Index { uint index[]; };
WRITES(2, Y, y)

uint index_at(uint i) {
    if (INDEX_BITS == 16) return bitfieldExtract(index[i / 2], int(i % 2 * 16), 16);
    // What takes more than 32 bits is beyond the end.
    if (INDEX_BITS == 64) return index[2 * i + 1] == 0 ? index[2 * i] : ~0u;
    return index[i];
}

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint n = item % inner, rest = item / inner;
    uint i = rest % indices, row = rest / indices;
    // An index that is negative or beyond the end is an error on the CPU; here it must only not leave the buffer.
    uint at = min(index_at(row / outer * indices + i), axis - 1);
    uint from = (row * axis + at) * inner + n;
    if (wide != 0u) y4[item] = x4[from];
    else y[item] = x[from];
}
