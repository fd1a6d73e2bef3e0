#version 450
// y = f(a, b) for integers and booleans of every type, and comparisons of floats: both operands spread over
// the result. Dimension 0 is the outermost; those that both operands walk through alike are one.
// One invocation computes the elements of one word.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/wide.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // words of y, or elements of 64 bits
    uint row_items;      // invocations per row of the grid
    uint elements;
    uint rank;
    uint shape[6];
    uint a_stride[6];
    uint b_stride[6];
    int a_scaling[3];    // zero point, multiplier and shift, if SCALED
    int b_scaling[3];
};
layout(constant_id = 10) const uint FUNCTION = 0;
layout(constant_id = 11) const uint OPERANDS = 0;     // their form
layout(constant_id = 12) const uint RESULT = 0;       // its form
layout(constant_id = 13) const uint RESULT_TYPE = 0;  // the form of its type for the host
layout(constant_id = 14) const uint ACTIVATION = 0;
layout(constant_id = 15) const bool SCALED = false;

#define FUNCTION_ADD 0u
#define FUNCTION_SUB 1u
#define FUNCTION_MUL 2u
#define FUNCTION_DIV 3u
#define FUNCTION_MAXIMUM 4u
#define FUNCTION_MINIMUM 5u
#define FUNCTION_SQUARED_DIFFERENCE 6u
#define FUNCTION_POW 7u
#define FUNCTION_FLOOR_DIV 8u
#define FUNCTION_FLOOR_MOD 9u
#define FUNCTION_ABS 10u
#define FUNCTION_NEG 11u
#define FUNCTION_SIGN 12u
#define FUNCTION_EQUAL 13u
#define FUNCTION_NOT_EQUAL 14u
#define FUNCTION_GREATER 15u
#define FUNCTION_GREATER_EQUAL 16u
#define FUNCTION_LESS 17u
#define FUNCTION_LESS_EQUAL 18u
#define FUNCTION_AND 19u
#define FUNCTION_OR 20u
#define FUNCTION_NOT 21u
#define ACTIVATION_NONE 0u
#define ACTIVATION_RELU 1u
#define ACTIVATION_RELU6 2u
#define ACTIVATION_RELU_N1_TO_1 3u

READS_ELEMENTS(0, A, a)
READS_ELEMENTS(1, B, b)

// Bits below those of NaN, in the order of floats; 0 for both zeros.
uvec2 ordered(uint bits) {
    return extended((bits & SIGN_BIT) == 0u ? int(bits) : -int(bits & ~SIGN_BIT));
}

bool is_nan(uint bits) { return (bits & ~SIGN_BIT) > INFINITY_BITS; }

uvec2 truth(bool x) { return uvec2(x ? 1u : 0u, 0u); }

uvec2 scaled(uvec2 v, int scaling[3]) {
    int x = (int(v.x) - scaling[0]) * 256;
    return extended(rounding_right(rounding_high_product(x, scaling[1]), -scaling[2]));
}

uvec2 divided(uvec2 x, uvec2 d) {
    if (wide_is_zero(d)) return uvec2(0u);
    uvec2 rest;
    uvec2 quotient = wide_divide(wide_magnitude(x), wide_magnitude(d), rest);
    bool apart = wide_negative_sign(x) != wide_negative_sign(d);
    if (FUNCTION == FUNCTION_FLOOR_MOD) {
        if (apart && !wide_is_zero(rest)) rest = wide_subtract(wide_magnitude(d), rest);
        return wide_negative_sign(d) ? wide_negative(rest) : rest;
    }
    if (FUNCTION == FUNCTION_FLOOR_DIV && apart && !wide_is_zero(rest)) {
        quotient = wide_add(quotient, uvec2(1u, 0u));
    }
    return apart ? wide_negative(quotient) : quotient;
}

