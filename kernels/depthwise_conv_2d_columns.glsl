#version 450
// y = epilogue(depthwise convolution of x with w), for drivers that make every load a loop over the
// lanes of a SIMD register: an invocation computes PIXELS neighbouring columns of `height` rows, in four
// channels, and reads each row of x once for all of the windows that it is part of. Taps and stride are the
// same in both directions, and there are as many channels in x as in y.
//! variant STORE = f32 | f16
//! variant TAPS = 3 | 5
//! variant STRIDE = 1 | 2
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifndef TAPS
#define TAPS 3
#define STRIDE 1
#endif
#include "lib/types.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;            // invocations that have work
    uint row_items;        // invocations per row of the grid
    uint channels;
    uint rows_per_batch;
    uint strips;           // of PIXELS columns
    uint bands;            // of `height` rows
    uint height;
    uvec2 x_size;          // pairs are height, width
    uvec2 y_size;
    ivec2 origin;          // where the first window starts in x
};
// Whether windows may cross the border. Branches cost more than loads of nothing.
layout(constant_id = 10) const bool BORDER = true;

READS(0, X, x)
READS(1, W, w)
WRITES_EITHER(2, Y, y)
#define EPI_BINDING 3
#define EPI_CHANNELS channels
#define EPI_ROWS_PER_BATCH rows_per_batch
#define EPI_START
#define EPI_HOLD
#include "lib/epilogue.glsl"

const int PIXELS = 4;
const int SPAN = (PIXELS - 1) * STRIDE + TAPS;
// Windows that share a row of x, at most.
const int WINDOWS = (TAPS + STRIDE - 1) / STRIDE;

vec4 one_of(vec4 a, vec4 b, vec4 c, vec4 d, int i) {
    bvec4 odd = bvec4((i & 1) != 0);
    return mix(mix(a, b, odd), mix(c, d, odd), bvec4(i > 1));
}

void main() {
    uint i = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
    if (i >= items) return;
    uint quads = channels >> 2;
    uint c = i % quads;
    uint strip = i / quads;
    uint band = strip / strips;
    uint image = band / bands;
    int top = int((band - image * bands) * height);
    int left = int((strip - band * strips) * PIXELS);

    vec4 q[TAPS * TAPS];
    [[unroll]] for (int k = 0; k < TAPS * TAPS; ++k) q[k] = vec4(w4[k * quads + c]);
    vec4 start = epilogue_start4(4 * c);
    epilogue_hold(4 * c);
    // The sums of the windows that the next rows of x are part of, from the topmost on.
    vec4 sum[WINDOWS * PIXELS];
    [[unroll]] for (int k = 0; k < WINDOWS * PIXELS; ++k) sum[k] = start;

    int pitch = int(quads), wide = int(x_size.y), high = int(x_size.x);
    int column = left * STRIDE + origin.y;
    int line = (int(image) * high * wide + column) * pitch + int(c);
    int y_wide = int(y_size.y), y_line = int(image) * int(y_size.x);
    int end = min(top + int(height), int(y_size.x));
    for (int row = top - (WINDOWS - 1); row < end; ++row) {
        // The rows of x that are new to the topmost window.
        [[unroll]] for (int j = 0; j < STRIDE; ++j) {
            int at = row * STRIDE + TAPS - STRIDE + j + origin.x;
            bool on = uint(at) < uint(high);
            vec4 v[SPAN];
            [[unroll]] for (int s = 0; s < SPAN; ++s) {
                int from = line + (at * wide + s) * pitch;
                if (BORDER) {
                    bool seen = on && uint(column + s) < uint(wide);
                    v[s] = mix(vec4(0), vec4(x4[mix(0, from, seen)]), bvec4(seen));
                } else {
                    v[s] = vec4(x4[from]);
                }
            }
            [[unroll]] for (int n = 0; n < WINDOWS; ++n) {
                int ky = TAPS - STRIDE + j - n * STRIDE;
                if (ky >= 0) {
                    [[unroll]] for (int m = 0; m < PIXELS; ++m) {
                        vec4 s = sum[n * PIXELS + m];
                        [[unroll]] for (int kx = 0; kx < TAPS; ++kx) {
                            s += v[m * STRIDE + kx] * q[ky * TAPS + kx];
                        }
                        sum[n * PIXELS + m] = s;
                    }
                }
            }
        }
        if (row >= top) {
            // The epilogue is long: with a bound that no constant gives, no driver unrolls its loop.
            uint y_at = uint((y_line + row) * y_wide + left);
            for (int m = 0; m < min(PIXELS, y_wide - left); ++m) {
                EPI_STORE4(y_at * quads + c, epilogue(one_of(sum[0], sum[1], sum[2], sum[3], m), y_at, 4 * c));
                ++y_at;
            }
        }
        [[unroll]] for (int k = 0; k < (WINDOWS - 1) * PIXELS; ++k) sum[k] = sum[k + PIXELS];
        [[unroll]] for (int m = 0; m < PIXELS; ++m) sum[(WINDOWS - 1) * PIXELS + m] = start;
    }
}
