"""Steady flow is left alone, disturbed flow is cut; rules and flags become findings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cytocar.errors.findings import Severity
from cytocar.errors.tree import TemplateError
from cytocar.fcs.events import EventTable
from cytocar.fcs.reader import open_fcs
from cytocar.gates.decision import Decision, Flag, Source
from cytocar.sample.quality.acceptance import check_acceptance, gate_findings
from cytocar.sample.quality.flow import Bools, Floats, flow_quality, time_quality
from cytocar.signals.declaration import declare
from cytocar.template.gate_kinds import ValleyGate
from cytocar.template.model import Acceptance, Population, Template


def steady(n: int, seed: int = 0) -> tuple[Floats, dict[str, Floats]]:
    """Return the clock (hundredths of a second) and signals of a run of mixed cells at 1000 events/s."""
    random = np.random.default_rng(seed)
    clock = np.cumsum(random.exponential(0.1, n))
    t_cell = random.random(n) < 0.4
    cd3 = np.where(t_cell, 6000 * np.exp(random.normal(0, 0.3, n)), random.normal(90, 60, n))
    fsc = np.where(t_cell, 97e3, 150e3) * np.exp(random.normal(0, 0.13, n))
    return clock, {"CD3": cd3, "FSC-A": fsc}


def disturbed(n: int, *, slower: float, gain: float = 1.0, at: float = 0.4) -> tuple[Floats, dict[str, Floats], Bools]:
    """Return a run with a tenth of its events at another pace and gain, and which events those are."""
    clock, signals = steady(n)
    where = np.zeros(n, dtype=bool)
    where[int(at * n) : int((at + 0.1) * n)] = True
    steps = np.diff(clock, prepend=0)
    clock = np.cumsum(np.where(where, slower * steps, steps))
    return clock, {marker: np.where(where, gain * values, values) for marker, values in signals.items()}, where


@pytest.mark.parametrize("n", [3000, 30_000, 300_000])
@pytest.mark.parametrize("seed", range(5))
def test_steady_flow_loses_nothing(n: int, seed: int) -> None:
    quality = time_quality(*steady(n, seed))
    assert quality.keep is None
    assert [finding.outcome for finding in quality.findings] == [Severity.PASS]


@pytest.mark.parametrize("n", [5000, 50_000, 500_000])
@pytest.mark.parametrize(("slower", "gain"), [(5.0, 1.0), (8.0, 0.8), (0.4, 1.0), (0.4, 1.2), (1.0, 1.5)])
def test_clogs_surges_and_shifts_are_cut(n: int, slower: float, gain: float) -> None:
    clock, signals, where = disturbed(n, slower=slower, gain=gain)
    quality = time_quality(clock, signals)
    assert quality.keep is not None
    assert quality.keep[where].mean() <= 0.03
    assert quality.keep[~where].mean() > 0.85
    assert quality.findings[0].code == "W282"


def test_unsteady_start_is_named() -> None:
    clock, signals, _ = disturbed(50_000, slower=0.3, at=0.0)
    assert "an unsteady start" in time_quality(clock, signals).findings[0].message


def test_a_run_that_is_mostly_disturbed_fails_and_is_not_cut() -> None:
    clock, signals = steady(50_000)
    third = np.arange(50_000) < 20_000
    signals = {marker: np.where(third, 2 * values, values) for marker, values in signals.items()}
    clock = np.cumsum(np.where(third, 4.0, 1.0) * np.diff(clock, prepend=0))
    quality = time_quality(clock, signals)
    assert quality.keep is None
    assert quality.findings[0].outcome is Severity.FAIL


def test_drift_is_flagged_and_never_cut() -> None:
    clock, signals = steady(50_000)
    signals["CD3"] = signals["CD3"] * np.linspace(1.0, 0.7, 50_000)
    quality = time_quality(clock, signals)
    assert quality.keep is None
    assert [finding.code for finding in quality.findings] == ["", "W284"]
    assert "CD3" in quality.findings[1].message


def test_a_drift_of_negatives_is_told_in_units_of_the_scale_and_not_as_a_factor() -> None:
    clock, signals = steady(50_000)
    random = np.random.default_rng(5)
    signals["CD8"] = random.normal(15, 20, 50_000) + np.linspace(0, 45, 50_000)
    signals["CD3"] = 4000 * np.exp(random.normal(0, 0.2, 50_000)) * np.linspace(1.0, 1.5, 50_000)
    messages = {finding.message for finding in time_quality(clock, signals).findings if finding.code == "W284"}
    of_cd3, of_cd8 = sorted(messages)
    assert re.match(r"CD3 drifts by \+(4[5-9]|5[0-5]) %", of_cd3)
    first, last = map(float, re.findall(r"from (-?\d+) to (-?\d+)", of_cd8)[0])
    assert last - first == pytest.approx(45, abs=6)


def test_few_events_are_not_judged() -> None:
    assert [finding.code for finding in time_quality(*steady(2000)).findings] == ["W280"]


def test_time_that_runs_backwards_is_not_judged() -> None:
    clock, signals = steady(10_000)
    (said,) = time_quality(np.r_[clock[5000:], clock[:5000]], signals).findings
    assert (said.code, said.outcome) == ("W281", Severity.REVIEW)


def test_constant_time_does_not_divide_by_zero() -> None:
    assert time_quality(np.zeros(10_000), steady(10_000)[1]).keep is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_a_few_times_that_are_no_numbers_hide_no_clog_and_make_no_surge(odd: float) -> None:
    clock, signals, where = disturbed(50_000, slower=8.0)
    expected = time_quality(clock, signals)
    clock[[0, 7_000, 22_000, 49_999]] = odd
    quality = time_quality(clock, signals)
    assert [finding.code for finding in quality.findings] == [finding.code for finding in expected.findings]
    assert "a clog" in quality.findings[0].message
    assert "a surge" not in quality.findings[0].message
    assert quality.keep is not None
    assert not quality.keep[where].any()


@pytest.mark.filterwarnings("error")
def test_a_clock_without_any_number_and_infinite_signals_are_not_judged_and_warn_of_nothing() -> None:
    clock, signals = steady(5000)
    (finding,) = time_quality(np.full(5000, np.nan), signals).findings
    assert (finding.code, finding.outcome) == ("W280", Severity.NOTE)
    signals["CD3"][::2] = np.inf
    assert time_quality(clock, signals).keep is None


def test_acceptance_names_the_value_and_the_limit() -> None:
    rules = (
        Acceptance(check="viability_percent", minimum=70, on_fail="no_count"),
        Acceptance(check="beads", maximum=9),
    )
    failed, passed = check_acceptance(rules, {"viability_percent": 65.0, "beads": 5.0})
    assert (failed.outcome, failed.value, failed.limit) == (Severity.NO_COUNT, 65.0, 70)
    assert passed.outcome is Severity.PASS


def test_unknown_number_is_for_review_not_passed() -> None:
    (finding,) = check_acceptance((Acceptance(check="viability_percent", minimum=70),), {"viability_percent": None})
    assert (finding.code, finding.outcome) == ("W286", Severity.REVIEW)


def test_unknown_check_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(TemplateError) as caught:
        check_acceptance((Acceptance(check="viabilty_percent", minimum=70),), {"viability_percent": 90.0})
    assert caught.value.code == "E170"
    assert "viability_percent" in caught.value.hint


def template(keep: str) -> Template:
    gate = declare(ValleyGate, {"kind": "valley", "marker": "X", "keep": keep, "fallback": 1000, "window": [400, 5000]})
    panel = {"X": {"aliases": ["X"]}}
    return declare(
        Template,
        {
            "name": "t",
            "version": "1.0.0",
            "panel": panel,
            "populations": [Population(name="p", gate=gate)],
        },
    )


@pytest.mark.parametrize(("keep", "outcome"), [("above", Severity.REVIEW), ("below", Severity.NOTE)])
def test_no_valley_is_normal_only_where_nothing_bright_is_needed(keep: str, outcome: Severity) -> None:
    decision = Decision("p", "valley", "threshold", 1000, Source.FALLBACK, flags=(Flag.NO_VALLEY,))
    (finding,) = gate_findings((decision, decision), template(keep), by_beads=True)
    assert (finding.code, finding.outcome) == ("NO_VALLEY", outcome)


def table(clock: Floats, signals: dict[str, Floats]) -> EventTable:
    return EventTable.from_columns({"Time": clock, **signals})


def test_a_file_is_judged_by_its_clock_and_the_mask_covers_every_event() -> None:
    clock, signals, where = disturbed(170_001, slower=5.0)
    events = table(clock, signals)
    keep = flow_quality(events, [events.channel("CD3"), events.channel("FSC-A")]).keep
    assert keep is not None
    assert keep.shape == (170_001,)
    assert keep[where].mean() <= 0.03
    assert keep[~where].mean() > 0.9


def test_a_file_without_a_clock_is_not_judged() -> None:
    events = EventTable.from_columns({"FSC-A": np.ones(5000)})
    assert [finding.code for finding in flow_quality(events, events.channels).findings] == ["W280"]


def test_an_empty_file_is_not_judged() -> None:
    events = table(np.zeros(0), {"FSC-A": np.zeros(0)})
    assert flow_quality(events, [events.channel("FSC-A")]).keep is None


# What each real file with a clock and 2500 events gets. W284 of the OMIP-021 donors names a column of event numbers and
# two dyes that do drift; the files of PBS hold next to no cells, and what they hold comes and goes.
REAL_FILES = {
    "compensation/flowkit_test_comp/test_comp_example.fcs": "",
    "fcs/easyflowq/CytoFLEX_01-Well-C3.fcs": "W282 W291",  # the first tenth is dimmer in every channel
    "fcs/fcsparser/EY_2013-07-19_PBS_FCS_2.0_Custom_Without_Add_Well_A1.001.fcs": "",
    "fcs/fcsparser/EY_2013-07-19_PBS_FCS_3.1_Custom_Add_Well_A1.001.fcs": "",
    "fcs/fcsparser/EY_2013-07-19_PBS_FCS_3.1_Custom_Without_Add_Well_A1.001.fcs": "",
    "fcs/fcsparser/EY_2013-07-19_PBS_FCS_3.1_Well_A1.001.fcs": "",
    "fcs/fcsparser/FCS3.0_Custom_Compatible.fcs": "W282",
    "fcs/fcsparser/FCS_3.0_Fortessa_PBS_Specimen_001_A1_A01.fcs": "",
    "fcs/fcsparser/HTS_BD_LSR_II_Mixed_Specimen_001_D6_D06.fcs": "W282 W284",
    "fcs/fcsparser/Sample_Well_A02.fcs": "W282",
    "fcs/flowcal/Data001.fcs": "",
    "fcs/flowcal/Data002.fcs": "",
    "fcs/flowcal/Data003.fcs": "W282",
    "fcs/flowcal/Data004.fcs": "W282",
    "fcs/flowio/G11.fcs": "",
    "fcs/flowio/coulter.lmd": "W282 W291",  # the first fifth flows at a quarter of the rate and is dimmer
    "gatingml/data1.fcs": "",
    "tcell_human/cytopipeline_omip021/Donor1.fcs": "W284",
    "tcell_human/cytopipeline_omip021/Donor2.fcs": "W284",
    "tcell_human/wakaflocka_spectral_pbmc/PBMC_spectral_MIXED_raw.fcs": "W281",
}


@pytest.mark.parametrize("name", REAL_FILES)
def test_real_files_get_what_their_flow_shows_and_no_more(name: str, shared_data: Path) -> None:
    events = open_fcs(shared_data / name)
    quality = flow_quality(events, [channel for channel in events.channels if not channel.is_time])
    assert sorted({finding.code for finding in quality.findings if finding.code}) == REAL_FILES[name].split()


# ---------------------------------------------------------------- clocks that say nothing


@pytest.mark.parametrize(
    ("clock", "code", "outcome"),
    [
        (np.zeros(20_000), "W280", Severity.NOTE),
        (np.full(20_000, 7.0), "W280", Severity.NOTE),
        (np.arange(20_000.0)[::-1], "W281", Severity.NOTE),
        (np.random.default_rng(1).permutation(np.arange(20_000.0)), "W281", Severity.NOTE),
    ],
)
def test_a_clock_that_does_not_run_proves_no_steady_flow(clock: Floats, code: str, outcome: Severity) -> None:
    signals = {"CD3": np.random.default_rng(2).lognormal(6, 1, clock.size)}
    (said,) = time_quality(clock, signals).findings
    assert (said.code, said.outcome) == (code, outcome)


def test_the_clock_is_no_signal_that_drifts() -> None:
    events = EventTable.from_columns(
        {"Time": np.arange(20_000.0), "CD3": np.random.default_rng(2).lognormal(6, 1, 20_000)}
    )
    assert [one.outcome for one in flow_quality(events, events.channels).findings] == [Severity.PASS]
