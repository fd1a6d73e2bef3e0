#version 450
// y = epilogue(x), where x is spread over y's shape: stride 0 in the dimensions that it lacks.
// One invocation computes one element; the epilogue's first step is usually the binary operator.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint shape[6];       // of y, ones in front
    uint x_stride[6];    // in elements; 0 where x has size 1
};

READS(0, X, x)
WRITES(1, Y, y)

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    uint rest = i, at = 0;
    for (int d = 5; d >= 0; --d) {
        at += rest % shape[d] * x_stride[d];
        rest /= shape[d];
    }
    y[i] = x[at];
}
