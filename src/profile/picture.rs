//! A profile as a picture: every node's share of the time, and how near its speed is to the attainable one.

use std::fmt::Write as _;

use super::{Group, Profile};

/// Sizes in pixels.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 12.0;
const STRIP: f64 = 36.0;
const LINE: f64 = 16.0;
/// Where the bars of single nodes begin.
const BARS: f64 = 520.0;

impl Profile {
    /// An SVG: above, all nodes in order, as wide as the time that they take; below, a bar per node, its
    /// dark part the attainable time. Green is near it, red far from it, grey not known.
    pub fn picture(&self) -> String {
        let (groups, all) = (self.groups(), self.seconds().max(1e-12));
        let slowest = groups.iter().map(|group| group.seconds).fold(1e-12, f64::max);
        let top = MARGIN + 2.0 * LINE;
        let height = top + STRIP + LINE * (groups.len() as f64 + 1.0) + MARGIN;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"sans-serif\" font-size=\"11\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        );
        let title = format!(
            "{}: {:.3} ms in {} dispatches one after the other, {} runs",
            self.device,
            all * 1e3,
            self.rows.len(),
            self.runs
        );
        text(&mut svg, MARGIN, MARGIN + LINE, &title);
        let mut at = MARGIN;
        for (i, group) in groups.iter().enumerate() {
            let wide = group.seconds / all * (WIDTH - 2.0 * MARGIN);
            let hint = hint(group, all);
            rectangle(&mut svg, [at, top, wide, STRIP], &colour(group), &hint);
            let y = top + STRIP + LINE * (i as f64 + 2.0);
            text(&mut svg, MARGIN, y, &hint);
            let long = group.seconds / slowest * (WIDTH - MARGIN - BARS);
            rectangle(&mut svg, [BARS, y - LINE * 0.75, long, LINE * 0.8], &colour(group), &hint);
            if let Some(least) = group.attainable {
                let long = (least / slowest * (WIDTH - MARGIN - BARS)).min(long);
                rectangle(&mut svg, [BARS, y - LINE * 0.5, long, LINE * 0.3], "#404040", &hint);
            }
            at += wide;
        }
        svg + "</svg>\n"
    }
}

fn hint(group: &Group<'_>, all: f64) -> String {
    let percent = group.percent().map_or(String::new(), |n| format!(", {n:.0}% of attainable"));
    let mut name = group.name();
    if let Some((end, _)) = name.char_indices().nth(48) {
        name.truncate(end);
        name.push('…');
    }
    format!("{:.1} us, {:.1}%{percent}: {name}", group.seconds * 1e6, 100.0 * group.seconds / all)
}

/// From red over yellow to green.
fn colour(group: &Group<'_>) -> String {
    match group.percent() {
        Some(percent) => format!("hsl({:.0}, 75%, 60%)", 1.2 * percent.min(100.0)),
        None => "#c0c0c0".into(),
    }
}

fn rectangle(svg: &mut String, [x, y, width, height]: [f64; 4], fill: &str, hint: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\" \
         stroke=\"white\" stroke-width=\"0.3\"><title>{}</title></rect>",
        escaped(hint)
    );
}

fn text(svg: &mut String, x: f64, y: f64, text: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            c if c < ' ' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
