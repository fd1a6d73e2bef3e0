#version 450
// y[p, k] = largest or smallest of x[k, r] over all r of part p. With several parts y is the x of another dispatch.
// x is seen as up to three kept and three reduced dimensions. An invocation computes the elements of a word of y,
// or one of 64 bits.
#extension GL_GOOGLE_include_directive : require
#include "lib/workgroup.glsl"
#include "lib/words.glsl"

layout(push_constant) uniform Push {
    uint items;          // elements of y
    uint row_items;      // invocations per row of the grid
    uint results;        // elements of y for each part
    uint terms;          // elements behind each result
    uint part;           // elements of a part
    uint start[2];       // what is no better than any element, in two words
    uint keep_shape[3];
    uint keep_stride[3];
    uint reduce_shape[3];
    uint reduce_stride[3];
};
layout(constant_id = 10) const bool LARGEST = true;

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };

// The smallest of all is the largest of their complements. Of 64 bits y is the upper half.
ivec2 turned(ivec2 v) {
    return LARGEST ? v : ~v;
}

ivec2 load(uint i) {
    if (ELEMENT == I64) return turned(ivec2(x[2 * i], x[2 * i + 1]));
    return turned(ivec2(lane_of(x[i / LANES], i % LANES), 0));
}

ivec2 larger(ivec2 a, ivec2 b) {
    if (ELEMENT != I64) return ivec2(max(a.x, b.x), 0);
    return a.y > b.y || a.y == b.y && uint(a.x) > uint(b.x) ? a : b;
}

ivec2 reduced(uint item) {
    uint p = item / results, rest = item - p * results, base = 0;
    for (int d = 2; d >= 0; --d) {
        base += rest % keep_shape[d] * keep_stride[d];
        rest /= keep_shape[d];
    }
    ivec2 v = turned(ivec2(start[0], start[1]));
    uint end = min((p + 1) * part, terms);
    for (uint term = p * part; term < end; ++term) {
        uint inner = term / reduce_shape[2];
        v = larger(v, load(base + (term - inner * reduce_shape[2]) * reduce_stride[2]
                                + inner % reduce_shape[1] * reduce_stride[1]
                                + inner / reduce_shape[1] * reduce_stride[0]));
    }
    return turned(v);
}

void main() {
    uint word = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    uint first = word * LANES, end = min(first + LANES, items);
    if (first >= items) return;
    if (ELEMENT == I64) {
        ivec2 v = reduced(first);
        y[2 * first] = v.x;
        y[2 * first + 1] = v.y;
        return;
    }
    uint all = 0;
    for (uint item = first; item < end; ++item) all |= in_lane(reduced(item).x, item - first);
    y[word] = all;
}
