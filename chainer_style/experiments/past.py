"""Past the paper: 512 pixels within the memory that they crashed in, and up to 8K.

A cell iterates in tiles (`chainer_style.tiling`) within a budget of memory. The budget
is also a limit that the system sets on the process: an allocation beyond it fails.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainer_style import images, memory
from chainer_style.errors import UserError
from chainer_style.experiments import confined
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.limits import GIB
from chainer_style.experiments.rates import NO_NUMBA, compile_kernels
from chainer_style.experiments.records import TimedRecord

if TYPE_CHECKING:
    from PIL import Image

    from chainer_style.engines.base import Device, Problem

MODEL, ENGINE = "vgg16", "cpu"

OPTIONS: Mapping[str, Any] = {
    "zero_weight_terms": False,
    "weight_gradients": False,
    "cpu_type_check": False,
    "holds_graph": False,
    "pixelwise_clip": False,
    "square": False,
}
"""Fields of protocol 2016 that are others here: its waste, and its square canvas, for
8K is none."""

PER_MEGAPIXEL = 5.0
"""Rough seconds of an iteration, for the time left and for what is told beforehand."""

TARGETS = 1.5
"""Rough time that the targets of both pictures take, in iterations."""

SETTING_UP = 8.0
"""Rough seconds of the rest: libraries, weights."""


@dataclass(frozen=True)
class PastCell:
    """One size within one budget.

    Attributes
    ----------
    width, height
        Of the picture in pixels.
    gib
        The budget of the whole process in GiB.
    iterations
        How many are done.
    """

    width: int
    height: int
    gib: int
    iterations: int

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return f"{MODEL}-{self.width}x{self.height}-{self.gib}gib"

    @property
    def part(self) -> str:
        """Name to ask for it: the usual one of its size."""
        return "px8k" if self.width == EIGHT_K[0] else f"px{self.width}"

    @property
    def size(self) -> str:
        """Its size, to print."""
        if (self.width, self.height) == EIGHT_K:
            return f"8K, {self.width}×{self.height} px"
        if self.width == self.height:
            return f"{self.width} px"
        return f"{self.width}×{self.height} px"

    @property
    def megapixels(self) -> float:
        """Pixels in millions."""
        return self.width * self.height / 1e6


EIGHT_K = (7680, 4320)

CELLS = (
    PastCell(512, 512, 2, 10),
    PastCell(1024, 1024, 2, 4),
    PastCell(2048, 2048, 2, 3),
    PastCell(4096, 4096, 2, 2),
    PastCell(*EIGHT_K, 4, 2),
)
"""2 GiB, the smaller of a GTX 960's memories, for as long as they are enough."""

FEW = CELLS[:2]
"""What takes a minute or two."""


@dataclass(frozen=True, kw_only=True)
class PastRecord(TimedRecord[PastCell]):
    """Iterations within a budget.

    The peak is that of the whole process, from its beginning.

    Attributes
    ----------
    before_bytes
        What the process held before the pictures were read: the interpreter,
        libraries and kernels. The limit counts from there.
    own_bytes
        What it held beside the pictures when the transfer was predicted: the same,
        and the weights.
    predicted_bytes
        What the transfer was predicted to take beside that.
    posing_seconds
        Of reading the pictures and making weights.
    targets_seconds
        Of the targets of both pictures.
    losses
        The total of every iteration, before its update.
    finite
        Whether every pixel is a number in the end.
    cut
        How the picture was cut, see `confined.described`.
    """

    experiment = "past"
    cell_type = PastCell

    before_bytes: int = 0
    own_bytes: int = 0
    predicted_bytes: int = 0
    posing_seconds: float = 0
    targets_seconds: float = 0
    losses: Sequence[float] = ()
    finite: bool = False
    cut: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def expected_bytes(self) -> int:
        """Peak of the process, as predicted."""
        return self.own_bytes + self.predicted_bytes

    @property
    def per_megapixel(self) -> float:
        """Median seconds of an iteration, per million pixels."""
        return self.median / self.cell.megapixels

    def check(self) -> None:
        """Refuse a measured record that lacks times, losses or the peak."""
        super().check()
        if not self.measured:
            return
        if self.peak_memory_bytes is None:
            raise ValueError("it lacks the peak of its memory")
        if len(self.losses) != len(self.seconds):
            raise ValueError("it lacks losses")
        if "tiles" not in self.cut:
            raise ValueError("it lacks how the picture was cut")


