#version 450
// y[i] = x[i - before], and beyond x's border a constant, x mirrored, or x again.
// One invocation computes one element, or four neighbours of a last dimension that all lie inside or
// all beyond the border (wide); sizes of that dimension then count fours.
//! variant SIZE = 32 | 16 | 8
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint wide;
    int outer;           // the first dimension that is not 1
    uint value[2];       // of even and odd elements: an element may be two words
    int x_shape[6];
    int y_shape[6];
    int before[6];
};

// Border in src/ops/pad.rs.
layout(constant_id = 10) const uint BORDER = 0;
const uint CONSTANT = 0;
const uint REFLECT = 1;
const uint SYMMETRIC = 2;
const uint REPEAT = 3;

READS(0, X, x)
WRITES(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    int rest = int(item), from = 0, stride = 1;
    bool inside = true;
    [[unroll]] for (int d = 5; d >= 0; --d) {
        if (d < outer) break;
        int n = x_shape[d];
        int i = rest % y_shape[d] - before[d];
        rest /= y_shape[d];
        if (BORDER == REFLECT) {
            i = abs(i);
            i = i < n ? i : 2 * n - 2 - i;
        } else if (BORDER == SYMMETRIC) {
            i = i < 0 ? -1 - i : i;
            i = i < n ? i : 2 * n - 1 - i;
        } else if (BORDER == REPEAT) {
            i = i % n;
        } else {
            inside = inside && i >= 0 && i < n;
        }
        from += i * stride;
        stride *= n;
    }
    from = mix(0, from, inside);
    // An assignment of what is stored, not a choice among values: that would be arithmetic in 8 or 16 bits.
    if (wide != 0u) {
        if (inside) y4[item] = x4[from];
        else y4[item] = S4(uvec4(value[0], value[1], value[0], value[1]));
    } else {
        if (inside) y[item] = x[from];
        else y[item] = S1(value[item & 1u]);
    }
}
