"""Tables of pictures, and the files beside the records of the figures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chainer_style import networks
from chainer_style.errors import UserError
from chainer_style.experiments.figures import FigureRecord
from chainer_style.report import rst
from chainer_style.report.machines import Machine

GONE = "*The file of this picture is gone.*"


@dataclass(frozen=True)
class Shown:
    """A figure's record with the machine that made it."""

    machine: Machine
    record: FigureRecord

    @property
    def settings(self) -> dict[str, Any]:
        """What ran."""
        return self.record.settings

    @property
    def title(self) -> str:
        """Name of the network, to print."""
        return networks.get(self.record.cell.name).title

    @property
    def label(self) -> str:
        """What to say of the weights."""
        return str(self.settings["weights"]["label"])

    @property
    def kind(self) -> str:
        """Kind of the weights."""
        return str(self.settings["weights"]["kind"])

    def file(self, name: str) -> bytes | None:
        """Return the content of a file beside the record; None if it is gone.

        Raises
        ------
        UserError
            If it is there and cannot be read.
        """
        # Only what lies in the machine's own folder belongs to its records.
        last = name.replace("\\", "/").rsplit("/", 1)[-1]
        path = self.machine.folder / self.record.experiment / last
        if not path.is_file():
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None

    def tile(self, name: str, alt: str, words: str = "") -> str:
        """Return a painted picture with words beneath, for a cell of `table`."""
        content = self.file(name)
        if content is None:
            return f"{GONE} {words}".rstrip()
        data = base64.b64encode(content).decode()
        image = f".. image:: data:image/jpeg;base64,{data}\n   :alt: {alt}\n"
        return f"{image}\n{words}".rstrip()

    def chart(self, files: Mapping[str, str], alt: str, caption: str = "") -> str:
        """Return a drawing for light and dark pages."""
        light, dark = self.file(files["light"]), self.file(files["dark"])
        if light is None:
            return f"{GONE}\n"
        return rst.picture(light, "svg+xml", alt, caption, dark=dark, classes="chart")


def shown(machines: Sequence[Machine], figure: int) -> list[Shown]:
    """Return what there is of a figure, network by network.

    From the first machine that has some of it.
    """
    order = list(networks.NETWORKS)
    for machine in machines:
        own = machine.of(FigureRecord.experiment).values()
        found = [r for r in own if r.cell.figure == figure and r.measured]
        if found:
            found.sort(key=lambda record: order.index(record.cell.name))
            return [Shown(machine, record) for record in found]
    return []


def table(rows: Sequence[Sequence[str]], head: bool = False) -> str:
    """Return a table of pictures.

    Parameters
    ----------
    rows
        reStructuredText of each cell, of any number of lines; as many in each row.
    head
        Whether the first row is a heading.
    """
    lines = [".. list-table::", "   :class: tiles"]
    if head:
        lines.append("   :header-rows: 1")
    lines.append("")
    for row in rows:
        for i, cell in enumerate(row):
            mark = "   * - " if i == 0 else "     - "
            first, *more = cell.split("\n")
            lines.append(f"{mark}{first}".rstrip())
            lines += [f"       {line}".rstrip() for line in more]
    return "\n".join([*lines, ""])
