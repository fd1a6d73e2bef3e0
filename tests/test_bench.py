"""The benchmark: a column that fails tells why and hides no other; the report holds what was measured."""

import json
import subprocess
import sys

import drivers

RUN = drivers.ROOT / "bench" / "run.py"


def bench(folder, library, *more):
    """The report's JSON of a short run on one small model."""
    command = [sys.executable, RUN, "--delegate", library, "--models", "hand_recrop", "--out", folder]
    short = ["--rounds", "2", "--seconds", "0.05", "--driver", "lavapipe"]
    subprocess.run([*command, *short, *more], check=True, timeout=300)
    return json.loads((folder / "report.json").read_text())["models"]["mediapipe/hand_recrop"]


def test_report(library, tmp_path):
    """Times, differences, starts and memory of every column, in all three files."""
    row = bench(tmp_path, library, "--columns", "XNNPACK 1*,ours*")
    assert list(row) == ["XNNPACK 1 thread", "ours fp32", "ours fp16", "ours fp16-fast"]
    assert "as fp16" in row["ours fp16-fast"]["remarks"][0]
    for result in row.values():
        assert result["difference"] < 0.01
        assert min(result[key] for key in ("ms", "cold_ms", "warm_ms", "memory_before")) > 0
        assert result["memory"] > result["memory_before"]
    assert row["ours fp32"]["dispatches"] > 10
    text = (tmp_path / "report.md").read_text()
    assert f"{row['ours fp32']['dispatches']:,} / " in text
    assert "failed" not in text
    assert (tmp_path / "ratios.svg").read_text().count("<rect") > 2


def test_refusal(tmp_path):
    """A library that is missing fails its column, with the reason."""
    row = bench(tmp_path, tmp_path / "missing.so", "--columns", "XNNPACK 1*,ours fp32", "--no-starts")
    assert "missing.so" in row["ours fp32"]["error"]
    assert "error" not in row["XNNPACK 1 thread"]
    assert "ours fp32: failed: " in (tmp_path / "report.md").read_text()


def test_timeout(library, tmp_path):
    """A column that does not answer in time is ended and says so."""
    row = bench(tmp_path, library, "--columns", "ours fp32", "--timeout", "0.01")
    assert row["ours fp32"]["error"] == "no answer within 0.01 s"
