"""What of a model stays on the CPU and why, from the library's own log."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from ._files import path
from ._host import Host, texts

PREFIX = re.compile(r"^tflite-vulkan: (error|warn|info|debug): (.*)$")
SUMMARY = re.compile(r"^(\d+) of (\d+) nodes delegated in (\d+) partitions$")
NODE = re.compile(r"^#(\d+) (.*?): (?:delegated|on the CPU: (.*))$")
WHOLE = re.compile(r"^the (?:whole model|subgraph) stays on the CPU: (.*)$")
DEVICE = re.compile(r"^device (.*)$")


class Node(NamedTuple):
    """A node and its fate."""

    index: int
    operator: str
    reason: str | None
    """Why it stays on the CPU; None if it is delegated."""


class Subgraph(NamedTuple):
    """The nodes of a subgraph and into how many partitions the delegated ones fall."""

    nodes: list[Node]
    partitions: int


class Report(NamedTuple):
    """What the delegate said of a model."""

    device: str
    subgraphs: list[Subgraph]
    totals: list[tuple[int, int]]
    """Of each subgraph, how many nodes are delegated, and of how many."""
    refused: list[str]
    """Why nothing at all was looked at, if so."""
    messages: list[str]
    """Warnings and errors besides."""


@contextlib.contextmanager
def captured() -> Iterator[list[str]]:
    """Gives the lines that the process writes to standard error, also from C; complete afterwards."""
    lines: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            lines += file.read().decode(errors="replace").splitlines()


def parse(lines: list[str]) -> Report:
    """Reads a log of level debug."""
    device, subgraphs, totals, refused, messages = "", [], [], [], []
    for line in lines:
        prefixed = PREFIX.match(line)
        if not prefixed:
            continue
        level, text = prefixed.groups()
        if found := SUMMARY.match(text):
            subgraphs.append(Subgraph([], int(found[3])))
            totals.append((int(found[1]), int(found[2])))
        elif (found := NODE.match(text)) and subgraphs:
            subgraphs[-1].nodes.append(Node(int(found[1]), found[2], found[3]))
        elif found := WHOLE.match(text):
            refused.append(found[1])
        elif level == "info" and (found := DEVICE.match(text)):
            device = found[1]
        elif level in ("error", "warn"):
            messages.append(f"{level}: {text}")
    return Report(device, subgraphs, totals, refused, messages)


def why(host: Host, model: str, options: dict[str, Any]) -> Report:
    """Gives a model to the delegate and collects what becomes of each node."""
    with captured() as lines:
        delegate = host.load_delegate(str(path()), texts(options | {"log_level": "debug"}))
        interpreter = host.Interpreter(model, experimental_delegates=[delegate])
        del interpreter, delegate
    return parse(lines)


def reasons(subgraph: Subgraph) -> list[tuple[int, str, str, str]]:
    """Number of nodes, operator, reason and the first nodes' indices, the most frequent first."""
    groups: dict[tuple[str, str], list[int]] = collections.defaultdict(list)
    for node in subgraph.nodes:
        if node.reason is not None:
            groups[node.operator, node.reason].append(node.index)
    rows = [
        (len(nodes), operator, reason, " ".join(f"#{i}" for i in nodes[:5]) + (" ..." if nodes[5:] else ""))
        for (operator, reason), nodes in groups.items()
    ]
    return sorted(rows, key=lambda row: -row[0])
