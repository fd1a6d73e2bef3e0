//! What every node of the model costs on the device: a table for the log, JSON, a trace and a picture.
//! Plain data; the times come from the runtime.

mod json;
mod picture;
mod table;
mod trace;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::cache;
use crate::program::{Cost, Peaks, Program};

/// Times are medians over so many runs, the last ones.
const SAMPLES: usize = 64;

/// So many runs, the last ones, are drawn in the trace.
const TRACED: usize = 16;

/// Files have numbers up to this one.
const NUMBERS: usize = 100_000;

/// One dispatch, and how long it took in the last runs.
struct Row {
    label: Arc<str>,
    kernel: &'static str,
    grid: [u32; 3],
    /// The TFLite nodes it stands for; none for conversions at the borders.
    nodes: Arc<[u32]>,
    cost: Cost,
    /// Seconds that the work takes at the device's peaks (roofline).
    attainable: Option<f64>,
    samples: VecDeque<Duration>,
}

/// The dispatches that stand for the same nodes.
struct Group<'a> {
    rows: Vec<&'a Row>,
    seconds: f64,
    cost: Cost,
    /// Seconds that the work takes at the device's peaks (roofline).
    attainable: Option<f64>,
}

/// A run as the host sees it.
struct Traced {
    start: Instant,
    wall: Duration,
    times: Vec<Duration>,
}

/// What a recording did, run by run. When it is dropped, it goes to the log and into files.
pub struct Profile {
    /// Which of the process's profiles this is.
    number: usize,
    /// Where files go; `None` for the log only.
    prefix: Option<String>,
    device: String,
    peaks: Option<Peaks>,
    rows: Vec<Row>,
    runs: u64,
    walls: VecDeque<Duration>,
    traced: VecDeque<Traced>,
}

impl Profile {
    /// The profile of `program`. Files are named `prefix`, the number of the process, that of the profile
    /// in it and an ending; an empty prefix means no files.
    pub fn new(program: &Program, prefix: &str, device: &str, peaks: Option<Peaks>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let rows = program.dispatches.iter().map(|d| Row {
            label: d.label.clone(),
            kernel: d.kernel.name,
            grid: d.grid,
            nodes: d.origin.clone(),
            cost: d.cost,
            attainable: peaks.and_then(|peaks| peaks.attainable(d.cost, d.kernel.needs)),
            samples: VecDeque::new(),
        });
        Self {
            number: COUNT.fetch_add(1, Ordering::Relaxed),
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            device: device.into(),
            peaks,
            rows: rows.collect(),
            runs: 0,
            walls: VecDeque::new(),
            traced: VecDeque::new(),
        }
    }

    /// Adds a run: when it started on the host, how long the host waited, and how long each dispatch took.
    pub fn add(&mut self, start: Instant, wall: Duration, times: Vec<Duration>) {
        self.runs += 1;
        for (row, time) in self.rows.iter_mut().zip(&times) {
            keep(&mut row.samples, *time, SAMPLES);
        }
        keep(&mut self.walls, wall, SAMPLES);
        keep(&mut self.traced, Traced { start, wall, times }, TRACED);
    }

    /// Dispatches by the nodes that they stand for, in the order of their first dispatch.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for row in &self.rows {
            let same = |group: &&mut Group<'_>| {
                !row.nodes.is_empty() && group.rows.iter().any(|other| other.nodes == row.nodes)
            };
            match groups.iter_mut().find(same) {
                Some(group) => {
                    group.seconds += row.seconds();
                    group.cost.ops += row.cost.ops;
                    group.cost.bytes += row.cost.bytes;
                    group.attainable = group.attainable.zip(row.attainable).map(|(a, b)| a + b);
                    group.rows.push(row);
                }
                None => groups.push(Group {
                    seconds: row.seconds(),
                    cost: row.cost,
                    attainable: row.attainable,
                    rows: vec![row],
                }),
            }
        }
        groups
    }

    /// Seconds on the device: the sum over all dispatches.
    fn seconds(&self) -> f64 {
        self.rows.iter().map(Row::seconds).sum()
    }

    fn wall(&self) -> f64 {
        median(&self.walls)
    }

    /// Writes `PREFIX.PID.N.json`, `PREFIX.PID.N.trace.json` and `PREFIX.PID.N.svg`.
    fn write(&self, prefix: &str) {
        let files = [("json", self.json()), ("trace.json", self.trace()), ("svg", self.picture())];
        for (ending, text) in files {
            match create(prefix, self.number, ending) {
                Ok((path, mut file)) => match file.write_all(text.as_bytes()) {
                    Ok(()) => log::info!("profile written to {}", path.display()),
                    Err(e) => log::warn!("the profile cannot be written to {}: {e}", path.display()),
                },
                Err(e) => log::warn!("the profile cannot be written to {prefix}: {e}"),
            }
        }
    }
}

