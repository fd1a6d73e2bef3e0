#version 450
// SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION of rows of integers, in fixed point as TFLite has them.
// Where rows fill words, or there is one (WIDE), a workgroup has WG_Y rows, each shared by WG_X invocations. Else a
// dispatch leaves what it finds of each row in `found`, and another one computes the elements of a word of y.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/fixed_functions.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // rows; in STAGE_RESULTS words of y
    uint row_groups;     // workgroups per row of the grid
    uint elements;
    uint channels;
    int multiplier;      // of differences to the largest element
    int shift;
    int least_difference;
    int reverse_multiplier;
    int reverse_shift;   // not positive
    int zero_point;      // of x
    int least;           // of y's type
    int most;
};
layout(constant_id = 10) const uint X_FORM = 0;
layout(constant_id = 11) const uint Y_FORM = 0;
layout(constant_id = 12) const bool WIDE = true;
layout(constant_id = 13) const uint FUNCTION = 0;
layout(constant_id = 14) const uint STAGE = 0;
#define FUNCTION_SOFTMAX 0u
#define FUNCTION_SOFTMAX_16 1u
#define FUNCTION_LOG_SOFTMAX 2u
#define FUNCTION_L2_NORMALIZATION 3u
#define STAGE_WHOLE 0u
#define STAGE_FIND 1u
#define STAGE_RESULTS 2u

READS_ELEMENTS(0, X, x)
layout(std430, set = 0, binding = 2) readonly buffer Table { int table[]; };
layout(std430, set = 0, binding = 3) buffer Found { int found[]; };

#define JOIN_T int
#define JOIN_COUNT WG_X
#define JOIN_LANE gl_LocalInvocationID.x
#define JOIN_RESULT gl_LocalInvocationID.y
#include "lib/join.glsl"

// What a row is: its largest element, and two numbers that depend on the function.
ivec3 row;
uint row_at, row_end;

// Table number n of 513 numbers each, between which is interpolated.
int look_up(uint n, int at) {
    uint i = n * 513u + uint(256 + (at >> 7));
    int base = table[i];
    return base + (((table[i + 1u] - base) * (at & 127) + 64) >> 7);
}

// The exponential of an element's difference to the row's largest.
int exponential(int v) {
    int difference = v - row.x;
    if (FUNCTION != FUNCTION_SOFTMAX_16) return table[min(-difference, 255)];
    return look_up(0u, clamp(fixed_product(difference, multiplier, shift) + 32767, -32768, 32767));
}

// What element v adds to the row's sum.
int term(int v) {
    if (FUNCTION == FUNCTION_L2_NORMALIZATION) return (v - zero_point) * (v - zero_point);
    return FUNCTION == FUNCTION_SOFTMAX_16 ? exponential(v) : rounding_right(exponential(v), 12);
}

// The row's two numbers, from its sum.
ivec2 numbers(int sum) {
    int a, b;
    if (FUNCTION == FUNCTION_L2_NORMALIZATION) {
        a = inverse_root(sum, b);
    } else if (FUNCTION == FUNCTION_SOFTMAX) {
        a = reciprocal(sum, b);
        b += 31 - findMSB(most - least + 1);
    } else if (FUNCTION == FUNCTION_LOG_SOFTMAX) {
        a = fixed_log(sum);
        int reverse = signed_high_product(int(uint(a) + SIGN_BIT), reverse_multiplier);
        b = max(least_difference - 1, rounding_right(reverse, -reverse_shift));
    } else {
        int room = clamp(leading_zeros(sum), 1, 31);
        int fraction = int(((uint(sum) << (room - 1)) + 8192u) >> 14);
        a = look_up(1u, clamp(fraction - 98304, -32768, 32767));
        b = 31 - room;
    }
    return ivec2(a, b);
}

int result(int v) {
    int a = row.y, b = row.z;
    if (FUNCTION == FUNCTION_L2_NORMALIZATION) {
        // TFLite rounds otherwise for either type.
        int y = least < 0 ? fixed_product(v - zero_point, a, b + 7) : fixed_product((v - zero_point) * 128, a, b) + 128;
        return clamp(y, least, most);
    }
    if (FUNCTION == FUNCTION_SOFTMAX) {
        int product = b > 31 ? 0 : rounding_right(signed_high_product(a, exponential(v)), b);
        return clamp(product + least, least, most);
    }
    if (FUNCTION == FUNCTION_LOG_SOFTMAX) {
        int difference = v - row.x;
        if (difference <= b) return least;
        return clamp(rounding_right(fixed_product(difference, multiplier, shift) - a, 22) + most, least, most);
    }
    return clamp((exponential(v) * a + (1 << b >> 1)) >> b, 0, 32767);
}

// Finds the row's numbers.
void find() {
    uint lanes = WIDE ? form_count(X_FORM) : 1u, width = form_width(X_FORM);
    uint first = gl_LocalInvocationID.x * lanes, stride = WG_X * lanes;
    int largest = int(SIGN_BIT), sum = 0;
    if (FUNCTION != FUNCTION_L2_NORMALIZATION) {
        for (uint c = first; c < row_end; c += stride) {
            uint word = WIDE ? x[(row_at + c) / lanes] : 0u;
            for (uint k = 0u; k < lanes; ++k) {
                if (c + k >= row_end) break;
                largest = max(largest, int((WIDE ? form_read(X_FORM, word, k * width) : load_x(X_FORM, row_at + c)).x));
            }
        }
        largest = join_largest(largest);
        barrier();
    }
    row.x = largest;
    for (uint c = first; c < row_end; c += stride) {
        uint word = WIDE ? x[(row_at + c) / lanes] : 0u;
        for (uint k = 0u; k < lanes; ++k) {
            if (c + k >= row_end) break;
            sum += term(int((WIDE ? form_read(X_FORM, word, k * width) : load_x(X_FORM, row_at + c)).x));
        }
    }
    row.yz = numbers(join_sum(sum));
}

uvec2 value(uint i) {
    uint at = i / channels * 3u;
    row = ivec3(found[at], found[at + 1u], found[at + 2u]);
    return uvec2(result(int(load_x(X_FORM, i).x)), 0u);
}

WRITES_ELEMENTS(1, Y, y)

void main() {
    uint group = gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x;
    if (STAGE == STAGE_RESULTS) {
        uint item = group * WG_X + gl_LocalInvocationID.x;
        if (item < items) store_elements(Y_FORM, item, elements);
        return;
    }
    uint number = group * WG_Y + gl_LocalInvocationID.y;
    row_at = number * channels;
    // No elements in the rows behind the last one, whose invocations must reach every barrier.
    row_end = number < items ? channels : 0u;
    find();
    if (STAGE == STAGE_FIND) {
        if (gl_LocalInvocationID.x == 0u && number < items) {
            found[number * 3u] = row.x;
            found[number * 3u + 1u] = row.y;
            found[number * 3u + 2u] = row.z;
        }
        return;
    }
    uint lanes = form_count(X_FORM), width = form_width(X_FORM);
    for (uint c = gl_LocalInvocationID.x * lanes; c < row_end; c += WG_X * lanes) {
        uint from = x[(row_at + c) / lanes], word = 0u;
        for (uint k = 0u; k < lanes; ++k) {
            if (c + k >= row_end) break;
            uint v = uint(result(int(form_read(X_FORM, from, k * width).x)));
            word |= (v & 0xffffffffu >> (32u - width)) << (k * width);
        }
        y[(row_at + c) / lanes] = word;
    }
}
