"""``python -m chainer_style.digits``: learn digits, and watch Chainer's trainer."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from chainer_style.errors import UserError

ENTRIES = [
    "epoch",
    "main/loss",
    "main/accuracy",
    "validation/main/loss",
    "validation/main/accuracy",
    "elapsed_time",
]
"""What is printed of every epoch."""


class _Refusal(click.ClickException):
    exit_code = 2


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--mnist",
    type=click.Path(path_type=Path),
    help="Folder of MNIST's files; by default they are fetched.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--gpu", type=int, default=-1, help="CUDA device; the CPU without.")
@click.option("--cudnn/--no-cudnn", default=True, help="Use cuDNN on the GPU.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="output/digits",
    show_default=True,
    help="Folder for the log and the charts.",
)
def main(
    *, mnist: Path | None, epochs: int, batch: int, gpu: int, cudnn: bool, out: Path
) -> None:
    """Learn MNIST's digits with Chainer's trainer: log, progress bar and charts."""
    try:
        _learn(mnist, epochs, batch, gpu, cudnn, out)
    except UserError as error:
        raise _Refusal(str(error)) from None


def _learn(
    mnist: Path | None, epochs: int, batch: int, gpu: int, cudnn: bool, out: Path
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from chainer.training import extensions

    from chainer_style.cli.fetching import Terminal
    from chainer_style.digits import source, training
    from chainer_style.engines.base import Device
    from chainer_style.files import make_folder

    try:
        found = source.load(mnist, None, watch=Terminal())
    except source.NoDigitsError as error:
        raise UserError(f"{error}; name a folder of idx files with --mnist") from None
    click.echo(
        f"{found.name}: {len(found.learned):,} to learn, {len(found.tested):,} to test"
    )
    make_folder(out)
    device = Device(gpu, cudnn)
    shown = (
        # Their default is what standard output was when Chainer was imported.
        extensions.PrintReport(ENTRIES, out=sys.stdout),
        extensions.ProgressBar(update_interval=5, out=sys.stdout),
    )
    settings = training.Settings(epochs=epochs, batch=batch)
    session = training.prepare(
        found.learned, found.tested, device, out, settings, more=shown
    )
    training.run(session, device)


if __name__ == "__main__":
    main(prog_name="python -m chainer_style.digits")
