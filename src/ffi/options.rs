//! The options as C callers give them.

use std::ffi::{CStr, c_char, c_int};

use crate::error::{Error, Result};
use crate::options::{self, Integers, Options, Precision, Tune};

pub use layout::TfLiteVulkanDelegateOptions;

/// The struct as `include/tflite_vulkan.h` lays it out, which says what the fields mean.
mod layout {
    #![allow(missing_docs, reason = "generated from C, which documents it")]
    include!(concat!(env!("OUT_DIR"), "/options.rs"));
}

/// A struct of this size is no newer version of ours: something else was passed.
const TOO_LARGE: usize = 4096;

impl Default for TfLiteVulkanDelegateOptions {
    fn default() -> Self {
        let options = Options::default();
        Self {
            size: size_of::<Self>(),
            precision: options.precision as c_int,
            device: std::ptr::null(),
            allow_software: options.allow_software.into(),
            require_device: options.require_device.into(),
            max_delegated_partitions: options.max_delegated_partitions as c_int,
            log_level: options.log_level as c_int,
            profile: std::ptr::null(),
            cache_dir: std::ptr::null(),
            model_token: std::ptr::null(),
            tune: options.tune as c_int,
            integers: options.integers as c_int,
        }
    }
}

impl TfLiteVulkanDelegateOptions {
    /// Writes the defaults into the struct of a caller that was compiled with a header of any version:
    /// what only a newer one has becomes zero.
    ///
    /// # Safety
    /// `to` is NULL, which is fine, or points to `size` bytes that may be written.
    pub unsafe fn write(to: *mut Self, size: usize) -> Result<()> {
        if !(size_of::<usize>()..=TOO_LARGE).contains(&size) {
            return Err(Error::Option(format!("options of {size} bytes: pass the size of the struct")));
        }
        if to.is_null() {
            return Ok(());
        }
        let options = Self { size, ..Self::default() };
        // SAFETY: the caller promises `size` bytes, and of ours no more than all are read. The struct
        // has no bytes between its fields that matter: `read` takes any.
        unsafe {
            to.cast::<u8>().write_bytes(0, size);
            let ours = (&raw const options).cast::<u8>();
            to.cast::<u8>().copy_from_nonoverlapping(ours, size.min(size_of::<Self>()));
        }
        Ok(())
    }

    /// Reads the struct of a caller that was compiled with a header of any version: what an older one
    /// lacks keeps its default, what only a newer one has must be zero.
    ///
    /// # Safety
    /// `from` is NULL or points to as many bytes as its first field says.
    pub unsafe fn read(from: *const Self) -> Result<Self> {
        let mut options = Self::default();
        if from.is_null() {
            return Ok(options);
        }
        let ours = options.size;
        // SAFETY: the caller promises at least the first field.
        let size = unsafe { (&raw const (*from).size).read_unaligned() };
        if !(size_of::<usize>()..=TOO_LARGE).contains(&size) {
            let why = "options.size is wrong: begin with TfLiteVulkanDelegateOptionsDefault()";
            return Err(Error::Option(why.into()));
        }
        // SAFETY: the caller promises `size` bytes; of ours no more than all are written, and any
        // bytes are a value of each field.
        unsafe {
            let bytes = std::slice::from_raw_parts(from.cast::<u8>(), size);
            if bytes.iter().skip(ours).any(|b| *b != 0) {
                let why = "an option is set that this version of the library does not know";
                return Err(Error::Option(why.into()));
            }
            (&raw mut options).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), size.min(ours));
        }
        Ok(options)
    }

    /// # Safety
    /// Each text is NULL or a C string.
    pub unsafe fn parse(&self) -> Result<Options> {
        let bad =
            |name: &str, value: c_int| Error::Option(format!("options.{name} is {value}: out of range"));
        let precision = [Precision::Fp32, Precision::Fp16, Precision::Fp16Fast]
            .into_iter()
            .find(|p| *p as c_int == self.precision);
        let log_level = log::LevelFilter::iter().find(|level| *level as c_int == self.log_level);
        let tune = [Tune::Off, Tune::Fast, Tune::Full].into_iter().find(|tune| *tune as c_int == self.tune);
        let integers = [Integers::Reference, Integers::Reference214, Integers::Xnnpack]
            .into_iter()
            .find(|integers| *integers as c_int == self.integers);
        let partitions = usize::try_from(self.max_delegated_partitions);
        // SAFETY: as the caller promises.
        let [device, profile, cache_dir, model_token] = unsafe {
            [text(self.device)?, text(self.profile)?, text(self.cache_dir)?, text(self.model_token)?]
        };
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Options {
            precision: precision.ok_or_else(|| bad("precision", self.precision))?,
            device: given(device),
            allow_software: self.allow_software != 0,
            require_device: self.require_device != 0,
            max_delegated_partitions: partitions
                .map_err(|_| bad("max_delegated_partitions", self.max_delegated_partitions))?,
            log_level: log_level.ok_or_else(|| bad("log_level", self.log_level))?,
            profile: options::profile(profile.unwrap_or_default()),
            cache_dir: given(cache_dir),
            model_token: given(model_token),
            tune: tune.ok_or_else(|| bad("tune", self.tune))?,
            integers: integers.ok_or_else(|| bad("integers", self.integers))?,
            ..Options::default()
        })
    }
}

