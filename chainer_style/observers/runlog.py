"""The run in numbers: ``run.json``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainer_style.engines.base import Losses
from chainer_style.files import write_json
from chainer_style.provenance import environment
from chainer_style.transfer import Iterate, Transfer

FORMAT = 1
"""Version of the document's layout."""


class RunLog:
    """Collects what a run did, and writes it as one JSON document.

    Parameters
    ----------
    transfer
        The run.
    inputs
        Names of the files it was started with.
    earlier
        Entries of the iterations before it was gone on with.
    """

    def __init__(
        self,
        transfer: Transfer,
        inputs: dict[str, str],
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._transfer = transfer
        self._inputs = inputs
        self._earlier = earlier
        self._engine = transfer.engine.name
        self._kept: list[tuple[float, Callable[[], Losses]]] = []

    def watch(self, iterates: Iterable[Iterate]) -> Iterator[Iterate]:
        """Pass the iterates on, and keep their losses and seconds."""
        for iterate in iterates:
            self._kept.append((iterate.seconds, iterate.read_losses))
            yield iterate

    @property
    def iterations(self) -> int:
        """How many iterations it knows of."""
        return len(self._earlier) + len(self._kept)

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        """What is kept of every iteration, of plain values."""
        taps = [tap.name for tap in self._transfer.problem.network.taps]
        return [
            *self._earlier,
            *(
                {"seconds": seconds, **_losses(read_losses(), taps)}
                for seconds, read_losses in self._kept
            ),
        ]

    def document(self) -> dict[str, Any]:
        """Return the run as it stands."""
        problem = self._transfer.problem
        return {
            "format": FORMAT,
            "inputs": self._inputs,
            "protocol": dataclasses.asdict(self._transfer.protocol),
            "network": problem.network.name,
            "weights": problem.weights.as_record(),
            "engine": self._engine,
            "seed": self._transfer.seed,
            "size": {"height": problem.canvas.height, "width": problem.canvas.width},
            "scales": [
                {"width": scale.width, "iterations": scale.iterations}
                for scale in self._transfer.scales
            ],
            "environment": environment(),
            "resumed_after": len(self._earlier),
            "iterations": self.entries,
        }

    def write(self, path: Path) -> None:
        """Write the document, whole or not at all."""
        write_json(path, self.document())


def _losses(losses: Losses, taps: list[str]) -> dict[str, Any]:
    content = map(_number, losses.content)
    style = map(_number, losses.style)
    return {
        "total": _number(losses.total),
        "content": dict(zip(taps, content, strict=True)),
        "style": dict(zip(taps, style, strict=True)),
        "variation": _number(losses.variation),
    }


def _number(value: float) -> float | None:
    """Return the value, or None where JSON has no number for it."""
    return value if math.isfinite(value) else None
