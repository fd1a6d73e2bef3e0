#version 450
// y[n,oy,ox,c] = max or mean of x over a window of rows and columns.
// The window is cut at the border; zeros that a PAD had put around x take part like its elements. NaN is
// never the largest.
// One invocation computes four neighbouring channels, or one if channels % 4 != 0.
//! variant STORE = f32 | f16
#extension GL_GOOGLE_include_directive : require
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // invocations that have work
    uint row_items;      // invocations per row of the grid
    uint rows_per_batch;
    uint channels;
    ivec2 x_size;        // height, width
    ivec2 y_size;
    ivec2 window;
    ivec2 stride;
    ivec2 origin;        // of the first window, not positive
    ivec2 zeros_before;  // rows and columns of zeros that count
    ivec2 zeros_after;
};
layout(constant_id = 10) const bool VEC4 = true;
layout(constant_id = 11) const bool AVERAGE = true;
layout(constant_id = 12) const bool PAIRS = false;   // the largest of 2 × 2 that start on x

READS(0, X, x)
WRITES_EITHER(1, Y, y)
#define EPI_BINDING 2
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#include "lib/epilogue.glsl"

#define POOL(T, data, lanes) \
    T pool(T start, uint row, uint lane) { \
        uint line = row / uint(y_size.y), number = line / uint(y_size.x); \
        uint image = number * uint(x_size.x * x_size.y); \
        ivec2 at = ivec2(line - number * uint(y_size.x), row - line * uint(y_size.y)); \
        ivec2 from = at * stride + origin, to = from + window; \
        ivec2 seen = max(min(to, x_size + zeros_after) - max(from, -zeros_before), 0); \
        uint width = channels / lanes; \
        if (PAIRS) { \
            uint first = (image + uint(from.x * x_size.y + from.y)) * width + lane; \
            uint below = first + uint(to.x <= x_size.x) * uint(x_size.y) * width; \
            uint right = uint(to.y <= x_size.y) * width; \
            T a = unless_nan(T(data[first]), start), b = unless_nan(T(data[first + right]), start); \
            T c = unless_nan(T(data[below]), start), d = unless_nan(T(data[below + right]), start); \
            return max(max(a, b), max(c, d)); \
        } \
        from = max(from, 0); \
        to = min(to, x_size); \
        ivec2 real = max(to - from, 0); \
        T v = start; \
        for (int h = from.x; h < to.x; ++h) { \
            for (int w = from.y; w < to.y; ++w) { \
                T e = T(data[(image + uint(h * x_size.y + w)) * width + lane]); \
                v = AVERAGE ? v + e : max(v, unless_nan(e, start)); \
            } \
        } \
        if (AVERAGE) return v / float(max(seen.x * seen.y, 1)); \
        return seen.x * seen.y > real.x * real.y ? max(v, T(0)) : v; \
    }
POOL(float, x, 1)
POOL(vec4, x4, 4)

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    float start = AVERAGE ? 0.0 : uintBitsToFloat(0xff800000u);
    // Drivers that run on the CPU divide lane by lane.
    uint width = VEC4 ? channels >> 2 : channels, row = i / width, lane = i - row * width;
    if (VEC4) {
        EPI_STORE4(i, epilogue(pool(vec4(start), row, lane), row, lane * 4));
    } else {
        EPI_STORE(i, epilogue(pool(start, row, lane), row, lane));
    }
}
