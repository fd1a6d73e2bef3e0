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
#ifdef STORE_F16
READS_AS(0, XF, xf, float, vec4)
#endif
WRITES_EITHER(1, Y, y)
#define EPI_BINDING 2
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_ALL
#include "lib/epilogue.glsl"
#include "lib/functions.glsl"

#ifdef STORE_F16
const bool X_F32 = (EPI_OP_1 >> EPI_RESULT_F32_AT & 1u) != 0u;
float load(uint i) { return X_F32 ? xf[i] : float(x[i]); }
vec4 load4(uint i) { return X_F32 ? xf4[i] : vec4(x4[i]); }
#define LOAD(i) load(i)
#define LOAD4(i) load4(i)
#else
#define LOAD(i) float(x[i])
#define LOAD4(i) vec4(x4[i])
#endif

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    if (VEC4) {
        uint quads = channels / 4;
        EPI_STORE4(i, epilogue(LOAD4(i), i / quads, i % quads * 4));
    } else {
        EPI_STORE(i, epilogue(LOAD(i), i / channels, i % channels));
    }
}
