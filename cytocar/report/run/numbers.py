"""Numbers as people read them: three digits, thousands apart, the estimate and its interval in one cell."""

from __future__ import annotations

import math

from cytocar.tables.columns import Row, Value, cell

DIGITS = 3


def people(value: Value) -> str:
    """Return a number with three significant digits; text as it is, nothing for nothing.

    Examples
    --------
    >>> [people(value) for value in (1061.23, 12.345, 0.0554321, 0, 99.96, 20064, 0.00001234)]
    ['1,061', '12.3', '0.0554', '0', '100', '20,064', '1.23e-05']
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return cell(value)
    if value == 0 or not math.isfinite(value):
        return cell(value)
    rounded = float(f"{value:.{DIGITS - 1}e}")
    power = math.floor(math.log10(abs(rounded)))
    if power >= DIGITS - 1:
        return f"{value:,.0f}"
    return f"{rounded:.{DIGITS - 1 - power}f}" if power >= -4 else f"{rounded:.{DIGITS - 1}e}"


def with_interval(row: Row, name: str) -> str:
    """Return an estimate with its interval.

    Examples
    --------
    >>> with_interval({"x": 1061.0, "x_low": 984.2, "x_high": 1144.0}, "x")
    '1,061 (984\u20131,144)'
    """
    estimate = people(row[name])
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return (
        f"{estimate} ({people(low)}\u2013{people(high)})"
        if estimate and low is not None and high is not None
        else estimate
    )


def at_the_point(text: str) -> tuple[str, str]:
    """Return a number's text before the point and from the point on, so that a column is aligned there.

    >>> at_the_point("12.3"), at_the_point("1,061"), at_the_point("<0.5")
    (('12', '.3'), ('1,061', ''), ('<0', '.5'))
    """
    whole, point, part = text.partition(".")
    return whole, point + part
