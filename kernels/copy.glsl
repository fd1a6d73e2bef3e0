#version 450
// y = x, four elements per invocation; the last one may hold fewer.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

READS(0, X, x)
WRITES(1, Y, y)
layout(push_constant) uniform Push { uint elements; uint row_items; };

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (4 * i + 4 <= elements) {
        y4[i] = x4[i];
    } else {
        for (uint j = 4 * i; j < elements; ++j) y[j] = x[j];
    }
}