@dataclass(frozen=True)
class Past(Experiment[PastCell]):
    """VGG-16 under protocol 2016 without its waste, within a budget of memory.

    Every picture starts from noise, as in 2016. The content is cropped to the shape of
    the cell and enlarged to its size; the style is as wide, as the protocol has it.

    Attributes
    ----------
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    chosen
        The cells.
    """

    record = PastRecord

    content: Path
    style: Path
    weights: str
    chosen: tuple[PastCell, ...] = CELLS

    def cells(self) -> tuple[PastCell, ...]:
        """Return the chosen cells."""
        return self.chosen

    def title(self, cell: PastCell) -> str:
        """Return a cell's name to print."""
        return f"{cell.size} within {cell.gib} GiB"

    def estimate(self, cell: PastCell) -> float:
        """Return roughly the seconds of setting up and of all iterations."""
        return lasting(cell)

    def networks(self) -> frozenset[str]:
        """Return VGG-16."""
        return frozenset({MODEL})

    def check(self) -> None:
        """Refuse pictures that cannot be read."""
        for picture in (self.content, self.style):
            images.read(picture)

    def obstacle(self, cell: PastCell) -> str | None:
        """Return what the engine lacks, or how much memory is missing."""
        if not importlib.util.find_spec("numba"):
            return NO_NUMBA
        if not memory.address_space():
            return "no limit can be set here"
        there = memory.available()
        if there is not None and there < cell.gib * GIB:
            return f"of {cell.gib} GiB, {there / GIB:.1f} GiB are available"
        return None

    def measure(self, cell: PastCell, folder: Path, progress: Progress) -> PastRecord:
        """Iterate within the budget; running out of it is a record with a reason."""
        from chainer_style.engines.base import Device

        compile_kernels(progress)
        device = Device()
        before = confined.confine(cell.gib * GIB, device)
        try:
            found = self._measured(cell, device, progress)
        except MemoryError:
            found = {"reason": f"out of memory at {cell.gib} GiB"}
        except _TooLittleError as error:
            found = {"reason": str(error)}
        record: PastRecord = self.result(cell, before_bytes=before, **found)
        return record

    def _measured(
        self, cell: PastCell, device: Device, progress: Progress
    ) -> dict[str, Any]:
        """Return what a record says of a cell."""
        from chainer_style.tiling import create
        from chainer_style.tiling.create import Limits

        progress(0, "reading pictures, making weights")
        begin = time.perf_counter()
        problem = self._posed(cell)
        given = problem.content.nbytes + problem.style.nbytes + problem.start.nbytes
        posed = time.perf_counter()
        rounds = TARGETS + cell.iterations
        progress(0, "computing targets")
        memory.trim()
        own = memory.resident() - given
        try:
            engine = create.create(
                ENGINE, problem, device, limits=Limits(memory=cell.gib * GIB)
            )
        except UserError as error:
            raise _TooLittleError(str(error)) from None
        ready = time.perf_counter()
        cut = confined.described(engine, problem, device)
        settings = self._settings(problem, device)
        # The engine has let the pictures go; so must we.
        del problem
        seconds, losses = [], []
        for index in range(cell.iterations):
            progress((TARGETS + index) / rounds, f"{index} of {cell.iterations}")
            start = time.perf_counter()
            read = engine.step()
            engine.synchronize()
            seconds.append(round(time.perf_counter() - start, 6))
            losses.append(read().total)
        progress(1, f"{cell.iterations} of {cell.iterations}")
        return {
            "seconds": seconds,
            "dropped": 1,
            "peak_memory_bytes": memory.peak(),
            "own_bytes": own,
            "predicted_bytes": cut.pop("bytes"),
            "posing_seconds": round(posed - begin, 3),
            "targets_seconds": round(ready - posed, 3),
            "losses": losses,
            "finite": engine.is_finite,
            "cut": cut,
            "settings": settings,
        }

    def _posed(self, cell: PastCell) -> Problem:
        from chainer_style import transfer

        return transfer.pose(
            cropped(images.read(self.content), cell.width, cell.height),
            self.style,
            protocol="2016",
            model=MODEL,
            width=max(cell.width, cell.height),
            weights=self.weights,
            **OPTIONS,
        )

    def _settings(self, problem: Problem, device: Device) -> dict[str, Any]:
        return {
            "protocol": dataclasses.asdict(problem.protocol),
            "weights": problem.weights.as_record(),
            "engine": ENGINE,
            "threads": device.cores,
            "seed": 0,
            "content": self.content.name,
            "style": self.style.name,
            "style_size": [*problem.style.shape[:1:-1]],
        }

    def summary(self, record: PastRecord) -> str:
        """Return time, memory and tiles."""
        return (
            f"{record.median:.2f} s per iteration, "
            f"{(record.peak_memory_bytes or 0) / 2**20:.0f} MiB "
            f"({record.expected_bytes / 2**20:.0f} MiB predicted), "
            f"{record.cut['tiles']} tile{'s' * (record.cut['tiles'] != 1)}"
        )


def lasting(cell: PastCell) -> float:
    """Return roughly how many seconds a cell takes, on two cores."""
    iterations = TARGETS + cell.iterations
    return SETTING_UP + PER_MEGAPIXEL * cell.megapixels * iterations


class _TooLittleError(Exception):
    """However it is cut, a picture needs more than the budget."""


def cropped(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the middle of a picture, as large as can be, in the shape of a size.

    `images.prepare` enlarges it to just that size.

    Raises
    ------
    UserError
        If the picture is too small to have that shape.
    """
    common = math.gcd(width, height)
    across, down = width // common, height // common
    times = min(image.width // across, image.height // down)
    if not times:
        raise UserError(
            f"a picture of {image.width}×{image.height} pixels has no part of the "
            f"shape {across}:{down}; give a larger one"
        )
    left = (image.width - across * times) // 2
    top = (image.height - down * times) // 2
    return image.crop((left, top, left + across * times, top + down * times))
