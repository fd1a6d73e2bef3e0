//! A profile as JSON.

use std::fmt::Write as _;

use super::Profile;

impl Profile {
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
                 \"bytes\": {}, \"ops\": {}, \"attainable_percent\": {}, \"dispatches\": [",
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
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
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
