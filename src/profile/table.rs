//! A profile as a table for the log.

use std::fmt::Write as _;

use super::Profile;

impl Profile {
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
                let _ = writeln!(text, "attainable: the longer of bytes and operations at {peaks}");
            }
            None => text.push_str("attainable: not measured\n"),
        }
        text.push_str("       us  share        KB    GB/s     MFLOP  GFLOP/s  attainable  node\n");
        for group in &groups {
            let (bytes, ops) = (group.cost.bytes as f64, group.cost.ops as f64);
            let per_second = |amount: f64| amount / group.seconds.max(1e-9) / 1e9;
            let attained = group.percent().map_or("-".into(), |percent| format!("{percent:.0}%"));
            let _ = writeln!(
                text,
                "{:9.1} {:5.1}% {:9.1} {:7.2} {:9.3} {:8.2} {:>11}  {}",
                group.seconds * 1e6,
                100.0 * group.seconds / all.max(1e-12),
                bytes / 1e3,
                per_second(bytes),
                ops / 1e6,
                per_second(ops),
                attained,
                group.name()
            );
        }
        text
    }
}
