"""``chainer-style convert``: from Caffe's file to the package's own."""

from __future__ import annotations

from pathlib import Path

import click

from chainer_style.networks import NETWORKS


@click.command()
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write.  [default: the source's name with .h5]",
)
@click.option(
    "-m",
    "--model",
    help=f"Network that the file holds: {', '.join(NETWORKS)}.  [default: recognised]",
)
@click.option("--whole", is_flag=True, help="Keep the layers above the last tap too.")
def convert(source: Path, output: Path | None, model: str | None, whole: bool) -> None:
    """Convert trained weights to a small HDF5 file.

    FILE is a .caffemodel, or Keras' conversion of VGG-16 or VGG-19 without its top.
    Keeps only the layers that style transfer needs.
    """
    from chainer_style import networks
    from chainer_style.weights.convert import convert as convert_file
    from chainer_style.weights.convert import default_target

    network = networks.get(model) if model else None
    output = output or default_target(source)
    converted = convert_file(source, output, network, whole=whole)
    layers = len(converted.arrays)
    size = output.stat().st_size / 1e6
    click.echo(
        f"{output}: {networks.get(converted.network).title}, {layers} layers, "
        f"{size:.1f} MB, sha256 of {source.name} {converted.sha256}"
    )
