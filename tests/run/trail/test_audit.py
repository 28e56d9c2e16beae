"""The audit trail: every change to it shows, and is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cytocar.run.trail.audit import NOTHING_BEFORE, Act, Action, Author, Entry, Trail, parse_trail, read_trail, trail

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
ME = Author("A. Muster", "muster")


def four_entries() -> tuple[Entry, ...]:
    acts = [
        Act(Action.RUN_STARTED, "2 samples"),
        Act(Action.SAMPLE_FAILED, "d9", why="E012: not an FCS file"),
        Act(Action.RUN_FINISHED, "2 samples", after="1 failed, 1 ok"),
        Act(Action.OVERRIDE, "d0 / t_cells", before="CD3 min 1200", after="CD3 min 1350", why="dim CD3 in µ-tube"),
    ]
    return trail(acts, ME, after=None, now=NOON, manifest_sha256="ab" * 32)


def lines_of(entries: tuple[Entry, ...]) -> list[bytes]:
    return [entry.line for entry in entries]


def places(found: Trail) -> list[int]:
    return [broken.line for broken in found.breaks]


def test_a_trail_is_read_as_it_was_written() -> None:
    entries = four_entries()
    found = parse_trail(b"".join(lines_of(entries)))
    assert found == Trail(entries, ())
    assert found.last is not None
    assert found.last.why == "dim CD3 in µ-tube"


def test_each_entry_holds_the_hash_of_the_one_before() -> None:
    entries = four_entries()
    assert entries[0].previous == NOTHING_BEFORE
    assert [entry.previous for entry in entries[1:]] == [entry.sha256 for entry in entries[:-1]]
    assert [entry.number for entry in entries] == [1, 2, 3, 4]


def test_every_byte_changed_is_found_and_its_line_named() -> None:
    lines = lines_of(four_entries())
    content = b"".join(lines)
    line, in_line = 1, 0
    for place, byte in enumerate(content):
        for changed in {byte ^ 1, byte ^ 0x20, 0x20, 0x0A} - {byte}:
            found = parse_trail(content[:place] + bytes([changed]) + content[place + 1 :])
            assert found.breaks, (place, changed)
            assert line in {*places(found), places(found)[0] - 1}, (place, changed)
        in_line += 1
        if in_line == len(lines[line - 1]):
            line, in_line = line + 1, 0


def test_a_line_removed_is_named() -> None:
    lines = lines_of(four_entries())
    found = parse_trail(lines[0] + lines[2] + lines[3])
    assert [str(broken) for broken in found.breaks] == [
        "audit.jsonl line 2: entry 2 is not there: a line was removed or changed before entry 3"
    ]


def test_a_line_added_twice_is_named() -> None:
    lines = lines_of(four_entries())
    found = parse_trail(lines[0] + lines[1] + lines[1] + lines[2] + lines[3])
    assert 3 in places(found)
    assert "stands 2 times" in found.breaks[0].message


def test_lines_swapped_are_named() -> None:
    lines = lines_of(four_entries())
    found = parse_trail(lines[0] + lines[2] + lines[1] + lines[3])
    assert places(found) == [2, 3, 4]
    assert "swapped" in found.breaks[0].message


def test_a_torn_last_line_is_told_apart_from_a_changed_one() -> None:
    content = b"".join(lines_of(four_entries()))
    found = parse_trail(content[:-30])
    assert len(found.entries) == 3
    assert content[:-30].endswith(found.torn)
    assert [broken.line for broken in found.breaks] == [4]


def test_an_entry_by_hand_with_a_hash_of_its_own_does_not_fit_its_neighbours() -> None:
    entries = four_entries()
    forged = trail([Act(Action.SIGNED, "run")], ME, after=entries[1], now=NOON, manifest_sha256="ab" * 32)
    found = parse_trail(b"".join(lines_of((*entries[:2], *forged, *entries[3:]))))
    assert places(found) == [4]


def test_a_clock_set_back_is_noted_and_the_order_is_the_chains() -> None:
    (first,) = trail([Act(Action.RUN_STARTED, "run")], ME, after=None, now=NOON, manifest_sha256="")
    earlier = NOON - timedelta(hours=1)
    (second,) = trail([Act(Action.SIGNED, "run")], ME, after=first, now=earlier, manifest_sha256="")
    assert (first.clock_set_back, second.clock_set_back) == (False, True)
    assert not parse_trail(first.line + second.line).breaks


def test_a_folder_without_a_trail_has_an_empty_one(tmp_path: Path) -> None:
    assert read_trail(tmp_path) == Trail((), ())


@given(st.text(), st.text(), st.text())
def test_any_text_survives_and_stays_on_its_line(operator: str, what: str, why: str) -> None:
    entries = trail(
        [Act(Action.OVERRIDE, what, why=why)], Author(operator, "me"), after=None, now=NOON, manifest_sha256=""
    )
    assert parse_trail(entries[0].line) == Trail(entries, ())


def test_a_number_beyond_all_counting_is_named_at_once() -> None:
    first = four_entries()[0]
    far = trail([Act(Action.SIGNED, "run")], ME, after=first, now=NOON, manifest_sha256="ab" * 32)[0]
    far = replace(far, number=10**15)  # counting up to it would take days
    found = parse_trail(b"".join(lines_of((first, replace(far, sha256=far.content_sha256())))))
    assert [broken.line for broken in found.breaks] == [2]
    assert "entries 2 to 999999999999999 is not there" in found.breaks[0].message
