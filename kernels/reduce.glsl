#version 450
// y[k] = sum, product, largest or smallest of x[k, r] over all r, times a factor.
// x is seen as up to three kept and three reduced dimensions. A workgroup computes RESULTS results,
// or four times as many neighbouring ones (VEC4); SHARERS invocations share each, a power of two. Where
// terms are many, several workgroups along z take a part each, and the last one joins the parts. NaN is
// neither the largest nor the smallest.
//! variant STORE = f32 | f16
//! variant JOIN = memory | subgroups
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // results, or fours of them
    uint row_groups;     // workgroups per row of the grid
    uint terms;          // elements behind each result
    uint part;           // elements of a part
    uint rows_per_batch;
    uint channels;       // of y
    float factor;
    uint keep_shape[3];  // counts and strides of fours too, in what VEC4 reads as such
    uint keep_stride[3];
    uint reduce_shape[3];
    uint reduce_stride[3];
};

layout(constant_id = 10) const bool VEC4 = true;
layout(constant_id = 11) const uint KIND = 0;
layout(constant_id = 12) const uint RESULTS = 16;
const uint SHARERS = WG_X / RESULTS;
// Kind in src/ops/reduce.rs.
const uint SUM = 0;
const uint PRODUCT = 1;
const uint LARGEST = 2;
const uint SMALLEST = 3;

READS(0, X, x)
WRITES_EITHER(1, Y, y)
#define EPI_BINDING 2
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"
#define LAST_BINDING 5
#include "lib/last.glsl"

#define JOIN_T vec4
#define JOIN_COUNT SHARERS
#define JOIN_LANE (gl_LocalInvocationID.x / RESULTS)
#define JOIN_RESULT (gl_LocalInvocationID.x % RESULTS)
#include "lib/join.glsl"

vec4 start() {
    float inf = uintBitsToFloat(0x7f800000u);
    return vec4(KIND == SUM ? 0.0 : KIND == PRODUCT ? 1.0 : KIND == LARGEST ? -inf : inf);
}

vec4 load(uint from) {
    vec4 v = VEC4 ? vec4(x4[from]) : vec4(x[from], 0, 0, 0);
    return KIND == LARGEST || KIND == SMALLEST ? unless_nan(v, start()) : v;
}

vec4 join(vec4 a, vec4 b) {
    if (KIND == SUM) return a + b;
    if (KIND == PRODUCT) return a * b;
    return KIND == LARGEST ? max(a, b) : min(a, b);
}

vec4 join_all(vec4 v) {
    if (KIND == SUM) return join_sum(v);
    if (KIND == PRODUCT) return join_product(v);
    return KIND == LARGEST ? join_largest(v) : join_smallest(v);
}

void main() {
    uint lane = JOIN_LANE;
    uint group = gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x;
    uint item = group * RESULTS + JOIN_RESULT;
    uint z = gl_WorkGroupID.z, count = gl_NumWorkGroups.z;
    vec4 v = start();
    if (item < items) {
        uint rest = item, base = 0;
        for (int d = 2; d >= 0; --d) {
            base += rest % keep_shape[d] * keep_stride[d];
            rest /= keep_shape[d];
        }
        uint end = min((z + 1) * part, terms);
        uint term = z * part + lane;
        // Divisions cost more than the rest, and some drivers compute both sides of a branch.
        if (reduce_shape[0] * reduce_shape[1] == 1) {
            for (; term < end; term += SHARERS) v = join(v, load(base + term * reduce_stride[2]));
        }
        for (; term < end; term += SHARERS) {
            uint inner = term / reduce_shape[2];
            v = join(v, load(base + (term - inner * reduce_shape[2]) * reduce_stride[2]
                                  + inner % reduce_shape[1] * reduce_stride[1]
                                  + inner / reduce_shape[1] * reduce_stride[0]));
        }
    }
    v = join_all(v);
    if (count > 1) {
        if (lane == 0 && item < items) parts[z * items + item] = v;
        if (!is_last(group, count)) return;
        v = start();
        if (item < items) {
            for (uint i = lane; i < count; i += SHARERS) v = join(v, parts[i * items + item]);
        }
        v = join_all(v);
    }
    if (lane != 0 || item >= items) return;
    v *= factor;
    if (VEC4) {
        uint quads = channels / 4;
        EPI_STORE4(item, epilogue(v, item / quads, item % quads * 4));
    } else {
        EPI_STORE(item, epilogue(v.x, item / channels, item % channels));
    }
}
