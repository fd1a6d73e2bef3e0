#version 450
// y[y_offset + Σ iₖ × y_strideₖ] = x[x_offset + Σ iₖ × x_strideₖ] for every index i of a shape:
// slices, transpositions, concatenations and broadcasts are all this copy.
// One invocation copies one element, or four if every stride and offset allows it (wide).
// Offsets and strides count what one invocation copies, and wrap: a negative stride is 2³² less.
//! variant SIZE = 32 | 16 | 8
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint wide;
    uint rank;
    uint x_offset;
    uint y_offset;
    uint shape[6];
    uint x_stride[6];
    uint y_stride[6];
};

READS(0, X, x)
WRITES(1, Y, y)

void main() {
    uint rest = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (rest >= items) return;
    uint from = x_offset, to = y_offset;
    for (uint d = rank; d-- > 0u;) {
        uint i = rest % shape[d];
        rest /= shape[d];
        from += i * x_stride[d];
        to += i * y_stride[d];
    }
    if (wide != 0u) y4[to] = x4[from];
    else y[to] = x[from];
}
