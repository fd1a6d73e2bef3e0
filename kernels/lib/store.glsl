// Stores what convolutions and products compute.
//
// Before including this, a kernel includes epilogue.glsl and declares
//   channels    of the result
//   y, y4       the result, as WRITES gives it
//   VEC_Y       whether its channels (those of a group) are multiples of four

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
