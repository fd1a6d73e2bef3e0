// A register tile: TM rows of the result by TN quads of its channels, and the sums over the depth
// that convolutions, matrix products and transposed convolutions have in common.
//
// Before including this, a kernel includes epilogue.glsl with EPI_START and declares
//   TM, TN      the tile's size
//   channels    of the result
//   x, x4       the activations, as READS gives them
//   w4          the weights: one row of quads per element of the depth
//   y, y4       the result, as WRITES gives it
//   VEC_X       whether depth and rows of x are multiples of four: then x is read as vectors
//   VEC_Y       the same of the channels of y
//   BORDER      whether a row may lie outside of x and counts as zeros

vec4 tile[TM * TN];

// Where each row of the tile continues in x, in elements or (VEC_X) in vectors, and whether it is inside.
uint tile_at[TM];
bool tile_inside[TM];

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
        if (c < end) y4[(row * channels + c) >> 2] = S4(epilogue(v, row, c));
    } else {
        [[dont_unroll]] for (uint i = 0; i < 4; ++i) {
            if (c + i < end) y[row * channels + c + i] = S1(epilogue(v[i], row, c + i));
        }
    }
}

// Adds `depth` elements of each row times as many rows of weights, the first at `w`; gives the
// place of the next.
uint tile_add(uint depth, uint w, uint quads) {
    if (VEC_X) {
        for (uint c = 0; c < depth >> 2; ++c) {
            vec4 v[TM];
            [[unroll]] for (int m = 0; m < TM; ++m) {
                v[m] = vec4(x4[tile_at[m] + c]);
                if (BORDER && !tile_inside[m]) v[m] = vec4(0);
            }
            [[unroll]] for (int k = 0; k < 4; ++k) {
                [[unroll]] for (int n = 0; n < TN; ++n) {
                    vec4 q = vec4(w4[w + n]);
                    [[unroll]] for (int m = 0; m < TM; ++m) tile[m * TN + n] += v[m][k] * q;
                }
                w += quads;
            }
        }
    } else {
        for (uint c = 0; c < depth; ++c) {
            float v[TM];
            [[unroll]] for (int m = 0; m < TM; ++m) {
                v[m] = float(x[tile_at[m] + c]);
                if (BORDER && !tile_inside[m]) v[m] = 0;
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
