#version 450
// y = x in another storage type, four elements per invocation; the last one may hold fewer.
//! variant SRC = f32 | f16
//! variant DST = f32 | f16
#extension GL_GOOGLE_include_directive : require
#if defined(SRC_F16) || defined(DST_F16)
#extension GL_EXT_shader_16bit_storage : require
#endif
#ifdef SRC_F16
#define X1 float16_t
#define X4 f16vec4
#else
#define X1 float
#define X4 vec4
#endif
#ifdef DST_F16
#define Y1 float16_t
#define Y4 f16vec4
#else
#define Y1 float
#define Y4 vec4
#endif
#include "lib/workgroup.glsl"

layout(std430, set = 0, binding = 0) readonly buffer X { X1 x[]; };
layout(std430, set = 0, binding = 0) readonly buffer XV { X4 x4[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { Y1 y[]; };
layout(std430, set = 0, binding = 1) writeonly buffer YV { Y4 y4[]; };
layout(push_constant) uniform Push { uint elements; uint row_items; };

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (4 * i + 4 <= elements) {
        y4[i] = Y4(vec4(x4[i]));
    } else {
        for (uint j = 4 * i; j < elements; ++j) y[j] = Y1(float(x[j]));
    }
}
