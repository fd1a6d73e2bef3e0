#version 450
// Chains of multiply-adds that do not wait for each other: the peak that profiles compare with.
// 128 operations per invocation and round, a multiply-add counting 2.
//! variant ARITHMETIC = f32 | f16
#extension GL_GOOGLE_include_directive : require
#ifdef ARITHMETIC_F16
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define A1 float16_t
#define A4 f16vec4
#else
#define A1 float
#define A4 vec4
#endif
#include "lib/workgroup.glsl"

layout(std430, set = 0, binding = 0) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint rounds; float factor; float addend; };

void main() {
    A4 m = A4(A1(factor));
    A4 c = A4(A1(addend));
    A4 first = A4(A1(gl_LocalInvocationIndex));
    A4 a0 = first, a1 = first + c, a2 = a1 + c, a3 = a2 + c, a4 = a3 + c, a5 = a4 + c, a6 = a5 + c, a7 = a6 + c;
    for (uint i = 0; i < rounds; ++i) {
        a0 = a0 * m + c; a1 = a1 * m + c; a2 = a2 * m + c; a3 = a3 * m + c;
        a4 = a4 * m + c; a5 = a5 * m + c; a6 = a6 * m + c; a7 = a7 * m + c;
        a0 = a0 * m + c; a1 = a1 * m + c; a2 = a2 * m + c; a3 = a3 * m + c;
        a4 = a4 * m + c; a5 = a5 * m + c; a6 = a6 * m + c; a7 = a7 * m + c;
    }
    A4 sum = ((a0 + a1) + (a2 + a3)) + ((a4 + a5) + (a6 + a7));
    y[gl_WorkGroupID.x * WG_X + gl_LocalInvocationIndex] = float(sum.x + sum.y + sum.z + sum.w);
}
