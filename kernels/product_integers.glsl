#version 450
// y[k] = product of x[k, r] over all r in turn, each time brought to a scale, with multipliers of 16 bits as TFLite has
// them. x is seen as up to three kept and three reduced dimensions. An invocation computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint terms;          // elements behind each result
    int multiplier;
    int right;           // what products are moved right by, from 1 to 46
    int x_zero_point;
    int y_zero_point;
    int least;
    int most;
    uint keep_shape[3];
    uint keep_stride[3];
    uint reduce_shape[3];
    uint reduce_stride[3];
};
layout(constant_id = 10) const uint FORM = 0;

READS_ELEMENTS(0, X, x)

// x · multiplier / 2^right, rounded, halves up, without what 32 bits cannot hold.
int scaled(uvec2 x) {
    uint by = uint(right);
    uvec2 product = wide_add(wide_multiply(x, extended(multiplier)), wide_left(uvec2(1u, 0u), by - 1u));
    if (by >= 32u) return int(product.y) >> (by - 32u);
    return int(product.x >> by | product.y << (32u - by));
}

uvec2 value(uint i) {
    uint rest = i, base = 0u;
    for (int d = 2; d >= 0; --d) {
        base += rest % keep_shape[d] * keep_stride[d];
        rest /= keep_shape[d];
    }
    int v = 0;
    for (uint term = 0u; term < terms; ++term) {
        uint inner = term / reduce_shape[2];
        uint from = base + (term - inner * reduce_shape[2]) * reduce_stride[2]
                  + inner % reduce_shape[1] * reduce_stride[1] + inner / reduce_shape[1] * reduce_stride[0];
        int factor = int(load_x(FORM, from).x) - x_zero_point;
        v = term == 0u ? factor : scaled(wide_multiply(extended(v), extended(factor)));
    }
    return uvec2(clamp(scaled(extended(v)) + y_zero_point, least, most), 0u);
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item < items) store_elements(FORM, item, elements);
}
