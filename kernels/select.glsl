#version 450
// y = condition ? a : b for elements of every type, whose bits are not looked at; all three spread over the
// result. Dimension 0 is the outermost; those that all operands walk through alike are one.
// One invocation computes the elements of one word.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y, or elements of 64 bits
    uint row_items;      // invocations per row of the grid
    uint elements;
    uint rank;
    uint shape[6];
    uint c_stride[6];
    uint a_stride[6];
    uint b_stride[6];
};
layout(constant_id = 10) const uint CONDITION = 0;    // its form
layout(constant_id = 11) const uint ELEMENTS = 0;     // the form of the others

READS_ELEMENTS(0, C, c)
READS_ELEMENTS(1, A, a)
READS_ELEMENTS(2, B, b)

uvec2 value(uint i) {
    uint c_at = 0u, a_at = 0u, b_at = 0u, rest = i;
    for (uint d = rank; d-- > 0u;) {
        uint k = d == 0u ? rest : rest % shape[d];
        rest /= shape[d];
        c_at += k * c_stride[d];
        a_at += k * a_stride[d];
        b_at += k * b_stride[d];
    }
    if (load_c(CONDITION, c_at).x != 0u) return load_a(ELEMENTS, a_at);
    return load_b(ELEMENTS, b_at);
}

WRITES_ELEMENTS(3, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    store_elements(ELEMENTS, item, elements);
}
