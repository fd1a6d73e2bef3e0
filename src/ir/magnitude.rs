//! How large and how small values may become, as far as the graph tells: which of them 16 bits cannot hold.
//!
//! A partition's inputs and what convolutions make of them count as numbers `r` of a range that fp16 holds. A
//! value of magnitude `rᵖ · nᵗ`, where `n` is a number of terms, stays in that range only for some exponents:
//! squares do not, their root does again, and so does `x · rsqrt(Σ x²)`.

use super::StepOp;

/// The exponents of a value's magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Magnitude {
    /// That of the range: 2 for squares, -1 for reciprocals, infinite for exponentials.
    power: f32,
    /// That of the number of terms in a sum.
    terms: f32,
    /// Whether an epsilon was added, which fp16 may round to zero.
    guarded: bool,
}

/// An operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// Its magnitude.
    pub magnitude: Magnitude,
    /// A number that tells values apart; `None` for a constant.
    pub value: Option<u32>,
    /// A constant of one element.
    pub scalar: Option<f32>,
}

/// What is nearer to zero has few bits in fp16, or none.
const TINY: f32 = 1e-4;

impl Magnitude {
    /// What the range of the inputs does not change: constants, and functions with bounds.
    pub const BOUNDED: Self = Self { power: 0.0, terms: 0.0, guarded: false };
    /// The numbers that a partition reads.
    pub const RANGE: Self = Self { power: 1.0, ..Self::BOUNDED };
    /// Without a bound.
    pub const UNBOUNDED: Self = Self { power: f32::INFINITY, ..Self::BOUNDED };

    /// Whether fp16 holds values of this magnitude.
    pub fn is_narrow(self) -> bool {
        beyond(self.power, [0.0, 1.0]) == 0.0 && beyond(self.terms, [-1.0, 0.0]) == 0.0 && !self.guarded
    }

    /// Of sums, or of a choice, of two values.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            power: farther(self.power, other.power, [0.0, 1.0]),
            terms: farther(self.terms, other.terms, [-1.0, 0.0]),
            guarded: self.guarded || other.guarded,
        }
    }

    /// Of results that choose among, or add, elements of the operands.
    pub fn of_any(operands: &[Option<Term>]) -> Self {
        operands.iter().flatten().fold(Self::BOUNDED, |all, term| all.or(term.magnitude))
    }

    /// Of sums of operand 0's elements with weights, operand 1.
    pub fn of_weighted(operands: &[Option<Term>]) -> Self {
        let [Some(x), Some(w), ..] = operands else { return Self::RANGE };
        match x.magnitude.is_narrow() && w.magnitude.is_narrow() {
            true => Self::RANGE,
            false => x.magnitude.times(w.magnitude),
        }
    }

    /// Of a sum of so many terms that their number counts.
    #[must_use]
    pub fn summed(self) -> Self {
        Self { terms: self.terms + 1.0, ..self }
    }

    /// Of products.
    fn times(self, other: Self) -> Self {
        let power = self.power + other.power;
        // An exponential over a sum of exponentials.
        let power = if power.is_nan() { 0.0 } else { power };
        let guarded = self.guarded && other == Self::BOUNDED || other.guarded && self == Self::BOUNDED;
        Self { power, terms: self.terms + other.terms, guarded }
    }

    fn to_the(self, exponent: f32) -> Self {
        let of = |x: f32| if x == 0.0 { 0.0 } else { x * exponent };
        Self { power: of(self.power), terms: of(self.terms), ..self }
    }
}

/// How far outside of an interval an exponent is.
fn beyond(x: f32, [lo, hi]: [f32; 2]) -> f32 {
    // Roots of powers are not exact.
    let distance = (lo - x).max(x - hi);
    if distance < 1e-3 { 0.0 } else { distance }
}

fn farther(a: f32, b: f32, interval: [f32; 2]) -> f32 {
    match beyond(a, interval).total_cmp(&beyond(b, interval)) {
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Equal => a.max(b),
    }
}

