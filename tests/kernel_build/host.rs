//! Uses the table of `sample.glsl` as the library uses its own; `main.rs` compiles and runs it.
#![allow(dead_code)]

#[path = "../../src/caps"]
mod caps {
    mod features;

    pub use features::Features;
}

#[path = "../../src/kernel.rs"]
mod kernel;

#[path = "../../src/program"]
mod program {
    mod kernel;
    mod unpack;

    pub use kernel::{Access, Binding, Kernel, SpecConstant, Store};

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct BufferId(pub u32);

    pub struct Launch {
        pub kernel: &'static Kernel,
        pub spec: Vec<u32>,
        pub push: Vec<u8>,
        pub bindings: Vec<BufferId>,
        pub grid: [u32; 3],
    }

    impl Launch {
        pub fn new(
            kernel: &'static Kernel,
            spec: Vec<u32>,
            push: Vec<u8>,
            bindings: Vec<BufferId>,
            grid: [u32; 3],
        ) -> Self {
            Self { kernel, spec, push, bindings, grid }
        }
    }
}

use caps::Features;
use kernel::table::{self, sample};
use program::{Access, BufferId, Store};

fn main() {
    variants();
    push();
    spec();
    bindings();
}

fn variants() {
    let names: Vec<&str> = table::ALL.iter().map(|kernel| kernel.name).collect();
    let expected = [
        "sample_f32_1_plain",
        "sample_f32_1_row_major",
        "sample_f32_4_plain",
        "sample_f32_4_row_major",
        "sample_f16_1_plain",
        "sample_f16_4_plain",
    ];
    assert_eq!(names, expected);
    assert!(table::ALL.iter().all(|kernel| kernel.words()[0] == 0x0723_0203));

    let chosen = sample::kernel(Store::F32, sample::Width::N4, sample::Order::RowMajor).unwrap();
    assert_eq!(chosen.name, "sample_f32_4_row_major");
    assert_eq!(chosen.needs, Features::NONE);
    assert!(sample::kernel(Store::F16, sample::Width::N1, sample::Order::RowMajor).is_none());
    let half = sample::kernel(Store::F16, sample::Width::N1, sample::Order::Plain).unwrap();
    assert_eq!(half.needs, Features::STORAGE_16);
    assert_ne!(half.hash, chosen.hash);
    assert_eq!(sample::Width::ALL.iter().map(|width| width.value()).collect::<Vec<_>>(), [1, 4]);
}

fn push() {
    let push = sample::Push {
        count: 1,
        scale: 2.0,
        origin: [3, -4],
        tint: [5.0, 6.0, 7.0],
        r#type: -8,
        shape: [[9, 10, 11, 12], [13, 14, 15, 16]],
        taps: [17.0, 18.0, 19.0],
        flip: 1,
        axes: [[20.0, 21.0, 22.0], [23.0, 24.0, 25.0]],
    };
    let f = f32::to_bits;
    let expected: [u32; 27] = [
        1,
        f(2.0),
        3,
        -4_i32 as u32,
        f(5.0),
        f(6.0),
        f(7.0),
        -8_i32 as u32,
        9,
        10,
        11,
        12,
        13,
        14,
        15,
        16,
        f(17.0),
        f(18.0),
        f(19.0),
        1,
        f(20.0),
        f(21.0),
        f(22.0),
        0,
        f(23.0),
        f(24.0),
        f(25.0),
    ];
    let words: Vec<u32> =
        push.bytes().chunks(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    assert_eq!(words, expected);
    assert!(table::ALL.iter().all(|kernel| kernel.push_bytes == 108));
}

fn spec() {
    let spec = sample::Spec::default();
    let expected = sample::Spec { wg_x: 64, wg_y: 1, wg_z: 1, clamp: true, bias: -2, tap: [0.5, 0.25] };
    assert_eq!(spec, expected);
    assert_eq!(spec.words(), [64, 1, 1, 1, -2_i32 as u32, 0.5_f32.to_bits(), 0.25_f32.to_bits()]);
    let named: Vec<(u32, &str)> =
        table::ALL[0].spec.iter().map(|constant| (constant.id, constant.name)).collect();
    let expected =
        [(0, "wg_x"), (1, "wg_y"), (2, "wg_z"), (3, "clamp"), (4, "bias"), (10, "tap_0"), (11, "tap_1")];
    assert_eq!(named, expected);
}

fn bindings() {
    let expected =
        [("x", Access::Read), ("y", Access::Write), ("in", Access::ReadWrite), ("where", Access::ReadWrite)];
    for kernel in table::ALL {
        let bindings: Vec<_> = kernel.bindings.iter().map(|binding| (binding.name, binding.access)).collect();
        assert_eq!(bindings, expected, "{}", kernel.name);
    }
    let bind = sample::Bind { x: BufferId(7), y: BufferId(8), r#in: BufferId(9), r#where: BufferId(10) };
    let dispatch = sample::dispatch(table::ALL[1], Default::default(), Default::default(), bind, [1, 2, 3]);
    assert_eq!(dispatch.kernel.name, "sample_f32_1_row_major");
    assert_eq!(dispatch.bindings, [BufferId(7), BufferId(8), BufferId(9), BufferId(10)]);
    assert_eq!((dispatch.spec.len(), dispatch.push.len(), dispatch.grid), (7, 108, [1, 2, 3]));
}
