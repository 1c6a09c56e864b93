"""Numbers and tables as plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def size(count: int) -> str:
    """Return a number of bytes as people write it."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def aligned(rows: Sequence[Sequence[str]], words: int | None = None) -> Iterator[str]:
    """Yield the rows of a table as lines with columns in line.

    Parameters
    ----------
    rows
        All of the same length.
    words
        How many of the columns begin in line; the others, numbers, end in line.
        All by default.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = len(widths) if words is None else words
    for row in rows:
        cells = [
            text.ljust(width) if i < words else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
