"""What decides the speed: ceilings of every device, and each experiment's share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style import networks, themes
from chainer_style.experiments.ceilings import Ceiling, CeilingRecord
from chainer_style.paper import ITERATIONS, MINUTES
from chainer_style.report import (
    arithmetic,
    comparison,
    formats,
    gtx960,
    roofline,
    rst,
    shares,
)
from chainer_style.report.machines import Machine

NETWORK, SIZE = "vgg16", 128
"""Whose layers are listed: the first column of Table 4."""

ELEMENTWISE = 1 / 8
"""Operations per byte of a ReLU: one, for four bytes read and four written."""


@dataclass(frozen=True)
class View:
    """A machine with ceilings.

    Attributes
    ----------
    hardware
        In words.
    roofs
        The measured ones, the lowest first.
    not_measured
        What has none, and why.
    figure
        The roofline chart, as reStructuredText.
    """

    hardware: str
    roofs: Sequence[CeilingRecord]
    not_measured: Sequence[str]
    figure: str

    @property
    def highest(self) -> CeilingRecord:
        """The device with the highest ceiling."""
        return self.roofs[-1]


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints."""
    views = [_view(machine) for machine in machines if roofline.roofs(machine)]
    return {
        "views": views,
        "ceilings": _ceilings(views),
        "products": _products(views),
        "shares": _shares(machines),
        "layers": _layers(),
        "paper_shares": _paper_shares(),
        "costs": arithmetic.layer_costs(NETWORK, SIZE),
        "network": networks.get(NETWORK).title,
        "size": SIZE,
        "elementwise": ELEMENTWISE,
        "card": gtx960,
    }


def _view(machine: Machine) -> View:
    own = machine.of(CeilingRecord.experiment)
    lacking = [
        f"{record.cell.title}: {record.reason}"
        for record in own.values()
        if not record.measured
    ]
    light, dark = (
        themes.save(roofline.draw(machine, theme), "svg")
        for theme in (themes.LIGHT, themes.DARK)
    )
    figure = rst.picture(
        light,
        "svg+xml",
        f"Roofline of {machine.hardware}",
        f"{rst.escaped(machine.hardware)}. Lines: the most that memory (the slope) "
        "and arithmetic (the level part) allow. Dots: the experiments, at the "
        "operations per byte of their convolutions. Both axes are logarithmic.",
        dark=dark,
        classes="chart",
    )
    return View(machine.hardware, roofline.roofs(machine), lacking, figure)


def _ceilings(views: Sequence[View]) -> str:
    head = [
        "Device",
        "Product, GFLOP/s",
        "median",
        "Copy, GB/s",
        "Triad, GB/s",
        "FLOP per byte",
    ]
    rows = []
    for view in views:
        for record in view.roofs:
            best = max(record.products, key=lambda run: run.best)
            copy, triad = record.streams
            numbers = [best.best / 1e9, best.rate / 1e9]
            numbers += [copy.best / 1e9, triad.best / 1e9, record.ridge]
            name = _name(view, record.cell, views)
            rows.append([name, *map(formats.plain, numbers)])
    title = "The fastest matrix product and the fastest stream of each device."
    return rst.table(head, rows, title, "numbers")


def _products(views: Sequence[View]) -> str:
    sizes = sorted({p.size for v in views for r in v.roofs for p in r.products})
    rows = []
    for view in views:
        for record in view.roofs:
            by_size = {run.size: run for run in record.products}
            numbers = [
                formats.plain(by_size[size].best / 1e9) if size in by_size else ""
                for size in sizes
            ]
            rows.append([_name(view, record.cell, views), *numbers])
    head = ["Rows and columns", *map(str, sizes)]
    title = "The matrix product by size, in GFLOP/s; the fastest repetition."
    return rst.table(head, rows, title, "numbers")


def _name(view: View, cell: Ceiling, views: Sequence[View]) -> str:
    where = f", {rst.escaped(view.hardware)}" if len(views) > 1 else ""
    return f"{cell.title}{where}"


def _shares(machines: Sequence[Machine]) -> str:
    """Return every counted cell of every machine beside its ceiling."""
    named = [(machine, list(shares.shares(machine))) for machine in machines]
    named = [(machine, found) for machine, found in named if found]
    titles = dict.fromkeys(s.work.title for _, found in named for s in found)
    head = ["Experiment"]
    for machine, _ in named:
        head += [f"{rst.escaped(machine.hardware)}: GFLOP/s", "of the product"]
    rows = []
    for title in titles:
        row = [title]
        for _, found in named:
            row += _entry({s.work.title: s for s in found}.get(title))
        rows.append(row)
    if not rows:
        return ""
    about = "Counted operations per second, and their share of the best matrix product."
    return rst.table(head, rows, about, "numbers")


def _entry(share: shares.Share | None) -> list[str]:
    if share is None:
        return ["", ""]
    rate = formats.plain(share.work.flops_per_second / 1e9)
    part = share.of_product
    return [rate, "no ceiling" if part is None else percent(part)]


def percent(share: float) -> str:
    """Print a share."""
    return f"{formats.plain(100 * share)} %"


def _layers() -> str:
    rows = [
        [
            cost.name,
            formats.plain(cost.flops / 1e9),
            formats.plain(cost.flops / cost.least_bytes),
            formats.plain(cost.flops / cost.column_bytes),
        ]
        for cost in arithmetic.layer_costs(NETWORK, SIZE)
    ]
    head = ["Layer", "GFLOP", "FLOP per byte", "with columns"]
    title = f"Convolutions of {networks.get(NETWORK).title} at {SIZE} px, forward."
    return rst.table(head, rows, title, "numbers")


def _paper_shares() -> str:
    """Return the paper's GPU rates beside what its model of card could do."""
    rows = []
    for cell, printed in ITERATIONS.items():
        if cell.column != "GPU":
            continue
        rate = printed[-1] / (60 * MINUTES[-1])
        done = arithmetic.iteration_flops(cell) * rate
        share = percent(done / gtx960.FLOPS_PER_SECOND)
        rows.append([comparison.title(cell), formats.plain(done / 1e9), share])
    head = ["The paper’s", "GFLOP/s", "of the card’s arithmetic"]
    title = "The paper’s rates on its GPU, counted in the same way."
    return rst.table(head, rows, title, "numbers")
