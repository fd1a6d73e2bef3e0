#version 450
// y[r,c] = x[r,c] / max(√(Σ x[r,k]²), 10⁻⁶).
// WG_X invocations, a power of two, share a row; a workgroup has WG_Y rows.
//! variant STORE = f32 | f16
//! variant JOIN = memory | subgroups
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint rows;
    uint row_groups;     // workgroups per row of the grid
    uint channels;
};

READS(0, X, x)
WRITES(1, Y, y)

#define JOIN_T float
#define JOIN_COUNT WG_X
#define JOIN_LANE gl_LocalInvocationID.x
#define JOIN_RESULT gl_LocalInvocationID.y
#include "lib/join.glsl"
#include "lib/row.glsl"

void main() {
    row_find();
    float sum = 0;
    for (uint from = 0; from < row_end; from += ROW_PART) {
        row_load(from, 0);
        [[unroll]] for (int i = 0; i < ROW_HELD; ++i) sum += held[i] * held[i];
    }
    // Numbers that are not negative are ordered as their bits, and NaN lies behind them.
    float square = uintBitsToFloat(max(floatBitsToUint(join_sum(sum)), floatBitsToUint(1e-12)));
    float scale = inversesqrt(square);
    for (uint from = 0; from < row_end; from += ROW_PART) {
        row_reload(from, 0);
        [[unroll]] for (int i = 0; i < ROW_HELD; ++i) held[i] *= scale;
        row_store(from);
    }
}
