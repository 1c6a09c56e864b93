"""How numbers are printed in tables, charts and sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

TIMES = "×"
ABOUT = "≈"


def plain(value: float) -> str:
    """Print with three significant digits, never fewer than the whole part."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    decimals = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:.{decimals}f}"


def iterations(value: float, counted: bool) -> str:
    """Print a number of iterations: counted ones are whole."""
    if counted:
        return f"{value:.0f}"
    return f"{ABOUT} {value:.1f}" if value >= 10 else f"{ABOUT} {plain(value)}"


def ratio(value: float, counted: bool = True) -> str:
    """Print a ratio; one that rests on no count is marked as such."""
    return plain(value) if counted else f"{ABOUT} {plain(value)}"


def milliseconds(seconds: float) -> str:
    """Print seconds as milliseconds, without the unit."""
    return plain(1000 * seconds)


def mebibytes(count: float) -> str:
    """Print a number of bytes in MiB."""
    number = f"{count / 2**20:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{number}\N{NO-BREAK SPACE}MiB"


def gibibytes(count: float) -> str:
    """Print a number of bytes in GiB."""
    return f"{count / 2**30:.1f} GiB"


def clock(minutes: float) -> str:
    """Print minutes as minutes and seconds, 5:00."""
    seconds = round(60 * minutes)
    return f"{seconds // 60}:{seconds % 60:02d}"


def span(values: list[float]) -> str:
    """Print the range of some numbers, as a single one where they agree."""
    low, high = plain(min(values)), plain(max(values))
    return low if low == high else f"{low} to {high}"


def listing(parts: Sequence[str]) -> str:
    """Join words as in a sentence: a, b and c."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