/// A new file. Where an earlier process of the same number has left one of the name, the next free number
/// is taken.
fn create(prefix: &str, number: usize, ending: &str) -> io::Result<(PathBuf, File)> {
    let mut number = number;
    loop {
        let path = PathBuf::from(format!("{prefix}.{}.{number}.{ending}", std::process::id()));
        match cache::create(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && number < NUMBERS => number += 1,
            result => return result.map(|file| (path, file)),
        }
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        if self.runs == 0 {
            return;
        }
        log::info!("{}", self.table());
        if let Some(prefix) = &self.prefix {
            self.write(prefix);
        }
    }
}

impl Row {
    fn seconds(&self) -> f64 {
        median(&self.samples)
    }

    /// As `#3 #4`.
    fn numbers(&self) -> String {
        self.nodes.iter().map(|node| format!("#{node}")).collect::<Vec<_>>().join(" ")
    }
}

impl Group<'_> {
    /// The speed in percent of the attainable one; more than 100 where the data came from a cache.
    fn percent(&self) -> Option<f64> {
        self.attainable.filter(|_| self.seconds > 0.0).map(|least| 100.0 * least / self.seconds)
    }

    fn name(&self) -> String {
        let Row { label, kernel, .. } = self.rows[0];
        let more =
            if self.rows.len() > 1 { format!(" and {} more", self.rows.len() - 1) } else { String::new() };
        format!("{} {label} ({kernel}{more})", self.rows[0].numbers()).trim_start().to_owned()
    }
}

fn keep<T>(samples: &mut VecDeque<T>, sample: T, at_most: usize) {
    if samples.len() == at_most {
        samples.pop_front();
    }
    samples.push_back(sample);
}

