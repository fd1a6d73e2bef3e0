#version 450
// y[n,oy,ox,c] = x at the scaled position, from the four pixels around it or the nearest one.
// One invocation computes four neighbouring channels, or one if channels % 4 != 0.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;
    uint row_items;      // invocations per row of the grid
    uint rows_per_batch;
    uint channels;
    ivec2 x_size;        // height, width
    ivec2 y_size;
    vec2 scale;          // pixels of x per pixel of y
};
layout(constant_id = 10) const bool VEC4 = true;
layout(constant_id = 11) const bool NEAREST = false;
layout(constant_id = 12) const bool ALIGN_CORNERS = false;
layout(constant_id = 13) const bool HALF_PIXEL_CENTERS = false;

READS(0, X, x)
WRITES_EITHER(1, Y, y)
#define EPI_BINDING 2
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"

vec2 position(ivec2 at) {
    if (!HALF_PIXEL_CENTERS) return vec2(at) * scale;
    return NEAREST ? (vec2(at) + 0.5) * scale : (vec2(at) + 0.5) * scale - 0.5;
}

#define RESIZE(T, data, lanes, name) \
    T name(uint row, uint lane) { \
        uint pixels = uint(y_size.x * y_size.y); \
        uint image = row / pixels * uint(x_size.x * x_size.y); \
        uint quads = channels / lanes; \
        vec2 at = position(ivec2(row % pixels / uint(y_size.y), row % uint(y_size.y))); \
        ivec2 last = x_size - 1; \
        if (NEAREST) { \
            vec2 whole = floor(at); \
            if (ALIGN_CORNERS) whole += vec2(greaterThanEqual(at - whole, vec2(0.5))); \
            ivec2 p = clamp(ivec2(whole), ivec2(0), last); \
            return T(data[(image + uint(p.x * x_size.y + p.y)) * quads + lane]); \
        } \
        ivec2 a = max(ivec2(floor(at)), 0); \
        ivec2 b = min(ivec2(ceil(at)), last); \
        a = min(a, last); \
        b = max(b, 0); \
        vec2 t = at - vec2(a); \
        T aa = T(data[(image + uint(a.x * x_size.y + a.y)) * quads + lane]); \
        T ab = T(data[(image + uint(a.x * x_size.y + b.y)) * quads + lane]); \
        T ba = T(data[(image + uint(b.x * x_size.y + a.y)) * quads + lane]); \
        T bb = T(data[(image + uint(b.x * x_size.y + b.y)) * quads + lane]); \
        return aa * ((1.0 - t.x) * (1.0 - t.y)) + ba * (t.x * (1.0 - t.y)) \
             + ab * ((1.0 - t.x) * t.y) + bb * (t.x * t.y); \
    }
RESIZE(float, x, 1, resize1)
RESIZE(vec4, x4, 4, resize4)

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    if (VEC4) {
        uint quads = channels / 4;
        EPI_STORE4(i, epilogue(resize4(i / quads, i % quads), i / quads, i % quads * 4));
    } else {
        EPI_STORE(i, epilogue(resize1(i / channels, i % channels), i / channels, i % channels));
    }
}
