//! Where log records go: to standard error, one line each as `tflite-vulkan: info: …`; to logcat on
//! Android. An application in Rust that has installed its own logger keeps it.
//!
//! Nothing here takes a lock: a thread that a forked child lacks might hold it for ever.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::Instant;

use log::LevelFilter;

/// How many delegates want each level: the process logs at the most verbose one.
static WANTED: [AtomicUsize; 6] = [const { AtomicUsize::new(0) }; 6];

/// Keeps the process logging at least at one level while it lives.
#[derive(Debug)]
pub struct Verbosity(LevelFilter);

impl Verbosity {
    /// Installs our logger, if there is none yet, and raises its level to `level` if need be.
    pub fn at_least(level: LevelFilter) -> Self {
        LazyLock::force(&BEGIN);
        WANTED[level as usize].fetch_add(1, Ordering::SeqCst);
        apply();
        Self(level)
    }
}

impl Drop for Verbosity {
    fn drop(&mut self) {
        WANTED[self.0 as usize].fetch_sub(1, Ordering::SeqCst);
        apply();
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

/// Has the process log at the most verbose level that is wanted.
fn apply() {
    let is_wanted = |level: &LevelFilter| WANTED[*level as usize].load(Ordering::SeqCst) > 0;
    let most = || LevelFilter::iter().filter(is_wanted).last().unwrap_or(LevelFilter::Off);
    if install() {
        // Until no other thread has changed what is wanted meanwhile.
        while log::max_level() != most() {
            log::set_max_level(most());
        }
    }
}

/// Whether the logger is ours, and not the application's.
fn install() -> bool {
    static OURS: OnceLock<bool> = OnceLock::new();
    *OURS.get_or_init(platform::install)
}

#[cfg(not(target_os = "android"))]
mod platform {
    use std::io::Write;

    use log::{Level, Log, Metadata, Record};

    pub fn install() -> bool {
        log::set_logger(&Stderr).is_ok()
    }

    struct Stderr;

    impl Log for Stderr {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            // A host may have closed standard error: that is its choice.
            let _ = write(text(record).as_bytes());
        }

        fn flush(&self) {}
    }

    /// Writes to standard error, past the lock that the standard library has for it.
    #[cfg(unix)]
    fn write(text: &[u8]) -> std::io::Result<()> {
        use std::os::fd::AsFd;
        std::fs::File::from(std::io::stderr().as_fd().try_clone_to_owned()?).write_all(text)
    }

    #[cfg(not(unix))]
    fn write(text: &[u8]) -> std::io::Result<()> {
        std::io::stderr().write_all(text)
    }

    /// The record's lines, each with the prefix.
    pub fn text(record: &Record<'_>) -> String {
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

#[cfg(test)]
mod tests {
    use log::{Level, Record};

    use super::*;

    #[test]
    fn every_line_has_the_prefix() {
        let cases = [
            (format_args!("a {}", 1), "tflite-vulkan: info: a 1\n"),
            (format_args!("a\nb\n"), "tflite-vulkan: info: a\ntflite-vulkan: info: b\n"),
        ];
        for (args, want) in cases {
            assert_eq!(platform::text(&Record::builder().level(Level::Info).args(args).build()), want);
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
