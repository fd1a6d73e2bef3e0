"""The project's facts, from Cargo.toml: the one place where they stand."""

import pathlib
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
VERSION = PACKAGE["version"]
EPOCH = (2026, 1, 1, 0, 0, 0)  # of everything in an archive, so that the same sources give the same bytes
