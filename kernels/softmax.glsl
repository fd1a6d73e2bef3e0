#version 450
// y[r,c] = exp(beta × (x[r,c] - m)) / Σ exp(beta × (x[r,k] - m)), m = max x[r,k]; or its logarithm.
// WG_X invocations, a power of two, share a row; a workgroup has WG_Y rows.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint row_groups;     // workgroups per row of the grid
    uint channels;
    float beta;
};
layout(constant_id = 10) const bool LOGARITHM = false;

READS(0, X, x)
WRITES(1, Y, y)

const uint INVOCATIONS = 128;  // at most
shared float parts[INVOCATIONS];

// The largest, or the sum, of v over the invocations of this row.
float join(float v, bool largest) {
    uint lane = gl_LocalInvocationID.x, own = gl_LocalInvocationID.y * WG_X + lane;
    parts[own] = v;
    for (uint reach = WG_X / 2; reach > 0; reach /= 2) {
        barrier();
        if (lane < reach) {
            float other = parts[own + reach];
            parts[own] = largest ? max(parts[own], other) : parts[own] + other;
        }
    }
    barrier();
    v = parts[own - lane];
    barrier();
    return v;
}

void main() {
    uint row = (gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x) * WG_Y + gl_LocalInvocationID.y;
    uint base = row * channels;
    // Every invocation must reach the barriers, those behind the last row too.
    uint end = row < rows ? channels : 0;

    float most = uintBitsToFloat(0xff800000u);
    for (uint c = gl_LocalInvocationID.x; c < end; c += WG_X) most = max(most, float(x[base + c]));
    most = join(most, true);

    float sum = 0;
    for (uint c = gl_LocalInvocationID.x; c < end; c += WG_X) sum += exp(beta * (float(x[base + c]) - most));
    sum = join(sum, false);

    for (uint c = gl_LocalInvocationID.x; c < end; c += WG_X) {
        float v = beta * (float(x[base + c]) - most);
        y[base + c] = S1(LOGARITHM ? v - log(sum) : exp(v) / sum);
    }
}
