//! What every node of the model costs on the device: a table for the log, JSON, and a trace for
//! `chrome://tracing` or Perfetto. Plain data; the times come from the runtime.

use std::collections::VecDeque;
use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::caps::Features;
use crate::program::{Cost, Program};

/// Times are medians over so many runs, the last ones.
const SAMPLES: usize = 64;

/// So many runs, the last ones, are drawn in the trace.
const TRACED: usize = 16;

/// What a device reaches at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peaks {
    /// Bytes read and written per second by a copy of a large buffer.
    pub bytes_per_s: f64,
    /// 32-bit operations per second; a multiply-add counts 2.
    pub fp32: f64,
    /// 16-bit operations per second, if the device computes in 16 bits.
    pub fp16: Option<f64>,
}

impl fmt::Display for Peaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "copy {:.1} GB/s, fp32 {:.1} GFLOP/s", self.bytes_per_s / 1e9, self.fp32 / 1e9)?;
        self.fp16.map_or(Ok(()), |fp16| write!(f, ", fp16 {:.1} GFLOP/s", fp16 / 1e9))
    }
}

impl Peaks {
    /// The least time for this work in seconds: the larger of the time for its bytes at the speed of a
    /// copy and that for its operations at the peak of the arithmetic that the kernel uses. `None` for
    /// kernels whose peak was not measured.
    fn floor(&self, cost: Cost, needs: Features) -> Option<f64> {
        let ops_per_s = if needs.contains(Features::COOPERATIVE_MATRIX) {
            return None;
        } else if needs.contains(Features::FLOAT_16) {
            self.fp16?
        } else {
            self.fp32
        };
        Some((cost.bytes as f64 / self.bytes_per_s).max(cost.ops as f64 / ops_per_s))
    }
}

/// One dispatch, and how long it took in the last runs.
struct Row {
    label: String,
    kernel: &'static str,
    grid: [u32; 3],
    /// The TFLite nodes it stands for; none for conversions at the borders.
    nodes: Vec<u32>,
    cost: Cost,
    floor: Option<f64>,
    samples: VecDeque<Duration>,
}

