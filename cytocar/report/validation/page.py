"""Fill the page of a validation: verdicts first, then each study with design, data, statistics, figure and tubes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from markupsafe import Markup
from msgspec import Struct

from cytocar.counting.limits import three_digits
from cytocar.figures.validation import draw_study, words_of
from cytocar.report.fit.page import page_style
from cytocar.report.run.page import page_policy
from cytocar.report.run.templating import page_environment
from cytocar.statistics.estimate import Estimate
from cytocar.tables.columns import COUNTS
from cytocar.validation.evaluate.statistic import Statistic
from cytocar.validation.limits import WORDS
from cytocar.validation.study import Study
from cytocar.validation.verdicts import Judged, Validation, name_and_unit

FOLDER = Path(__file__).parent / "templates"
_HEADINGS = {column.name: column.heading or column.name for column in COUNTS}


class Section(Struct, frozen=True):
    """A study and measurand: what was found, what has to be known of it, and its figure."""

    study: Study
    measurand: str
    rows: tuple[Judged, ...]
    notes: tuple[str, ...]
    figure: str
    alt: str


def validation_page(validation: Validation) -> str:
    """Return the page as one self-contained HTML file; no clock and no script: same data, same bytes."""
    return filled(
        FOLDER,
        "validation.html",
        validation=validation,
        judged=tuple(one for one in validation.judged if one.criterion is not None),
        sections=tuple(_sections(validation)),
        words=WORDS,
        headings=_HEADINGS,
        unmet=tuple((one, *name_and_unit(one)) for one in validation.unmet),
    )


def filled(folder: Path, template: str, **values: object) -> str:
    """Return a page of this kind filled: the style that all reports share, that of validations, no script."""
    environment = page_environment(folder)
    environment.filters["number"] = number
    environment.filters["statistic_text"] = statistic_text
    environment.filters["interval"] = interval
    style = Markup("\n".join((page_style(), (FOLDER / "validation.css").read_text("utf-8"))))  # noqa: S704 -- ours
    return environment.get_template(template).render(style=style, policy=page_policy(style), **values)


def number(value: float | None) -> str:
    """Return a number as people read it: three digits, a dash where there is none.

    >>> number(0.123456), number(None)
    ('0.123', '–')
    """
    return "–" if value is None else three_digits(value)


def statistic_text(statistic: Statistic) -> str:
    """Return a statistic as people read it; the order of a polynomial is whole."""
    value = statistic.estimate.value
    return f"{value:.0f}" if statistic.name == "order" and value is not None else number(value)


def interval(estimate: Estimate) -> str:
    """Return an interval as people read it; empty where there is none.

    >>> interval(Estimate(2.0, 1.0, None)), interval(Estimate(2.0, None, None))
    ('1.00 to –', '')
    """
    if estimate.low is None and estimate.high is None:
        return ""
    return f"{number(estimate.low)} to {number(estimate.high)}"


def _sections(validation: Validation) -> Iterator[Section]:
    with TemporaryDirectory(prefix="cytocar-") as folder:
        for place, ((name, measurand), notes) in enumerate(validation.notes.items()):
            study = next(study for study in validation.studies if study.name == name)
            rows = tuple(one for one in validation.judged if (one.study.name, one.measurand) == (name, measurand))
            drawn = draw_study(study, measurand, [one.statistic for one in rows], Path(folder) / f"{place}.svg")
            svg = b64encode(drawn.read_bytes()).decode()
            yield Section(study, measurand, rows, notes, svg, words_of(study, measurand))
