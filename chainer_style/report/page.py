"""The page: every machine's tables, charts and pictures in one file of HTML."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chainer_style import __version__, added, themes
from chainer_style.errors import UserError
from chainer_style.experiments.rates import RateRecord
from chainer_style.paper import ITERATIONS, MINUTES, RATE_TABLES, RateTable
from chainer_style.report import (
    arithmetic,
    charts,
    comparison,
    environment,
    explain,
    formats,
    html,
    machines,
    parts,
    tables,
)
from chainer_style.report.machines import Found, Machine


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in the forms that a page may need, as data URIs.

    Attributes
    ----------
    sources
        (media query, image), the first that holds wins.
    image
        The image where none does.
    key
        How to read it.
    """

    sources: Sequence[tuple[str, str]]
    image: str
    key: Sequence[str]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    name
        Of the part that it is made of, and in addresses.
    title
        Its heading.
    content
        HTML, made of the part.
    table
        Table 4 or 5, which are drawn above the content.
    """

    name: str
    title: str
    content: Markup | None = None
    table: RateTable | None = None


SECTIONS = {
    "table1": "Table 1: training, in three frameworks",
    "tables2and3": "Tables 2 and 3: the machine",
    "table4": "Table 4 and Figure 7",
    "table5": "Table 5 and Figure 8",
    "limits": "512 pixels, and what fits into memory",
    "past": "Past the paper: 512 pixels to 8K",
    "figure1": "Figure 1: the model flow",
    "figure2": "Figure 2: the channel flow",
    "figure3": "Figure 3: generated pictures",
    "figure4": "Figure 4: the correlation of channels",
    "figure5": "Figure 5: what a layer sees",
    "figure6": "Figure 6: the overall flow",
    "mnist": "The companion document: MNIST",
    "ceilings": "What decides the speed",
    "performance": "How fast it is on the CPU, beside PyTorch",
    "phases": "Where the time goes on the CPU",
    "threads": "What more threads gain on the CPU",
    "precision": "What bfloat16 gains on the CPU, and what it costs",
    "tiling": "What tiles cost on the CPU",
    "ranks": "What several processes gain",
    "gpu": "How fast it is on a GPU, beside PyTorch",
    "gpu_kernels": "Where the time goes on a GPU",
    "gpu_tiles": "Large pictures on a GPU",
    "gpu_precision": "What each precision gains on a GPU, and what it costs",
    "why": "Why they differ",
}
"""Title of every section, by the name of its part, in the paper's order."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture painted in a cell.

    Attributes
    ----------
    image
        As data URI; None where the file is gone.
    record
        Of the cell.
    """

    image: str | None
    record: RateRecord


@dataclass(frozen=True, slots=True)
class MachineView:
    """All that the page shows of one machine."""

    machine: Machine
    facts: Sequence[tuple[str, str]]
    charts: Mapping[int, Chart]
    pictures: Sequence[Picture]
    explanation: explain.Explanation
    environments: Sequence[environment.Description]


def render(found: Found) -> str:
    """Return the page as HTML, pictures and styles within; the first machine leads."""
    everyone = found.machines
    loader = Environment(
        loader=PackageLoader("chainer_style.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    loader.filters.update(
        ms=formats.milliseconds,
        plain=formats.plain,
        clock=formats.clock,
        mebibytes=formats.mebibytes,
        span=formats.span,
        listing=formats.listing,
        cell=comparison.title,
        weights=machines.weights_label,
        throughput=arithmetic.flops_per_second,
    )
    views = [_view(machine) for machine in everyone]
    return loader.get_template("report.html.j2").render(
        added=added,
        first=views[0],
        others=views[1:],
        overview=_overview(everyone) if len(everyone) > 1 else [],
        machines=everyone,
        skipped=found.skipped,
        sections=[_section(name, everyone) for name in SECTIONS],
        tables=RATE_TABLES.values(),
        layouts={n: tables.layout(t, everyone) for n, t in RATE_TABLES.items()},
        version=__version__,
    )


def _section(name: str, everyone: Sequence[Machine]) -> Section:
    """Make a section of a part, of Table 4 or of Table 5."""
    for table in RATE_TABLES.values():
        if name == f"table{table.number}":
            return Section(name, SECTIONS[name], table=table)
    text = parts.render(name, everyone)
    return Section(name, SECTIONS[name], Markup(html.convert(text, name)))


def _view(machine: Machine) -> MachineView:
    return MachineView(
        machine=machine,
        facts=environment.facts(machine),
        charts={n: _chart(table, machine) for n, table in RATE_TABLES.items()},
        pictures=[
            _picture(machine, record)
            for record in machine.rates.values()
            if record.measured
        ],
        explanation=explain.Explanation(machine),
        environments=environment.describe(machine),
    )


def _chart(table: RateTable, machine: Machine) -> Chart:
    """Draw a chart for light and dark, wide and narrow screens."""
    media = {
        "(prefers-color-scheme: dark)": themes.DARK,
        "": themes.LIGHT,
    }
    sources = []
    for (scheme, theme), (width, narrow) in itertools.product(
        media.items(), {"(max-width: 40rem)": True, "": False}.items()
    ):
        image = themes.save(charts.draw(table, machine, theme, narrow=narrow), "svg")
        conditions = " and ".join(part for part in (scheme, width) if part)
        sources.append((conditions, _data_uri("image/svg+xml", image)))
    *conditional, (_, plain) = sources
    return Chart(conditional, plain, charts.key(table, machine))


def _picture(machine: Machine, record: RateRecord) -> Picture:
    """Read the picture that lies beside a record.

    Raises
    ------
    UserError
        If it is there and cannot be read.
    """
    name = record.settings.get("picture")
    # Only what lies in the machine's own folder belongs to its records.
    path = (
        machine.folder
        / record.experiment
        / str(name).replace("\\", "/").rsplit("/", 1)[-1]
    )
    if not name or not path.is_file():
        return Picture(None, record)
    try:
        return Picture(_data_uri("image/png", path.read_bytes()), record)
    except OSError as error:
        raise UserError(f"cannot read the picture {path}: {error.strerror}") from None


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _overview(everyone: Sequence[Machine]) -> list[dict[str, Any]]:
    """Return iterations per minute of every cell, by the paper and every machine."""
    cells = machines.in_order(c for machine in everyone for c in machine.cells)
    return [
        {
            "cell": cell,
            "paper": ITERATIONS[cell][-1] / MINUTES[-1] if cell in ITERATIONS else None,
            "lacking": comparison.paper_lacks(cell),
            "today": [(m.measured(cell), m.reason(cell)) for m in everyone],
        }
        for cell in cells
    ]
