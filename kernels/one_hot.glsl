#version 450
// y[p, d, s] = on where x[p, s] is d, else off. One invocation computes the elements of one word.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y, or elements of 64 bits
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint depth;
    uint suffix;
    uint on[2];          // in two words, a float as one of 32 bits
    uint off[2];
};
layout(constant_id = 10) const uint INDEX = 0;   // its form
layout(constant_id = 11) const uint FORM = 0;

READS_ELEMENTS(0, X, x)

uvec2 value(uint i) {
    uint row = i / suffix, d = row % depth;
    // Of 64 bits the CPU looks at the lower ones alone.
    bool found = load_x(INDEX, row / depth * suffix + i - row * suffix).x == d;
    return found ? uvec2(on[0], on[1]) : uvec2(off[0], off[1]);
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item < items) store_elements(FORM, item, elements);
}
