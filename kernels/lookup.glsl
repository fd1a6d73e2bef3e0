#version 450
// y = table[x]: functions of one integer of 8 or 16 bits. An invocation computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y
    uint row_items;      // invocations per row of the grid
};
layout(constant_id = 10) const uint FORM = 0;   // of x, y and the table, which begins with the result of 0
layout(constant_id = 11) const uint BITS = 8;   // of an element for the host

READS_ELEMENTS(0, X, x)
READS_ELEMENTS(1, Table, table)
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint from = x[item], to = 0u, width = form_width(FORM);
    for (uint k = 0u; k < form_count(FORM); ++k) {
        uint number = load_table(FORM, bitfieldExtract(from, int(k * width), int(BITS))).x;
        to |= (number & 0xffffffffu >> (32u - width)) << (k * width);
    }
    y[item] = to;
}
