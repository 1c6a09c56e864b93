"""Measure how long it takes to read VGG-16's 553 MB, and how much memory.

    python benchmarks/convert.py --repeats 5

A synthetic file of VGG-16's full shapes is written to a temporary folder, and read
by this package and by Chainer's own CaffeFunction, each time in a fresh process. The
file is in the system's cache: the disk is not what is measured.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import processes  # noqa: E402

NETWORK = "vgg16"

Task = Callable[[Path, Path], object]


def main() -> None:
    """Measure, or be the child that is measured."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--record", type=Path, help="JSON file to write")
    options.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.child:
        name, *paths = given.child
        model, target = map(Path, paths)
        task = _TASKS[name]()
        processes.child(lambda: lambda: task(model, target))
        return
    with tempfile.TemporaryDirectory(prefix="convert-") as folder:
        model, target = Path(folder) / "model.caffemodel", Path(folder) / "out.h5"
        # In a process of its own: this one has to stay small.
        context = multiprocessing.get_context("spawn")
        writer = context.Process(target=_write, args=(model,))
        writer.start()
        writer.join()
        size = model.stat().st_size
        tasks = {}
        for name in _TASKS:
            words = [name, str(model), str(target)]
            tasks[name] = found = processes.measure(__file__, words, given.repeats)
            print(
                f"{name:16} {found['median_seconds']:7.3f} s  "
                f"{found['peak_above_start_bytes'] / 1e6:7.0f} MB  {found['result']}"
            )
    record = given.record or processes.default_path("convert")
    content = {"network": NETWORK, "file_bytes": size, "tasks": tasks}
    processes.save(record, "convert", content)


def _write(path: Path) -> None:
    import chainer_style  # noqa: F401  (makes Chainer's caffe_pb2 importable)

    # isort: split
    import peers
    import prototxt
    from chainer.links.caffe.protobuf3 import caffe_pb2

    from chainer_style import networks

    network = networks.get(NETWORK)
    arrays = peers.weights(network)
    path.write_bytes(prototxt.model(network, arrays, "V1", caffe_pb2))


# -- what is measured; each imports first, and returns what to time --------


def _open() -> Task:
    from chainer_style.weights import caffe

    return lambda model, _: f"{len(caffe.read(model).layers)} layers"


def _needed() -> Task:
    from chainer_style import networks
    from chainer_style.weights import caffe

    part = networks.get(NETWORK).upto_taps()
    return lambda model, _: _bytes(caffe.load(model, part, checksum=False))


def _checksum() -> Task:
    from chainer_style.weights import disk

    return lambda model, _: disk.sha256(model)


def _convert(whole: bool) -> Task:
    from chainer_style.weights import caffe, convert, store  # noqa: F401

    def run(model: Path, target: Path) -> object:
        return _bytes(convert.convert(model, target, whole=whole))

    return run


def _caffe_function() -> Task:
    import warnings

    import chainer_style  # noqa: F401

    # isort: split
    from chainer.links.caffe import CaffeFunction

    warnings.simplefilter("ignore")

    def run(model: Path, _: Path) -> object:
        function = CaffeFunction(str(model))
        return sum(parameter.array.nbytes for parameter in function.params())

    return run


def _bytes(weights: object) -> int:
    """Return the bytes of all arrays."""
    layers = weights.arrays.values()
    return sum(array.nbytes for layer in layers for array in layer.values())


_TASKS: dict[str, Callable[[], Task]] = {
    "open": _open,
    "needed": _needed,
    "sha256": _checksum,
    "convert": lambda: _convert(whole=False),
    "convert-whole": lambda: _convert(whole=True),
    "caffe-function": _caffe_function,
}


if __name__ == "__main__":
    main()
