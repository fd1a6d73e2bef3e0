#version 450
// y = epilogue(x w) for few rows: a workgroup computes WG_X quads of channels of one row, and WG_Y
// invocations share the depth of each sum.
//
// w holds one row of `quads` vectors per element of the depth.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint depth;
    uint channels;
    uint quads;            // vectors per row of w
    uint rows_per_batch;
};
layout(constant_id = 10) const bool VEC_X = true;
layout(constant_id = 11) const bool VEC_Y = true;

READS(0, X, x)
READS(1, W, w)
WRITES(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"

// The smallest limit of a workgroup.
shared vec4 partial[128];

void main() {
    uint lane = gl_LocalInvocationID.y;
    uint quad = gl_GlobalInvocationID.x;
    uint row = gl_WorkGroupID.y;
    uint from = row * depth;
    vec4 sum = vec4(0);
    if (quad < quads) {
        if (VEC_X) {
            for (uint k = lane; k < depth >> 2; k += WG_Y) {
                vec4 v = vec4(x4[(from >> 2) + k]);
                [[unroll]] for (int i = 0; i < 4; ++i) sum += v[i] * vec4(w4[(4 * k + i) * quads + quad]);
            }
        } else {
            for (uint k = lane; k < depth; k += WG_Y) sum += float(x[from + k]) * vec4(w4[k * quads + quad]);
        }
    }
    if (WG_Y > 1) {
        uint slot = gl_LocalInvocationID.x;
        partial[lane * WG_X + slot] = sum;
        barrier();
        if (lane != 0) return;
        for (uint i = 1; i < WG_Y; ++i) sum += partial[i * WG_X + slot];
    }
    uint c = 4 * quad;
    if (c >= channels) return;
    if (VEC_Y) {
        y4[(row * channels + c) >> 2] = S4(epilogue(sum, row, c));
    } else {
        [[dont_unroll]] for (uint i = 0; i < 4; ++i) {
            if (c + i < channels) y[row * channels + c + i] = S1(epilogue(sum[i], row, c + i));
        }
    }
}
