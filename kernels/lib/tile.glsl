// A register tile: TM rows of the result by TN quads of its channels, and the sums over the depth
// that convolutions, matrix products and transposed convolutions have in common.
//
// Before including this, a kernel includes epilogue.glsl with EPI_START and declares
//   TM, TN      the tile's size
//   channels    of the result
//   x, x4       the activations, as READS gives them
//   w4          the weights: one row of quads per element of the depth
//   y, y4       the result, as WRITES_EITHER gives it
//   VEC_X       whether depth and rows of x are multiples of four: then x is read as vectors
//   VEC_Y       the same of the channels of y

vec4 tile[TM * TN];

// Where each row of the tile continues in x, in what is read at once; a row OUTSIDE counts as zeros.
uint tile_at[TM];
const uint OUTSIDE = ~0u;

// Begins the sums of channels from `c` on, which end before `end`.
void tile_start(uint c, uint end) {
    [[unroll]] for (int n = 0; n < TN; ++n) {
        vec4 v;
        if (VEC_Y) {
            v = epilogue_start4(min(c + 4 * n, end - 4));
        } else {
            [[unroll]] for (int i = 0; i < 4; ++i) v[i] = epilogue_start(min(c + 4 * n + i, end - 1));
        }
        [[unroll]] for (int m = 0; m < TM; ++m) tile[m * TN + n] = v;
    }
}

// Stores `v` as channels from `c` on of a row of y, those before `end`.
void store_quad(vec4 v, uint row, uint c, uint end) {
    if (VEC_Y) {
        if (c < end) EPI_STORE4((row * channels + c) >> 2, epilogue(v, row, c));
    } else {
        [[dont_unroll]] for (uint i = 0; i < 4; ++i) {
            if (c + i < end) EPI_STORE(row * channels + c + i, epilogue(v[i], row, c + i));
        }
    }
}

// Where row m of the tile continues in x: anywhere, or at a constant distance from the row before.
#define ANYWHERE(m) (tile_at[m] == OUTSIDE ? 0 : tile_at[m] + c)
#define IN_LINE(m) (c + m * pitch)

// Adds a vector of x for each row times four rows of weights, the first at `w`, to `sum`.
#define TILE_STEP(sum, AT, outside) { \
    V4 v[TM]; \
    [[unroll]] for (int m = 0; m < TM; ++m) { \
        v[m] = V4(x4[AT(m)]); \
        if (outside && tile_at[m] == OUTSIDE) v[m] = V4(0); \
    } \
    [[unroll]] for (int k = 0; k < 4; ++k) { \
        [[unroll]] for (int n = 0; n < TN; ++n) { \
            V4 q = V4(w4[w + n]); \
            [[unroll]] for (int m = 0; m < TM; ++m) sum[m * TN + n] += v[m][k] * q; \
        } \
        w += quads; \
    } \
}

#ifdef SUM_F16
// Products and sums of so many elements are 16 bits wide, before they are added to the tile.
const uint PART = 32;
#define V4 f16vec4

// The same for eight elements of x, where the weights of a block lie one row after the other.
#define TILE_STEP8(sum, AT, outside) { \
    uvec4 v[TM]; \
    [[unroll]] for (int m = 0; m < TM; ++m) { \
        v[m] = x8[AT(m)]; \
        if (outside && tile_at[m] == OUTSIDE) v[m] = uvec4(0); \
    } \
    [[unroll]] for (int k = 0; k < 8; ++k) { \
        [[unroll]] for (int n = 0; n < TN; ++n) { \
            uvec4 two = w8[w + (k * TN + n) / 2]; \
            uvec2 one = (k * TN + n) % 2 == 0 ? two.xy : two.zw; \
            f16vec4 q = f16vec4(unpackFloat2x16(one.x), unpackFloat2x16(one.y)); \
            [[unroll]] for (int m = 0; m < TM; ++m) { \
                sum[m * TN + n] += unpackFloat2x16(v[m][k / 2])[k % 2] * q; \
            } \
        } \
    } \
    w += 4 * TN; \
}

// Steps from `c` to before `last`, in parts.
#define TILE_STEPS(AT, outside) \
    while (c < last) { \
        V4 part[TM * TN]; \
        [[unroll]] for (int i = 0; i < TM * TN; ++i) part[i] = V4(0); \
        uint pause = min(c + PART / (WIDE ? 8 : 4), last); \
        if (WIDE) { \
            for (; c < pause; ++c) TILE_STEP8(part, AT, outside) \
        } else { \
            for (; c < pause; ++c) TILE_STEP(part, AT, outside) \
        } \
        [[unroll]] for (int i = 0; i < TM * TN; ++i) tile[i] += vec4(part[i]); \
    }
#define STEP_OF(depth) (WIDE ? depth >> 3 : depth >> 2)
#else
#define V4 vec4
#define TILE_STEPS(AT, outside) for (; c < last; ++c) TILE_STEP(tile, AT, outside)
#define STEP_OF(depth) (depth >> 2)
#endif

// Adds `depth` elements of each row, which may be outside, times as many rows of weights, the first at
// `w`; gives the place of the next.
uint tile_add(uint depth, uint w, uint quads) {
    if (VEC_X) {
        uint c = 0, last = STEP_OF(depth);
        TILE_STEPS(ANYWHERE, true)
    } else {
        for (uint c = 0; c < depth; ++c) {
            float v[TM];
            [[unroll]] for (int m = 0; m < TM; ++m) {
                v[m] = float(x[ANYWHERE(m)]);
                if (tile_at[m] == OUTSIDE) v[m] = 0;
            }
            [[unroll]] for (int n = 0; n < TN; ++n) {
                vec4 q = vec4(w4[w + n]);
                [[unroll]] for (int m = 0; m < TM; ++m) tile[m * TN + n] += v[m] * q;
            }
            w += quads;
        }
    }
    return w;
}

// The same for rows that are inside and lie `pitch` apart, the first at `c`.
uint tile_add_line(uint depth, uint w, uint quads, uint c, uint pitch) {
    if (VEC_X) {
        uint last = c + STEP_OF(depth);
        TILE_STEPS(IN_LINE, false)
    } else {
        for (uint last = c + depth; c < last; ++c) {
            float v[TM];
            [[unroll]] for (int m = 0; m < TM; ++m) v[m] = float(x[IN_LINE(m)]);
            [[unroll]] for (int n = 0; n < TN; ++n) {
                vec4 q = vec4(w4[w + n]);
                [[unroll]] for (int m = 0; m < TM; ++m) tile[m * TN + n] += v[m] * q;
            }
            w += quads;
        }
    }
    return w;
}
