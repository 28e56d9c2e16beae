"""Damage FCS files in every way we can think of, and see that the reader never misreads, crashes, hangs or swells.

Every trial takes a good file, damages it, opens it and reads all its columns. What may happen depends on the damage: a
cut file must be refused; a wrong number in HEADER or TEXT must be refused or repaired to the very same values; damage
inside DATA may change values but not their number. Whatever happens, an error carries a code.

    nice python -m benchmarks.fuzz.reader --trials 100000 --seed 1 FOLDER...

FOLDER holds real FCS files; without one, only files built here are used. A file that fails is kept under its trial's
number; ``--trials 1 --first NUMBER`` repeats the trial.
"""

from __future__ import annotations

import argparse
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from types import FrameType

import numpy as np

from cytocar import EventTable, open_fcs
from cytocar.errors.tree import CytocarError
from cytocar.fcs.decode import DataSource, as_stored
from cytocar.fcs.keywords import acquired_at, acquired_volume, duration_seconds, identifying_keywords, plate, well
from tests.fcs.files import floats, integers

LARGEST_FILE = 300_000
SECONDS = 5
MEMORY = 400 << 20


class May(StrEnum):
    """What may follow from a damage."""

    REFUSE = "be refused"
    SAME = "be refused or read the same"
    SHAPE = "be refused or keep events and names"
    ANY = "be refused or read"


@dataclass(frozen=True)
class Good:
    """An undamaged file and how it reads; ``data`` is where its DATA lies."""

    name: str
    content: bytes
    events: int
    names: tuple[str, ...]
    sums: tuple[float, ...]
    text: range
    data: range


Damage = tuple[bytes, May]
Damager = Callable[[Good, Random], Damage]


def flip_bits(good: Good, rng: Random) -> Damage:
    """Flip up to eight bits anywhere."""
    content = bytearray(good.content)
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content), May.ANY


def flip_data(good: Good, rng: Random) -> Damage:
    """Flip bits of events."""
    if not good.data:
        return good.content, May.SAME
    content = bytearray(good.content)
    for _ in range(rng.randint(1, 8)):
        content[rng.choice(good.data)] ^= 1 << rng.randrange(8)
    return bytes(content), May.SHAPE


def flip_text(good: Good, rng: Random) -> Damage:
    """Change bytes of TEXT."""
    content = bytearray(good.content)
    for _ in range(rng.randint(1, 4)):
        content[rng.choice(good.text)] = rng.randrange(256)
    return bytes(content), May.ANY


def cut(good: Good, rng: Random) -> Damage:
    """Cut the file short, inside DATA or before."""
    end = rng.randrange(max(1, good.data.stop - 1))
    return good.content[:end], May.REFUSE


def insert(good: Good, rng: Random) -> Damage:
    """Insert bytes: zeros, noise or a piece of the file itself."""
    place, length = rng.randrange(len(good.content)), rng.randint(1, 400)
    start = rng.randrange(len(good.content))
    piece = rng.choice([bytes(length), rng.randbytes(length), good.content[start : start + length]])
    return good.content[:place] + piece + good.content[place:], May.ANY


def remove(good: Good, rng: Random) -> Damage:
    """Remove bytes."""
    place = rng.randrange(len(good.content))
    return good.content[:place] + good.content[place + rng.randint(1, 400) :], May.ANY


def lie_in_header(good: Good, rng: Random) -> Damage:
    """Write another number, or none, into an offset of HEADER that says where DATA lies."""
    field = rng.choice([26, 34])
    value = rng.choice([_number(rng), " " * 8, "99999999", "00000000", "-1", "1e9"])
    return _put(good.content, field, value), May.SAME


def lie_about_text(good: Good, rng: Random) -> Damage:
    """Write another number into an offset of HEADER that says where TEXT lies."""
    return _put(good.content, rng.choice([10, 18]), _number(rng)), May.ANY


def lie_in_text(good: Good, rng: Random) -> Damage:
    """Give $TOT, $PAR or an offset of DATA another number of the same length."""
    return _other_value(good, rng, rb"\$(?:TOT|PAR|BEGINDATA|ENDDATA)", May.SAME)


def lie_about_channels(good: Good, rng: Random) -> Damage:
    """Give a keyword of a channel, or of the data's form, another value of the same length."""
    return _other_value(good, rng, rb"\$(?:P\d+[BREGN]|MODE|DATATYPE|BYTEORD|NEXTDATA|BEGINSTEXT|ENDSTEXT)", May.ANY)


def join(good: Good, rng: Random) -> Damage:
    """Append the file to itself, or the beginning of it."""
    return good.content + good.content[: rng.randrange(len(good.content))], May.ANY


DAMAGERS: tuple[Damager, ...] = (
    flip_bits, flip_data, flip_text, cut, insert, remove, lie_in_header, lie_about_text, lie_in_text,
    lie_about_channels, join,
)  # fmt: skip


def _number(rng: Random) -> str:
    return rng.choice([str(rng.randrange(10 ** rng.randint(1, 8))), "9" * 8, "0", "1", "57", "58"]).rjust(8)


def _put(content: bytes, place: int, value: str) -> bytes:
    return content[:place] + value.encode().rjust(8)[:8] + content[place + 8 :]


