#version 450
// y = x in another type: by value, or quantised, or both.
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
    float scale;         // of the quantised one; for ties to even its reciprocal
    int x_zero_point;
    int y_zero_point;
    int multiplier;      // x's scale over y's
    int shift;
};
layout(constant_id = 10) const uint FUNCTION = 0;
layout(constant_id = 11) const uint OPERAND = 0;      // its form
layout(constant_id = 12) const uint RESULT = 0;       // its form
layout(constant_id = 13) const uint RESULT_TYPE = 0;  // the form of its type for the host, or TYPE_BOOL
layout(constant_id = 14) const bool SATURATES = false;

#define FUNCTION_CAST 0u
#define FUNCTION_QUANTIZE 1u
#define FUNCTION_DEQUANTIZE 2u
#define FUNCTION_REQUANTIZE 3u
#define FUNCTION_QUANTIZE_TO_EVEN 4u
#define TYPE_BOOL 7u

READS_ELEMENTS(0, X, x)

bool is_float(uint form) { return form == FORM_F32 || form == FORM_F16; }

// The range of the result's type, which has 32 bits at most.
ivec2 type_range() {
    if (RESULT_TYPE == FORM_U8) return ivec2(0, 255);
    uint half_range = 0x7fffffffu >> (32u - form_width(RESULT_TYPE));
    return ivec2(~int(half_range), int(half_range));
}

uvec2 truncated(uint bits) {
    bool large = (bits & ~SIGN_BIT) >= 0x4f000000u;
    if (!SATURATES) return wrapped(RESULT_TYPE, wide_from_float(bits));
    ivec2 range = type_range();
    if ((bits & ~SIGN_BIT) > INFINITY_BITS) return extended(RESULT_TYPE == FORM_I32 ? range.y : 0);
    if (large) return extended((bits & SIGN_BIT) != 0u ? range.x : range.y);
    return extended(clamp(int(wide_from_float(bits).x), range.x, range.y));
}

uvec2 converted(uvec2 v) {
    if (is_float(OPERAND)) {
        if (RESULT_TYPE == TYPE_BOOL) return uvec2((v.x & ~SIGN_BIT) != 0u ? 1u : 0u, 0u);
        if (RESULT_TYPE == FORM_F16) return uvec2(float_of_half(half_of_float(v.x)), 0u);
        return RESULT_TYPE == FORM_F32 ? v : truncated(v.x);
    }
    if (RESULT_TYPE == TYPE_BOOL) return uvec2(wide_is_zero(v) ? 0u : 1u, 0u);
    if (!is_float(RESULT_TYPE)) return wrapped(RESULT_TYPE, v);
    uint bits = wide_to_float(v);
    return uvec2(RESULT_TYPE == FORM_F16 ? float_of_half(half_of_float(bits)) : bits, 0u);
}

// Whether |x| / scale, rounded to a float, is not below the half h, one of 1/2, 3/2, 5/2, … below 2²¹. The
// quotient that rounds to h begins half a unit in the last place below it; it is never reached exactly, as
// its product with the scale has 25 digits. All in integers: a device's division may be off by 2.5 units.
bool reaches(uint x_bits, float h) {
    uint h_bits = floatBitsToUint(h), s_bits = floatBitsToUint(scale), high, low;
    // Below a power of two, which only 1/2 is, a unit is half as large.
    uint start = ((h_bits & 0x007fffffu) | 0x00800000u) * (h == 0.5 ? 4u : 2u) - 1u;
    umulExtended(start, (s_bits & 0x007fffffu) | 0x00800000u, high, low);
    uint exponent = x_bits >> 23;
    int shift = int(max(exponent, 1u)) - int(h_bits >> 23) - int(s_bits >> 23) + (h == 0.5 ? 152 : 151);
    uvec2 x = uvec2((x_bits & 0x007fffffu) | (exponent != 0u ? 0x00800000u : 0u), 0u);
    return shift >= 0 && wide_less_unsigned(uvec2(low, high), wide_left(x, uint(min(shift, 40))));
}

// x / scale, the nearest integer, halves away from zero.
uvec2 quantized(uint bits) {
    uint x = bits & ~SIGN_BIT;
    ivec2 range = type_range();
    if (x > INFINITY_BITS) return extended(clamp(y_zero_point, range.x, range.y));
    bool below = (bits & SIGN_BIT) != 0u;
    float quotient = uintBitsToFloat(x) / scale;
    if (x == INFINITY_BITS || quotient >= 1048576.0) return extended(below ? range.x : range.y);
    float whole = floor(quotient);
    int n = int(whole) + (reaches(x, whole + 0.5) ? 1 : 0);
    return extended(clamp((below ? -n : n) + y_zero_point, range.x, range.y));
}

// x / scale, the nearest integer, ties to even. The largest result for NaN.
uvec2 quantized_to_even(uint bits) {
    ivec2 range = type_range();
    if ((bits & ~SIGN_BIT) > INFINITY_BITS) return extended(range.y);
    vec2 ends = vec2(range - y_zero_point);
    return extended(int(roundEven(clamp(uintBitsToFloat(bits) * scale, ends.x, ends.y))) + y_zero_point);
}

uvec2 value(uint i) {
    uvec2 v = load_x(OPERAND, i);
    if (FUNCTION == FUNCTION_CAST) return converted(v);
    if (FUNCTION == FUNCTION_QUANTIZE) return quantized(v.x);
    if (FUNCTION == FUNCTION_QUANTIZE_TO_EVEN) return quantized_to_even(v.x);
    int q = int(v.x) - x_zero_point;
    if (FUNCTION == FUNCTION_DEQUANTIZE) return uvec2(floatBitsToUint(scale * float(q)), 0u);
    ivec2 range = type_range();
    return extended(clamp(fixed_product(q, multiplier, shift) + y_zero_point, range.x, range.y));
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (item >= items) return;
    store_elements(RESULT, item, elements);
}
