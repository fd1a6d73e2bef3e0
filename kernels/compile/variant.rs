//! The `//!` header of a kernel file: axes of variants, combinations to leave out, target.
//!
//! ```text
//! //! variant STORE = f32 | f16
//! //! variant WIDTH = 1 | 4
//! //! skip STORE=f16 WIDTH=1
//! //! target vulkan1.3 STORE=f16
//! ```
//!
//! The first value of an axis is its default: a file without any define is the variant of defaults.
//! `skip` leaves out the combinations that match all its conditions; `AXIS=a|b` matches either value.
//! `target` raises the Vulkan version, for all variants or for those that match. Other `//!` lines are prose.

/// Vulkan version that a module is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// SPIR-V 1.3; the floor of the library.
    #[default]
    Vulkan11,
    /// SPIR-V 1.5.
    Vulkan12,
    /// SPIR-V 1.6.
    Vulkan13,
}

impl Target {
    /// The version as Vulkan packs it.
    pub fn vulkan(self) -> u32 {
        1 << 22 | (1 + self as u32) << 12
    }

    /// The newest SPIR-V version that it takes, as in a module's header.
    pub fn spirv(self) -> u32 {
        match self {
            Self::Vulkan11 => 0x1_0300,
            Self::Vulkan12 => 0x1_0500,
            Self::Vulkan13 => 0x1_0600,
        }
    }
}

/// One `//! variant` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// In upper case.
    pub name: String,
    /// All numbers or all words; the first is the default.
    pub values: Vec<String>,
}

impl Axis {
    /// Whether the values are numbers.
    pub fn is_numeric(&self) -> bool {
        self.values.iter().all(|value| is_number(value))
    }
}

/// One choice of a value for each axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// In the order of the axes.
    pub values: Vec<String>,
    /// The macros that select it: `WIDTH=4` for a number, `STORE_F16=1` for a word.
    pub defines: Vec<(String, String)>,
    /// What it is compiled for.
    pub target: Target,
}

/// Values that some axes must have: place of the axis, allowed values.
type Condition = Vec<(usize, Vec<String>)>;

/// Everything that the header of a kernel file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// In the file's order.
    pub axes: Vec<Axis>,
    skips: Vec<Condition>,
    targets: Vec<(Target, Condition)>,
}

impl Header {
    /// Reads the header lines of a kernel's text.
    ///
    /// # Errors
    ///
    /// `LINE: error: what is wrong`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut header = Self::default();
        let lines = || {
            (1..).zip(text.lines()).filter_map(|(number, line)| {
                let (word, rest) = line.strip_prefix("//!")?.trim().split_once(' ')?;
                Some((number, word, rest.trim()))
            })
        };
        let at = |number: i32, what: String| format!("{number}: error: {what}");
        for (number, _, rest) in lines().filter(|(_, word, _)| *word == "variant") {
            let axis = parse_axis(rest).map_err(|what| at(number, what))?;
            if header.axes.iter().any(|other| other.name == axis.name) {
                return Err(at(number, format!("axis {} is declared twice", axis.name)));
            }
            header.axes.push(axis);
        }
        for (number, word, rest) in lines() {
            match word {
                "skip" => header.skips.push(header.condition(rest).map_err(|what| at(number, what))?),
                "target" => {
                    let (target, condition) = rest.split_once(' ').unwrap_or((rest, ""));
                    let target = parse_target(target).map_err(|what| at(number, what))?;
                    header
                        .targets
                        .push((target, header.condition(condition).map_err(|what| at(number, what))?));
                }
                _ => {}
            }
        }
        if header.variants().is_empty() {
            return Err("1: error: every variant is skipped".into());
        }
        Ok(header)
    }

    /// Every variant that is not skipped; the last axis varies fastest.
    pub fn variants(&self) -> Vec<Variant> {
        let mut choices = vec![Vec::new()];
        for axis in &self.axes {
            let extend = |values: Vec<String>| {
                axis.values
                    .iter()
                    .map(move |value| [&values[..], std::slice::from_ref(value)].concat())
                    .collect::<Vec<_>>()
            };
            choices = choices.into_iter().flat_map(extend).collect();
        }
        choices.retain(|values| !self.skips.iter().any(|skip| matches(skip, values)));
        choices.into_iter().map(|values| self.variant(values)).collect()
    }

    fn variant(&self, values: Vec<String>) -> Variant {
        let define = |(axis, value): (&Axis, &String)| match axis.is_numeric() {
            true => (axis.name.clone(), value.clone()),
            false => (format!("{}_{}", axis.name, value.to_uppercase()), "1".to_owned()),
        };
        let defines = self.axes.iter().zip(&values).map(define).collect();
        let target = self.targets.iter().rev().find(|(_, condition)| matches(condition, &values));
        Variant { target: target.map_or(Target::default(), |(target, _)| *target), defines, values }
    }

    /// Reads `AXIS=a|b AXIS2=c`.
    fn condition(&self, text: &str) -> Result<Condition, String> {
        let one = |term: &str| {
            let (name, values) =
                term.split_once('=').ok_or(format!("expected AXIS=value, found {term:?}"))?;
            let place = self.axes.iter().position(|axis| axis.name == name);
            let place = place.ok_or(format!("there is no axis {name}"))?;
            let values: Vec<String> = values.split('|').map(str::to_owned).collect();
            match values.iter().find(|value| !self.axes[place].values.contains(value)) {
                Some(value) => Err(format!("axis {name} has no value {value:?}")),
                None => Ok((place, values)),
            }
        };
        text.split_whitespace().map(one).collect()
    }
}

