#version 450
// SVDF of 8-bit integers with a memory of 16 bits, in two stages.
//   STAGE_FEATURE  y[n, f, m] = what filter f remembers: c[n, f, m + 1], and behind it the product of a[n] and b[f]
//   STAGE_TIME     y[n, u] = the sum of products of a[n, f] and b[f] for the filters of unit u, and the bias c[u]
// An invocation computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint inputs;
    uint filters;
    uint steps;          // that a filter remembers
    uint rank;           // filters of a unit
    int x_zero_point;
    int y_zero_point;
    int multiplier;
    int shift;
};
layout(constant_id = 10) const uint A_FORM = 0;
layout(constant_id = 11) const uint B_FORM = 0;
layout(constant_id = 12) const uint C_FORM = 0;
layout(constant_id = 13) const uint Y_FORM = 0;
layout(constant_id = 14) const uint STAGE = 0;
layout(constant_id = 15) const bool BIAS = true;
#define STAGE_FEATURE 0u
#define STAGE_TIME 1u

READS_ELEMENTS(0, A, a)
READS_ELEMENTS(1, B, b)
READS_ELEMENTS(2, C, c)

uvec2 value(uint i) {
    if (STAGE == STAGE_FEATURE) {
        uint filter_at = i / steps, m = i - filter_at * steps;
        if (m + 1u < steps) return load_c(C_FORM, i + 1u);
        uint image = filter_at / filters, f = filter_at - image * filters;
        int sum = 0;
        for (uint k = 0u; k < inputs; ++k) {
            sum += int(load_b(B_FORM, f * inputs + k).x) * (int(load_a(A_FORM, image * inputs + k).x) - x_zero_point);
        }
        return uvec2(clamp(fixed_product(sum, multiplier, shift), -32768, 32767), 0u);
    }
    uint units = filters / rank, image = i / units, u = i - image * units;
    uint from = image * filters * steps, first = u * rank * steps;
    int sum = BIAS ? int(load_c(C_FORM, u).x) : 0;
    for (uint k = 0u; k < rank * steps; ++k) {
        sum += int(load_a(A_FORM, from + first + k).x) * int(load_b(B_FORM, first + k).x);
    }
    return uvec2(clamp(fixed_product(sum, multiplier, shift) + y_zero_point, -128, 127), 0u);
}

WRITES_ELEMENTS(3, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item < items) store_elements(Y_FORM, item, elements);
}
