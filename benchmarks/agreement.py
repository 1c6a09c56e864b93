"""Compare this package with OpenCV and CaffeFunction on the same Caffe files.

    python benchmarks/agreement.py

For every network that has taps, in both of Caffe's formats, pooled as Caffe does and
as each protocol does, at several sizes: the features at all taps, as this package
computes them from the file, against those of OpenCV's dnn module and of Chainer's own
CaffeFunction. The weights are random and the picture is drawn: what is compared is
how files are read and networks run, and that does not depend on training.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import chainer_style  # noqa: E402, F401  (before anything imports chainer)

# isort: split
import cv2  # noqa: E402
import peers  # noqa: E402
import processes  # noqa: E402

from chainer_style import networks, transfer  # noqa: E402
from chainer_style.networks import Network  # noqa: E402
from chainer_style.protocols import PROTOCOLS  # noqa: E402
from chainer_style.weights import caffe  # noqa: E402

SIZES = ((128, 128), (101, 150), (224, 224))
"""Heights and widths of the pictures, in pixels; one of them odd."""


def main() -> None:
    """Compare everything and write the record."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--networks", nargs="+", default=list(networks.NETWORKS))
    options.add_argument("--record", type=Path, help="JSON file to write")
    given = options.parse_args()
    rows = []
    for name in given.networks:
        for way, network in _ways(name):
            for form in ("V1", "V2"):
                for size in SIZES:
                    rows += list(_compared(way, network, form, size))
            worst = {
                peer: max((row[peer] for row in found), default=None)
                for peer in ("opencv", "caffe_function")
                if (found := [r for r in _of(rows, name, way) if r[peer] is not None])
            }
            print(f"{name:10} {way:10} {worst}", flush=True)
    record = given.record or processes.default_path("agreement")
    content = {
        "measure": "largest difference of two features, over the largest feature",
        "opencv": cv2.__version__,
        "rows": rows,
    }
    processes.save(record, "agreement", content)


def _ways(name: str) -> Iterator[tuple[str, Network]]:
    """Yield a network as Caffe runs it, and as each protocol does."""
    yield "caffe", networks.get(name).upto_taps()
    for protocol, settings in PROTOCOLS.items():
        yield protocol, transfer.network_for(settings.with_options(model=name))


def _of(rows: list[dict[str, Any]], name: str, way: str) -> list[dict[str, Any]]:
    return [row for row in rows if (row["network"], row["as"]) == (name, way)]


def _compared(
    way: str, network: Network, form: str, size: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """Yield one row per tap; None for a peer that cannot run it."""
    nodes = [tap.node for tap in network.taps]
    x = peers.picture(*size)
    with _files(network, form, x) as (text, model):
        arrays = caffe.load(model, network, checksum=False).arrays
        ours = peers.ours(network, arrays, x, nodes)
        theirs = {"opencv": None, "caffe_function": None}
        if peers.opencv_runs(network):
            theirs["opencv"] = peers.opencv(text, model, x, nodes)
        if peers.caffe_function_runs(network):
            theirs["caffe_function"] = peers.caffe_function(model, x, nodes)
    for tap in network.taps:
        yield {
            "network": network.name,
            "as": way,
            "format": form,
            "height": size[0],
            "width": size[1],
            "tap": tap.name,
            **{
                peer: None
                if found is None
                else peers.difference(ours[tap.node], found[tap.node])
                for peer, found in theirs.items()
            },
        }


@contextlib.contextmanager
def _files(network: Network, form: str, x: Any) -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory(prefix="agreement-") as folder:
        yield peers.write(Path(folder), network, peers.weights(network), form, x)


if __name__ == "__main__":
    main()
