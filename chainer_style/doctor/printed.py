"""Findings as lines for a terminal."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from chainer_style.doctor.findings import Finding
from chainer_style.text import aligned


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield a listing section by section, and what to do."""
    marks = {"ok": "ok", "missing": "MISSING", "optional": "-"}
    rows = [[marks[f.state], f.what, _value(f)] for f in findings]
    printed = zip(findings, aligned(rows) if rows else (), strict=True)
    for section, group in itertools.groupby(printed, lambda pair: pair[0].section):
        yield section
        yield from (f"  {line}" for _, line in group)
        yield ""
    yield from _advice(findings)


def _value(finding: Finding) -> str:
    """Return the value, and what it would be good for where it is not there."""
    wanted = finding.state != "ok" and finding.why
    return f"{finding.value} ({finding.why})" if wanted else finding.value


def _advice(findings: Sequence[Finding]) -> Iterator[str]:
    needed = [f for f in findings if f.needed and f.state == "missing"]
    missing = [f for f in findings if not f.needed and f.state == "missing"]
    optional = [f for f in findings if f.state == "optional"]
    if needed:
        yield "Something is missing that every run needs:"
        yield from _commands(needed)
    else:
        yield "Everything is here that a run on the CPU needs."
    if missing:
        yield "To mend what is missing beside:"
        yield from _commands(missing)
    if any(f.remedy for f in optional):
        yield "What is not here, and need not be:"
        yield from _commands(optional)


def _commands(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield every remedy once, with what it mends."""
    by_remedy: dict[str, list[str]] = {}
    for finding in findings:
        if finding.remedy:
            by_remedy.setdefault(finding.remedy, []).append(finding.what)
    rows = [[", ".join(names), remedy] for remedy, names in by_remedy.items()]
    yield from (f"  {line}" for line in (aligned(rows) if rows else ()))
