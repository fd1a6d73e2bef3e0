//! Elementwise steps: what a kernel's epilogue can apply before it stores a result.

use std::fmt;

use super::Broadcast;
use crate::codes::epilogue::*;
use crate::codes::functions::*;
use crate::error::Unsupported;
use crate::unsupported;

/// The functions, and the number of each in the shaders.
macro_rules! functions {
    ($($name:ident $({ $($parameters:tt)+ })? = $code:ident,)+) => {
        /// An elementwise function of the running value `v` and, if binary, an operand `e`.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[expect(missing_docs, reason = "the formula stands beside each code in the shader and in `apply`")]
        pub enum StepOp {
            $($name $({ $($parameters)+ })?,)+
        }

        impl StepOp {
            /// The numbers of all functions.
            pub const CODES: &[u32] = &[$($code),+];

            /// Its number in `kernels/lib/epilogue.glsl` or `kernels/lib/functions.glsl`; 0 means no step.
            pub fn code(self) -> u32 {
                match self {
                    $(Self::$name { .. } => $code,)+
                }
            }
        }
    };
}

functions! {
    Add = STEP_ADD,
    Sub = STEP_SUB,
    Mul = STEP_MUL,
    Div = STEP_DIV,
    Maximum = STEP_MAXIMUM,
    Minimum = STEP_MINIMUM,
    SquaredDifference = STEP_SQUARED_DIFFERENCE,
    Prelu = STEP_PRELU,
    Clamp { lo: f32, hi: f32 } = STEP_CLAMP,
    LeakyRelu { alpha: f32 } = STEP_LEAKY_RELU,
    Elu = STEP_ELU,
    Logistic = STEP_LOGISTIC,
    Tanh = STEP_TANH,
    HardSwish = STEP_HARD_SWISH,
    Gelu = STEP_GELU,
    GeluApproximate = STEP_GELU_APPROXIMATE,
    Abs = STEP_ABS,
    Neg = STEP_NEG,
    Exp = STEP_EXP,
    Log = STEP_LOG,
    Sqrt = STEP_SQRT,
    Rsqrt = STEP_RSQRT,
    Square = STEP_SQUARE,
    Sin = STEP_SIN,
    Cos = STEP_COS,
    Floor = STEP_FLOOR,
    Ceil = STEP_CEIL,
    Round = STEP_ROUND,
    Sign = STEP_SIGN,
    Pow = STEP_POW,
    FloorDiv = STEP_FLOOR_DIV,
    FloorMod = STEP_FLOOR_MOD,
}

impl StepOp {
    /// Whether it takes an operand.
    pub fn is_binary(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Mul
                | Self::Div
                | Self::Maximum
                | Self::Minimum
                | Self::SquaredDifference
                | Self::Prelu
                | Self::Pow
                | Self::FloorDiv
                | Self::FloorMod
        )
    }

    /// Whether every kernel with an epilogue knows it, not only the elementwise one.
    pub fn is_common(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Sub
                | Self::Mul
                | Self::Prelu
                | Self::Clamp { .. }
                | Self::LeakyRelu { .. }
                | Self::Logistic
                | Self::Tanh
                | Self::HardSwish
        )
    }

    /// Whether `op(s · v, e) = s · op(v, e)` for every `s > 0`.
    pub fn is_homogeneous(self) -> bool {
        match self {
            Self::Prelu | Self::LeakyRelu { .. } => true,
            Self::Clamp { lo, hi } => lo == 0.0 && hi == f32::INFINITY,
            _ => false,
        }
    }

    /// Whether `v` and `e` may change places, NaN included.
    pub fn commutes(self) -> bool {
        matches!(self, Self::Add | Self::Mul | Self::SquaredDifference)
    }

    /// The two parameters as the shader takes them.
    pub fn parameters(self) -> [f32; 2] {
        match self {
            Self::Clamp { lo, hi } => [lo, hi],
            Self::LeakyRelu { alpha } => [alpha, 0.0],
            _ => [0.0; 2],
        }
    }

    /// The function itself; `e` is ignored by unary ones.
    pub fn apply(self, v: f32, e: f32) -> f32 {
        match self {
            Self::Add => v + e,
            Self::Sub => v - e,
            Self::Mul => v * e,
            Self::Div => v / e,
            Self::Maximum => {
                if v > e {
                    v
                } else {
                    e
                }
            }
            Self::Minimum => {
                if v < e {
                    v
                } else {
                    e
                }
            }
            Self::SquaredDifference => (v - e) * (v - e),
            Self::Prelu => {
                if v < 0.0 {
                    e * v
                } else {
                    v
                }
            }
            Self::Clamp { lo, hi } => {
                if v.is_nan() {
                    v
                } else {
                    v.max(lo).min(hi)
                }
            }
            Self::LeakyRelu { alpha } => {
                if v < 0.0 {
                    alpha * v
                } else {
                    v
                }
            }
            Self::Elu => {
                if v < 0.0 {
                    v.exp_m1()
                } else {
                    v
                }
            }
            Self::Logistic => 1.0 / (1.0 + (-v).exp()),
            Self::Tanh => v.tanh(),
            Self::HardSwish => v * (v + 3.0).clamp(0.0, 6.0) / 6.0,
            Self::GeluApproximate => 0.5 * v * (1.0 + (0.797_884_6 * (v + 0.044_715 * v * v * v)).tanh()),
            Self::Gelu => 0.5 * v * (1.0 + libm::erff(v * std::f32::consts::FRAC_1_SQRT_2)),
            Self::Abs => v.abs(),
            Self::Neg => -v,
            Self::Exp => v.exp(),
            Self::Log => v.ln(),
            Self::Sqrt => v.sqrt(),
            Self::Rsqrt => 1.0 / v.sqrt(),
            Self::Square => v * v,
            Self::Sin => v.sin(),
            Self::Cos => v.cos(),
            Self::Floor => v.floor(),
            Self::Ceil => v.ceil(),
            Self::Round => v.round_ties_even(),
            Self::Sign => {
                if v == 0.0 {
                    0.0
                } else {
                    v.signum()
                }
            }
            Self::Pow => v.powf(e),
            Self::FloorDiv => (f64::from(v) / f64::from(e)).floor() as f32,
            Self::FloorMod => {
                let rest = v % e;
                if rest != 0.0 && (rest < 0.0) != (e < 0.0) { rest + e } else { rest }
            }
        }
    }
}

