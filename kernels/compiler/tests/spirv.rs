//! Modules as drivers get them: specialised, without the code that the constants rule out. SPIRV-Tools
//! must find them valid, whatever the constants.

use kernel_compiler::compile::source::Source;
use kernel_compiler::validate::validate;
use tflite_vulkan::kernel::table;
use tflite_vulkan::program::SpecConstant;
use tflite_vulkan::spirv::{prune, specialize};

/// Numbers that look random, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32 % n
    }

    /// A value that a constant of this name could have.
    fn value(&mut self, constant: &SpecConstant) -> u32 {
        match (constant.id, constant.name) {
            (0, _) => 16,
            (1, _) => 4,
            (2, _) => 1,
            (_, name) if name.starts_with("epi_op") => {
                self.below(2)
                    * (self.below(30) | self.below(7) << 8 | self.below(3) << 12 | self.below(2) << 16)
            }
            _ => [0, 1, 1, 2, 3, 4, 8][self.below(7) as usize],
        }
    }
}

#[test]
fn every_kernel_stays_valid() {
    let mut draw = Draw(1);
    let (mut before, mut after) = (0, 0);
    for kernel in table::ALL {
        for round in 0..6 {
            let values: Vec<u32> = kernel.spec.iter().map(|constant| draw.value(constant)).collect();
            let whole = specialize(&kernel.words(), kernel.spec, &values);
            if validate(&whole).is_err() {
                // A length of zero, say.
                continue;
            }
            before += whole.len();
            let pruned = prune(whole);
            after += pruned.len();
            let name = kernel.name;
            validate(&pruned).unwrap_or_else(|e| panic!("{name}, round {round}, {values:?}: {e}"));
        }
    }
    println!("{before} words before, {after} after");
    assert!(after * 2 < before, "{before} words before, {after} after");
}

const SHADER: &str = "#version 450
layout(local_size_x = 64) in;
layout(constant_id = 3) const uint MODE = 0;
layout(constant_id = 4) const bool LOOP = false;
layout(std430, set = 0, binding = 0) buffer X { uint x[]; };
uint early(uint i) {
    if (MODE == 1) return 7;
    if (x[i] == 3) return 8;
    switch (MODE) {
        case 0: if (x[i] == 4) break; return 9;
        case 2:
        case 3: x[i] = 5; break;
        default: return 10;
    }
    return 11;
}
void main() {
    uint i = gl_GlobalInvocationID.x;
    uint sum = 0;
    for (uint k = 0; k < x[0]; ++k) {
        if (LOOP && k == MODE) continue;
        if (!LOOP) break;
        sum += MODE > 1 ? x[k] : early(k);
    }
    while (LOOP) {
        if (sum > 100) break;
        sum += x[sum];
    }
    do sum += x[sum]; while (MODE == 3 && sum < 9);
    x[i] = MODE == 2 ? sum : early(i) + sum;
}
";

/// Branches, switches, loops that never run or never go round, and returns from any depth.
#[test]
fn control_flow_stays_structured() {
    let source = Source { root: "kernels".into(), name: "flow".into(), text: SHADER.into() };
    let kernels = kernel_compiler::compile(&[source]).unwrap();
    let words = &kernels[0].variants[0].words;
    let constants = [SpecConstant { id: 3, name: "mode" }, SpecConstant { id: 4, name: "loop" }];
    for mode in 0..5 {
        for looped in 0..2 {
            let whole = specialize(words, &constants, &[mode, looped]);
            validate(&whole).unwrap();
            let pruned = prune(whole.clone());
            validate(&pruned).unwrap_or_else(|e| panic!("mode {mode}, loop {looped}: {e}"));
            assert!(pruned.len() < whole.len(), "mode {mode}, loop {looped}");
        }
    }
}

#[test]
fn what_is_no_module_is_left_alone() {
    for words in [vec![], vec![1, 2, 3], vec![0; 5], vec![0; 9], vec![0x0723_0203, 0, 0, 0, 0, 9 << 16 | 54]]
    {
        assert_eq!(prune(words.clone()), words);
    }
}
