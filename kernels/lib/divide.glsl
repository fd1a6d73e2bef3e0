// n / d for n below 2^31, where `by` is `divisor(d)` of src/kernel.rs.
uint divide(uint n, uvec2 by) {
    uint high, low;
    umulExtended(n << 1, by.x, high, low);
    return high >> by.y;
}
