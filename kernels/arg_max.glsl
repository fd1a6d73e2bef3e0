#version 450
// y[k] = the first i where x[k, i] is largest or smallest.
// x is seen as [outer, axis, inner]. An invocation finds one result, or one of a part of the dimension: then it leaves
// a key and an index for another dispatch, whose FROM_PARTS is set.
#extension GL_GOOGLE_include_directive : require
#include "lib/workgroup.glsl"
#include "lib/words.glsl"

layout(push_constant) uniform Push {
    uint items;          // results of all parts
    uint row_items;      // invocations per row of the grid
    uint results;        // of each part
    uint terms;          // elements, or parts, behind each result
    uint part;           // terms of a part
    uint inner;
};
layout(constant_id = 10) const bool LARGEST = true;
layout(constant_id = 11) const bool FROM_PARTS = false;
layout(constant_id = 12) const uint INDEX_WORDS = 1;   // 0: leaves a key and an index

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };

const int NEVER = int(0x80000000u);
const int ALWAYS = int(0x7fffffffu);

// An integer that is the larger, the better the element. A NaN in front is best, as nothing is larger or smaller;
// any other one is never taken. Zeros have no sign.
int key(uint place, uint term) {
    if (ELEMENT != F32 && ELEMENT != F16) {
        int v = lane_of(x[place / LANES], place % LANES);
        return LARGEST ? v : ~v;
    }
    uint word = x[place / LANES];
    int bits = ELEMENT == F32 ? int(word) : floatBitsToInt(unpackHalf2x16(word)[place % 2]);
    int size = bits & 0x7fffffff;
    if (size > 0x7f800000) return term == 0 ? ALWAYS : NEVER;
    int v = bits < 0 ? -size : size;
    return LARGEST ? v : -v;
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
