#version 450
// y[r, c] = xₖ[r, c - startₖ] for the k whose columns these are: up to four matrices side by side.
// One invocation copies one element, or four if every width allows it (wide); widths then count fours.
//! variant SIZE = 32 | 16 | 8
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint wide;
    uint width;          // of all these matrices together
    uint y_width;        // of y, where further ones may stand before and behind
    uint y_start;
    uint start[4];       // behind the last one: width
};

READS(0, A, a)
READS(1, B, b)
READS(2, C, c)
READS(3, D, d)
WRITES(4, Y, y)

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    uint row = i / width, column = i % width;
    uint k = uint(column >= start[1]) + uint(column >= start[2]) + uint(column >= start[3]);
    uint end = k == 3 ? width : start[k + 1];
    uint from = row * (end - start[k]) + column - start[k];
    uint to = row * y_width + y_start + column;
    // Assignments, not a choice among values: that would be 16-bit arithmetic, which not every device has.
    if (wide != 0u) {
        if (k == 0) y4[to] = a4[from];
        else if (k == 1) y4[to] = b4[from];
        else if (k == 2) y4[to] = c4[from];
        else y4[to] = d4[from];
    } else {
        if (k == 0) y[to] = a[from];
        else if (k == 1) y[to] = b[from];
        else if (k == 2) y[to] = c[from];
        else y[to] = d[from];
    }
}
