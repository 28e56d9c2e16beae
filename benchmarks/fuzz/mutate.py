"""Ways to damage text, XML, JSON, workbooks and bytes that know what these are made of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from random import Random
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

NASTY = (
    "", " ", "0", "-1", "1e308", "1e-320", "1e400", "nan", "inf", "-inf", "²", "１２", "0x10", "1_000", "9" * 400, "1,5", "true", "null", "[]", "{}",
    "\u0000", "\ud7ff", "\\ud800", "ß", "\u202e", "a" * 5000, '"', "'", "#", "=1+1", "../../etc/passwd", "/dev/zero", "s3://x/y", "2026-02-30",
)  # fmt: skip
_TOKEN = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|[A-Za-z_$][\w.-]*|\"[^\"\n]*\"|[^\w\s]")

Mutator = Callable[[bytes, Random, Sequence[bytes]], bytes]


def flip(content: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """Change up to eight bytes."""
    changed = bytearray(content or b" ")
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def cut(content: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """End it anywhere."""
    return content[: rng.randrange(len(content) + 1)]


def replace_token(content: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """Put something nasty in place of a number, a word or a sign."""
    places = [found.span() for found in _TOKEN.finditer(content)]
    for _ in range(rng.randint(1, 3)):
        if not places:
            break
        start, end = places.pop(rng.randrange(len(places)))
        content = content[:start] + rng.choice(NASTY).encode("utf-8", "replace") + content[end:]
        places = [found.span() for found in _TOKEN.finditer(content)] if len(content) < 100_000 else []
    return content


def swap_tokens(content: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """Exchange two tokens."""
    places = [found.span() for found in _TOKEN.finditer(content)]
    if len(places) < 2:
        return content
    (a, b), (c, d) = sorted(rng.sample(places, 2))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


LARGEST = 4_000_000
"""Bytes of a damaged file: what a line is repeated up to, so that the damage itself takes no more memory than that."""


def lines(content: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Remove, repeat or swap lines, or take one of another file."""
    parts = content.split(b"\n")
    place = rng.randrange(len(parts))
    match rng.randrange(5):
        case 0:
            del parts[place]
        case 1:
            parts[place:place] = [parts[place]] * min(rng.choice([1, 2, 3000]), LARGEST // (len(parts[place]) + 1) + 1)
        case 2:
            other = rng.randrange(len(parts))
            parts[place], parts[other] = parts[other], parts[place]
        case 3:
            parts.insert(place, rng.choice(rng.choice(others).split(b"\n")))
        case _:
            parts[place] = parts[place] * min(rng.choice([2, 50, 20_000]), LARGEST // (len(parts[place]) + 1) + 1)
    return b"\n".join(parts)[:LARGEST]


def nest(content: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """Insert brackets or elements within each other, closed or not."""
    depth = rng.choice([3, 100, 1_000, 30_000])
    opening, closing = rng.choice(
        [(b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>"), (b"<AndNode><Subpopulations>", b"</Subpopulations></AndNode>"),
         (b"(", b")"), (b"a.", b""), (b'"', b'"'), (b"{a=", b"}")]
    )  # fmt: skip
    place = rng.randrange(len(content) + 1)
    inner = opening * depth + (closing * depth if rng.random() < 0.7 else b"")
    return content[:place] + inner + content[place:]


def splice(content: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Go on with another file from the middle."""
    other = rng.choice(others)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def json_value(content: bytes, rng: Random, _others: Sequence[bytes]) -> bytes:
    """Put a value of another type somewhere into JSON, or remove a key."""
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return replace_token(content, rng, _others)
    places: list[tuple[Any, Any]] = []
    todo = [read]
    while todo:
        here = todo.pop()
        keys: Sequence[Any] = (
            list(here) if isinstance(here, dict) else range(len(here)) if isinstance(here, list) else ()
        )
        for key in keys:
            places.append((here, key))
            todo.append(here[key])
    if not places:
        return b"[]"
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(
            [None, True, 0, -1, 10**400, 1e308, float("nan"), "", "\ud800", [], {}, [[]], {"a": 1}, *NASTY[:20]]
        )
    return json.dumps(read).encode()


TEXT: tuple[Mutator, ...] = (flip, cut, replace_token, replace_token, swap_tokens, lines, nest, splice)
JSON: tuple[Mutator, ...] = (json_value, json_value, json_value, flip, cut, nest, replace_token)


def workbook(content: bytes, rng: Random, others: Sequence[bytes]) -> bytes:
    """Damage one part of a workbook, which stays a whole ZIP file."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 -- it was damaged as a file before
        return flip(content, rng, others)
    name = rng.choice(list(parts))
    parts[name] = rng.choice(TEXT)(parts[name], rng, list(parts.values()))
    if rng.random() < 0.1:
        del parts[name]
    out = BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for part, inner in parts.items():
            archive.writestr(part, inner)
    return out.getvalue()


WORKBOOK: tuple[Mutator, ...] = (workbook, workbook, workbook, flip, cut)
