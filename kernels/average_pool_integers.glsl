#version 450
// y[n,oy,ox,c] = mean of x in a window of rows and columns, cut at the border, rounded, halves away from zero, between
// two bounds. Large windows take two dispatches: SUMS alone along the columns, then the mean of these along the rows.
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
    ivec2 x_size;        // height, width; of the image also where x holds its sums
    ivec2 y_size;
    ivec2 window;
    ivec2 stride;
    ivec2 origin;        // of the first window, not positive
};
layout(constant_id = 10) const uint X_FORM = 0;
layout(constant_id = 11) const uint Y_FORM = 0;
layout(constant_id = 12) const bool WIDE = true;
layout(constant_id = 13) const uint STAGE = 0;
#define STAGE_WHOLE 0u
#define STAGE_COLUMNS 1u
#define STAGE_ROWS 2u

READS_ELEMENTS(0, X, x)

// The elements of a word; behind the last one zeros.
ivec4 lanes(uint word) {
    ivec4 v = ivec4(0);
    for (uint k = 0u; k < form_count(X_FORM); ++k) v[k] = int(form_read(X_FORM, word, k * form_width(X_FORM)).x);
    return v;
}

// Element i of y, or the elements of word i.
ivec4 pooled(uint i) {
    uint row = i / channels, lane = i - row * channels;
    uint line = row / uint(y_size.y), number = line / uint(y_size.x);
    ivec2 at = ivec2(line - number * uint(y_size.x), row - line * uint(y_size.y));
    ivec2 from = at * stride + origin, to = min(from + window, x_size);
    from = max(from, 0);
    int count = (to.x - from.x) * (to.y - from.y);
    // Sums of columns have a line for each of the result.
    bool summed = STAGE == STAGE_ROWS;
    int height = summed ? y_size.x : x_size.x, first = summed ? at.x : from.x, end = summed ? at.x + 1 : to.x;
    ivec4 v = ivec4(0);
    for (int h = first; h < end; ++h) {
        uint pixel = (number * uint(height) + uint(h)) * uint(x_size.y);
        for (int w = from.y; w < to.y; ++w) {
            uint place = (pixel + uint(w)) * channels + lane;
            v += WIDE ? lanes(x[place]) : ivec4(load_x(X_FORM, place).x);
        }
    }
    if (STAGE == STAGE_COLUMNS) return v;
    ivec4 means = (abs(v) + count / 2) / max(count, 1);
    return clamp(mix(means, -means, lessThan(v, ivec4(0))), least, most);
}

uvec2 value(uint i) {
    return uvec2(pooled(i).x, 0);
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (!WIDE) {
        store_elements(Y_FORM, item, elements);
        return;
    }
    ivec4 v = pooled(item);
    uint word = 0u, width = form_width(Y_FORM);
    for (uint k = 0u; k < form_count(Y_FORM); ++k) word |= (uint(v[k]) & 0xffffffffu >> (32u - width)) << (k * width);
    y[item] = word;
}
