#version 450
// y = x in the other storage of floats, STORE; four elements per invocation, the last one may hold fewer.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_16bit_storage : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

#ifdef STORE_F16
READS_AS(0, X, x, float, vec4)
#else
READS_AS(0, X, x, float16_t, f16vec4)
#endif
WRITES(1, Y, y)
layout(push_constant) uniform Push { uint elements; uint row_items; };

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (4 * i + 4 <= elements) {
        y4[i] = S4(x4[i]);
    } else {
        for (uint j = 4 * i; j < elements; ++j) y[j] = S1(x[j]);
    }
}
