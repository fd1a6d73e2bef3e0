#version 450
// y[k] = the first i where x[k, i] is largest or smallest.
// x is seen as [outer, axis, inner]. An invocation finds one result, or one of a part of the dimension: then it leaves
// a key and an index for another dispatch, whose FROM_PARTS is set.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // results of all parts
    uint row_items;      // invocations per row of the grid
    uint results;        // of each part
    uint terms;          // elements, or parts, behind each result
    uint part;           // terms of a part
    uint inner;
};
layout(constant_id = 10) const uint FORM = 0;
layout(constant_id = 11) const bool LARGEST = true;
layout(constant_id = 12) const bool FROM_PARTS = false;
layout(constant_id = 13) const uint INDEX_WORDS = 1;   // 0: leaves a key and an index

READS_ELEMENTS(0, X, x)
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };

const int NEVER = int(0x80000000u);
const int ALWAYS = int(0x7fffffffu);

// An integer that is the larger, the better the element. A NaN in front is best, as nothing is larger or smaller;
// any other one is never taken. Zeros have no sign.
int key(uint place, uint term) {
    int v = int(load_x(FORM, place).x);
    if (FORM == FORM_F32 || FORM == FORM_F16) {
        int size = v & 0x7fffffff;
        if (size > int(INFINITY_BITS)) return term == 0 ? ALWAYS : NEVER;
        v = v < 0 ? -size : size;
    }
    return LARGEST ? v : ~v;
}

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    uint p = item / results, k = item - p * results;
    uint from = p * part, end = min(from + part, terms);
    int best = NEVER;
    uint index = FROM_PARTS ? x[2 * (from * results + k) + 1] : from;
    for (uint term = from; term < end; ++term) {
        uint pair = 2 * (term * results + k);
        int now = FROM_PARTS ? int(x[pair]) : key((k / inner * terms + term) * inner + k % inner, term);
        if (now > best) {
            best = now;
            index = FROM_PARTS ? x[pair + 1] : term;
        }
    }
    if (INDEX_WORDS == 0) {
        y[2 * item] = uint(best);
        y[2 * item + 1] = index;
    } else {
        y[INDEX_WORDS * item] = index;
        if (INDEX_WORDS == 2) y[INDEX_WORDS * item + 1] = 0;
    }
}
