#version 450
// y[n,oy,ox,c] = largest element of x in a window of rows and columns, cut at the border, between two bounds.
// An invocation computes the elements of a word of y. Where channels fill words (WIDE), so does it read them.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint channels;       // words of them, if WIDE
    int least;
    int most;
    ivec2 x_size;        // height, width
    ivec2 y_size;
    ivec2 window;
    ivec2 stride;
    ivec2 origin;        // of the first window, not positive
};
layout(constant_id = 10) const uint FORM = 0;
layout(constant_id = 11) const bool WIDE = true;

READS_ELEMENTS(0, X, x)

// The elements of a word; behind the last one zeros.
ivec4 lanes(uint word) {
    ivec4 v = ivec4(0);
    for (uint k = 0; k < form_count(FORM); ++k) v[k] = int(form_read(FORM, word, k * form_width(FORM)).x);
    return v;
}

// Element i of y, or the elements of word i.
ivec4 pooled(uint i) {
    uint row = i / channels, lane = i - row * channels;
    uint line = row / uint(y_size.y), number = line / uint(y_size.x);
    ivec2 at = ivec2(line - number * uint(y_size.x), row - line * uint(y_size.y));
    ivec2 from = at * stride + origin, to = min(from + window, x_size);
    from = max(from, 0);
    ivec4 v = ivec4(least);
    for (int h = from.x; h < to.x; ++h) {
        uint pixel = (number * uint(x_size.x) + uint(h)) * uint(x_size.y);
        for (int w = from.y; w < to.y; ++w) {
            uint place = (pixel + uint(w)) * channels + lane;
            v = max(v, WIDE ? lanes(x[place]) : ivec4(load_x(FORM, place).x));
        }
    }
    return min(v, ivec4(most));
}

uvec2 value(uint i) {
    return uvec2(pooled(i).x, 0);
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (!WIDE) {
        store_elements(FORM, item, elements);
        return;
    }
    ivec4 v = pooled(item);
    uint word = 0, width = form_width(FORM);
    for (uint k = 0; k < form_count(FORM); ++k) word |= (uint(v[k]) & 0xffffffffu >> (32 - width)) << (k * width);
    y[item] = word;
}
