#version 450
// y[p, k] = sum of x[k, r] over all r of part p, brought to the result's scale. With several parts y is the x of
// another dispatch, which adds them.
// x is seen as up to three kept and three reduced dimensions. A workgroup computes ITEMS words of y; SHARERS
// invocations share each, a power of two. Where kept channels fill words (WIDE), so are they read.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;            // words of y; with FINISH_NONE and WIDE words of x
    uint row_groups;       // workgroups per row of the grid
    uint elements;         // of y
    uint results;          // elements of y for each part; if WIDE words of them
    uint terms;            // elements behind each result
    uint part;             // elements of a part
    uint keep_shape[3];    // counts and strides of words in what WIDE reads as such
    uint keep_stride[3];
    uint reduce_shape[3];
    uint reduce_stride[3];
    int before;            // added to the sum in front of a product in fixed point
    int multiplier;        // or the bits of a float
    int shift;             // or the bits of a float that is added
    int after;             // added to the product
    int least;
    int most;
};
layout(constant_id = 10) const uint X_FORM = 0;
layout(constant_id = 11) const uint Y_FORM = 0;
layout(constant_id = 12) const bool WIDE = true;
layout(constant_id = 13) const uint ITEMS = 16;
layout(constant_id = 14) const uint FINISH = 0;
const uint SHARERS = WG_X / ITEMS;
#define FINISH_NONE 0u
#define FINISH_QUOTIENT 1u
#define FINISH_FIXED_POINT 2u
#define FINISH_FLOAT_AWAY 3u
#define FINISH_FLOAT_EVEN 4u

READS_ELEMENTS(0, X, x)
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };

#define JOIN_T ivec4
#define JOIN_COUNT SHARERS
#define JOIN_LANE (gl_LocalInvocationID.x / ITEMS)
#define JOIN_RESULT (gl_LocalInvocationID.x % ITEMS)
#include "lib/join.glsl"

// The elements of word i, or element i.
ivec4 load(uint i) {
    if (!WIDE) return ivec4(int(load_x(X_FORM, i).x), 0, 0, 0);
    uint word = x[i];
    ivec4 v = ivec4(0);
    for (uint k = 0u; k < form_count(X_FORM); ++k) v[k] = int(form_read(X_FORM, word, k * form_width(X_FORM)).x);
    return v;
}

// What this invocation adds up of result i.
ivec4 share(uint i) {
    uint p = i / results, rest = i - p * results, base = 0u;
    for (int d = 2; d >= 0; --d) {
        base += rest % keep_shape[d] * keep_stride[d];
        rest /= keep_shape[d];
    }
    ivec4 v = ivec4(0);
    uint term = p * part + JOIN_LANE, end = min((p + 1u) * part, terms);
    // Divisions cost more than the rest, and some drivers compute both sides of a branch.
    if (reduce_shape[0] * reduce_shape[1] == 1u) {
        for (; term < end; term += SHARERS) v += load(base + term * reduce_stride[2]);
    }
    for (; term < end; term += SHARERS) {
        uint inner = term / reduce_shape[2];
        v += load(base + (term - inner * reduce_shape[2]) * reduce_stride[2]
                       + inner % reduce_shape[1] * reduce_stride[1]
                       + inner / reduce_shape[1] * reduce_stride[0]);
    }
    return v;
}

int finished(int sum) {
    if (FINISH == FINISH_NONE) return sum;
    if (FINISH == FINISH_QUOTIENT) {
        int quotient = (abs(sum) + multiplier / 2) / multiplier;
        return clamp(sum < 0 ? -quotient : quotient, least, most);
    }
    if (FINISH == FINISH_FIXED_POINT) return clamp(fixed_product(sum + before, multiplier, shift) + after, least, most);
    precise float product = float(sum) * intBitsToFloat(multiplier);
    precise float v = product + intBitsToFloat(shift);
    float whole = FINISH == FINISH_FLOAT_EVEN ? roundEven(v) : trunc(v);
    if (FINISH == FINISH_FLOAT_AWAY && abs(v - whole) >= 0.5) whole += v < 0.0 ? -1.0 : 1.0;
    return clamp(int(clamp(whole, -1e9, 1e9)) + after, least, most);
}

void main() {
    uint group = gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x;
    uint item = group * ITEMS + JOIN_RESULT, count = form_count(Y_FORM);
    ivec4 v = ivec4(0);
    if (item < items) {
        if (WIDE) {
            v = share(item);
        } else {
            for (uint k = 0u; k < count; ++k) {
                if (item * count + k < elements) v[k] = share(item * count + k).x;
            }
        }
    }
    v = join_sum(v);
    if (JOIN_LANE != 0u || item >= items) return;
    if (WIDE && FINISH == FINISH_NONE) {
        uint lanes = form_count(X_FORM);
        for (uint k = 0u; k < lanes; ++k) y[item * lanes + k] = uint(v[k]);
        return;
    }
    uint word = 0u, width = form_width(Y_FORM);
    for (uint k = 0u; k < count; ++k) word |= (uint(finished(v[k])) & 0xffffffffu >> (32u - width)) << (k * width);
    y[item] = word;
}
