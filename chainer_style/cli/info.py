"""``info``: what lies in a file of weights."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
def info(file: Path) -> None:
    """Show what lies in a file of weights.

    FILE is a .caffemodel, an HDF5 file of this package, or Keras' of a VGG network:
    network, format, checksum, and every layer with its shapes, its bytes and the
    range of its numbers.
    """
    from chainer_style.weights import summary

    click.echo(summary.render(summary.summarise(file)))