/// The dispatches that stand for the same nodes.
struct Group<'a> {
    rows: Vec<&'a Row>,
    seconds: f64,
    cost: Cost,
    floor: Option<f64>,
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
    /// The profile of `program`. Files are named `prefix`, the number of the profile in this process
    /// and an ending; an empty prefix means no files.
    pub fn new(program: &Program, prefix: &str, device: &str, peaks: Option<Peaks>) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let rows = program.dispatches.iter().map(|d| Row {
            label: d.label.clone(),
            kernel: d.kernel.name,
            grid: d.grid,
            nodes: d.origin.clone(),
            cost: d.cost,
            floor: peaks.and_then(|peaks| peaks.floor(d.cost, d.kernel.needs)),
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
                    group.floor = group.floor.zip(row.floor).map(|(a, b)| a + b);
                    group.rows.push(row);
                }
                None => groups.push(Group {
                    seconds: row.seconds(),
                    cost: row.cost,
                    floor: row.floor,
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

    /// One line per group, the slowest first.
    pub fn table(&self) -> String {
        let mut groups = self.groups();
        groups.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        let all = self.seconds();
        let mut text = format!(
            "profile {}: {} runs, {} dispatches, {:.3} ms on the device one after the other, {:.3} ms with \
             transfers\n",
            self.number,
            self.runs,
            self.rows.len(),
            all * 1e3,
            self.wall() * 1e3
        );
        match &self.peaks {
            Some(peaks) => {
                let _ = writeln!(text, "floor: the longer of bytes and operations at {peaks}");
            }
            None => text.push_str("floor: not measured\n"),
        }
        text.push_str("       us  share        KB    GB/s     MFLOP  GFLOP/s  floor  node\n");
        for group in &groups {
            let (bytes, ops) = (group.cost.bytes as f64, group.cost.ops as f64);
            let per_second = |amount: f64| amount / group.seconds.max(1e-9) / 1e9;
            let floor = group.percent().map_or("-".into(), |percent| format!("{percent:.0}%"));
            let _ = writeln!(
                text,
                "{:9.1} {:5.1}% {:9.1} {:7.2} {:9.3} {:8.2} {:>6}  {}",
                group.seconds * 1e6,
                100.0 * group.seconds / all.max(1e-12),
                bytes / 1e3,
                per_second(bytes),
                ops / 1e6,
                per_second(ops),
                floor,
                group.name()
            );
        }
        text
    }

    /// Everything as JSON.
    pub fn json(&self) -> String {
        let number = |x: Option<f64>| x.map_or("null".into(), |x| format!("{x:.6}"));
        let list = |nodes: &[u32]| nodes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let (all, peaks) = (self.seconds(), self.peaks);
        let mut text = format!(
            "{{\n  \"version\": {},\n  \"device\": {},\n  \"runs\": {},\n  \"wall_ms\": {:.6},\n  \
             \"device_ms\": {:.6},\n  \"peaks\": {{\"copy_gb_per_s\": {}, \"fp32_gflop_per_s\": {}, \
             \"fp16_gflop_per_s\": {}}},\n  \"nodes\": [",
            quoted(env!("CARGO_PKG_VERSION")),
            quoted(&self.device),
            self.runs,
            self.wall() * 1e3,
            all * 1e3,
            number(peaks.map(|p| p.bytes_per_s / 1e9)),
            number(peaks.map(|p| p.fp32 / 1e9)),
            number(peaks.and_then(|p| p.fp16).map(|fp16| fp16 / 1e9)),
        );
        for (i, group) in self.groups().iter().enumerate() {
            let _ = write!(
                text,
                "{}\n    {{\"nodes\": [{}], \"label\": {}, \"us\": {:.3}, \"share_percent\": {:.3}, \
                 \"bytes\": {}, \"ops\": {}, \"floor_percent\": {}, \"dispatches\": [",
                if i == 0 { "" } else { "," },
                list(&group.rows[0].nodes),
                quoted(&group.rows[0].label),
                group.seconds * 1e6,
                100.0 * group.seconds / all.max(1e-12),
                group.cost.bytes,
                group.cost.ops,
                number(group.percent()),
            );
            for (j, row) in group.rows.iter().enumerate() {
                let [x, y, z] = row.grid;
                let _ = write!(
                    text,
                    "{}{{\"kernel\": {}, \"grid\": [{x}, {y}, {z}], \"us\": {:.3}}}",
                    if j == 0 { "" } else { ", " },
                    quoted(row.kernel),
                    row.seconds() * 1e6
                );
            }
            text.push_str("]}");
        }
        text.push_str("\n  ]\n}\n");
        text
    }

    /// The last runs in the trace-event format. The clocks of host and device are not related, so the
    /// dispatches of a run are drawn from its start on.
    pub fn trace(&self) -> String {
        let mut events = vec![name_of_track(0, "host"), name_of_track(1, &self.device)];
        let zero = self.traced.front().map(|run| run.start);
        for (n, run) in self.traced.iter().enumerate() {
            let start = zero.map_or(0.0, |zero| (run.start - zero).as_secs_f64() * 1e6);
            let invoke = format!("\"run\": {n}");
            events.push(event("run", 0, start, run.wall, &invoke));
            let mut at = start;
            for (row, time) in self.rows.iter().zip(&run.times) {
                let args = format!(
                    "\"nodes\": {}, \"kernel\": {}, \"bytes\": {}, \"ops\": {}",
                    quoted(&row.numbers()),
                    quoted(row.kernel),
                    row.cost.bytes,
                    row.cost.ops
                );
                events.push(event(&row.label, 1, at, *time, &args));
                at += time.as_secs_f64() * 1e6;
            }
        }
        format!("{{\"traceEvents\": [\n{}\n]}}\n", events.join(",\n"))
    }

    /// Writes `PREFIX.N.json` and `PREFIX.N.trace.json`.
    fn write(&self, prefix: &str) {
        for (ending, text) in [("json", self.json()), ("trace.json", self.trace())] {
            let path = PathBuf::from(format!("{prefix}.{}.{ending}", self.number));
            match std::fs::write(&path, text) {
                Ok(()) => log::info!("profile written to {}", path.display()),
                Err(e) => log::warn!("the profile cannot be written to {}: {e}", path.display()),
            }
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
    /// How much of the time the work needs at least; more than 100 where the data came from a cache.
    fn percent(&self) -> Option<f64> {
        self.floor.filter(|_| self.seconds > 0.0).map(|floor| 100.0 * floor / self.seconds)
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
    sorted.get(sorted.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

/// A span on a track; `start` in microseconds.
fn event(name: &str, track: u32, start: f64, time: Duration, args: &str) -> String {
    let micros = time.as_secs_f64() * 1e6;
    let name = quoted(name);
    format!(
        "{{\"ph\": \"X\", \"pid\": 0, \"tid\": {track}, \"name\": {name}, \"ts\": {start:.3}, \"dur\": \
         {micros:.3}, \"args\": {{{args}}}}}"
    )
}

fn name_of_track(track: u32, name: &str) -> String {
    let name = quoted(name);
    format!(
        "{{\"ph\": \"M\", \"pid\": 0, \"tid\": {track}, \"name\": \"thread_name\", \"args\": {{\"name\": \
         {name}}}}}"
    )
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(json, "\\u{:04x}", c as u32);
            }
            c => json.push(c),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::table::convert::{Dst, Src, kernel};
    use crate::program::{BufferId, Dispatch};

    const PEAKS: Peaks = Peaks { bytes_per_s: 1e9, fp32: 4e9, fp16: None };

    fn program() -> Program {
        let dispatch = |label: &str, origin: &[u32], ops, bytes| {
            let kernel = kernel(Src::F32, Dst::F32);
            let (push, spec) = (vec![0; kernel.push_bytes as usize], vec![1; kernel.spec.len()]);
            let bindings = vec![BufferId(0); kernel.bindings.len()];
            let mut dispatch = Dispatch::new(kernel, spec, push, bindings, [1, 2, 3]);
            dispatch.label = label.into();
            dispatch.origin = origin.to_vec();
            dispatch.cost = Cost { ops, bytes };
            dispatch
        };
        let dispatches = vec![
            dispatch("convert", &[], 0, 1000),
            dispatch("MEAN", &[3], 40_000, 1000),
            dispatch("CONV_2D+\"x\"", &[1, 2], 8000, 1000),
            dispatch("MEAN", &[3], 0, 5000),
            dispatch("convert", &[], 0, 1000),
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
            "     30.0  75.0%       6.0    0.20     0.040     1.33    50%  #3 MEAN (convert_f32_f32 and 1 more)"
        );
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn without_peaks_there_is_no_floor() {
        let profile = profile(None);
        assert!(profile.table().contains("not measured"));
        assert!(profile.json().contains("\"floor_percent\": null"));
        let kernels =
            [(Features::NONE, Some(0.5)), (Features::FLOAT_16, None), (Features::COOPERATIVE_MATRIX, None)];
        for (needs, want) in kernels {
            assert_eq!(PEAKS.floor(Cost { ops: 2_000_000_000, bytes: 0 }, needs), want, "{needs}");
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
}
