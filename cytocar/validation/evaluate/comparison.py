"""Two methods on the same samples, and several operators on the same samples."""

from __future__ import annotations

from statistics import mean

from cytocar.errors.tree import counted
from cytocar.statistics.agreement import FEWEST_PAIRS, bland_altman, deming, icc_2_1, passing_bablok
from cytocar.statistics.nested import nested_anova
from cytocar.validation.evaluate.statistic import (
    Found,
    Settings,
    Statistic,
    groups,
    missing,
    numbers,
    require_cells,
    without_numbers,
)
from cytocar.validation.study import Study

METHODS = ("A", "B")
"""In ``val_run`` of a comparison: the comparative method, and the one that is validated."""
USUAL_PAIRS = 40
"""Samples that EP09-A3 asks for."""


def pairs_of(study: Study, measurand: str) -> list[tuple[str, float, float]]:
    """Return sample, comparative result and new result: tubes of A and B, or one tube and ``val_expected``."""
    pairs = []
    for sample, tubes in groups(study.used, lambda tube: tube.level).items():
        by_method = groups(tubes, lambda tube: (tube.sample.val_run or "").strip().upper())
        sides = [numbers(by_method.get(method, []), measurand) for method in METHODS]
        if all(sides):
            pairs.append((sample, mean(sides[0]), mean(sides[1])))
        elif not any(method in by_method for method in METHODS):
            expected = [tube.sample.val_expected for tube in tubes if tube.sample.val_expected is not None]
            values = numbers(tubes, measurand)
            if expected and values:
                pairs.append((sample, mean(expected), mean(values)))
    return pairs


def comparison(study: Study, measurand: str, _settings: Settings) -> Found:
    """Return lines and limits of agreement of the new method against the comparative one."""
    require_cells(study, "val_level")
    pairs = pairs_of(study, measurand)
    n = len(pairs)
    if n < FEWEST_PAIRS:
        raise missing(
            study,
            f"{measurand} by both methods is there for {counted(n, 'sample')}",
            hint="each sample (val_level) has a row with val_run = A and one with B, or the other method's result in "
            "val_expected",
        )
    x, y = [pair[1] for pair in pairs], [pair[2] for pair in pairs]
    samples = len({tube.level for tube in study.tubes})
    notes = [f"{samples - n} of {counted(samples, 'sample')} without a pair"] if samples > n else []
    if n < USUAL_PAIRS:
        notes.append(f"{counted(n, 'sample')}: EP09 asks for {USUAL_PAIRS}")
    ranked, both, plain = passing_bablok(x, y), deming(x, y), bland_altman(x, y)
    statistics = [
        Statistic("passing_bablok_slope", ranked.slope, n, "Passing-Bablok"),
        Statistic("passing_bablok_intercept", ranked.intercept, n, "Passing-Bablok"),
        Statistic("deming_slope", both.slope, n, "Deming, equal errors, jackknife"),
        Statistic("deming_intercept", both.intercept, n, "Deming, equal errors, jackknife"),
        Statistic("bias", plain.bias, n, "Bland-Altman"),
    ]
    if sum(a + b > 0 for a, b in zip(x, y, strict=True)) >= FEWEST_PAIRS:
        percent = bland_altman(x, y, relative=True)
        how = "Bland-Altman, percent of the mean of both"
        statistics += [
            Statistic("bias_percent", percent.bias, percent.n, how),
            Statistic("agreement_low", percent.low, percent.n, how),
            Statistic("agreement_high", percent.high, percent.n, how),
        ]
    return Found(tuple(statistics), tuple(notes))


def operators(study: Study, measurand: str, _settings: Settings) -> Found:
    """How well one operator's result tells samples apart, and the CV between operators."""
    require_cells(study, "val_level", "val_operator")
    names = sorted({tube.sample.val_operator or "" for tube in study.used})
    table: dict[str, list[float]] = {}
    samples = groups(study.used, lambda tube: tube.level)
    for sample, tubes in samples.items():
        by_operator = groups(tubes, lambda tube: tube.sample.val_operator or "")
        row = [numbers(by_operator.get(name, []), measurand) for name in names]
        if all(row):
            table[sample] = [mean(values) for values in row]
    if len(names) < 2 or len(table) < 2:
        raise missing(
            study,
            f"{measurand} by each of {len(names)} operators is there for {counted(len(table), 'sample')}",
            hint="each sample (val_level) has a row for each operator (val_operator); two of both at least",
        )
    lost = [sample for sample in samples if sample not in table]
    notes = [*without_numbers(study, measurand)]
    if lost:
        notes.append(
            f"not measured by each operator and left out: {counted(len(lost), 'sample')}, {', '.join(lost[:4])}"
        )
    rows = list(table.values())
    n = len(rows) * len(names)
    statistics = [Statistic("icc", icc_2_1(rows), n, "two-way random effects, single measurement")]
    relative = [(who, value / mean(row)) for row in rows if mean(row) > 0 for who, value in enumerate(row)]
    if len(relative) > len(names):
        anova = nested_anova([part for _, part in relative], {"operator": [who for who, _ in relative]}, within="rest")
        between = anova.components[0]
        how = "analysis of variance of results in parts of their sample's mean"
        statistics.append(Statistic("cv_between_operators", between.cv, len(relative), how, df=between.df))
    return Found(tuple(statistics), tuple(notes))