/// In seconds; 0 of nothing.
fn median(samples: &VecDeque<Duration>) -> f64 {
    let mut sorted: Vec<Duration> = samples.iter().copied().collect();
    sorted.sort_unstable();
    let (Some(below), Some(above)) =
        (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2))
    else {
        return 0.0;
    };
    (below.as_secs_f64() + above.as_secs_f64()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::json::quoted;
    use super::*;
    use crate::caps::Features;
    use crate::kernel::table::copy::kernel;
    use crate::program::{BufferId, Dispatch, Launch};

    const PEAKS: Peaks = Peaks { bytes_per_s: 1e9, fp32: 4e9, fp16: None };

    fn program() -> Program {
        let dispatch = |label: &str, origin: &[u32], ops, bytes| {
            let kernel = kernel();
            let (push, spec) = (vec![0; kernel.push_bytes as usize], vec![1; kernel.spec.len()]);
            let bindings = vec![BufferId(0); kernel.bindings.len()];
            let launch = Launch::new(kernel, spec, push, bindings, [1, 2, 3]);
            Dispatch::new(launch, label, origin, Cost { ops, bytes })
        };
        let dispatches = vec![
            dispatch("copy", &[], 0, 1000),
            dispatch("MEAN", &[3], 40_000, 1000),
            dispatch("CONV_2D+\"x\"", &[1, 2], 8000, 1000),
            dispatch("MEAN", &[3], 0, 5000),
            dispatch("copy", &[], 0, 1000),
        ];
        Program { dispatches, ..Program::default() }
    }

    /// A profile of three runs; the slow one is the first.
    fn profile(peaks: Option<Peaks>) -> Profile {
        let mut profile = Profile::new(&program(), "", "a \\ device", peaks);
        let start = Instant::now();
        for (run, factor) in [(0, 100), (1, 1), (2, 1)] {
            let times = [1, 10, 4, 20, 5].map(|us| Duration::from_micros(us * factor));
            let wall = Duration::from_micros(50 * factor);
            profile.add(start + Duration::from_millis(run), wall, times.to_vec());
        }
        profile
    }

    #[test]
    fn dispatches_are_summed_per_node() {
        let profile = profile(Some(PEAKS));
        let groups = profile.groups();
        let seen: Vec<_> = groups.iter().map(|g| (g.rows.len(), (g.seconds * 1e6).round() as u32)).collect();
        assert_eq!(seen, [(1, 1), (2, 30), (1, 4), (1, 5)]);
        let percent: Vec<_> = groups.iter().map(|g| g.percent().map(|p| p.round())).collect();
        // MEAN: 10 us by its operations and 5 us by its bytes.
        assert_eq!(percent, [Some(100.0), Some(50.0), Some(50.0), Some(20.0)]);
    }

    #[test]
    fn the_slowest_node_is_on_top() {
        let table = profile(Some(PEAKS)).table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].contains("3 runs, 5 dispatches, 0.040 ms on the device"), "{table}");
        assert!(lines[1].ends_with("copy 1.0 GB/s, fp32 4.0 GFLOP/s"), "{table}");
        assert_eq!(
            lines[3],
            "     30.0  75.0%       6.0    0.20     0.040     1.33         50%  #3 MEAN (copy and 1 more)"
        );
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let ms = |all: &[u64]| median(&all.iter().map(|ms| Duration::from_millis(*ms)).collect()) * 1e3;
        let cases: [(&[u64], f64); 5] =
            [(&[], 0.0), (&[4], 4.0), (&[9, 1], 5.0), (&[7, 1, 3], 3.0), (&[8, 2, 4, 100], 6.0)];
        for (all, want) in cases {
            assert!((ms(all) - want).abs() < 1e-9, "{all:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_are_new_and_no_links_are_followed() {
        let folder = std::env::temp_dir().join(format!("tflite-vulkan-{}-profile", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let (victim, prefix) = (folder.join("victim"), folder.join("p").display().to_string());
        let path = |number: usize, ending| format!("{prefix}.{}.{number}.{ending}", std::process::id());
        std::fs::write(&victim, "kept").unwrap();
        for ending in ["json", "trace.json", "svg"] {
            std::os::unix::fs::symlink(&victim, path(0, ending)).unwrap();
        }
        let mut profile = profile(None);
        profile.number = 0;
        for number in [1, 2] {
            profile.write(&prefix);
            for ending in ["json", "trace.json", "svg"] {
                assert!(!std::fs::read(path(number, ending)).unwrap().is_empty(), "{number} {ending}");
            }
        }
        assert_eq!(std::fs::read(&victim).unwrap(), b"kept");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn without_peaks_nothing_is_attainable() {
        let profile = profile(None);
        assert!(profile.table().contains("not measured"));
        assert!(profile.json().contains("\"attainable_percent\": null"));
        let kernels =
            [(Features::NONE, Some(0.5)), (Features::FLOAT_16, None), (Features::COOPERATIVE_MATRIX, None)];
        for (needs, want) in kernels {
            assert_eq!(PEAKS.attainable(Cost { ops: 2_000_000_000, bytes: 0 }, needs), want, "{needs}");
        }
    }

    #[test]
    fn json_quotes_what_it_must() {
        let (json, trace) = (profile(None).json(), profile(None).trace());
        for text in [&json, &trace] {
            assert!(text.contains(r#"CONV_2D+\"x\""#) && text.contains(r"a \\ device"), "{text}");
        }
        assert_eq!(quoted("a\n\u{1}"), r#""a\u000a\u0001""#);
        assert_eq!(trace.matches("\"ph\": \"X\"").count(), 3 * 6);
        // The second run starts a millisecond after the first.
        assert!(trace.contains("\"ts\": 1000.000, \"dur\": 50.000"), "{trace}");
    }

    #[test]
    fn a_picture_has_a_bar_per_node_and_one_for_what_is_attainable() {
        let bars = |peaks| profile(peaks).picture().matches("<rect x=").count();
        assert_eq!((bars(Some(PEAKS)), bars(None)), (4 + 4 + 4, 4 + 4));
        let picture = profile(Some(PEAKS)).picture();
        // MEAN takes 30 of 40 us and needs 15; the picture is 1176 pixels wide.
        assert!(
            picture.contains("width=\"882.00\" height=\"36.00\" fill=\"hsl(60, 75%, 60%)\""),
            "{picture}"
        );
        assert!(picture.contains("30.0 us, 75.0%, 50% of attainable: #3 MEAN"), "{picture}");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    }
}
