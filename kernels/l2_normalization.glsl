#version 450
// y[r,c] = x[r,c] / √max(Σ x[r,k]², 10⁻⁶).
// WG_X invocations, a power of two, share a row; a workgroup has WG_Y rows.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint row_groups;     // workgroups per row of the grid
    uint channels;
};

READS(0, X, x)
WRITES(1, Y, y)

const uint INVOCATIONS = 128;  // at most
shared float parts[INVOCATIONS];

void main() {
    uint lane = gl_LocalInvocationID.x, own = gl_LocalInvocationID.y * WG_X + lane;
    uint row = (gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x) * WG_Y + gl_LocalInvocationID.y;
    uint base = row * channels;
    // Every invocation must reach the barriers, those behind the last row too.
    uint end = row < rows ? channels : 0;

    float sum = 0;
    for (uint c = lane; c < end; c += WG_X) {
        float v = float(x[base + c]);
        sum += v * v;
    }
    parts[own] = sum;
    for (uint reach = WG_X / 2; reach > 0; reach /= 2) {
        barrier();
        if (lane < reach) parts[own] += parts[own + reach];
    }
    barrier();
    float scale = inversesqrt(max(parts[own - lane], 1e-6));
    for (uint c = lane; c < end; c += WG_X) y[base + c] = S1(float(x[base + c]) * scale);
}
