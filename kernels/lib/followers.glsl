// Functions of the elements that sums have become, before these are stored: a table, a sum or a product with another
// operand, and a table once more, each if FOLLOWERS says so. src/ops/scaled_sum/followers.rs computes the same.
//
// Before including this, a kernel defines FOLLOWER_BINDING, includes fixed_point.glsl and requantize.glsl, and requires
// GL_EXT_control_flow_attributes.
#include "lib/quantized.glsl"

#define FOLLOWERS_TABLE_BEFORE 1u
#define FOLLOWERS_SUM 2u
#define FOLLOWERS_PRODUCT 4u
#define FOLLOWERS_XNNPACK 8u       // how sums and products are rounded
#define FOLLOWERS_PER_IMAGE 16u    // the operand has a row of channels for each image
#define FOLLOWERS_TABLE_BEHIND 32u
#define FOLLOWERS_UNSIGNED 64u     // elements are
#define FOLLOWERS_WIDENED 128u     // elements lie in words

layout(std430, set = 0, binding = REQUANTIZE_BINDING) readonly buffer FollowerWords { int follower_words[]; };
layout(std430, set = 0, binding = FOLLOWER_BINDING) readonly buffer Other { uint other[]; };

bool follows(uint bits) { return (FOLLOWERS & bits) != 0u; }

int follower_byte(uint word, uint at) {
    int first = int(at & 3u) * 8;
    return follows(FOLLOWERS_UNSIGNED) ? int(bitfieldExtract(word, first, 8)) : bitfieldExtract(int(word), first, 8);
}

// The result of v in the table whose first word is `at`.
int follower_table(uint at, int v) {
    uint place = uint(v) & 255u;
    return follower_byte(uint(follower_words[at + (place >> 2)]), place);
}

// The function of v and the operand's element e.
int follower_binary(int v, int e) {
    v -= follower_words[0];
    e -= follower_words[1];
    int y, last = follower_words[9], shift = follower_words[10];
    if (follows(FOLLOWERS_XNNPACK)) {
        if (follows(FOLLOWERS_PRODUCT)) y = xnnpack_product(v, e, last);
        else y = xnnpack_sum(v * follower_words[5] + e * follower_words[7], shift);
    } else if (follows(FOLLOWERS_PRODUCT)) {
        y = quantized_product(v, e, last, shift);
    } else {
        int a = quantized_term(v, 20, follower_words[5], follower_words[6]);
        int b = quantized_term(e, 20, follower_words[7], follower_words[8]);
        y = quantized_term(follower_words[12] * a + follower_words[13] * b, 0, last, shift);
    }
    return clamp(y + follower_words[2], follower_words[3], follower_words[4]);
}

// Where the operand has the element for a channel of a row of y.
uint follower_place(uint row, uint channel, uint channels) {
    if (follows(FOLLOWERS_PER_IMAGE)) row /= uint(follower_words[11]);
    return row * channels + channel;
}

int follower_element(uint at) {
    if (follows(FOLLOWERS_WIDENED)) return int(other[at]);
    return follower_byte(other[at >> 2], at);
}

int followed_by(int v, int e) {
    if (follows(FOLLOWERS_TABLE_BEFORE)) v = follower_table(16u, v);
    if (follows(FOLLOWERS_SUM | FOLLOWERS_PRODUCT)) v = follower_binary(v, e);
    if (follows(FOLLOWERS_TABLE_BEHIND)) v = follower_table(80u, v);
    return v;
}

// What element v of y becomes.
int followed(int v, uint row, uint channel, uint channels) {
    int e = 0;
    if (follows(FOLLOWERS_SUM | FOLLOWERS_PRODUCT)) e = follower_element(follower_place(row, channel, channels));
    return followed_by(v, e);
}

// The same for four channels, of which those from `end` on do not count. Where channels fill words, so does the
// operand.
ivec4 followed(ivec4 v, uint row, uint channel, uint channels, uint end, const bool fills_words) {
    if (FOLLOWERS == 0u) return v;
    ivec4 e = ivec4(0);
    if (follows(FOLLOWERS_SUM | FOLLOWERS_PRODUCT)) {
        uint at = follower_place(row, channel, channels);
        if (fills_words && !follows(FOLLOWERS_WIDENED)) {
            uint word = other[at >> 2];
            for (uint i = 0u; i < 4u; ++i) e[i] = follower_byte(word, i);
        } else {
            [[dont_unroll]] for (uint i = 0u; i < 4u; ++i) e[i] = follower_element(at + min(i, end - channel - 1u));
        }
    }
    [[dont_unroll]] for (int i = 0; i < 4; ++i) v[i] = followed_by(v[i], e[i]);
    return v;
}
