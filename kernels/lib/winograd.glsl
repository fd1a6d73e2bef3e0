// Winograd's F(TILE×TILE, 3×3) along one dimension, on every `step`th element of a[] from number `o` on, in place.
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

const int SIDE = TILE + 2;

#if TILE == 4
// Bᵀ
#define BASIS(a, o, s) { \
    vec4 t0 = a[o], t1 = a[o + s], t2 = a[o + 2 * s], t3 = a[o + 3 * s], t4 = a[o + 4 * s], t5 = a[o + 5 * s]; \
    vec4 p = t4 - 4 * t2, q = t3 - 4 * t1, r = t4 - t2, u = 2 * (t3 - t1); \
    a[o] = 4 * t0 - 5 * t2 + t4; \
    a[o + s] = p + q; \
    a[o + 2 * s] = p - q; \
    a[o + 3 * s] = r + u; \
    a[o + 4 * s] = r - u; \
    a[o + 5 * s] = 4 * t1 - 5 * t3 + t5; \
}
// Aᵀ
#define PIXELS(a, o, s) { \
    vec4 t0 = a[o], t5 = a[o + 5 * s]; \
    vec4 p = a[o + s] + a[o + 2 * s], q = a[o + s] - a[o + 2 * s]; \
    vec4 r = a[o + 3 * s] + a[o + 4 * s], u = 2 * (a[o + 3 * s] - a[o + 4 * s]); \
    a[o] = t0 + p + r; \
    a[o + s] = q + u; \
    a[o + 2 * s] = p + 4 * r; \
    a[o + 3 * s] = q + 4 * u + t5; \
}
#else
#define BASIS(a, o, s) { \
    vec4 t0 = a[o], t1 = a[o + s], t2 = a[o + 2 * s], t3 = a[o + 3 * s]; \
    a[o] = t0 - t2; \
    a[o + s] = t1 + t2; \
    a[o + 2 * s] = t2 - t1; \
    a[o + 3 * s] = t1 - t3; \
}
#define PIXELS(a, o, s) { \
    vec4 t1 = a[o + s], t2 = a[o + 2 * s]; \
    a[o] = a[o] + t1 + t2; \
    a[o + s] = t1 - t2 - a[o + 3 * s]; \
}
#endif
