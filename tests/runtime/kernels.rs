//! Two tiny kernels of these tests' own, so that they do not depend on any operator's.

use std::sync::LazyLock;

use shaderc::{CompileOptions, Compiler, EnvVersion, ShaderKind, TargetEnv};
use tflite_vulkan::caps::Features;
use tflite_vulkan::program::{Access, Binding, Kernel, SpecConstant};

const X: Binding = Binding { name: "x", access: Access::Read };
const Y: Binding = Binding { name: "y", access: Access::Read };
const Z: Binding = Binding { name: "z", access: Access::Write };
const WG: SpecConstant = SpecConstant { id: 0, name: "wg_x" };
const SCALE: SpecConstant = SpecConstant { id: 3, name: "scale" };

/// `z[i] = x[i] * scale + bias`; push `{ n: u32, bias: f32 }`, spec `[wg_x, scale]`.
pub fn affine() -> &'static Kernel {
    static KERNEL: LazyLock<Kernel> = LazyLock::new(|| kernel("affine", &[X, Z], "x[i] * scale + bias"));
    &KERNEL
}

/// `z[i] = x[i] + y[i]`; push and spec as [`affine`].
pub fn add() -> &'static Kernel {
    static KERNEL: LazyLock<Kernel> = LazyLock::new(|| kernel("add", &[X, Y, Z], "x[i] + y[i]"));
    &KERNEL
}

/// Needs a feature that no device has.
pub fn impossible() -> &'static Kernel {
    static KERNEL: LazyLock<Kernel> =
        LazyLock::new(|| Kernel { needs: Features(1 << 31), ..kernel("impossible", &[X, Z], "x[i]") });
    &KERNEL
}

/// `z[i]` = `formula` for `i < n`.
fn kernel(name: &'static str, bindings: &'static [Binding], formula: &str) -> Kernel {
    let buffers: String = (0..)
        .zip(bindings)
        .map(|(i, b)| {
            let (access, name) = (if b.access.writes() { "writeonly" } else { "readonly" }, b.name);
            format!("layout(set = 0, binding = {i}) {access} buffer B{i} {{ float {name}[]; }};\n")
        })
        .collect();
    let glsl = format!(
        "#version 450
        layout(local_size_x_id = 0) in;
        layout(constant_id = 3) const uint scale = 1;
        layout(push_constant) uniform Push {{ uint n; float bias; }};
        {buffers}
        void main() {{
            uint i = gl_GlobalInvocationID.x;
            if (i < n) z[i] = {formula};
        }}"
    );
    let mut options = CompileOptions::new().unwrap();
    options.set_target_env(TargetEnv::Vulkan, EnvVersion::Vulkan1_1 as u32);
    let spirv = Compiler::new()
        .unwrap()
        .compile_into_spirv(&glsl, ShaderKind::Compute, name, "main", Some(&options))
        .unwrap();
    Kernel {
        name,
        spirv: Vec::leak(spirv.as_binary().to_vec()),
        bindings,
        spec: &[WG, SCALE],
        push_bytes: 8,
        needs: Features::NONE,
        hash: 0,
    }
}
