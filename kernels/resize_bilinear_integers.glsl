#version 450
// y = x in another size, interpolated bilinearly, as one of TFLite's kernels for integers has it.
// An invocation computes the elements of a word of y. Where channels fill words (WIDE), so does it read them.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint channels;       // words of them, if WIDE
    ivec2 x_size;        // height, width
    ivec2 y_size;
    ivec2 scale_1024;    // pixels of x per pixel of y
    vec2 scale;
};
layout(constant_id = 10) const uint FORM = 0;
layout(constant_id = 11) const bool WIDE = true;
layout(constant_id = 12) const bool ALIGN_CORNERS = false;
layout(constant_id = 13) const bool HALF_PIXEL_CENTERS = false;
layout(constant_id = 14) const uint RULE = 0;
#define RULE_FIXED_POINT 0u
#define RULE_FIXED_POINT_64 1u
#define RULE_FLOAT 2u
#define RULE_XNNPACK 3u

READS_ELEMENTS(0, X, x)

// The two pixels around pixel i of y along a dimension, and how far it is from the first one: in 1024ths, in 2048ths
// or as a float's bits.
ivec3 around(int i, int size, int step_1024, float step) {
    int last = size - 1;
    if (RULE <= RULE_FIXED_POINT_64) {
        int at = i * step_1024 + (HALF_PIXEL_CENTERS ? step_1024 / 2 - 512 : 0);
        int first = max(at, 0) >> 10;
        return ivec3(min(first, last), min((at + 1023) >> 10, last), at - (first << 10));
    }
    precise float start = HALF_PIXEL_CENTERS ? float(i) + 0.5 : float(i);
    precise float at = start * step;
    if (RULE == RULE_FLOAT) {
        if (HALF_PIXEL_CENTERS) at = at - 0.5;
        int first = max(int(floor(at)), 0);
        precise float rest = at - float(first);
        return ivec3(min(first, last), min(int(ceil(at)), last), floatBitsToInt(rest));
    }
    if (HALF_PIXEL_CENTERS) {
        precise float offset = 0.5 * step;
        offset = offset - 0.5;
        at = float(i) * step;
        at = at + offset;
        at = clamp(at, 0.0, float(last));
    }
    int first = min(int(at), last);
    precise float rest = at - float(first);
    return ivec3(first, min(first + 1, last), int(roundEven(rest * 2048.0)));
}

ivec3 rows, columns;

// What lies between four elements: those of the first row, then those of the second.
int between(ivec4 v) {
    if (RULE == RULE_XNNPACK) {
        int top = v.x * 2048 + (v.y - v.x) * columns.z, bottom = v.z * 2048 + (v.w - v.z) * columns.z;
        return (top * 2048 + (bottom - top) * rows.z + (1 << 21)) >> 22;
    }
    if (RULE == RULE_FLOAT) {
        float down = intBitsToFloat(rows.z), right = intBitsToFloat(columns.z);
        precise float up = 1.0 - down, left = 1.0 - right;
        vec4 f = vec4(v);
        precise float a = f.x * up, b = f.z * down, c = f.y * up, d = f.w * down;
        a = a * left;
        b = b * left;
        c = c * right;
        d = d * right;
        precise float sum = a + b;
        sum = sum + c;
        sum = sum + d;
        sum = sum + 0.5;
        return int(sum);
    }
    int down = rows.z, right = columns.z, up = 1024 - down, left = 1024 - right;
    ivec4 weights = ivec4(up * left, up * right, down * left, down * right);
    if (RULE == RULE_FIXED_POINT) {
        ivec4 products = v * weights;
        int sum = products.x + products.y + products.z + products.w, size = (abs(sum) + (1 << 19)) >> 20;
        return sum < 0 ? -size : size;
    }
    uvec2 sum = uvec2(0u);
    for (int k = 0; k < 4; ++k) sum = wide_add(sum, wide_multiply(extended(v[k]), extended(weights[k])));
    int size = int(wide_right(wide_add(wide_magnitude(sum), uvec2(1u << 19, 0u)), 20u).x);
    return wide_negative_sign(sum) ? -size : size;
}

// Element i of y, or the elements of word i.
ivec4 resized(uint i) {
    uint pixel = i / channels, lane = i - pixel * channels;
    uint line = pixel / uint(y_size.y), number = line / uint(y_size.x);
    rows = around(int(line - number * uint(y_size.x)), x_size.x, scale_1024.x, scale.x);
    columns = around(int(pixel - line * uint(y_size.y)), x_size.y, scale_1024.y, scale.y);
    uvec4 places;
    for (int k = 0; k < 4; ++k) {
        uint row = number * uint(x_size.x) + uint(k < 2 ? rows.x : rows.y);
        places[k] = (row * uint(x_size.y) + uint((k & 1) == 0 ? columns.x : columns.y)) * channels + lane;
    }
    ivec4 y = ivec4(0);
    if (!WIDE) {
        ivec4 v;
        for (int k = 0; k < 4; ++k) v[k] = int(load_x(FORM, places[k]).x);
        y.x = between(v);
        return y;
    }
    uvec4 words = uvec4(x[places.x], x[places.y], x[places.z], x[places.w]);
    for (uint k = 0u; k < form_count(FORM); ++k) {
        ivec4 v;
        for (int c = 0; c < 4; ++c) v[c] = int(form_read(FORM, words[c], k * form_width(FORM)).x);
        y[k] = between(v);
    }
    return y;
}

uvec2 value(uint i) {
    return uvec2(resized(i).x, 0u);
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (!WIDE) {
        store_elements(FORM, item, elements);
        return;
    }
    ivec4 v = resized(item);
    uint word = 0u, width = form_width(FORM);
    for (uint k = 0u; k < form_count(FORM); ++k) word |= (uint(v[k]) & 0xffffffffu >> (32u - width)) << (k * width);
    y[item] = word;
}
