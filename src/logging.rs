//! Where log records go: to standard error, one line each as `tflite-vulkan: info: …`; to logcat on
//! Android. An application in Rust that has installed its own logger keeps it.

use std::io::Write;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// How many delegates want each level: the process logs at the most verbose one.
static WANTED: Mutex<[usize; 6]> = Mutex::new([0; 6]);

/// Keeps the process logging at least at one level while it lives.
#[derive(Debug)]
pub struct Verbosity(LevelFilter);

impl Verbosity {
    /// Installs our logger, if there is none yet, and raises its level to `level` if need be.
    pub fn at_least(level: LevelFilter) -> Self {
        LazyLock::force(&BEGIN);
        count(level, |n| n + 1);
        Self(level)
    }
}

impl Drop for Verbosity {
    fn drop(&mut self) {
        count(self.0, |n| n - 1);
    }
}

/// When the first delegate of the process was created.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What `work` returns; the log tells at debug level when it began and how long it took.
pub fn timed<R>(what: &str, work: impl FnOnce() -> R) -> R {
    let begin = Instant::now();
    let result = work();
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    log::debug!("at {:.1} ms: {what} in {:.1} ms", ms(begin.duration_since(*BEGIN)), ms(begin.elapsed()));
    result
}

fn count(level: LevelFilter, change: fn(usize) -> usize) {
    let mut wanted = WANTED.lock().unwrap_or_else(PoisonError::into_inner);
    wanted[level as usize] = change(wanted[level as usize]);
    if install() {
        let verbose = LevelFilter::iter().filter(|level| wanted[*level as usize] > 0).last();
        log::set_max_level(verbose.unwrap_or(LevelFilter::Off));
    }
}

/// Whether the logger is ours, and not the application's.
fn install() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    *OURS.get_or_init(platform::install)
}

#[cfg(not(target_os = "android"))]
mod platform {
    pub fn install() -> bool {
        log::set_logger(&super::Stderr).is_ok()
    }
}

#[cfg(target_os = "android")]
mod platform {
    use std::sync::LazyLock;

    pub fn install() -> bool {
        static LOGCAT: LazyLock<android_logger::AndroidLogger> = LazyLock::new(|| {
            let config = android_logger::Config::default().with_tag("tflite-vulkan");
            android_logger::AndroidLogger::new(config.with_max_level(log::LevelFilter::Trace))
        });
        log::set_logger(&*LOGCAT).is_ok()
    }
}

#[cfg_attr(target_os = "android", expect(dead_code, reason = "logcat is used there"))]
struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // A host may have closed standard error: that is its choice.
        let _ = std::io::stderr().lock().write_all(text(record).as_bytes());
    }

    fn flush(&self) {}
}

/// The record's lines, each with the prefix.
fn text(record: &Record<'_>) -> String {
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let message = record.args().to_string();
    message.trim_end().lines().map(|line| format!("tflite-vulkan: {level}: {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_the_prefix() {
        let cases = [
            (format_args!("a {}", 1), "tflite-vulkan: info: a 1\n"),
            (format_args!("a\nb\n"), "tflite-vulkan: info: a\ntflite-vulkan: info: b\n"),
        ];
        for (args, want) in cases {
            assert_eq!(text(&Record::builder().level(Level::Info).args(args).build()), want);
        }
    }

    #[test]
    fn the_most_verbose_delegate_wins_while_it_lives() {
        let quiet = Verbosity::at_least(LevelFilter::Error);
        {
            let _loud = Verbosity::at_least(LevelFilter::Debug);
            assert_eq!(log::max_level(), LevelFilter::Debug);
        }
        assert_eq!(log::max_level(), LevelFilter::Error);
        drop(quiet);
        assert_eq!(log::max_level(), LevelFilter::Off);
    }
}
