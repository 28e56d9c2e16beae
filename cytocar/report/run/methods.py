"""How the numbers were made, in words that a paper can use, and the items of MIFlowCyt as far as a run knows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from msgspec import Struct

from cytocar.regions.boolean import BooleanGate
from cytocar.regions.kinds import FixedGate
from cytocar.report.run.pictures import Acquisition
from cytocar.report.run.source import FinishedRun
from cytocar.sample.result import SampleResult, Status
from cytocar.sheet.laboratory import LOT_COLUMN
from cytocar.signals.applied_matrix import COMPENSATED, UNMIXED
from cytocar.signals.scales import AnyScale, LinearScale
from cytocar.statistics.estimate import expanded
from cytocar.tables.columns import cell
from cytocar.template.gate_kinds import ClusterGate, Gate, ReferenceGate, SingletsGate, ValleyGate
from cytocar.template.lock import LockStatus
from cytocar.template.model import Template
from cytocar.version import __version__

BY_LABORATORY = "to be stated by the laboratory"


class Item(Struct, frozen=True):
    """One line of the MIFlowCyt table."""

    number: str
    title: str
    text: str


# ---------------------------------------------------------------- methods paragraph


def methods(run: FinishedRun) -> tuple[str, ...]:
    """Return the paragraphs of a methods section, one per template, and one about what all have in common."""
    own = [
        _of_template(template, [result for result in run.counted if result.template.sha256 == sha256], sha256)
        for sha256, template in run.templates.items()
    ]
    return (*own, _of_all(run))


def _of_template(template: Template, results: Sequence[SampleResult], sha256: str) -> str:
    status = {result.template.status for result in results} or {LockStatus.DRAFT}
    sentences = [
        f"List-mode data (FCS files, n = {len(results)}) were analysed with cytocar {__version__} and the gating "
        f"template {template.name} version {template.version} ({', '.join(sorted(status))}; SHA-256 {sha256[:12]}…).",
        _compensation(results),
        f"Populations were gated in this order: {'; '.join(_gates(template))}.",
        *_counting(results, template),
        _limits(template),
        _uncertainty(template),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


EXAMPLE_PER_UL = 350.0
"""Concentration at which the budget is shown: near the CD4 count that decides about treatment."""


def _uncertainty(template: Template) -> str:
    budget = template.uncertainty
    if not budget.components:
        return ""
    shown = expanded(EXAMPLE_PER_UL, budget.components.values(), coverage=budget.coverage)
    percent = 100 * ((shown.high or 0.0) / EXAMPLE_PER_UL - 1)
    parts = ", ".join(f"{name} {cell(100 * cv)} %" for name, cv in budget.components.items())
    return (
        f"Expanded measurement uncertainty of the laboratory (k = {cell(budget.coverage)}): {cell(percent)} % "
        f"({parts}; {cell(EXAMPLE_PER_UL)} cells/µL is {cell(shown.low)} to {cell(shown.high)})."
    )


def _limits(template: Template) -> str:
    if template.report.car is None:
        return ""
    limits, gate = template.limits, template.population(template.report.car).gate
    supposed = (
        f" Where too few told their brightness, limits suppose a stain index of {cell(gate.stain_index)}."
        if isinstance(gate, ReferenceGate)
        else ""
    )
    return (
        f"CAR-T cells were called detected with at least {limits.detection_events} events, more than the limit of blank"
        " of their tube, and a lower limit of the net share above 0; where no control showed the background, with at"
        f" least {cell(limits.detection_percent)} % of the T cells. They were called quantified with at least"
        f" {limits.quantification_events} events, a coefficient of variation of at most 25 %, and no fewer than the"
        f" limit of detection.{supposed}"
    )


def _compensation(results: Sequence[SampleResult]) -> str:
    files = Counter(result.compensation for result in results)
    words = {
        "none": "not compensated",
        UNMIXED: "taken as unmixed already",
        COMPENSATED: "taken as compensated already, as the names of their channels say",
    }
    ways = [
        f"{words.get(source) or f'compensated with the spillover matrix of {source}'} (n = {number})"
        for source, number in sorted(files.items())
    ]
    return f"Signals were {'; '.join(ways)}." if ways else ""


def _gates(template: Template) -> Iterator[str]:
    for population in template.populations:
        aside = f" without {', '.join(population.exclude)}" if population.exclude else ""
        yield f"{population.name} from {population.parent}{aside} by {_gate(population.gate)}"


def _gate(gate: Gate) -> str:
    if isinstance(gate, BooleanGate):
        parts = (("all", gate.all_of), ("any", gate.any_of), ("none", gate.none_of))
        return "their place in " + " and ".join(f"{word} of {', '.join(names)}" for word, names in parts if names)
    if isinstance(gate, FixedGate):
        return f"a fixed {gate.kind} on {', '.join(gate.markers())}"
    match gate:
        case ValleyGate(marker=marker, window=(low, high), fallback=fallback):
            return (
                f"the valley of {marker} between {cell(low)} and {cell(high)} ({cell(fallback)} where there was none)"
            )
        case ReferenceGate(marker=marker, window=(low, high), controls=controls, fallback=fallback):
            return (
                f"a threshold on {marker} between {cell(low)} and {cell(high)} placed by control samples "
                f"({', '.join(controls)}; {cell(fallback)} without them)"
            )
        case SingletsGate():
            return f"the line of single events on {' and '.join(gate.markers())}"
        case ClusterGate(x=x, y=y):
            return f"their cluster on {x} and {y}"
        case _:
            assert_never(gate)


_METHODS: Mapping[str, str] = {
    "beads": "cells/µL = cell events / bead events x beads added / sample volume x dilution factor",
    "volumetric": "cells/µL = cell events / acquired volume, times the final volume over the sample volume and the "
    "dilution factor where these were given",
    "dual_platform": "cells/µL = cell events / reference events x the haematology analyser's count",
}


def _counting(results: Sequence[SampleResult], template: Template) -> Iterator[str]:
    used = Counter(result.counting.method for result in results)
    for method, number in sorted(used.items()):
        if method in _METHODS:
            yield f"Absolute counts (n = {number}, {method.replace('_', ' ')}): {_METHODS[method]}."
    if used["beads"]:
        yield f"At least {template.counting.minimum_beads} beads were asked for."
    named = (result.counting.ci_method for result in results if result.counting.ci_method)
    intervals = sorted({_OF_ONE_SAMPLE.sub("gates", name) for name in named})
    if intervals:
        yield f"Intervals of concentrations are two-sided 95 % intervals ({'; '.join(intervals)})."
    if any(result.car is not None and result.car.net_per_ul.low is not None for result in results):
        yield "That of CAR-T cells as gated holds the limits of their net count too."


_OF_ONE_SAMPLE = re.compile(r"gates [\d.e-]+ %")


def _of_all(run: FinishedRun) -> str:
    statuses = Counter(outcome.status for outcome in run.outcomes)
    counts = ", ".join(f"{statuses[status]} {status.replace('_', ' ')}" for status in Status if statuses[status])
    versions: Mapping[str, str] = run.manifest.get("versions", {})
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (
        f"Percentages are of the parent population, with Wilson 95 % intervals; ratios of CD4+ to CD8+ cells carry "
        f"exact intervals. Samples (n = {len(run.outcomes)}) by outcome: {counts}. Software: {libraries}. "
        "Research use, not for diagnosis."
    )


# ---------------------------------------------------------------- MIFlowCyt


def miflowcyt(run: FinishedRun, acquisitions: Iterable[Acquisition]) -> tuple[Item, ...]:
    """Return the items of MIFlowCyt (Lee et al. 2008, Cytometry A 73:926, doi 10.1002/cyto.a.20623)."""
    recorded = list(acquisitions)
    cytometers = Counter(one.cytometer or "not named in the file" for one in recorded)
    types = Counter(str(outcome.sample.sample_type) for outcome in run.outcomes)
    specimens = Counter(str(outcome.sample.specimen or "not stated") for outcome in run.outcomes)
    lots = list(_lots(run))
    return (
        Item("1.1", "Purpose", BY_LABORATORY),
        Item("1.3", "Experiment variables", f"samples: {_counted(types)}"),
        Item("1.6", "Date", "kept in the FCS files; not printed here, as it may identify a person"),
        Item("1.8", "Quality control", "time, counting beads and acceptance rules of the template: quality.csv"),
        Item("2.1", "Specimen", _counted(specimens)),
        Item("2.4", "Reagents", "; ".join(_reagents(run)) + (f"; lots: {', '.join(lots)}" if lots else "")),
        Item("3.1", "Instrument", _counted(cytometers) if recorded else "the FCS files were not at hand"),
        Item("3.3", "Detectors", _detectors(recorded)),
        Item("4.1", "List-mode data", f"{len(run.outcomes)} files; SHA-256 of each in counts.csv"),
        Item("4.2", "Compensation", ", ".join(sorted({result.compensation for result in run.counted})) or "none"),
        Item("4.3", "Scales", "; ".join(_scales(run))),
        Item("4.4", "Gating", "this page; numbers of every gate in gates.csv; template in manifest.json"),
    )


def _lots(run: FinishedRun) -> Iterator[str]:
    """Yield the lots that the sheet names: of beads, of reagents (``x_lot_*``), and those past their date."""
    samples = [outcome.sample for outcome in run.outcomes]
    columns = sorted({name for sample in samples for name in sample.extra if name.startswith(LOT_COLUMN)})
    named = {"beads": {sample.bead_lot for sample in samples}}
    named |= {name.removeprefix(LOT_COLUMN): {sample.extra.get(name) for sample in samples} for name in columns}
    named |= {"past their date": {sample.extra.get("x_expired_lots") for sample in samples}}
    for reagent, lots in named.items():
        known = sorted(filter(None, lots))
        if known:
            yield f"{reagent} {' and '.join(known)}"


def _counted(counter: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in sorted(counter.items()))


def _reagents(run: FinishedRun) -> Iterator[str]:
    for template in run.templates.values():
        yield template.title or f"markers of {template.name}: {', '.join(template.panel)}"


def _detectors(recorded: Sequence[Acquisition]) -> str:
    if not recorded:
        return "the FCS files were not at hand"
    layouts = Counter(one.channels for one in recorded)
    channels, number = layouts.most_common(1)[0]
    listed = ", ".join(
        detector + (f" ({marker})" if marker else "") + (f" {cell(voltage)} V" if voltage else "")
        for detector, marker, voltage in channels
    )
    rest = f"; {len(recorded) - number} files differ" if number < len(recorded) else ""
    return listed + rest


def _scales(run: FinishedRun) -> Iterator[str]:
    for template in run.templates.values():
        for marker, scale in template.scales.items():
            yield f"{marker}: {_scale(scale)}"


def _scale(scale: AnyScale) -> str:
    if isinstance(scale, LinearScale):
        return "linear"
    numbers = ", ".join(f"{name} {cell(float(getattr(scale, name)))}" for name in "TWMA" if hasattr(scale, name))
    return f"{scale.kind} ({numbers})"
