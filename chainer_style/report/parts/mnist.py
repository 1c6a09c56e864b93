"""The companion document's experiment: time per epoch, accuracy, speed-up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style import themes
from chainer_style.digits.network import small_cnn, training_flops
from chainer_style.digits.source import MNIST
from chainer_style.experiments.digits import DigitsCell, DigitsRecord
from chainer_style.paper import COLUMNS
from chainer_style.report import formats, learning, rst
from chainer_style.report.machines import NO_RECORD, Machine
from chainer_style.report.rst import escaped


@dataclass(frozen=True)
class View:
    """What a machine's records say.

    Attributes
    ----------
    machine
        The machine.
    measured
        The records with times, CPU first.
    missing
        Devices without a time, and why.
    """

    machine: Machine
    measured: Sequence[DigitsRecord]
    missing: Sequence[tuple[str, str]]

    @property
    def digits(self) -> Iterator[str]:
        """Sentences on what was learned, one where all devices learned the same."""
        told: dict[str, list[str]] = {}
        for record in self.measured:
            told.setdefault(_digits(record), []).append(record.cell.column)
        for words, columns in told.items():
            only = f"{formats.listing(columns)}: " if len(told) > 1 else ""
            yield f"{only}{words}"

    @property
    def epochs(self) -> str:
        """A table of every epoch: seconds, and digits right afterwards."""
        head = ["Epoch"]
        for record in self.measured:
            column = record.cell.column
            head += [f"{column}, seconds", f"{column}, right"]
        count = max(len(record.seconds) for record in self.measured)
        rows = [
            [str(i + 1), *(cell for r in self.measured for cell in _epoch(r, i))]
            for i in range(count)
        ]
        return rst.table(head, rows, kind="numbers")

    @property
    def chart(self) -> str:
        """The same as a chart."""
        light, dark = (
            themes.save(learning.draw(self.measured, theme), "svg")
            for theme in (themes.LIGHT, themes.DARK)
        )
        alt = "Digits told right and seconds, epoch by epoch"
        return rst.picture(light, "svg+xml", alt, dark=dark, classes="chart")

    @property
    def plots(self) -> Iterator[str]:
        """What Chainer's PlotReport drew while the first device learned."""
        record = self.measured[0]
        for what, name in record.settings["pictures"].items():
            path = self.machine.folder / record.experiment / str(name).split("/")[-1]
            if path.is_file():
                yield rst.picture(
                    path.read_bytes(),
                    "png",
                    "Chart of Chainer's PlotReport",
                    f"{what.capitalize()}, drawn by Chainer's PlotReport while the "
                    f"{record.cell.column} learned.",
                )


def context(machines: Sequence[Machine]) -> dict[str, Any]:
    """Return what the template prints.

    Parameters
    ----------
    machines
        Those that there are records of.
    """
    views = [view for m in machines if (view := _view(m)).measured or view.missing]
    network = small_cnn(28)
    flops = network.flops(28, 28)
    shapes = network.shapes(28, 28)
    heaviest = max(network.nodes, key=lambda n: n.flops([shapes[i] for i in n.inputs]))
    share = heaviest.flops([shapes[i] for i in heaviest.inputs]) / flops
    return {
        "views": views,
        "overview": _overview(views),
        "speedups": [line for view in views for line in _speedups(view)],
        "forward": f"{flops / 1e6:.1f}",
        "learning": f"{training_flops(network) / 1e6:.1f}",
        "heaviest": heaviest.name,
        "share": f"{100 * share:.0f}",
        "parameters": _number(_parameters()),
    }


def _view(machine: Machine) -> View:
    own = machine.of(DigitsRecord.experiment)
    measured, missing = [], []
    for column in COLUMNS:
        record = own.get(DigitsCell(column))
        if record is not None and record.measured:
            measured.append(record)
        elif own:
            missing.append((column, record.reason if record else NO_RECORD))
    return View(machine, measured, missing)


def _overview(views: Sequence[View]) -> str:
    """Return a table of all machines and devices."""
    head = [
        "Machine and device",
        "Learned",
        "Median epoch",
        "All epochs",
        "Digits/s",
        "GFLOP/s",
        "Right at the end",
    ]
    rows = [_row(view, record) for view in views for record in view.measured]
    return rst.table(head, rows, kind="numbers") if rows else ""


def _row(view: View, record: DigitsRecord) -> list[str]:
    digits = record.digits
    other = "" if digits["name"] == MNIST else " (not MNIST)"
    return [
        f"{escaped(view.machine.name)}, {record.cell.column}",
        f"{_number(digits['learned'])}{other}",
        f"{formats.plain(record.median)} s",
        f"{formats.plain(sum(record.seconds))} s",
        _number(round(record.rate)),
        formats.plain(record.flops_per_second / 1e9),
        _percent(record.accuracy[-1]),
    ]


def _epoch(record: DigitsRecord, i: int) -> tuple[str, str]:
    if i >= len(record.seconds):
        return "–", "–"
    return formats.plain(record.seconds[i]), _percent(record.accuracy[i])


def _digits(record: DigitsRecord) -> str:
    """Say what was learned, whence it came, and what was left out."""
    digits = record.digits
    learned, tested = digits["learned"], digits["tested"]
    all_learned, all_tested = digits["there"]
    words = (
        f"{digits['name']}, {digits['height']}×{digits['width']} pixels; "
        f"{_number(learned)} of {_number(all_learned)} learned, {_number(tested)} of "
        f"{_number(all_tested)} held out for the test; split: {digits['split']}"
    )
    if digits["why"]:
        words += f". MNIST itself could not be had: {digits['why']}"
    return escaped(words)


def _speedups(view: View) -> Iterator[str]:
    """Yield how much faster a GPU was, where both learned the same."""
    by_column = {record.cell.column: record for record in view.measured}
    cpu = by_column.pop("CPU", None)
    for column, record in by_column.items():
        if cpu is not None and _task(cpu) == _task(record):
            ratio = formats.ratio(cpu.median / record.median)
            name = "without cuDNN" if column == "GPU" else "with cuDNN"
            yield (
                f"On {escaped(view.machine.name)} the GPU {name} learns an epoch in "
                f"{formats.plain(record.median)} s, the CPU in "
                f"{formats.plain(cpu.median)} s: **{ratio} times** as fast."
            )


def _task(record: DigitsRecord) -> tuple[Any, ...]:
    """Return what two records must share to be compared."""
    settings = record.settings
    digits = {key: settings["digits"][key] for key in ("name", "learned", "files")}
    return settings["epochs"], settings["batch"], digits


def _parameters() -> int:
    from chainer_style.weights.collection import count

    return count(small_cnn(28).parameter_shapes())


def _number(count: int) -> str:
    return f"{count:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}\N{NARROW NO-BREAK SPACE}%"
