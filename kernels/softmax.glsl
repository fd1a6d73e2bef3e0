#version 450
// y[r,c] = exp(beta × (x[r,c] - m)) / Σ exp(beta × (x[r,k] - m)), m = max x[r,k]; or its logarithm.
// WG_X invocations, a power of two, share a row; a workgroup has WG_Y rows.
//! variant STORE = f32 | f16
//! variant JOIN = memory | subgroups
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"
#include "lib/nan.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint row_groups;     // workgroups per row of the grid
    uint channels;
    float beta;
};
layout(constant_id = 10) const bool LOGARITHM = false;

READS(0, X, x)
WRITES(1, Y, y)

#define JOIN_T float
#define JOIN_COUNT WG_X
#define JOIN_LANE gl_LocalInvocationID.x
#define JOIN_RESULT gl_LocalInvocationID.y
#include "lib/join.glsl"
#include "lib/row.glsl"

void main() {
    const float NONE = uintBitsToFloat(0xff800000u);
    row_find();
    float most = NONE;
    for (uint from = 0; from < row_end; from += ROW_PART) {
        row_load(from, NONE);
        [[unroll]] for (int i = 0; i < ROW_HELD; ++i) most = max(most, held[i]);
    }
    most = join_largest(most);
    barrier();

    float sum = 0;
    for (uint from = 0; from < row_end; from += ROW_PART) {
        row_reload(from, NONE);
        [[unroll]] for (int i = 0; i < ROW_HELD; ++i) {
            float v = beta * (held[i] - most);
            sum += held[i] == NONE ? 0 : nan_or(v, exp(v));
        }
    }
    sum = join_sum(sum);

    for (uint from = 0; from < row_end; from += ROW_PART) {
        row_reload(from, NONE);
        [[unroll]] for (int i = 0; i < ROW_HELD; ++i) {
            float v = beta * (held[i] - most);
            held[i] = LOGARITHM ? v - nan_or(sum, log(sum)) : nan_or(v, exp(v)) / sum;
        }
        row_store(from);
    }
}
