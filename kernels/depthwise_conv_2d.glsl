#version 450
// y = epilogue(depthwise convolution of x with w): each channel of y sums a window of one channel of
// x. An invocation computes PIXELS neighbouring pixels of a row, in WIDTH channels; with known TAPS it
// reads each pixel of a row of x once for all of them. Sums of 16 bits have at most 32 products.
//! variant STORE = f32 | f16
//! variant WIDTH = 4 | 1
//! variant TAPS = any | k3s1 | k3s2 | k5s1 | k5s2
//! variant PIXELS = 4 | 2
//! variant SUM = f32 | f16
//! skip WIDTH=1 PIXELS=2
//! skip WIDTH=1 SUM=f16
//! skip STORE=f32 SUM=f16
//! skip TAPS=any SUM=f16
//! skip PIXELS=2 SUM=f16
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef WIDTH
#define WIDTH 4
#define TAPS_ANY
#define PIXELS 4
#endif
#ifdef SUM_F16
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;            // invocations that have work
    uint row_items;        // invocations per row of the grid
    uint channels;         // of y
    uint multiplier;       // channels of y per channel of x
    uint rows_per_batch;
    uint strips;           // of PIXELS pixels, per row of y
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
};
// Whether windows may cross the left or right border, and whether invocations that do not then take
// another path than those that do.
layout(constant_id = 10) const bool BORDER = true;
layout(constant_id = 11) const bool BRANCH = true;

READS(0, X, x)
READS(1, W, w)
WRITES_EITHER(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_START
#include "lib/epilogue.glsl"

#if defined(SUM_F16)
#define T f16vec4
#define LOAD_X(i) x4[i]
#define LOAD_W(i) w4[i]
#elif WIDTH == 4
#define T vec4
#define LOAD_X(i) vec4(x4[i])
#define LOAD_W(i) vec4(w4[i])
#else
#define T float
#define LOAD_X(i) float(x[i])
#define LOAD_W(i) float(w[i])
#endif
#if WIDTH == 4
#define RESULT vec4
#define STORE_Y(i, v) EPI_STORE4(i, v)
#define START(c) epilogue_start4(c)
#else
#define RESULT float
#define STORE_Y(i, v) EPI_STORE(i, v)
#define START(c) epilogue_start(c)
#endif

#if defined(TAPS_K3S1)
#define TAPS_X 3
#define STRIDE_X 1
#elif defined(TAPS_K3S2)
#define TAPS_X 3
#define STRIDE_X 2
#elif defined(TAPS_K5S1)
#define TAPS_X 5
#define STRIDE_X 1
#elif defined(TAPS_K5S2)
#define TAPS_X 5
#define STRIDE_X 2
#endif

T sum[PIXELS];

#ifdef TAPS_X
const int SPAN = (PIXELS - 1) * STRIDE_X + TAPS_X;

// Adds the windows' part in one row of x, which starts at `line`; `pitch` is one pixel, `left` the
// first column.
void add_row(uint line, uint pitch, int left, uint w_at, uint w_pitch, const bool border) {
    T q[TAPS_X];
    [[unroll]] for (int k = 0; k < TAPS_X; ++k) q[k] = LOAD_W(w_at + k * w_pitch);
    [[unroll]] for (int i = 0; i < SPAN; ++i) {
        T v;
        if (border) {
            int column = left + i;
            bool inside = uint(column) < x_size.y;
            v = LOAD_X(line + (inside ? uint(column) : 0) * pitch);
            if (!inside) v = T(0);
        } else {
            v = LOAD_X(line + uint(left + i) * pitch);
        }
        [[unroll]] for (int k = 0; k < TAPS_X; ++k) {
            int m = (i - k) / STRIDE_X;
            if (i >= k && (i - k) % STRIDE_X == 0 && m < PIXELS) sum[m] += v * q[k];
        }
    }
}
#else
void add_row(uint line, uint pitch, int left, uint w_at, uint w_pitch, const bool border) {
    for (uint k = 0; k < taps.y; ++k) {
        T q = LOAD_W(w_at + k * w_pitch);
        [[unroll]] for (int m = 0; m < PIXELS; ++m) {
            int column = left + int(m * stride.y + k * dilation.y);
            if (border) {
                bool inside = uint(column) < x_size.y;
                T v = LOAD_X(line + (inside ? uint(column) : 0) * pitch);
                sum[m] += inside ? v * q : T(0);
            } else {
                sum[m] += LOAD_X(line + uint(column) * pitch) * q;
            }
        }
    }
}
#endif

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    uint w_pitch = channels / WIDTH;
    uint c = i % w_pitch;
    uint strip = i / w_pitch;
    uint line = strip / strips;
    uint first = (strip - line * strips) * PIXELS;
    uint image = line / y_size.x;

    uint pitch = WIDTH == 4 ? w_pitch : w_pitch / multiplier;
    uint x_c = WIDTH == 4 ? c : c / multiplier;
    int top = int(line % y_size.x * stride.x) + origin.x;
    int left = int(first * stride.y) + origin.y;
    int right = left + int((PIXELS - 1) * stride.y + (taps.y - 1) * dilation.y);
    bool interior = !BORDER || (BRANCH && left >= 0 && right < int(x_size.y));

#ifdef SUM_F16
    T start = T(0);
#else
    T start = START(c * WIDTH);
#endif
    [[unroll]] for (int m = 0; m < PIXELS; ++m) sum[m] = start;
    // The taps that see rows of x.
    uint ky = top < 0 ? (uint(-top) + dilation.x - 1) / dilation.x : 0;
    uint ky_end = min(taps.x, uint(max(0, int(x_size.x) - top + int(dilation.x) - 1)) / dilation.x);
    uint at = (image * x_size.x + uint(top + int(ky * dilation.x))) * x_size.y * pitch + x_c;
    uint w_at = ky * taps.y * w_pitch + c;
    if (interior) {
        for (; ky < ky_end; ++ky) {
            add_row(at, pitch, left, w_at, w_pitch, false);
            at += dilation.x * x_size.y * pitch;
            w_at += taps.y * w_pitch;
        }
    } else {
        for (; ky < ky_end; ++ky) {
            add_row(at, pitch, left, w_at, w_pitch, true);
            at += dilation.x * x_size.y * pitch;
            w_at += taps.y * w_pitch;
        }
    }

    // The epilogue is long: its loop is unrolled only when the module is specialised.
    RESULT result[PIXELS];
#ifdef SUM_F16
    RESULT first_term = START(c * WIDTH);
    [[unroll]] for (int m = 0; m < PIXELS; ++m) result[m] = first_term + RESULT(sum[m]);
#else
    [[unroll]] for (int m = 0; m < PIXELS; ++m) result[m] = sum[m];
#endif
    [[dont_unroll]] for (uint m = 0; m < PIXELS; ++m) {
        uint row = line * y_size.y + first + m;
        if (first + m < y_size.y) STORE_Y(row * w_pitch + c, epilogue(result[m], row, c * WIDTH));
    }
}
