"""What ``benchmarks/gpu_kernels.py`` measured: where the time goes on a card."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from chainer_style import networks
from chainer_style.report import cells, races

FOLDER = Path("benchmarks") / "gpu_kernels"
"""Of the records, below their machine's."""

FORMAT = 1

FORTH, BACK, GRAM = "convolutions", "convolutions back", "matrix products"
POOLING, LOSSES, UPDATE = "pooling", "losses", "Adam, clip"
LAYOUT, POINTWISE, REDUCE = "layouts, columns", "ReLU, pointwise", "sums"
MOVES, OTHER, GAPS = "copies, clears", "other kernels", "between kernels"

WORDS: Mapping[str, str] = {
    MOVES: r"memcpy|memset|fillfunctor|\bfill\b",
    # The kernels of engine cuda are called by one word each.
    UPDATE: r"adam|clip|clamp|multi_?tensor|update"
    r"|^(spread|collect|assemble|vary|move|clear|cut|put_back|to_integers)$",
    LAYOUT: r"nchw.?to|nhwc.?to|tonchw|tonhwc|convert|transpose|im2col|col2im|layout",
    POOLING: r"pool",
    GRAM: r"gram|syrk|^gather$",
    LOSSES: r"loss|mse|compare|target|residual|^(complete|tell|tapped_\d+)$",
    BACK: r"dgrad|wgrad|bgrad|bwd|backward.*conv|conv.*(back|grad)|unconv|deconv"
    r"|^first_back$",
    FORTH: r"fprop|fwd|conv(?!ert)|winograd|implicit|cudnn.*engine|^first$",
    "products": r"gemm|gemv|nvjet|cublas|cutlass|xmma|matmul|triton_mm|triton_tem",
    REDUCE: r"reduce|reduction|triton_(red|per)|_sum|sum_|\bsum\b|splitk",
    POINTWISE: r"relu|threshold|elementwise|vectorized|triton_poi|cupy_|bias|add"
    r"|^(rectify|shift|join|carry|take|give|(de)?normalise)$",
}
"""What the name of a kernel says it does; the first that fits counts. Products of
matrices are Gram matrices and their gradients, but where a convolution becomes one."""

GROUPS = (
    *(FORTH, BACK, GRAM, LOSSES, POOLING, POINTWISE),
    *(REDUCE, LAYOUT, UPDATE, MOVES, OTHER),
)
"""In the order in which they are shown."""

LONGEST = 60
"""Letters of a kernel's name that are shown."""


def group(name: str) -> str:
    """Return what a kernel does, by its name."""
    lower = name.lower()
    for found, words in WORDS.items():
        if re.search(words, lower):
            return GRAM if found == "products" else found
    return OTHER


def short(name: str) -> str:
    """Return a kernel's name without namespaces, and without what it is made for."""
    bare = re.sub(r"^void ", "", name)
    bare = re.sub(r"\b(at::native|anonymous namespace|cudnn|cutlass)::", "", bare)
    bare = bare.replace("(anonymous namespace)::", "")
    bare = bare.split("(")[0].strip() or bare
    head, _, rest = bare.partition("<")
    inner = re.findall(r"\w{4,}", rest)
    # What a general kernel does is said by what it is made of.
    found = f"{head}<{inner[-1] if len(inner) == 1 else inner[0]}>" if inner else head
    return found if len(found) <= LONGEST else found[: LONGEST - 1] + "…"


@dataclass(frozen=True)
class Kernel:
    """All launches of one kernel.

    Attributes
    ----------
    name
        As the profiler tells it.
    launches
        In an iteration.
    seconds
        Of all of them, in an iteration.
    """

    name: str
    launches: float
    seconds: float

    @property
    def group(self) -> str:
        """Which of the `GROUPS` it belongs to."""
        return group(self.name)


@dataclass(frozen=True)
class Trace:
    """One contender with one network, size and precision.

    Attributes
    ----------
    network, size, precision
        Which.
    name, title
        The contender's, to ask for it and to print.
    turns
        Seconds of an iteration, turn by turn, while nobody looked.
    busy
        Seconds of an iteration in which any kernel ran, while the profiler looked.
    kernels
        The longest first.
    environment
        See `chainer_style.provenance.environment`.
    ended
        UTC date and time in ISO 8601.
    """

    network: str
    size: int
    precision: str
    name: str
    title: str
    turns: Sequence[float]
    busy: float
    kernels: Sequence[Kernel]
    environment: Mapping[str, Any]
    ended: str

    @property
    def cell(self) -> str:
        """Network, size and precision, to print."""
        return f"{networks.get(self.network).title}, {self.size} px, {self.precision}"

    @property
    def seconds(self) -> float:
        """Of an iteration while nobody looked: the median."""
        return median(self.turns)

    @property
    def gaps(self) -> float:
        """Seconds of an iteration in which no kernel ran.

        Less than none where kernels took longer while the profiler looked.
        """
        return self.seconds - self.busy

    @property
    def launches(self) -> float:
        """Kernels of an iteration."""
        return sum(kernel.launches for kernel in self.kernels)

    @property
    def groups(self) -> dict[str, float]:
        """Seconds of each group that there is."""
        found = dict.fromkeys(GROUPS, 0.0)
        for kernel in self.kernels:
            found[kernel.group] += kernel.seconds
        return {name: seconds for name, seconds in found.items() if seconds}


def load(path: Path) -> list[Trace]:
    """Return what a record holds, contender by contender.

    Raises
    ------
    UserError
        If the file is no such record.
    """
    return cells.load(path, _traces)


def read(machine: Path) -> tuple[list[Trace], list[str]]:
    """Return what a machine's folder holds, by network, precision and size.

    Parameters
    ----------
    machine
        The folder.

    Returns
    -------
    traces
        What could be read.
    skipped
        One line for each file that could not.
    """
    records, skipped = cells.gather(machine / FOLDER, load)
    found = [trace for record in records for trace in record]
    order, kinds = list(networks.NETWORKS), races.PRECISIONS
    found.sort(key=lambda t: (order.index(t.network), kinds.index(t.precision), t.size))
    return found, skipped


def _traces(document: Mapping[str, Any]) -> list[Trace]:
    if document["format"] != FORMAT:
        raise ValueError(f"it is of format {document['format']}, not {FORMAT}")
    cell = document["cell"]
    networks.get(cell["network"])
    races.PRECISIONS.index(cell["precision"])
    found = []
    for own in document["contenders"]:
        if own["reason"]:
            continue
        kernels = [Kernel(**kernel) for kernel in own["kernels"]]
        trace = Trace(
            **cell,
            name=own["name"],
            title=own["title"],
            turns=tuple(own["turns"]),
            busy=own["busy"],
            kernels=sorted(kernels, key=lambda k: -k.seconds),
            environment=document["environment"],
            ended=document["ended"],
        )
        if not (trace.turns and trace.kernels):
            raise ValueError(f"{trace.name} lacks times")
        found.append(trace)
    return found
