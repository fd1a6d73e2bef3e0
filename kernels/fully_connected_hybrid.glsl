#version 450
// y = epilogue(x w) for few rows of floats and weights of 8-bit integers: WG_X invocations, a power of two, share the
// depth of four channels of a row; a workgroup has WG_Y such quads.
//
// w holds the weights channel by channel, each filled up with zeros to `steps` vectors of 16.
//! variant STORE = f32 | f16
//! variant JOIN = memory | subgroups
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint depth;
    uint steps;            // vectors per channel of w
    uint channels;
    uint row_groups;       // workgroups per row of the grid
    uint rows_per_batch;
};
layout(constant_id = 10) const bool VEC_X = true;
layout(constant_id = 11) const bool VEC_Y = true;

READS(0, X, x)
layout(std430, set = 0, binding = 1) readonly buffer W { uvec4 w[]; };
WRITES_EITHER(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"
layout(std430, set = 0, binding = 6) readonly buffer Scales { vec4 scales[]; };
#define JOIN_T vec4
#define JOIN_COUNT WG_X
#define JOIN_LANE gl_LocalInvocationID.x
#define JOIN_RESULT gl_LocalInvocationID.y
#include "lib/join.glsl"

// Four elements of a row that starts at `from`; there are zeros behind its end.
vec4 load_x(uint from, uint k) {
    if (VEC_X && 4 * k < depth) return vec4(x4[(from >> 2) + k]);
    vec4 v = vec4(0);
    [[unroll]] for (int i = 0; i < 4; ++i) {
        if (!VEC_X && 4 * k + i < depth) v[i] = float(x[from + 4 * k + i]);
    }
    return v;
}

vec4 unpacked(uint word) {
    int n = int(word);
    ivec4 v = ivec4(n << 24, n << 16, n << 8, n) >> 24;
    return vec4(v);
}

void main() {
    uint c = 4 * ((gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x) * WG_Y + gl_LocalInvocationID.y);
    uint row = gl_WorkGroupID.z;
    vec4 sum = vec4(0);
    if (c < channels) {
        for (uint k = gl_LocalInvocationID.x; k < steps; k += WG_X) {
            uvec4 weights[4];
            [[unroll]] for (int i = 0; i < 4; ++i) weights[i] = w[(c + i) * steps + k];
            [[unroll]] for (int part = 0; part < 4; ++part) {
                vec4 v = load_x(row * depth, 4 * k + part);
                [[unroll]] for (int i = 0; i < 4; ++i) sum[i] += dot(v, unpacked(weights[i][part]));
            }
        }
    }
    sum = join_sum(sum);
    if (gl_LocalInvocationID.x != 0 || c >= channels) return;
    sum *= scales[c >> 2];
    if (VEC_Y) {
        EPI_STORE4((row * channels + c) >> 2, epilogue(sum, row, c));
    } else {
        [[dont_unroll]] for (uint i = 0; i < 4; ++i) {
            if (c + i < channels) EPI_STORE(row * channels + c + i, epilogue(sum[i], row, c + i));
        }
    }
}
