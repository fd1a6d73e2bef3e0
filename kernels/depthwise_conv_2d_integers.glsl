#version 450
// y = requantised depthwise convolution of x with w, of 8-bit integers: each channel of y sums a window of one channel
// of x. An invocation computes PIXELS neighbouring pixels of a row, in WIDTH channels; with known TAPS it reads each
// pixel of a row of x once for all of them. w holds floats, less their zero point. Products and sums are floats,
// exactly as long as there are no more than 256 of them.
//! variant WIDTH = 4 | 1
//! variant TAPS = any | k3s1 | k3s2 | k5s1 | k5s2
//! variant PIXELS = 4 | 2
//! variant STORES = words | bytes
//! skip WIDTH=4 STORES=bytes
//! skip WIDTH=1 PIXELS=2
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef WIDTH
#define WIDTH 4
#define TAPS_ANY
#define PIXELS 4
#endif
#ifdef STORES_BYTES
#extension GL_EXT_shader_8bit_storage : require
#endif
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;            // invocations that have work
    uint row_items;        // invocations per row of the grid
    uint channels;         // of y
    uint multiplier;       // channels of y per channel of x
    uint strips;           // of PIXELS pixels, per row of y
    int y_zero_point;
    int least;
    int most;
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    uvec2 taps;
    uvec2 stride;
    uvec2 dilation;
    ivec2 origin;          // where the first window starts in x
    float x_zero_point;
};
// Whether windows may cross the left or right border, and whether invocations that do not then take
// another path than those that do.
layout(constant_id = 10) const bool BORDER = true;
layout(constant_id = 11) const bool BRANCH = true;
layout(constant_id = 12) const bool MANY = false;      // there are more than 256 taps
layout(constant_id = 13) const bool WIDENED = false;   // elements of x and y lie in words
layout(constant_id = 14) const bool UNSIGNED = false;  // they are

layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { float w[]; };
layout(std430, set = 0, binding = 1) readonly buffer W4 { vec4 w4[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
#ifdef STORES_BYTES
layout(std430, set = 0, binding = 2) writeonly buffer Y8 { uint8_t y8[]; };
#endif
#define REQUANTIZE_BINDING 3
#define FOLLOWER_BINDING 4
#include "lib/requantize.glsl"
#include "lib/followers.glsl"

#if WIDTH == 4
#define T vec4
#define INTS ivec4
#define LOAD_W(i) w4[i]

// Quad i of x, less the zero point.
vec4 load_x(uint i) {
    uvec4 v;
    if (WIDENED) {
        [[unroll]] for (uint k = 0; k < 4; ++k) v[k] = x[4 * i + k];
        return vec4(ivec4(v)) - x_zero_point;
    }
    uint word = x[i];
    if (UNSIGNED) return vec4(uvec4(word) >> uvec4(0, 8, 16, 24) & 255) - x_zero_point;
    return vec4(ivec4(word) << ivec4(24, 16, 8, 0) >> 24) - x_zero_point;
}
#else
#define T float
#define INTS int
#define LOAD_W(i) w[i]

// Element i of x, less the zero point.
float load_x(uint i) {
    if (WIDENED) return float(int(x[i])) - x_zero_point;
    int at = int(i % 4 * 8);
    uint word = x[i / 4];
    if (UNSIGNED) return float(bitfieldExtract(word, at, 8)) - x_zero_point;
    return float(bitfieldExtract(int(word), at, 8)) - x_zero_point;
}
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
INTS total[PIXELS];

void flush() {
    [[unroll]] for (int m = 0; m < PIXELS; ++m) {
        total[m] += INTS(sum[m]);
        sum[m] = T(0);
    }
}

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
            v = load_x(line + (inside ? uint(column) : 0) * pitch);
            if (!inside) v = T(0);
        } else {
            v = load_x(line + uint(left + i) * pitch);
        }
        [[unroll]] for (int k = 0; k < TAPS_X; ++k) {
            int m = (i - k) / STRIDE_X;
            if (i >= k && (i - k) % STRIDE_X == 0 && m < PIXELS) sum[m] += v * q[k];
        }
    }
    if (MANY) flush();
}
#else
void add_row(uint line, uint pitch, int left, uint w_at, uint w_pitch, const bool border) {
    for (uint k = 0; k < taps.y; ++k) {
        T q = LOAD_W(w_at + k * w_pitch);
        [[unroll]] for (int m = 0; m < PIXELS; ++m) {
            int column = left + int(m * stride.y + k * dilation.y);
            if (border) {
                bool inside = uint(column) < x_size.y;
                T v = load_x(line + (inside ? uint(column) : 0) * pitch);
                sum[m] += inside ? v * q : T(0);
            } else {
                sum[m] += load_x(line + uint(column) * pitch) * q;
            }
        }
        if (MANY && k % 256 == 255) flush();
    }
    if (MANY) flush();
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

    [[unroll]] for (int m = 0; m < PIXELS; ++m) {
        sum[m] = T(0);
        total[m] = INTS(0);
    }
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
    if (!MANY) flush();

    // Requantising is long: its loop is unrolled only when the module is specialised.
    INTS sums[PIXELS];
    [[unroll]] for (int m = 0; m < PIXELS; ++m) sums[m] = total[m];
#if WIDTH == 4
    ivec4 start = sums_of(c);
    Scaling by = scaling_of(c);
#else
    uint quad = c / 4, k = c % 4;
    int start = sums_of(quad)[k];
    Scaling scaling = scaling_of(quad);
    int factor = scaling.multiplier[k], shift = scaling.shift[k];
#endif
    [[dont_unroll]] for (uint m = 0; m < PIXELS; ++m) {
        if (first + m >= y_size.y) break;
        uint row = line * y_size.y + first + m, place = row * w_pitch + c;
#if WIDTH == 4
        ivec4 v = followed(requantized(start + sums[m], by), row, 4 * c, channels, channels, true);
        if (WIDENED) {
            [[unroll]] for (uint k = 0; k < 4; ++k) y[4 * place + k] = uint(v[k]);
        } else {
            uvec4 u = uvec4(v) & 255;
            y[place] = u.x | u.y << 8 | u.z << 16 | u.w << 24;
        }
#else
        int v = followed(requantized(start + sums[m], factor, shift), row, c, channels);
#ifdef STORES_BYTES
        y8[place] = uint8_t(v);
#else
        y[place] = uint(v);
#endif
#endif
    }
}
