"""Shares of CAR+ T cells: bias, spread, coverage and false positives of the ``reference`` gate with its net share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from benchmarks.validity.shapes import HELD_OUT, NEGATIVES, POSITIVES, SEVERE, CarTube, Draw, Floats
from cytocar.counting.background import net_share
from cytocar.gates.adaptive import reference
from cytocar.gates.decision import FALLING, FitInput, Fitted, ReferenceEvents, Source
from cytocar.regions.boxes import RangeGate
from cytocar.sample.quality.acceptance import NOTED_FLAGS
from cytocar.sheet.rows import SampleType
from cytocar.statistics.intervals import Share
from cytocar.template.gate_kinds import ReferenceGate

GATE = ReferenceGate(marker="CAR", fallback=500, window=(150, 2500))
DRIFTS = (0.8, 1.0, 1.2)


class Measured(Struct, frozen=True):
    """One tube: true, gated (raw) and net percentages, the net interval, and whether the gate fell back and asks."""

    true: float
    raw: float
    net: float
    low: float
    high: float
    fell_back: bool
    asks: bool


def measure(
    values: Floats, true: float, references: Sequence[Floats], *, seed: int, gate: ReferenceGate = GATE
) -> Measured:
    """Return what the gate and the net share make of one tube."""
    controls = [
        ReferenceEvents(f"R{i}", SampleType.BASELINE, "t_cells", {"CAR": one}) for i, one in enumerate(references)
    ]
    fitted, events = placed(values, controls, seed=seed, gate=gate)
    share = net_share(
        events,
        len(values),
        fitted.background,
        assumed_percent=gate.background_percent,
        seed=seed,
        unaided=unaided_of(fitted),
        falling=falling_of(fitted),
    )
    net, low, high = share.net.value, share.net.low, share.net.high
    assert net is not None
    assert low is not None
    assert high is not None
    fell_back = fitted.decisions[0].source is Source.FALLBACK
    asks = any(flag not in NOTED_FLAGS for flag in fitted.decisions[0].flags)
    return Measured(true, 100 * events / len(values), net, low, high, fell_back, asks)


def placed(
    values: Floats, controls: Sequence[ReferenceEvents], *, seed: int = 1, gate: ReferenceGate = GATE
) -> tuple[Fitted, int]:
    """Return a CAR gate placed beside controls, and how many of the signals it keeps."""
    fitted = reference.fit(gate, FitInput("car_t", {"CAR": values}, references=controls, seed=seed))
    assert isinstance(fitted.gate, RangeGate)
    return fitted, int(np.count_nonzero(values >= (fitted.gate.min or 0.0)))


def unaided_of(fitted: Fitted) -> tuple[float, float] | None:
    """Return the share of positives above a threshold without a control, and its standard deviation; None with one."""
    measured = {one.parameter: one.value or 0.0 for one in fitted.decisions}
    return (measured["sensitivity"], measured["sensitivity_sd"]) if "sensitivity_sd" in measured else None


def falling_of(fitted: Fitted) -> float:
    """Return the events above a threshold without a control that may be negatives; 0 where no fall tells it."""
    return next((one.value or 0.0 for one in fitted.decisions if one.parameter == FALLING), 0.0)


def series(tube: CarTube, control: CarTube, *, tubes: int, seed: int) -> list[Measured]:
    """Return the measurements of some tubes that differ by chance only, each with a reference of its own."""
    measured = []
    for number in range(tubes):
        random = np.random.default_rng((seed, number))
        values, true = tube.draw(random)
        reference_values, _ = control.draw(random)
        measured.append(measure(values, true, [reference_values], seed=number))
    return measured


class Row(Struct, frozen=True):
    """One line of a table."""

    name: str
    measured: Sequence[Measured]

    def cells(self) -> tuple[str, ...]:
        """Return tubes, median ratios, RMSE of log10, coverage, lower bounds above 0, 95th percentile."""
        many = [(one.true, one.raw, one.net, one.low, one.high) for one in self.measured]
        true, raw, net, low, high = np.array(many).T
        lifted = f"{100 * np.mean(low > 0):.1f} %"
        covered = f"{100 * np.mean((low <= true) & (true <= high)):.0f} %"
        fallback = f"{100 * np.mean([one.fell_back for one in self.measured]):.0f} %"
        if not true.any():
            return (
                self.name,
                str(len(net)),
                "",
                "",
                "",
                "",
                covered,
                lifted,
                f"{np.quantile(net, 0.95):.3f}",
                fallback,
            )
        drawn = true > 0  # at 0.1 % of 5,000 T cells, some tubes hold none
        true, raw, net, low, high = (column[drawn] for column in (true, raw, net, low, high))
        errors = (np.log10(np.maximum(found, 1e-4) / true) for found in (net, raw))
        return (
            self.name,
            str(len(net)),
            f"{np.median(net / true):.3f}",
            f"{np.median(raw / true):.3f}",
            *(f"{np.sqrt(np.mean(error**2)):.3f}" for error in errors),
            covered,
            lifted,
            f"{np.quantile(net, 0.95):.3f}",
            fallback,
        )


HEAD = (
    "case",
    "tubes",
    "net/true",
    "gated/true",
    "RMSE net",
    "RMSE gated",
    "coverage",
    "low > 0",
    "95th pct., %",
    "fallback",
)


def rows(tubes: int) -> Iterator[Row]:
    """Yield the lines of the grid: shapes and drifts are pooled in each."""
    for percent in (0.0, 0.01, 0.1, 1.0, 10.0, 40.0):
        for stain_index in (3.0, 6.0, 12.0) if percent else (6.0,):
            for drift in DRIFTS:
                case = CarTube(car_percent=percent, stain_index=stain_index, gain=drift)
                if percent == 0.01:
                    case = replace(case, t_cells=200_000)
                index = f", SI {stain_index:g}" if percent else ""
                yield Row(f"{percent:g} %{index}, gain {drift:g}", _over_shapes(case, tubes))
    yield from _hard_cases(tubes)
    for percent in (0.0, 0.1, 1.0, 10.0, 40.0):
        for drift in (0.8, 0.9, 1.1, 1.2):
            case = CarTube(car_percent=percent, stain_index=8.0, gain=drift, stale=True)
            yield Row(f"{percent:g} %, SI 8, gain {drift:g}, stale matrix", _over_shapes(case, tubes))
    for name, positives in (("severe", SEVERE), ("held out", HELD_OUT)):
        for percent in (0.1, 1.0, 10.0, 40.0):
            for stain_index in (6.0, 12.0):
                case = CarTube(car_percent=percent, stain_index=stain_index)
                yield Row(f"{percent:g} %, SI {stain_index:g}, {name}", _over_shapes(case, tubes, positives=positives))


def headline_rows(tubes: int) -> Iterator[Row]:
    """Yield the 24 families by which the headline is chosen; shapes and drifts are pooled in each."""
    for percent in (0.1, 1.0, 10.0, 40.0):
        for name, positives, indices in (("", POSITIVES, (3.0, 4.0, 6.0, 12.0)), (", severe", SEVERE, (6.0, 12.0))):
            for stain_index in indices:
                case = CarTube(car_percent=percent, stain_index=stain_index)
                measured = [
                    one
                    for drift in DRIFTS
                    for one in _over_shapes(replace(case, gain=drift), tubes, positives=positives)
                ]
                yield Row(f"{percent:g} %, SI {stain_index:g}{name}", measured)


LIMITS_HEAD = (
    "stain index, CAR-T events of 50,000",
    "tubes",
    "limits of the gated share hold the truth",
    "limits of both",
    "width against the oracle's: gated",
    "net",
    "both",
)


def headline_limits_rows(tubes: int) -> Iterator[tuple[str, ...]]:
    """Yield for each index and number of events which limits beside the gated share hold the truth, with a control."""
    for stain_index in (12.0, 6.0, 4.0, 3.0):
        for events in (20, 200, 2000, 8000):
            case = CarTube(car_percent=events / 500, stain_index=stain_index)
            measured = [one for gain in DRIFTS for one in _over_shapes(replace(case, gain=gain), tubes // 3)]
            yield (f"{stain_index:g}, {events}", str(len(measured)), *_limits_of(measured))


def _limits_of(measured: Sequence[Measured], t_cells: int = 50_000) -> tuple[str, ...]:
    """Return how often the limits of the gated share, and those of both shares, hold the truth, and their widths."""
    true = np.array([one.true for one in measured])
    known = _counting_limits(true, t_cells)
    gated = _counting_limits([one.raw for one in measured], t_cells)
    net = np.array([(one.low, one.high) for one in measured])
    both = np.stack([np.minimum(gated[:, 0], net[:, 0]), np.maximum(gated[:, 1], net[:, 1])], axis=1)
    held = [f"{100 * np.mean((x[:, 0] <= true) & (true <= x[:, 1])):.0f} %" for x in (gated, both)]
    widths = [f"{np.median(np.diff(x) / np.diff(known)):.2f}" for x in (gated, net, both)]
    return (*held, *widths)


def _counting_limits(percents: Iterable[float], t_cells: int) -> Floats:
    """Return the limits of counting alone of shares of the T cells, percent, shape (n, 2)."""
    shares = (Share(round(percent / 100 * t_cells), t_cells).estimate() for percent in percents)
    return np.array([(share.low, share.high) for share in shares])


def _hard_cases(tubes: int) -> Iterator[Row]:
    small, large = CarTube(t_cells=8000), CarTube(t_cells=100_000)
    for percent in (0.0, 0.1, 1.0):
        case = CarTube(car_percent=percent)
        yield Row(f"{percent:g} %, reference of 8,000", _over_shapes(case, tubes, control=small))
        yield Row(f"{percent:g} %, offset +25", _over_shapes(replace(case, offset=25.0), tubes))
        yield Row(f"{percent:g} %, sticky 0.1 %", _over_shapes(replace(case, sticky_percent=0.1), tubes, sticky=0.1))
        yield Row(f"{percent:g} %, sticky CV 0.5", _over_shapes(replace(case, sticky_cv=0.5), tubes))
        yield Row(f"{percent:g} %, 5,000 T cells", _over_shapes(replace(case, t_cells=5000), tubes, control=large))


def _over_shapes(
    case: CarTube,
    tubes: int,
    *,
    control: CarTube | None = None,
    sticky: float | None = None,
    positives: Mapping[str, Draw] = POSITIVES,
) -> list[Measured]:
    """Return measurements over every shape of negatives, with the shapes of positives taken in turn."""
    control = control or CarTube(t_cells=100_000)
    if sticky is not None:
        control = replace(control, sticky_percent=sticky)
    shapes = [(negatives, shape) for negatives in NEGATIVES for shape in positives]
    each = max(1, round(tubes / len(shapes)))
    measured: list[Measured] = []
    for number, (negatives, shape) in enumerate(shapes):
        tube = replace(case, negatives=negatives, positives=shape)
        measured += series(tube, replace(control, negatives=negatives), tubes=each, seed=1000 + number)
    return measured
