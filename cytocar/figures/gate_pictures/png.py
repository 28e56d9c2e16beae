"""A small PNG of few colours, without a library: what a density picture needs, in about two kilobytes."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]

# From light to dark, evenly in lightness (each step reads in grey print and to colour-blind eyes); level 0 is clear.
RAMP = (
    (255, 255, 255),
    (196, 214, 232),
    (138, 178, 211),
    (106, 157, 200),
    (49, 110, 169),
    (30, 84, 147),
    (14, 57, 117),
)


def indexed_png(levels: Levels) -> bytes:
    """Return a PNG of a few levels, four bits a pixel, level 0 clear (ISO/IEC 15948, 5.6 and 11.2).

    Parameters
    ----------
    levels : ndarray of uint8, shape (height, width)
        0 to 6, top row first; an even width.
    """
    height, width = levels.shape
    if width % 2 or levels.max(initial=0) >= len(RAMP):
        raise ValueError(f"levels must be 0 to {len(RAMP) - 1}, of an even width")
    packed = (levels[:, 0::2] << 4) | levels[:, 1::2]
    rows = np.zeros((height, 1 + width // 2), dtype=np.uint8)  # each row starts with its filter type, 0: none
    rows[:, 1:] = packed
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(part for color in RAMP for part in color)),
            _chunk(b"tRNS", b"\0"),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
