#version 450
// y = epilogue(x): a chain of elementwise steps on a tensor seen as rows × channels.
// One invocation computes four neighbouring elements of a row, or one if channels % 4 != 0.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // invocations that have work
    uint row_items;      // invocations per row of the grid
    uint channels;
    uint rows_per_batch;
};
layout(constant_id = 10) const bool VEC4 = true;

READS(0, X, x)
WRITES(1, Y, y)
#define EPI_BINDING 2
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_ALL
#include "lib/epilogue.glsl"
#include "lib/functions.glsl"

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    if (VEC4) {
        uint quads = channels / 4;
        y4[i] = S4(epilogue(vec4(x4[i]), i / quads, i % quads * 4));
    } else {
        y[i] = S1(epilogue(float(x[i]), i / channels, i % channels));
    }
}