def _other_value(good: Good, rng: Random, key: bytes, may: May) -> Damage:
    text = good.content[good.text.start : good.text.stop]
    mark = re.escape(text[:1])
    places = [found.span(1) for found in re.finditer(key + rb"\s*" + mark + rb"([^" + mark + rb"]+)", text)]
    if not places:
        return good.content, May.SAME
    start, end = (good.text.start + place for place in rng.choice(places))
    length = end - start
    digits = "".join(rng.choice("0123456789") for _ in range(length)).encode()
    value = rng.choice([digits, b"9" * length, b"0" * length, rng.randbytes(length), b" " * length, b"1".rjust(length)])
    return good.content[:start] + value.replace(text[:1], b"7") + good.content[end:], may


def read(path: Path) -> tuple[int, tuple[str, ...], tuple[float, ...]]:
    """Return what a user gets from a file: events, names, sums of the stored values; ask the keywords too."""
    events = open_fcs(path)
    for ask in (acquired_at, duration_seconds, plate, identifying_keywords):
        ask(events)
    for ask_certain in (acquired_volume, well):
        with suppress(CytocarError):
            ask_certain(events)
    return events.n_events, tuple(channel.detector for channel in events.channels), _sums(events)


def _sums(events: EventTable) -> tuple[float, ...]:
    stored = as_stored(events)
    with np.errstate(all="ignore"):
        return tuple(stored.columns(stored.channels).sum(axis=0).tolist())


def good_files(folders: list[Path], scratch: Path) -> Iterator[Good]:
    """Yield the files to damage: small ones of the folders, and some built here."""
    rng = np.random.default_rng(7)
    for number, file in enumerate(
        (
            floats(rng.normal(1000, 300, (50, 4))),
            integers(rng.integers(0, 1024, (60, 3)), ">u2"),
            integers(rng.integers(0, 1024, (60, 3)), "<u2", bits=[10, 10, 10], version="FCS2.0"),
            integers(rng.integers(0, 200, (40, 5)), "<u1"),
            floats(rng.normal(0, 1, (30, 2)), delimiter="|", keywords={"NOTE": "a|b", "$SPILLOVER": "2,C1,C2,1,0,0,1"}),
        )
    ):
        yield _good(file.write(scratch / f"built{number}.fcs"))
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in {".fcs", ".lmd", ".001"} or path.stat().st_size > LARGEST_FILE:
                continue
            try:
                yield _good(path)
            except CytocarError:
                continue


def _good(path: Path) -> Good:
    content = path.read_bytes()
    events = open_fcs(path)
    source = events.source
    first = getattr(source, "first", 0)
    length = source.n_events * source.layout.event_bytes if isinstance(source, DataSource) else 0
    number, names, sums = read(path)
    text = range(int(content[10:18]), int(content[18:26]) + 1)
    return Good(path.name, content, number, names, sums, text, range(first, first + length))


class TooSlow(BaseException):
    """A trial took longer than the limit."""


@contextmanager
def limited() -> Iterator[None]:
    """Raise TooSlow after the time limit."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def judge(good: Good, may: May, path: Path) -> tuple[str, str | None]:
    """Return the outcome's name, and what is wrong with it."""
    try:
        with limited():
            events, names, sums = read(path)
    except CytocarError as error:
        return error.code, None if re.fullmatch(r"E\d{3}", error.code) and error.hint else "error without code or hint"
    except TooSlow:
        return "hang", f"took more than {SECONDS} s"
    except BaseException:  # noqa: BLE001 -- whatever escapes is what this program looks for
        return "crash", traceback.format_exc()
    if may is May.REFUSE:
        return "read", "read although it was cut short"
    if may in (May.SAME, May.SHAPE) and (events, names) != (good.events, good.names):
        return "read", f"{events} events of {len(names)} channels instead of {good.events} of {len(good.names)}"
    if may is May.SAME and not np.allclose(sums, good.sums, equal_nan=True):
        return "read", "other values"
    return "read", None


def main() -> None:
    """Run the trials and write the report to stdout."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz_failures"))
    given = parser.parse_args()
    outcomes: Counter[str] = Counter()
    slowest, failures = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        goods = list(good_files(given.folders, scratch))
        resource.setrlimit(resource.RLIMIT_AS, (_virtual_memory() + MEMORY, resource.RLIM_INFINITY))
        path = scratch / "damaged.fcs"
        for number in range(given.first, given.first + given.trials):
            rng = Random(f"{given.seed} {number}")
            good, damage = rng.choice(goods), rng.choice(DAMAGERS)
            content, may = damage(good, rng)
            path.write_bytes(content)
            began = time.perf_counter()
            outcome, wrong = judge(good, may, path)
            slowest = max(slowest, time.perf_counter() - began)
            outcomes[outcome] += 1
            if wrong is not None:
                failures += 1
                given.keep.mkdir(exist_ok=True)
                (given.keep / f"{number}-{damage.__name__}-{good.name}").write_bytes(content)
                print(f"trial {number}: {damage.__name__} of {good.name} may {may}: {wrong}", flush=True)
    listed = ", ".join(f"{name} {count:,}" for name, count in outcomes.most_common())
    print(f"{given.trials:,} trials on {len(goods)} files, seed {given.seed}: {failures} failures; {listed}")
    print(
        f"slowest {slowest * 1000:.0f} ms; memory limit {MEMORY >> 20} MB above the start never reached"
        * (not failures)
    )
    sys.exit(1 if failures else 0)


def _virtual_memory() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
