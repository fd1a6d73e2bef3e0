//! A profile for `chrome://tracing` or Perfetto.

use std::time::Duration;

use super::Profile;
use super::json::quoted;

impl Profile {
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
