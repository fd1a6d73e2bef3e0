#version 450
// LSTM of 8-bit integers with cells of 16 bits, in three stages.
//   STAGE_INPUT  gates[row, gate, cell] = the input's part of each gate, for all steps in time at once
//   STAGE_STEPS  a workgroup takes an image of the batch through steps in time: y, state and cell as 32-bit integers
//   STAGE_PACK   y = integers a in the form of y
// Constants are, in words: numbers of the layer, the weights of gates, four to a word, the biases of gates, the weights
// of the projection and its biases, and what cells are multiplied by on their way to the gates. Tables are of all 16-bit integers, two to a word.
#extension GL_GOOGLE_include_directive : require
#include "lib/elements.glsl"
#include "lib/fixed_point.glsl"
#include "lib/workgroup.glsl"

layout(push_constant) uniform Push {
    uint items;          // STAGE_INPUT: numbers of gates; STAGE_PACK: words of y
    uint row_items;      // invocations per row of the grid
    uint elements;       // of y
    uint batch;
    uint steps;          // in time
    uint first;          // of them in this dispatch
    uint end;            // the one behind its last
    uint inputs;         // elements of a row of x
    uint cells;
    uint outputs;        // elements of a row of y
};
layout(constant_id = 10) const uint A_FORM = 0;
layout(constant_id = 11) const uint B_FORM = 0;
layout(constant_id = 12) const uint Y_FORM = 0;
layout(constant_id = 13) const uint STAGE = 0;
layout(constant_id = 14) const bool TIME_MAJOR = false;
layout(constant_id = 15) const bool COUPLED = false;     // the input gate is what the forget gate leaves
layout(constant_id = 16) const bool PROJECTION = false;
layout(constant_id = 17) const bool SQUASHED = true;     // cells are, by the third table; else the input gate stands for it
layout(constant_id = 18) const bool PEEPHOLES = false;
#define STAGE_INPUT 0u
#define STAGE_STEPS 1u
#define STAGE_PACK 2u
// Where the layer's numbers are among the constants; each gate has four from 0 on.
#define NUMBER_HIDDEN 16u
#define NUMBER_PROJECTION 19u
#define NUMBER_CELL_CLIP 22u
#define NUMBER_PROJECTION_CLIP 23u
#define NUMBER_CELL_SHIFT 24u
// Two for each of the gates that see cells: input, forget and output.
#define NUMBER_PEEPHOLES 25u
#define NUMBERS 32u
// The most cells, and the most elements of a row of y.
#define LSTM_MOST 1024u

READS_ELEMENTS(0, A, a)
READS_ELEMENTS(1, B, b)
layout(std430, set = 0, binding = 2) readonly buffer Constants { int constants[]; };
layout(std430, set = 0, binding = 3) readonly buffer Tables { int tables[]; };
layout(std430, set = 0, binding = 4) buffer Gates { int gates[]; };
layout(std430, set = 0, binding = 6) writeonly buffer State { int state[]; };
layout(std430, set = 0, binding = 7) writeonly buffer Cell { int cell[]; };

shared int held[LSTM_MOST];    // the state
shared int inner[LSTM_MOST];   // cells
shared int hidden[LSTM_MOST];  // what becomes the state, or is projected to it

uint input_words() { return (inputs + 3u) / 4u; }
uint output_words() { return (outputs + 3u) / 4u; }
uint cell_words() { return (cells + 3u) / 4u; }
uint biases() { return NUMBERS + 4u * cells * (input_words() + output_words()); }
uint projection() { return biases() + 8u * cells; }

uint peepholes() { return projection() + (PROJECTION ? outputs * (cell_words() + 1u) : 0u); }

ivec4 unpacked(int word) {
    return ivec4(word << 24 >> 24, word << 16 >> 24, word << 8 >> 24, word >> 24);
}

int look_up(uint n, int x) {
    uint i = uint(x + 32768);
    return bitfieldExtract(tables[n * 32768u + i / 2u], int(i & 1u) * 16, 16);
}

int scaled(int sum, uint number) { return fixed_product(sum, constants[number], constants[number + 1u]); }
int in_16_bits(int x) { return clamp(x, -32768, 32767); }

// The sum of products of weights that begin at word `from` and four integers a time.
#define SUM_OF_PRODUCTS(sum, from, words, number) \
    for (uint w = 0u; w < words; ++w) { \
        ivec4 products = unpacked(constants[from + w]) * ivec4(number(w * 4u), number(w * 4u + 1u), \
                                                               number(w * 4u + 2u), number(w * 4u + 3u)); \
        sum += products.x + products.y + products.z + products.w; \
    }

