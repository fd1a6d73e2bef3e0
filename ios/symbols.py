"""The names that a static library for Apple's systems needs, read from it without Apple's tools.

symbols.py LIBRARY...     prints the names
"""

import pathlib
import struct
import sys

ARCHIVE, MACH_O_64, SYMBOL_TABLE = b"!<arch>\n", 0xFEEDFACF, 2
DEBUGGING, TYPE, EXTERNAL, UNDEFINED = 0xE0, 0x0E, 0x01, 0x00
# What Rust's standard library and we ask of libSystem.
LISTED = pathlib.Path(__file__).with_name("symbols.txt")


def members(data):
    """The files in an archive."""
    if not data.startswith(ARCHIVE):
        raise ValueError("not an archive")
    at = len(ARCHIVE)
    while at < len(data):
        name, size = data[at : at + 16], int(data[at + 48 : at + 58])
        start = at + 60
        # BSD's archives hold long names in front of the file.
        skip = int(name[3:]) if name.startswith(b"#1/") else 0
        yield data[start + skip : start + size]
        at = start + size + size % 2


def symbols(file):
    """Names that an object file defines, and those that it needs."""
    defined, needed = set(), set()
    if len(file) < 32 or struct.unpack_from("<I", file)[0] != MACH_O_64:
        return defined, needed
    at = 32
    for _ in range(struct.unpack_from("<I", file, 16)[0]):
        command, size = struct.unpack_from("<II", file, at)
        if command == SYMBOL_TABLE:
            table, count, texts, _ = struct.unpack_from("<IIII", file, at + 8)
            for i in range(count):
                text, kind, _, _, value = struct.unpack_from("<IBBHQ", file, table + 16 * i)
                start = texts + text
                name = file[start : file.index(b"\0", start)].decode()
                if kind & DEBUGGING:
                    continue
                if kind & TYPE != UNDEFINED or value:
                    defined.add(name)
                elif kind & EXTERNAL:
                    needed.add(name)
        at += size
    return defined, needed


def undefined(library):
    """Names that a static library needs and does not define."""
    pairs = [symbols(file) for file in members(library.read_bytes())]
    return set().union(*(needed for _, needed in pairs)) - set().union(*(defined for defined, _ in pairs))


def unlisted(library):
    """What it needs beyond `symbols.txt`."""
    return sorted(undefined(library) - set(LISTED.read_text().split()))


if __name__ == "__main__":
    print("\n".join(sorted(set().union(*(undefined(pathlib.Path(path)) for path in sys.argv[1:])))))