/// The second operand of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// The step is unary.
    None,
    /// A number.
    Scalar(f32),
    /// An operand of the node.
    Input {
        /// Its number among the node's inputs.
        input: usize,
        /// How it is spread.
        broadcast: Broadcast,
    },
}

/// One step of an epilogue: `v = op(v, operand)`, or `op(operand, v)` if swapped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The function.
    pub op: StepOp,
    /// Its second operand.
    pub operand: Operand,
    /// Whether the operand comes first.
    pub swapped: bool,
}

impl Step {
    /// A unary step.
    pub fn unary(op: StepOp) -> Self {
        Self { op, operand: Operand::None, swapped: false }
    }

    /// Adds a vector of one element per channel: a bias.
    pub fn bias(input: usize) -> Self {
        let operand = Operand::Input { input, broadcast: Broadcast::Channel };
        Self { op: StepOp::Add, operand, swapped: false }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "|> {:?}", self.op)?;
        match self.operand {
            Operand::None => Ok(()),
            Operand::Scalar(x) => write!(f, " {x}"),
            Operand::Input { input, broadcast } => write!(f, " input{input}/{broadcast:?}"),
        }?;
        if self.swapped { write!(f, " swapped") } else { Ok(()) }
    }
}

/// TFLite's fused activation functions (`TfLiteFusedActivation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "TFLite's own names")]
pub enum Activation {
    #[default]
    None,
    Relu,
    ReluN1To1,
    Relu6,
}

impl Activation {
    /// From TFLite's code.
    pub fn from_code(code: u32) -> Result<Self, Unsupported> {
        Ok(match code {
            0 => Self::None,
            1 => Self::Relu,
            2 => Self::ReluN1To1,
            3 => Self::Relu6,
            // TFLite's own kernels ignore TANH and the ones behind it.
            _ => unsupported!("fused activation {code} (0 to 3 are supported)"),
        })
    }

    /// As a step; `None` for no activation.
    pub fn step(self) -> Option<Step> {
        let clamp = |lo, hi| Some(Step::unary(StepOp::Clamp { lo, hi }));
        match self {
            Self::None => None,
            Self::Relu => clamp(0.0, f32::INFINITY),
            Self::ReluN1To1 => clamp(-1.0, 1.0),
            Self::Relu6 => clamp(0.0, 6.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_at_their_corners() {
        assert_eq!(StepOp::Round.apply(2.5, 0.0), 2.0);
        assert_eq!(StepOp::Round.apply(-1.5, 0.0), -2.0);
        assert_eq!(StepOp::Sign.apply(-0.0, 0.0), 0.0);
        assert_eq!(StepOp::HardSwish.apply(-3.0, 0.0), 0.0);
        assert_eq!(StepOp::HardSwish.apply(4.0, 0.0), 4.0);
        assert_eq!(StepOp::FloorMod.apply(-7.0, 3.0), 2.0);
        assert_eq!(StepOp::FloorMod.apply(7.0, -3.0), -2.0);
        assert_eq!(StepOp::FloorMod.apply(1e30, 7.0), 1.0);
        assert_eq!(StepOp::FloorDiv.apply(-7.0, 2.0), -4.0);
        assert_eq!(StepOp::FloorDiv.apply(9.9, 3.3), 2.0);
        assert_eq!(StepOp::Pow.apply(12.0, 4.0), 20736.0);
        assert_eq!(StepOp::Maximum.apply(f32::NAN, 1.0), 1.0);
        assert!(StepOp::Minimum.apply(1.0, f32::NAN).is_nan());
        assert!(StepOp::Sign.apply(f32::NAN, 0.0).is_nan());
        assert_eq!(StepOp::Prelu.apply(-2.0, 0.25), -0.5);
        assert_eq!(StepOp::LeakyRelu { alpha: 2.0 }.apply(-1.0, 0.0), -2.0);
        assert_eq!(StepOp::Logistic.apply(-100.0, 0.0), 0.0);
    }

    #[test]
    fn steps_print() {
        assert_eq!(Step::bias(2).to_string(), "|> Add input2/Channel");
        let half = Step { op: StepOp::Sub, operand: Operand::Scalar(0.5), swapped: true };
        assert_eq!(half.to_string(), "|> Sub 0.5 swapped");
        assert_eq!(
            Activation::from_code(1).unwrap().step().unwrap().to_string(),
            "|> Clamp { lo: 0.0, hi: inf }"
        );
        assert!(Activation::from_code(4).is_err() && Activation::from_code(5).is_err());
    }
}
