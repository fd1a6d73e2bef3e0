#version 450
// y = f(a, b) for quantised integers of 8 or 16 bits, between two bounds: both operands spread over the result.
// Dimension 0 is the outermost; those that both operands walk through alike are one. An invocation computes the
// elements of a word of y. Where rows fill words, or there is but one (WIDE), it reads words too; sizes of the last
// dimension then count words.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/quantized.glsl"
#include "lib/reciprocal.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y
    uint row_items;      // invocations per row of the grid
    uint elements;
    uint rank;
    uint shape[6];
    uint a_stride[6];
    uint b_stride[6];
    int zero_points;     // of a, and of b in the upper half
    int y_zero_point;
    int bounds;          // the least, and the largest in the upper half
    int multipliers[3];  // of a, b and their result
    int shifts;          // of these, 8 bits each
};
layout(constant_id = 10) const uint FORM = 0;
layout(constant_id = 11) const uint FUNCTION = 0;
layout(constant_id = 12) const uint ROUNDING = 0;
layout(constant_id = 13) const bool WIDE = true;
layout(constant_id = 15) const uint B_FORM = 0;  // of b, that of the others if WIDE
layout(constant_id = 14) const int LEFT = 0;    // bits that operands are shifted by before they are scaled

#define FUNCTION_ADD 0u
#define FUNCTION_SUB 1u
#define FUNCTION_MUL 2u
#define FUNCTION_DIV 3u
#define FUNCTION_SQUARED_DIFFERENCE 4u
#define FUNCTION_PRELU 5u
#define ROUNDING_TWICE 0u
#define ROUNDING_POWERS 1u
#define ROUNDING_XNNPACK 2u

READS_ELEMENTS(0, A, a)
READS_ELEMENTS(1, B, b)

int low_half(int pair) { return bitfieldExtract(pair, 0, 16); }
int high_half(int pair) { return pair >> 16; }
int shift_of(int n) { return bitfieldExtract(shifts, 8 * n, 8); }

int scaled(int x, int n) { return quantized_term(x, LEFT, multipliers[n], shift_of(n)); }

int quotient(int x, int d) {
    if (d == 0) return 0;
    if (d < 0) {
        x = -x;
        d = -d;
    }
    int integer_digits, headroom = 30 - findMSB(x);
    int inverse = reciprocal(d, integer_digits);
    int y = rounding_high_product(rounding_high_product(x << headroom, inverse), multipliers[2]);
    int n = integer_digits + headroom - shift_of(2);
    // TFLite's shifts by 32 bits and more are those by n - 32.
    return n < 32 ? rounding_right(y, n) : (y >> (n & 31)) + (y >= 0 ? 1 : 0);
}

int of_xnnpack(int x, int e) {
    if (FUNCTION == FUNCTION_MUL) return xnnpack_product(x, e, multipliers[2]);
    return xnnpack_sum(x * multipliers[0] + e * multipliers[1], shift_of(2));
}

int rounded_twice(int x, int e) {
    if (FUNCTION == FUNCTION_MUL) return quantized_product(x, e, multipliers[2], shift_of(2));
    if (FUNCTION == FUNCTION_DIV) return quotient(x, e);
    if (FUNCTION == FUNCTION_PRELU) {
        return x >= 0 ? fixed_product(x, multipliers[0], shift_of(0))
                      : fixed_product(x * e, multipliers[1], shift_of(1));
    }
    int u = scaled(x, 0), v = scaled(e, 1);
    int w = FUNCTION == FUNCTION_ADD ? u + v : u - v;
    if (FUNCTION == FUNCTION_SQUARED_DIFFERENCE) w *= w;
    return quantized_term(w, 0, multipliers[2], shift_of(2));
}

int computed(int x, int e) {
    x -= low_half(zero_points);
    e -= high_half(zero_points);
    int y;
    if (ROUNDING == ROUNDING_XNNPACK) y = of_xnnpack(x, e);
    else if (ROUNDING == ROUNDING_POWERS) {
        int u = rounding_right(x, -shift_of(0)), v = rounding_right(e, -shift_of(1));
        y = FUNCTION == FUNCTION_ADD ? u + v : u - v;
    } else y = rounded_twice(x, e);
    return clamp(y + y_zero_point, low_half(bounds), high_half(bounds));
}

uvec2 value(uint i) {
    uint a_at = 0u, b_at = 0u, rest = i;
    for (uint d = rank; d-- > 1u;) {
        uint k = rest % shape[d];
        rest /= shape[d];
        a_at += k * a_stride[d];
        b_at += k * b_stride[d];
    }
    int x = int(load_a(FORM, a_at + rest * a_stride[0]).x);
    int e = int(load_b(B_FORM, b_at + rest * b_stride[0]).x);
    return uvec2(computed(x, e), 0u);
}

WRITES_ELEMENTS(2, Y, y)

// The elements of word i.
uint word_of(uint i) {
    uint last = rank - 1u, a_at = 0u, b_at = 0u, column = i, count = form_count(FORM), width = form_width(FORM);
    if (rank > 1u) {
        column = i % shape[last];
        uint rest = i / shape[last];
        for (uint d = last; d-- > 1u;) {
            uint k = rest % shape[d];
            rest /= shape[d];
            a_at += k * a_stride[d];
            b_at += k * b_stride[d];
        }
        a_at += rest * a_stride[0];
        b_at += rest * b_stride[0];
    }
    // One element for all, or neighbours.
    bool a_same = a_stride[last] == 0u, b_same = b_stride[last] == 0u;
    uint a_word = a[a_at / count + (a_same ? 0u : column)], a_first = a_same ? a_at % count * width : 0u;
    uint b_word = b[b_at / count + (b_same ? 0u : column)], b_first = b_same ? b_at % count * width : 0u;
    uint a_step = a_same ? 0u : width, b_step = b_same ? 0u : width, word = 0u;
    for (uint k = 0u; k < count; ++k) {
        int x = int(form_read(FORM, a_word, a_first + k * a_step).x);
        int e = int(form_read(FORM, b_word, b_first + k * b_step).x);
        word |= (uint(computed(x, e)) & 0xffffffffu >> (32u - width)) << (k * width);
    }
    return word;
}

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    if (WIDE) y[item] = word_of(item);
    else store_elements(FORM, item, elements);
}
