"""``chainer-style plan``: what a picture of some size would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chainer_style.cli.kinds import MEMORY, SIZE
from chainer_style.engines import Precision
from chainer_style.networks import ALIASES, NETWORKS
from chainer_style.networks.nodes import POOL_KINDS
from chainer_style.protocols import MODERN, PROTOCOLS

if TYPE_CHECKING:
    from chainer_style.tiling.planning import Outlook


@click.command()
@click.option("--size", type=SIZE, required=True, help="Of the picture: 7680x4320.")
@click.option(
    "--style-size", type=SIZE, help="Of the style picture.  [default: the same]"
)
@click.option("-m", "--model", help=f"Network: {', '.join([*NETWORKS, *ALIASES])}.")
@click.option(
    "--protocol",
    default=MODERN.name,
    show_default=True,
    type=click.Choice(list(PROTOCOLS)),
    help="See run.",
)
@click.option("--pooling", type=click.Choice(POOL_KINDS), help="Kind of every pooling.")
@click.option(
    "--memory",
    type=MEMORY,
    help="Most that the process may take, such as 4GiB.  [default: what is free, less "
    "a tenth]",
)
@click.option("--tile", type=click.IntRange(1), help="Pixels of a tile.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of the CPU.  [default: one per core]",
)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "bf16"]),
    help="Of arithmetic.",
)
def plan(
    *,
    size: tuple[int, int],
    style_size: tuple[int, int] | None,
    model: str | None,
    protocol: str,
    pooling: str | None,
    memory: int | None,
    tile: int | None,
    threads: int | None,
    precision: Precision,
) -> None:
    """Tell what a picture would take: tiles, memory, operations, time.

    Nothing is painted. The time is that of one tile, computed here and now by engine
    cpu, times what all of them are worth.

    \b
    chainer-style plan --size 7680x4320 --memory 4GiB
    """  # noqa: D301 - click reads the escape
    from chainer_style import protocols, text
    from chainer_style.engines.base import Device
    from chainer_style.tiling import planning
    from chainer_style.tiling.create import Limits

    chosen = {"model": model, "pooling": pooling}
    asked = protocols.get(protocol).with_options(
        **{name: value for name, value in chosen.items() if value is not None}
    )
    found = planning.look(
        asked,
        size[::-1],
        (style_size or size)[::-1],
        Limits(memory, tile),
        Device(threads=threads),
        precision=precision,
    )
    for line in text.aligned(rows(found)):
        click.echo(line)


def rows(found: Outlook) -> list[tuple[str, str]]:
    """Return a table of what was found."""
    from chainer_style.report import formats

    height, width = found.cut.extents.content
    iterations = found.iterations
    more = 100 * (found.cut.flops / found.whole.flops - 1)
    return [
        ("picture", f"{width}×{height} px"),
        ("tiles", found.tiles),
        *((f"  {what}", which) for what, which in found.passes.items()),
        ("memory", formats.mebibytes(sum(found.memory.values()))),
        *((f"  {name}", formats.mebibytes(b)) for name, b in found.memory.items()),
        (
            "an iteration",
            f"{formats.plain(found.cut.flops / 1e12)} TFLOP, of which margins and what "
            f"is computed anew add {more:.0f} %",
        ),
        ("  expected", f"{formats.plain(found.seconds)} s on this machine"),
        (f"  {iterations} of them", f"{_hours(found.seconds * iterations)}"),
    ]


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60)
    if not minutes:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
