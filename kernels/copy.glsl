#version 450
// y = x, four words per invocation; the last one may hold fewer.
#extension GL_GOOGLE_include_directive : require
#define SIZE 32
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

READS(0, X, x)
WRITES(1, Y, y)
layout(push_constant) uniform Push { uint words; uint row_items; };

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (4 * i + 4 <= words) {
        y4[i] = x4[i];
    } else {
        for (uint j = 4 * i; j < words; ++j) y[j] = x[j];
    }
}
