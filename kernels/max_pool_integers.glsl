#version 450
// y[n,oy,ox,c] = largest element of x in a window of rows and columns, cut at the border, between two bounds.
// An invocation computes the elements of a word of y. Where channels fill words (WIDE), so does it read them.
#extension GL_GOOGLE_include_directive : require
#include "lib/workgroup.glsl"
#include "lib/words.glsl"

layout(push_constant) uniform Push {
    uint items;          // elements of y
    uint row_items;      // invocations per row of the grid
    uint channels;       // words of them, if WIDE
    int least;
    int most;
    ivec2 x_size;        // height, width
    ivec2 y_size;
    ivec2 window;
    ivec2 stride;
    ivec2 origin;        // of the first window, not positive
};
layout(constant_id = 10) const bool WIDE = true;

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };

ivec4 load(uint i) {
    return WIDE ? lanes_of(x[i]) : ivec4(lane_of(x[i / LANES], i % LANES));
}

// Of an element, or of all elements of a word.
ivec4 pool(uint i) {
    uint row = i / channels, lane = i - row * channels;
    uint line = row / uint(y_size.y), number = line / uint(y_size.x);
    ivec2 at = ivec2(line - number * uint(y_size.x), row - line * uint(y_size.y));
    ivec2 from = at * stride + origin, to = min(from + window, x_size);
    from = max(from, 0);
    ivec4 v = ivec4(least);
    for (int h = from.x; h < to.x; ++h) {
        uint pixel = (number * uint(x_size.x) + uint(h)) * uint(x_size.y);
        for (int w = from.y; w < to.y; ++w) v = max(v, load((pixel + uint(w)) * channels + lane));
    }
    return min(v, ivec4(most));
}

void main() {
    uint word = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    uint first = word * LANES, end = min(first + LANES, items);
    if (first >= items) return;
    if (WIDE) {
        y[word] = in_lanes(pool(word));
        return;
    }
    uint all = 0;
    for (uint i = first; i < end; ++i) all |= in_lane(pool(i).x, i - first);
    y[word] = all;
}
