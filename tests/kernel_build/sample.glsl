#version 450
//! A kernel with one of everything that the build step generates code for.
//! variant STORE = f32 | f16
//! variant WIDTH = 1 | 4
//! variant ORDER = plain | row_major
//! skip STORE=f16 ORDER=row_major
#extension GL_GOOGLE_include_directive : require
#include "lib/sample.glsl"

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;
layout(constant_id = 0) const uint WG_X = 64;
layout(constant_id = 1) const uint WG_Y = 1;
layout(constant_id = 2) const uint WG_Z = 1;
layout(constant_id = 3) const bool CLAMP = true;
layout(constant_id = 4) const int BIAS = -2;
layout(constant_id = 10) const float TAP_0 = 0.5;
layout(constant_id = 11) const float TAP_1 = 0.25;

layout(std430, set = 0, binding = 0) readonly buffer X { S1 x[]; };
layout(std430, set = 0, binding = 0) readonly buffer XV { S4 x4[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { S1 y[]; };
layout(std430, set = 0, binding = 1) writeonly buffer YV { S4 y4[]; };
layout(std430, set = 0, binding = 2) readonly buffer In { float state[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Out { float next[]; };
layout(std430, set = 0, binding = 3) buffer Where { uint unused[]; };

layout(push_constant) uniform Push {
    uint count;
    float scale;
    ivec2 origin;
    vec3 tint;
    int type;
    uvec4 shape[2];
    float taps[3];
    bool flip;
    vec3 axes[2];
};

void main() {
    uint i = gl_GlobalInvocationID.x;
#if WIDTH == 4
    y4[i] = S4(vec4(x4[i]) * scale * TAP_0);
#else
    y[i] = S1(float(x[i]) * scale * TAP_1);
#endif
#ifdef ORDER_ROW_MAJOR
    next[i] = state[i] + axes[1].z;
#endif
}