fn matches(condition: &Condition, values: &[String]) -> bool {
    condition.iter().all(|(place, allowed)| allowed.contains(&values[*place]))
}

fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_identifier(text: &str, first: fn(&u8) -> bool, rest: fn(&u8) -> bool) -> bool {
    text.as_bytes().first().is_some_and(first)
        && text.bytes().all(|byte| rest(&byte) || byte == b'_' || byte.is_ascii_digit())
}

/// Reads `AXIS = a | b | c`.
fn parse_axis(text: &str) -> Result<Axis, String> {
    let (name, values) = text.split_once('=').ok_or("expected `variant AXIS = a | b`".to_owned())?;
    let name = name.trim();
    if !is_identifier(name, u8::is_ascii_uppercase, u8::is_ascii_uppercase) {
        return Err(format!("axis {name:?} is not an upper-case word"));
    }
    if ["PUSH", "SPEC", "BIND"].contains(&name) {
        return Err(format!("axis {name} would hide the generated struct of that name"));
    }
    let values: Vec<String> = values.split('|').map(|value| value.trim().to_owned()).collect();
    let numbers = values.iter().filter(|value| is_number(value) && value.parse::<u32>().is_ok()).count();
    let words = values
        .iter()
        .filter(|value| is_identifier(value, u8::is_ascii_lowercase, u8::is_ascii_lowercase))
        .count();
    if numbers != values.len() && words != values.len() {
        return Err(format!("the values of axis {name} are neither all numbers nor all lower-case words"));
    }
    if let Some(twice) = (1..values.len()).find(|&place| values[..place].contains(&values[place])) {
        return Err(format!("axis {name} has the value {} twice", values[twice]));
    }
    if name == "STORE" && values.iter().any(|value| !["f32", "f16"].contains(&value.as_str())) {
        return Err("the values of axis STORE are f32 and f16".into());
    }
    Ok(Axis { name: name.to_owned(), values })
}

fn parse_target(text: &str) -> Result<Target, String> {
    match text {
        "vulkan1.1" => Ok(Target::Vulkan11),
        "vulkan1.2" => Ok(Target::Vulkan12),
        "vulkan1.3" => Ok(Target::Vulkan13),
        _ => Err(format!("unknown target {text:?}: there are vulkan1.1, vulkan1.2, vulkan1.3")),
    }
}
