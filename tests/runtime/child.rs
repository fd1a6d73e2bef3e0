//! This test program again, with another environment or alone in a process.

use std::process::{Command, Output};

/// One test, run with `--ignored` in a process of its own.
pub struct Child(Command);

impl Child {
    pub fn new(test: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
        Self(command)
    }

    /// Every test but those of `drivers.rs`.
    pub fn all() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--skip", "drivers::", "--nocapture", "--test-threads=2"]);
        Self(command)
    }

    pub fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// What it prints, both streams, whatever its status.
    pub fn output(mut self) -> (bool, String) {
        let Output { status, stdout, stderr } = self.0.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(!text.contains("running 0 tests"), "{text}");
        (status.success(), text)
    }

    pub fn expect_success(self) {
        let (success, text) = self.output();
        // Whoever looks for complaints in what this process prints must see them.
        println!("{text}");
        assert!(success, "{text}");
    }
}

/// Physical memory that this process uses.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