/// Reads keys and values.
///
/// # Safety
/// `keys` and `values` are NULL or point to `count` C strings, each of which may be NULL.
pub unsafe fn parse(
    keys: *const *const c_char,
    values: *const *const c_char,
    count: usize,
) -> Result<Options> {
    if count > 0 && (keys.is_null() || values.is_null()) {
        return Err(Error::Option(format!("{count} options are announced, but keys or values are NULL")));
    }
    let mut pairs = Vec::new();
    for i in 0..count {
        // SAFETY: as the caller promises.
        let (key, value) = unsafe { (text(*keys.add(i))?, text(*values.add(i))?) };
        let Some(key) = key else { return Err(Error::Option(format!("the name of option {i} is NULL"))) };
        let Some(value) = value else {
            return Err(Error::Option(format!("the value of option {key} is NULL")));
        };
        pairs.push((key, value));
    }
    Options::parse(pairs)
}

/// # Safety
/// `text` is NULL or a C string that does not change during `'a`.
unsafe fn text<'a>(text: *const c_char) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    let not_utf8 = |_| Error::Option(format!("{:?} is not UTF-8", text.to_string_lossy()));
    text.to_str().map(Some).map_err(not_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Raw = TfLiteVulkanDelegateOptions;

    fn read(raw: &Raw) -> Result<Options> {
        // SAFETY: the sizes in these tests do not exceed what lies there.
        unsafe { Raw::read(raw)?.parse() }
    }

    #[test]
    fn defaults_are_those_of_the_keys() {
        assert_eq!(read(&Raw::default()), Ok(Options::default()));
        // SAFETY: NULL is allowed.
        let none = unsafe { Raw::read(std::ptr::null()) };
        assert_eq!(none.and_then(|raw| read(&raw)), Ok(Options::default()));
    }

    #[test]
    fn fields_reach_the_options() {
        let raw = Raw {
            precision: 1,
            device: c"llvmpipe".as_ptr(),
            allow_software: 1,
            require_device: 1,
            max_delegated_partitions: 2,
            log_level: 5,
            profile: c"1".as_ptr(),
            cache_dir: c"cache".as_ptr(),
            model_token: c"".as_ptr(),
            tune: 1,
            integers: 2,
            ..Raw::default()
        };
        let want = Options {
            precision: Precision::Fp16,
            device: Some("llvmpipe".into()),
            allow_software: true,
            require_device: true,
            max_delegated_partitions: 2,
            log_level: log::LevelFilter::Trace,
            profile: Some(String::new()),
            cache_dir: Some("cache".into()),
            model_token: None,
            tune: Tune::Fast,
            integers: Integers::Xnnpack,
            ..Options::default()
        };
        assert_eq!(read(&raw), Ok(want));
    }

    #[test]
    fn an_older_caller_keeps_defaults_for_what_it_lacks() {
        let size = std::mem::offset_of!(Raw, allow_software);
        let raw = Raw { size, precision: 1, allow_software: 77, log_level: 77, ..Raw::default() };
        let options = read(&raw).unwrap();
        assert_eq!((options.precision, options.allow_software), (Precision::Fp16, false));
    }

    /// The struct of another version, with a guard behind it.
    #[repr(C)]
    struct Guarded(Raw, u64);

    #[test]
    fn defaults_are_written_into_structs_of_any_version() {
        let whole = size_of::<Raw>();
        for size in [size_of::<usize>(), std::mem::offset_of!(Raw, log_level), whole, whole + 4, whole + 8] {
            let mut to = Guarded(Raw { log_level: 77, tune: 77, ..Raw::default() }, u64::MAX);
            // SAFETY: so many bytes lie there.
            unsafe { Raw::write((&raw mut to).cast(), size).unwrap() };
            assert_eq!(to.0.size, size);
            assert_eq!(to.0.log_level, if size < whole { 77 } else { 3 }, "{size}");
            assert_eq!(to.1, [u64::MAX, u64::MAX << 32, 0][size.saturating_sub(whole) / 4], "{size}");
        }
        // SAFETY: nothing is written.
        unsafe {
            assert!(Raw::write(std::ptr::null_mut(), size_of::<Raw>()).is_ok());
            assert!(Raw::write(std::ptr::null_mut(), 0).is_err());
        }
    }

    #[test]
    fn a_newer_caller_may_not_use_what_we_lack() {
        let mut newer = Guarded(Raw { size: size_of::<Guarded>(), ..Raw::default() }, 0);
        // SAFETY: the size is that of the whole struct.
        let mut read = |extra| unsafe {
            newer.1 = extra;
            Raw::read((&raw const newer).cast()).map(|_| ())
        };
        assert_eq!(read(0), Ok(()));
        assert!(read(1).unwrap_err().to_string().contains("does not know"));
    }

    #[test]
    fn nonsense_is_named() {
        let cases = [
            (Raw { size: 0, ..Raw::default() }, "options.size"),
            (Raw { size: usize::MAX, ..Raw::default() }, "options.size"),
            (Raw { precision: 3, ..Raw::default() }, "options.precision is 3"),
            (
                Raw { max_delegated_partitions: -1, ..Raw::default() },
                "options.max_delegated_partitions is -1",
            ),
            (Raw { log_level: 6, ..Raw::default() }, "options.log_level is 6"),
            (Raw { tune: 3, ..Raw::default() }, "options.tune is 3"),
            (Raw { integers: 3, ..Raw::default() }, "options.integers is 3"),
            (Raw { device: c"\xff".as_ptr(), ..Raw::default() }, "not UTF-8"),
        ];
        for (raw, want) in cases {
            let error = read(&raw).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn null_among_keys_and_values_is_an_error() {
        let (key, value) = ([c"precision".as_ptr()], [c"fp16".as_ptr()]);
        let null = [std::ptr::null()];
        // SAFETY: the arrays have one element.
        let parse = |keys: *const _, values: *const _, count| unsafe { parse(keys, values, count) };
        assert_eq!(parse(key.as_ptr(), value.as_ptr(), 1).unwrap().precision, Precision::Fp16);
        assert_eq!(parse(std::ptr::null(), std::ptr::null(), 0), Ok(Options::default()));
        assert!(parse(std::ptr::null(), value.as_ptr(), 1).is_err());
        assert!(parse(key.as_ptr(), std::ptr::null(), 1).is_err());
        assert!(parse(null.as_ptr(), value.as_ptr(), 1).is_err());
        assert!(parse(key.as_ptr(), null.as_ptr(), 1).unwrap_err().to_string().contains("precision"));
    }
}
