#version 450
// y[p, k] = largest, smallest, sum or product of x[k, r] over all r of part p, or a part of their mean. With several
// parts y is the x of another dispatch.
// x is seen as up to three kept and three reduced dimensions. An invocation computes the elements of a word of y,
// or one of 64 bits.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y, or elements of 64 bits
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint results;        // elements of y for each part
    uint terms;          // elements behind each result
    uint part;           // elements of a part
    uint start[2];       // what changes no element, in two words
    uint keep_shape[3];
    uint keep_stride[3];
    uint reduce_shape[3];
    uint reduce_stride[3];
    uint divisor;        // of the sum, towards zero; 1 and 0 change nothing
};
layout(constant_id = 10) const uint FORM = 0;
layout(constant_id = 11) const uint RESULT = 0;  // the form of y
layout(constant_id = 12) const uint FUNCTION = 0;

#define FUNCTION_LARGEST 0u
#define FUNCTION_SMALLEST 1u
#define FUNCTION_SUM 2u
#define FUNCTION_PRODUCT 3u

READS_ELEMENTS(0, X, x)

// The smallest of all is the largest of their complements.
uvec2 turned(uvec2 v) {
    return FUNCTION == FUNCTION_SMALLEST ? ~v : v;
}

uvec2 larger(uvec2 a, uvec2 b) {
    if (FORM != FORM_I64) return int(a.x) > int(b.x) ? a : b;
    return int(a.y) > int(b.y) || a.y == b.y && a.x > b.x ? a : b;
}

uvec2 joined(uvec2 a, uvec2 b) {
    if (FUNCTION == FUNCTION_SUM) return wide_add(a, b);
    if (FUNCTION == FUNCTION_PRODUCT) return wide_multiply(a, b);
    return larger(a, b);
}

uvec2 divided(uvec2 v) {
    if (divisor < 2u) return v;
    uvec2 rest, quotient = wide_divide(wide_magnitude(v), uvec2(divisor, 0u), rest);
    return wide_negative_sign(v) ? wide_negative(quotient) : quotient;
}

uvec2 value(uint i) {
    uint p = i / results, rest = i - p * results, base = 0;
    for (int d = 2; d >= 0; --d) {
        base += rest % keep_shape[d] * keep_stride[d];
        rest /= keep_shape[d];
    }
    uvec2 v = turned(uvec2(start[0], start[1]));
    uint end = min((p + 1) * part, terms);
    for (uint term = p * part; term < end; ++term) {
        uint inner = term / reduce_shape[2];
        uint from = base + (term - inner * reduce_shape[2]) * reduce_stride[2]
                  + inner % reduce_shape[1] * reduce_stride[1] + inner / reduce_shape[1] * reduce_stride[0];
        v = joined(v, turned(load_x(FORM, from)));
    }
    return divided(turned(v));
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item < items) store_elements(RESULT, item, elements);
}
