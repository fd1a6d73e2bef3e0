"""Tables, and what is told while something is at work."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """Columns under their heads; those whose head is among the words of `right` are set to the right."""
    lines = [list(head), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    to_the_right = right.split()

    def cell(i: int, text: str) -> str:
        return text.rjust(widths[i]) if head[i] in to_the_right else text.ljust(widths[i])

    return "\n".join("  ".join(cell(i, text) for i, text in enumerate(line)).rstrip() for line in lines)


class Progress:
    """One line on a terminal's standard error that is overwritten; elsewhere one line per step."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def tell(self, step: str) -> None:
        """Shows what is at work now."""
        end = "" if self._terminal else "\n"
        erase = "\r\033[K" if self._terminal else ""
        print(f"{erase}{step} ...", end=end, file=sys.stderr, flush=True)

    def done(self) -> None:
        """Removes the line."""
        if self._terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
