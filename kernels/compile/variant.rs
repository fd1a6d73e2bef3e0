//! The `//!` header of a kernel file: axes of variants, and combinations to leave out.
//!
//! ```text
//! //! variant STORE = f32 | f16
//! //! variant WIDTH = 1 | 4
//! //! skip STORE=f16 WIDTH=1
//! ```
//!
//! The first value of an axis is its default: a file without any define is the variant of defaults.
//! `skip` leaves out the combinations that match all its conditions; `AXIS=a|b` matches either value.
//! Other `//!` lines are prose.

/// One `//! variant` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// In upper case.
    pub name: String,
    /// All numbers or all words; the first is the default.
    pub values: Vec<String>,
}

/// Axes whose type `src/kernel.rs` declares for all kernels, with all its values.
const SHARED: &[(&str, &[&str])] =
    &[("STORE", &["f32", "f16"]), ("SIZE", &["32", "16", "8"]), ("JOIN", &["memory", "subgroups"])];

impl Axis {
    /// Every value of its type, if that is one for all kernels.
    pub fn shared(&self) -> Option<&'static [&'static str]> {
        SHARED.iter().find(|(name, _)| *name == self.name).map(|(_, values)| *values)
    }

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
}

/// Values that some axes must have: place of the axis, allowed values.
type Condition = Vec<(usize, Vec<String>)>;

/// Everything that the header of a kernel file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// In the file's order.
    pub axes: Vec<Axis>,
    skips: Vec<Condition>,
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
        for (number, _, rest) in lines().filter(|(_, word, _)| *word == "skip") {
            header.skips.push(header.condition(rest).map_err(|what| at(number, what))?);
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
        Variant { defines, values }
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
    let axis = Axis { name: name.to_owned(), values };
    if let Some(known) = axis.shared()
        && axis.values.iter().any(|value| !known.contains(&value.as_str()))
    {
        return Err(format!("the values of axis {name} are {}", known.join(" and ")));
    }
    Ok(axis)
}