impl StepOp {
    /// The magnitude of `op(v, e)`; `e` is absent for unary functions.
    pub fn magnitude(self, v: Term, e: Option<Term>) -> Magnitude {
        let (x, e) =
            (v.magnitude, e.unwrap_or(Term { magnitude: Magnitude::BOUNDED, value: None, scalar: None }));
        let either = x.or(e.magnitude);
        let tiny = |term: Term| term.scalar.is_some_and(|c| c > 0.0 && c < TINY);
        match self {
            Self::Add | Self::Maximum => {
                Magnitude { guarded: either.guarded || tiny(v) || tiny(e), ..either }
            }
            Self::Sub | Self::Minimum | Self::FloorMod => either,
            Self::SquaredDifference => either.to_the(2.0),
            Self::Mul if v.value.is_some() && v.value == e.value => x.to_the(2.0),
            // Products of two values are gates and masks as a rule, and stay in range.
            Self::Mul if x.is_narrow() && e.magnitude.is_narrow() => either,
            Self::Mul => x.times(e.magnitude),
            Self::Div | Self::FloorDiv => x.times(e.magnitude.to_the(-1.0)),
            Self::Clamp { lo, hi } => match lo.abs().max(hi.abs()) <= 1e4 {
                true => Magnitude { guarded: lo > 0.0 && lo < TINY, ..Magnitude::BOUNDED },
                false => Magnitude { guarded: x.guarded || lo > 0.0 && lo < TINY, ..x },
            },
            Self::Exp if x.power > 0.0 || x.terms > 0.0 => Magnitude::UNBOUNDED,
            Self::Pow => e.scalar.map_or(Magnitude::UNBOUNDED, |exponent| x.to_the(exponent)),
            Self::Square => x.to_the(2.0),
            Self::Sqrt => x.to_the(0.5),
            Self::Rsqrt => x.to_the(-0.5),
            Self::Logistic | Self::Tanh | Self::Log | Self::Sin | Self::Cos | Self::Sign | Self::Exp => {
                Magnitude::BOUNDED
            }
            Self::Prelu
            | Self::LeakyRelu { .. }
            | Self::Elu
            | Self::HardSwish
            | Self::Gelu
            | Self::GeluApproximate
            | Self::Abs
            | Self::Neg
            | Self::Floor
            | Self::Ceil
            | Self::Round => x,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(magnitude: Magnitude, value: u32) -> Term {
        Term { magnitude, value: Some(value), scalar: None }
    }

    fn scalar(x: f32) -> Option<Term> {
        Some(Term { magnitude: Magnitude::BOUNDED, value: None, scalar: Some(x) })
    }

    fn of(op: StepOp, x: Magnitude, e: impl Into<Option<Magnitude>>) -> Magnitude {
        op.magnitude(term(x, 1), e.into().map(|e| term(e, 2)))
    }

    const X: Magnitude = Magnitude::RANGE;

    #[test]
    fn squares_and_their_sums_are_wide_until_they_divide() {
        let x = term(X, 1);
        let square = of(StepOp::Square, X, None);
        assert_eq!(StepOp::Mul.magnitude(x, Some(x)), square);
        assert_eq!(StepOp::Pow.magnitude(x, scalar(2.0)), square);
        assert_eq!(of(StepOp::SquaredDifference, X, X), square);
        let rsqrt = of(StepOp::Rsqrt, square, None);
        let root = of(StepOp::Sqrt, square, None);
        let length = of(StepOp::Sqrt, square.summed(), None);
        assert_eq!(
            [square, square.summed(), X.summed(), rsqrt, length, root].map(Magnitude::is_narrow),
            [false, false, false, false, false, true]
        );
        for normal in [of(StepOp::Mul, X, rsqrt), of(StepOp::Div, X, length), of(StepOp::Div, X, X.summed())]
        {
            assert!(normal.is_narrow(), "{normal:?}");
        }
        let cube = of(StepOp::Mul, square, X);
        assert!(!cube.is_narrow() && !of(StepOp::Add, X, cube).is_narrow());
        assert!(of(StepOp::Tanh, cube, None).is_narrow());
    }

    #[test]
    fn exponentials_are_wide_until_their_sum_divides() {
        let exp = of(StepOp::Exp, X, None);
        assert!(!exp.is_narrow() && !exp.summed().is_narrow());
        assert!(of(StepOp::Div, exp, exp.summed()).is_narrow());
        assert!(of(StepOp::Log, exp.summed(), None).is_narrow());
        let bounded = of(StepOp::Tanh, X, None);
        assert!(of(StepOp::Exp, bounded, None).is_narrow());
    }

    #[test]
    fn an_epsilon_keeps_what_it_guards_wide() {
        let x = term(X, 1);
        for op in [StepOp::Add, StepOp::Maximum] {
            let guarded = op.magnitude(x, scalar(1e-6));
            assert!(!guarded.is_narrow() && op.magnitude(x, scalar(1e-3)).is_narrow(), "{op:?}");
            assert!(of(StepOp::Div, X, guarded).is_narrow() && of(StepOp::Log, guarded, None).is_narrow());
            assert!(!of(StepOp::Rsqrt, guarded, None).is_narrow());
        }
        assert!(!of(StepOp::Clamp { lo: 1e-7, hi: 1.0 }, X, None).is_narrow());
    }

    #[test]
    fn gates_activations_and_sums_of_two_values_are_narrow() {
        let gate = of(StepOp::Logistic, X, None);
        let clamp = StepOp::Clamp { lo: 0.0, hi: 6.0 };
        let values =
            [of(StepOp::Mul, X, gate), of(StepOp::Mul, X, X), of(StepOp::Add, X, X), of(clamp, X, None)];
        assert!(values.into_iter().all(Magnitude::is_narrow));
        assert!(!of(StepOp::Div, Magnitude::BOUNDED, X).is_narrow());
    }

    #[test]
    fn weighted_sums_of_squares_are_squares() {
        let sum = |x| Magnitude::of_weighted(&[Some(term(x, 1)), scalar(0.5)]);
        let square = of(StepOp::Square, X, None);
        assert_eq!([sum(X), sum(square), sum(Magnitude::BOUNDED)], [X, square, X]);
    }
}