// A negative exponent leaves the integer part of the power.
uvec2 power(uvec2 x, uvec2 n) {
    if (wide_negative_sign(n)) {
        if (wide_equal(x, uvec2(1u, 0u))) return x;
        if (!wide_equal(x, uvec2(0xffffffffu))) return uvec2(0u);
        return (n.x & 1u) != 0u ? x : uvec2(1u, 0u);
    }
    uvec2 p = uvec2(1u, 0u);
    for (uint bits = n.x;;) {
        if ((bits & 1u) != 0u) p = wide_multiply(p, x);
        bits >>= 1;
        if (bits == 0u) return p;
        x = wide_multiply(x, x);
    }
}

uvec2 arithmetic(uvec2 x, uvec2 e) {
    if (FUNCTION == FUNCTION_ADD) return wide_add(x, e);
    if (FUNCTION == FUNCTION_SUB) return wide_subtract(x, e);
    if (FUNCTION == FUNCTION_MUL) return wide_multiply(x, e);
    if (FUNCTION == FUNCTION_MAXIMUM) return wide_less(e, x) ? x : e;
    if (FUNCTION == FUNCTION_MINIMUM) return wide_less(x, e) ? x : e;
    if (FUNCTION == FUNCTION_SQUARED_DIFFERENCE) {
        uvec2 d = wide_subtract(x, e);
        return wide_multiply(d, d);
    }
    if (FUNCTION == FUNCTION_POW) return power(x, e);
    if (FUNCTION == FUNCTION_ABS) return wide_magnitude(x);
    if (FUNCTION == FUNCTION_NEG) return wide_negative(x);
    if (FUNCTION == FUNCTION_SIGN) return wide_is_zero(x) ? x : extended(wide_negative_sign(x) ? -1 : 1);
    return divided(x, e);
}

uvec2 activated(uvec2 v) {
    if (ACTIVATION == ACTIVATION_NONE) return v;
    uvec2 lo = extended(ACTIVATION == ACTIVATION_RELU_N1_TO_1 ? -1 : 0);
    if (wide_less(v, lo)) return lo;
    uvec2 hi = extended(ACTIVATION == ACTIVATION_RELU6 ? 6 : 1);
    return ACTIVATION != ACTIVATION_RELU && wide_less(hi, v) ? hi : v;
}

uvec2 compared(uvec2 x, uvec2 e) {
    if (FUNCTION == FUNCTION_AND) return truth(!wide_is_zero(x) && !wide_is_zero(e));
    if (FUNCTION == FUNCTION_OR) return truth(!wide_is_zero(x) || !wide_is_zero(e));
    if (FUNCTION == FUNCTION_NOT) return truth(wide_is_zero(x));
    if (OPERANDS == FORM_F32 || OPERANDS == FORM_F16) {
        if (is_nan(x.x) || is_nan(e.x)) return truth(FUNCTION == FUNCTION_NOT_EQUAL);
        x = ordered(x.x);
        e = ordered(e.x);
    }
    if (SCALED) {
        x = scaled(x, a_scaling);
        e = scaled(e, b_scaling);
    }
    if (FUNCTION == FUNCTION_EQUAL) return truth(wide_equal(x, e));
    if (FUNCTION == FUNCTION_NOT_EQUAL) return truth(!wide_equal(x, e));
    if (FUNCTION == FUNCTION_GREATER) return truth(wide_less(e, x));
    if (FUNCTION == FUNCTION_GREATER_EQUAL) return truth(!wide_less(x, e));
    if (FUNCTION == FUNCTION_LESS) return truth(wide_less(x, e));
    return truth(!wide_less(e, x));
}

uvec2 value(uint i) {
    uint a_at = 0u, b_at = 0u, rest = i;
    for (uint d = rank; d-- > 1u;) {
        uint k = rest % shape[d];
        rest /= shape[d];
        a_at += k * a_stride[d];
        b_at += k * b_stride[d];
    }
    uvec2 x = load_a(OPERANDS, a_at + rest * a_stride[0]);
    uvec2 e = load_b(OPERANDS, b_at + rest * b_stride[0]);
    if (FUNCTION >= FUNCTION_EQUAL) return compared(x, e);
    // The sum of 32-bit numbers has 32 bits: it wraps before it is clamped.
    return activated(wrapped(RESULT_TYPE, arithmetic(x, e)));
}

WRITES_ELEMENTS(2, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    store_elements(RESULT, item, elements);
}
