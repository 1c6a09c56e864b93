"""``chainer-style run``: paint one picture in the style of another."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from chainer_style.cli.kinds import MEMORY
from chainer_style.engines import ENGINES, PRECISIONS, Precision
from chainer_style.networks import ALIASES, NETWORKS
from chainer_style.networks.nodes import POOL_KINDS
from chainer_style.protocols import MODERN, PROTOCOLS

if TYPE_CHECKING:
    from chainer_style.observers import RunLog
    from chainer_style.tiling.ranks import Ranks
    from chainer_style.transfer import Transfer

FINAL = "final.png"

LOOK = 50
"""Iterations after which the losses of an engine that runs ahead are looked at, where
no picture is saved."""

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def setting(*names: str, field: str, help: str, **more: Any) -> Decorator:
    """Declare an option that replaces a field of the protocol.

    The help tells the field's value in every protocol, read from there.
    """
    defaults = ", ".join(f"{p.name}: {getattr(p, field)}" for p in PROTOCOLS.values())
    return click.option(*names, field, help=f"{help}  [{defaults}]", **more)


@click.command()
@click.option("-i", "--content", "--orig_img", required=True, help="Picture to paint.")
@click.option(
    "-s", "--style", "--style_img", required=True, help="Picture whose style to take."
)
@click.option(
    "-o",
    "--output",
    "--out_dir",
    default="output",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the pictures and run.json.",
)
@setting(
    "-m", "--model", field="model", help=f"Network: {', '.join([*NETWORKS, *ALIASES])}."
)
@click.option(
    "-g",
    "--gpu",
    type=int,
    default=-1,
    show_default=True,
    help="CUDA device; negative: the CPU.",
)
@click.option("--cudnn/--no-cudnn", default=True, help="Use cuDNN on the GPU.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads of the CPU.  [default: one per core]",
)
@setting(
    "--iter", "--iterations", field="iterations", type=int, help="Number of steps."
)
@setting(
    "--scales",
    field="scales",
    type=int,
    help="Paint coarse to fine: each scale is twice as wide as the last, and all but "
    "the first have half of the iterations.",
)
@setting(
    "--lr",
    "--learning-rate",
    field="learning_rate",
    type=float,
    help="Adam's step, in grey levels.",
)
@setting(
    "--lam",
    "--content-weight",
    field="content_weight",
    type=float,
    help="Weight of content against style.",
)
@setting(
    "--tv",
    "--tv-weight",
    field="tv_weight",
    type=float,
    help="Weight of smoothness.",
)
@setting(
    "--pooling",
    field="pooling",
    type=click.Choice(POOL_KINDS),
    help="Kind of every pooling.",
)
@setting(
    "-w", "--width", field="width", type=int, help="Longer side of the picture, in px."
)
@setting("--init", field="init", help="Start from noise, content, a picture or .npy.")
@setting(
    "--snapshot-every",
    field="snapshot_every",
    type=int,
    help="Save a picture every so many iterations; 0: only the last.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of the noise to start from.",
)
@click.option(
    "--protocol",
    default=MODERN.name,
    show_default=True,
    type=click.Choice(list(PROTOCOLS)),
    help="2016: as the paper's code did. modern: as one wants it today.",
)
@click.option(
    "--engine",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", *ENGINES]),
    help="What computes; auto takes the fastest here.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Of arithmetic. bf16: faster where the processor multiplies it, and less "
    "exact.  [default: float32; engine cuda: tf32]",
)
@setting(
    "--weights",
    field="weights",
    help="caffe: trained; self-taught; seeded; auto: trained where they were fetched, "
    "else self-taught; or a file (.h5 or .caffemodel).",
)
@click.option(
    "--checkpoint",
    "checkpointing",
    is_flag=True,
    help="Leave what --resume goes on from, with every saved picture and on Ctrl-C.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on from the output folder's checkpoint, and keep leaving such.",
)
@click.option(
    "--memory",
    type=MEMORY,
    help="Most that the process may take, such as 2GiB: the picture is computed in "
    "tiles that fit.  [default: what is free, less a tenth]",
)
@click.option(
    "--tile",
    type=click.IntRange(1),
    help="Compute the picture in tiles of so many pixels.  [default: as memory allows]",
)
@click.option(
    "--mpi",
    is_flag=True,
    help="Compute it by all processes that mpiexec starts, a band of rows each.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def run(*, output: Path, mpi: bool, **options: Any) -> None:
    """Paint the content picture in the style of another.

    Leaves im_00000.png, im_00050.png, ..., final.png and run.json in the output
    folder. Ctrl-C saves what there is.

    \b
    chainer-style run -i photo.jpg -s painting.jpg -o output
    chainer-style run -i photo.jpg -s painting.jpg --protocol 2016 -m nin -w 435
    """  # noqa: D301 - click reads the escape
    from chainer_style.tiling import ranks

    ours = ranks.connect() if mpi else ranks.Alone()
    with ranks.ending(ours):
        finished = paint(output, ours, **options)
    if not finished:
        raise click.exceptions.Exit(INTERRUPTED)


def paint(
    output: Path,
    ours: Ranks,
    *,
    content: str,
    style: str,
    gpu: int,
    cudnn: bool,
    threads: int | None,
    seed: int,
    protocol: str,
    engine: str,
    precision: Precision | None,
    checkpointing: bool,
    resume: bool,
    memory: int | None,
    tile: int | None,
    quiet: bool,
    **options: Any,
) -> bool:
    """Paint a picture, by one of several ranks or alone; return whether it is done."""
    from chainer_style import checkpoint, observers, transfer
    from chainer_style.engines.base import Device
    from chainer_style.files import make_folder
    from chainer_style.tiling.create import Limits

    left = output / checkpoint.NAME
    quiet = quiet or not ours.is_root
    if ours.count > 1:
        threads = threads or ours.cores
        gpu = gpu + ours.number_here if gpu >= 0 else gpu
    job = transfer.prepare(
        content,
        style,
        protocol=protocol,
        engine=engine,
        device=Device(gpu, cudnn, threads),
        precision=precision,
        seed=seed,
        watch=observers.learning(quiet=quiet),
        compiling=observers.compiling(quiet=quiet),
        resume=left if resume else None,
        limits=Limits(memory, tile, checkpointing or resume, ours),
        **options,
    )
    if (cut := job.engine.layout) and not quiet:
        click.echo(cut)
    make_folder(output)
    every = job.protocol.snapshot_every
    inputs = {"content": content, "style": style}
    log = observers.RunLog(job, inputs, job.record)

    def keep() -> None:
        if (checkpointing or resume) and log.iterations and job.is_finite:
            found = job.as_checkpoint(log.entries)
            if ours.is_root:
                checkpoint.save(left, found)

    try:
        running = job.run(ahead=True)
        with observers.interruptible(running, ours.agree) as iterates:
            apart = (every or LOOK) if job.engine.runs_ahead else 1
            watched = observers.finite(log.watch(iterates), apart)
            watched = observers.cuts(watched, job, quiet=quiet)
            kept = observers.snapshots(watched, output, every, ours.is_root)
            kept = observers.checkpoints(kept, every, keep)
            shown = observers.progress(
                kept, job.iterations, quiet=quiet, done=job.done, widths=job.widths
            )
            for _ in shown:
                pass
    finally:
        if ours.count == 1 or sys.exc_info()[0] is None:
            _save(job, log, output, ours.is_root)
            keep()
    if ours.is_root:
        label = job.problem.weights.label
        click.echo(f"{output / FINAL}: {log.iterations} iterations, {label}")
    return log.iterations >= job.iterations


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def _save(job: Transfer, log: RunLog, output: Path, is_root: bool) -> None:
    """Save what there is of a run, finished or not; all ranks take part."""
    from chainer_style import images

    if not log.iterations:
        return
    if job.is_finite:
        if is_root:
            images.save(job.picture, output / FINAL, job.problem.weights.label)
        else:
            _ = job.image
    if is_root:
        log.write(output / "run.json")
