// A row of x and y, shared by WG_X invocations; a workgroup has WG_Y rows. An invocation holds ROW_HELD
// elements at a time, so that their loads are under way together; up to ROW_PART elements a row is read once.
//
// Before including this, a kernel declares x, y and the push constants rows, row_groups and channels.

const int ROW_HELD = 4;
const uint ROW_PART = ROW_HELD * WG_X;
float held[ROW_HELD];

uint row_at;
// No elements in the rows behind the last one, whose invocations must reach every barrier.
uint row_end;

void row_find() {
    uint row = (gl_WorkGroupID.y * row_groups + gl_WorkGroupID.x) * WG_Y + gl_LocalInvocationID.y;
    row_at = row * channels;
    row_end = row < rows ? channels : 0;
}

// Holds this invocation's elements of the part that begins at `from`, and `none` behind the last one.
void row_load(uint from, float none) {
    [[unroll]] for (int i = 0; i < ROW_HELD; ++i) {
        uint c = from + i * WG_X + gl_LocalInvocationID.x;
        held[i] = none;
        if (c < row_end) held[i] = float(x[row_at + c]);
    }
}

// The same again, unless the row's only part is still held.
void row_reload(uint from, float none) {
    if (row_end > ROW_PART) row_load(from, none);
}

// Stores what is held.
void row_store(uint from) {
    [[unroll]] for (int i = 0; i < ROW_HELD; ++i) {
        uint c = from + i * WG_X + gl_LocalInvocationID.x;
        if (c < row_end) y[row_at + c] = S1(held[i]);
    }
}
