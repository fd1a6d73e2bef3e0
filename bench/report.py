"""What `run.py` measured, as Markdown, as a picture and as JSON.

A ratio is a column's time over that of our column of the same precision: above 1 ours is faster.
"""

import json
import math
import pathlib
import platform
import re

COLOURS = ["#b8b8b8", "#7f7f7f", "#6baed6", "#2171b5", "#fdae6b", "#e6550d"]
FONT = 'font-family="system-ui, sans-serif"'


def base_of(column, row):
    """The name of our column that a column is compared with; None where there is none."""
    precision = "fp16" if column.endswith("fp16") else "fp32"
    for name in (f"ours {precision}", "ours fp32", "ours fp16"):
        if "ms" in row.get(name, {}):
            return name
    return None


def ratio(column, row):
    """A column's time over ours; None where one of them is missing."""
    base = base_of(column, row)
    return row[column]["ms"] / row[base]["ms"] if base and "ms" in row[column] else None


def ratios(column, rows):
    """A column's ratios on the models that both ran."""
    return [r for row in rows.values() if (r := ratio(column, row)) is not None]


def mean(values):
    """The geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def number(x, digits=3):
    """A number with so many significant digits, without exponent."""
    if x is None:
        return "–"
    return f"{x:.{max(0, digits - 1 - math.floor(math.log10(x)))}f}" if x > 0 else "0"


def cell(column, row):
    """A median, the ratio behind it, and a mark where something is to be said below the table."""
    result = row[column]
    if "error" in result:
        return "failed"
    r = None if column.startswith("ours") else ratio(column, row)
    behind = f" ({number(r, 2)}×)" if r is not None else ""
    return number(result["ms"]) + behind + (" *" if result["remarks"] else "")


def line(name, row):
    """What the terminal shows of a model."""
    return f"{name:48}" + "".join(f"  {column}: {cell(column, row)}" for column in row)


def summary(rows, columns):
    """The geometric means, one line per peer."""
    lines = []
    for column in columns:
        found = [] if column.startswith("ours") else ratios(column, rows)
        if found:
            lines.append(
                f"{column}: ours is {number(mean(found), 2)} times as fast "
                f"(geometric mean of {len(found)} models; {number(min(found), 2)} to {number(max(found), 2)})"
            )
    return "\n".join(lines)


def table(head, lines):
    """A Markdown table: the first column to the left, numbers to the right."""
    rows = [head, ["---"] + ["--:"] * (len(head) - 1), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def remarks(rows):
    """What failed, and what ran otherwise than its column says."""
    found = []
    for name, row in rows.items():
        for column, result in row.items():
            notes = [f"failed: {result['error']}"] if "error" in result else result["remarks"]
            found += [f"- {name}, {column}: {note}" for note in notes]
    return "\n".join(found)


def processor():
    """The CPU's name."""
    found = re.search(r"^model name\s*: (.+)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1) if found else platform.machine()


def devices(rows):
    """The devices that the columns said they used."""
    told = {}
    for row in rows.values():
        for column, result in row.items():
            if "device" in result:
                told.setdefault(result["device"], []).append(column)
    return [f"{device} ({', '.join(dict.fromkeys(columns))})" for device, columns in told.items()]


def markdown(facts, rows):
    """The whole report."""
    columns = facts["columns"]
    ours = [c for c in columns if c.startswith("ours")]

    def each(value):
        return [[name, *(value(row[c]) for c in columns)] for name, row in rows.items()]

    means = [ratios(c, rows) for c in columns]
    means = ["" if c in ours or not m else f"{number(mean(m), 2)}×" for c, m in zip(columns, means)]
    parts = [
        f"CPU: {processor()}, {facts['cores']} cores. ai-edge-litert {facts['litert']}. "
        f"{facts['rounds']} rounds of {facts['seconds']:g} s. "
        + "".join(f"Option {option}. " for option in facts["options"]),
        "\n".join(f"- {device}" for device in devices(rows)),
        "## Time",
        "Median ms of writing the inputs, invoking and reading the outputs. In brackets: as a multiple of "
        "ours in the same precision. (*): see the remarks.",
        table(
            ["model", *columns],
            [
                *([name, *(cell(c, row) for c in columns)] for name, row in rows.items()),
                ["**geometric mean**", *means],
            ],
        ),
        remarks(rows),
        "## Difference",
        f"The largest from {columns[0]}, as a share of the output's largest value.",
        table(["model", *columns], each(lambda r: f"{r['difference']:.0e}" if "difference" in r else "–")),
        "## Start",
        "ms from loading the delegate or the model to the first result: with empty caches, and again.",
        table(
            ["model", *columns],
            each(lambda r: f"{number(r.get('cold_ms'))} / {number(r.get('warm_ms'))}" if "ms" in r else "–"),
        ),
        "## Memory of the process",
        "MiB at most (VmHWM); in brackets what the process had before it loaded the model.",
        table(
            ["model", *columns],
            each(
                lambda r: (
                    f"{r['memory'] / 2**20:.0f} ({r['memory_before'] / 2**20:.0f})" if "ms" in r else "–"
                )
            ),
        ),
    ]
    if ours:
        keys = "arena_bytes", "dispatches", "barriers", "pipelines"
        parts += [
            "## What is dispatched",
            "Of ours: bytes of the arena, dispatches, barriers, pipelines.",
            table(
                ["model", *ours],
                [
                    [name, *(" / ".join(f"{row[c][k]:,}" for k in keys if k in row[c]) or "–" for c in ours)]
                    for name, row in rows.items()
                ],
            ),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


class Picture:
    """An SVG picture that grows."""

    def __init__(self, width):
        self.width, self.height, self.parts = width, 0, []

    def text(self, x, y, text, size=12, anchor="start", colour="#222", weight="normal"):
        """A line of text; y is its base line."""
        text = text.replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}">{text}</text>'
        )

    def bar(self, x, y, width, height, colour):
        """A filled rectangle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" fill="{colour}"/>'
        )

    def rule(self, x, top, bottom, colour):
        """A vertical line."""
        self.parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"/>')

    def svg(self):
        """The file's text."""
        size = f'width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"'
        ground = f'<rect width="{self.width}" height="{self.height}" fill="white"/>'
        body = "\n".join([ground, *self.parts])
        return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {FONT}>\n{body}\n</svg>\n'