uint row_at;
int input_number(uint i) { return i < inputs ? int(load_a(A_FORM, row_at + i).x) : 0; }
int held_number(uint i) { return held[i]; }
int hidden_number(uint i) { return hidden[i]; }

void input_part(uint item) {
    uint c = item % cells, gate = item / cells % 4u;
    row_at = item / cells / 4u * inputs;
    uint words = input_words(), from = NUMBERS + (gate * cells + c) * (words + output_words());
    int sum = constants[biases() + (gate * cells + c) * 2u];
    SUM_OF_PRODUCTS(sum, from, words, input_number)
    gates[item] = in_16_bits(scaled(sum, gate * 4u));
}

// Gate number `gate` of cell c, which holds `now`, before its activation. As many cells as results are seen.
int gate_of(uint row, uint gate, uint c, int now) {
    uint words = output_words(), from = NUMBERS + (gate * cells + c) * (input_words() + words) + input_words();
    int sum = constants[biases() + (gate * cells + c) * 2u + 1u];
    SUM_OF_PRODUCTS(sum, from, words, held_number)
    int v = in_16_bits(gates[(row * 4u + gate) * cells + c] + scaled(sum, gate * 4u + 2u));
    if (!PEEPHOLES || gate == 2u || c >= outputs) return v;
    uint n = min(gate, 2u);
    int seen = constants[peepholes() + n * outputs + c] * now;
    return in_16_bits(v + scaled(seen, NUMBER_PEEPHOLES + 2u * n));
}

void advance_cell(uint row, uint c) {
    int forget = look_up(0u, gate_of(row, 1u, c, inner[c]));
    int into = COUPLED ? 32767 - forget : look_up(0u, gate_of(row, 0u, c, inner[c]));
    int kept = in_16_bits(rounding_right(forget * inner[c], 15));
    int added = rounding_right(into * look_up(1u, gate_of(row, 2u, c, 0)), constants[NUMBER_CELL_SHIFT]);
    // The product is cut to 16 bits.
    int now = in_16_bits(kept + (added << 16 >> 16)), clip = constants[NUMBER_CELL_CLIP];
    if (clip > 0) now = clamp(now, -clip, clip);
    int product = look_up(0u, gate_of(row, 3u, c, now)) * (SQUASHED ? look_up(2u, now) : into);
    int zero_point = constants[NUMBER_HIDDEN + 2u];
    inner[c] = now;
    hidden[c] = clamp(scaled(product, NUMBER_HIDDEN) + (PROJECTION ? -zero_point : zero_point), -128, 127);
}

int projected(uint o) {
    uint words = cell_words();
    int sum = constants[projection() + outputs * words + o];
    SUM_OF_PRODUCTS(sum, projection() + o * words, words, hidden_number)
    int v = clamp(scaled(sum, NUMBER_PROJECTION) + constants[NUMBER_PROJECTION + 2u], -128, 127);
    int clip = constants[NUMBER_PROJECTION_CLIP];
    return clip > 0 ? clamp(v, -clip, clip) : v;
}

uvec2 value(uint i) { return load_a(A_FORM, i); }

WRITES_ELEMENTS(5, Y, y)

void main() {
    if (STAGE != STAGE_STEPS) {
        uint item = gl_GlobalInvocationID.y * row_items + gl_GlobalInvocationID.x;
        if (item >= items) return;
        if (STAGE == STAGE_INPUT) {
            input_part(item);
        } else {
            store_elements(Y_FORM, item, elements);
        }
        return;
    }
    uint image = gl_WorkGroupID.y * row_items + gl_WorkGroupID.x, lane = gl_LocalInvocationID.x;
    if (image >= batch) return;
    for (uint i = lane; i < output_words() * 4u; i += WG_X) {
        held[i] = i < outputs ? int(load_a(A_FORM, image * outputs + i).x) : 0;
    }
    for (uint c = lane; c < cell_words() * 4u; c += WG_X) {
        inner[c] = c < cells ? int(load_b(B_FORM, image * cells + c).x) : 0;
        hidden[c] = 0;
    }
    barrier();
    for (uint t = first; t < end; ++t) {
        uint row = TIME_MAJOR ? t * batch + image : image * steps + t;
        for (uint c = lane; c < cells; c += WG_X) advance_cell(row, c);
        barrier();
        for (uint o = lane; o < outputs; o += WG_X) {
            held[o] = PROJECTION ? projected(o) : hidden[o];
            y[row * outputs + o] = uint(held[o]);
        }
        barrier();
    }
    for (uint o = lane; o < outputs; o += WG_X) state[image * outputs + o] = held[o];
    for (uint c = lane; c < cells; c += WG_X) cell[image * cells + c] = inner[c];
}