def picture(facts, rows):
    """Horizontal bars on a logarithmic scale: how many times faster ours is than each peer."""
    peers = [c for c in facts["columns"] if not c.startswith("ours") and ratios(c, rows)]
    groups = [(name, {c: ratio(c, row) for c in peers}) for name, row in rows.items()]
    groups.append(("geometric mean", {c: mean(ratios(c, rows)) for c in peers}))
    groups = [(name, bars) for name, bars in groups if any(bars.values())]
    values = [r for _, bars in groups for r in bars.values() if r]
    low = min(0.5, min(values, default=1))
    high = max(2, max(values, default=1))
    left, right, top, thick, gap = 290, 60, 92, 11, 12
    p = Picture(960)

    def at(r):
        return left + (p.width - left - right) * math.log(r / low) / math.log(high / low)

    p.text(20, 28, "How many times faster than each peer", 18, weight="bold")
    p.text(20, 48, " · ".join(devices(rows)) or processor(), 11, colour="#666")
    x = 20
    for number_, column in enumerate(peers):
        p.bar(x, 62, 12, 12, COLOURS[number_])
        p.text(x + 17, 73, column)
        x += 40 + 7.2 * len(column)
    bottom = top + 8 + sum(thick * len(peers) + gap for _ in groups)
    for decade in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1, 2, 5):
            tick = digit * 10.0**decade
            if low <= tick <= high and tick != 1:
                p.rule(at(tick), top, bottom, "#ddd")
                p.text(at(tick), bottom + 16, f"{tick:g}×", 11, "middle", "#666")
    y = top + 8
    for name, bars in groups:
        middle = y + thick * len(peers) / 2 + 4
        p.text(left - 12, middle, name, anchor="end", weight="bold" if name == groups[-1][0] else "normal")
        for number_, column in enumerate(peers):
            if r := bars[column]:
                p.bar(min(at(1), at(r)), y, abs(at(r) - at(1)), thick - 1, COLOURS[number_])
                p.text(max(at(1), at(r)) + 4, y + thick - 2, f"{number(r, 2)}×", 10, colour="#444")
            y += thick
        y += gap
    p.rule(at(1), top, bottom, "#222")
    p.text(at(1), bottom + 16, "as fast", 11, "middle")
    p.height = bottom + 30
    return p.svg()


def write(folder, facts, rows):
    """Writes report.md, ratios.svg and report.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.md").write_text(markdown(facts, rows))
    (folder / "ratios.svg").write_text(picture(facts, rows))
    (folder / "report.json").write_text(json.dumps({"facts": facts, "models": rows}, indent=1))
