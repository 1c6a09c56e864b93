"""The same network in other programs: OpenCV's ``dnn`` and Chainer's CaffeFunction."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import prototxt

from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import LRN, Pool

Array = npt.NDArray[np.float32]
Features = dict[str, Array]


def weights(network: Network, seed: int = 0) -> Mapping[str, Mapping[str, Array]]:
    """Return random weights that keep the features of all layers about as large."""
    random = np.random.default_rng(seed)
    return {
        layer: {
            "W": random.normal(
                scale=np.sqrt(2 / np.prod(shapes["W"][1:])), size=shapes["W"]
            ).astype(np.float32),
            "b": random.normal(scale=0.1, size=shapes["b"]).astype(np.float32),
        }
        for layer, shapes in network.parameter_shapes().items()
    }


def picture(height: int, width: int) -> Array:
    """Return a picture in network units, (1, 3, height, width), with structure."""
    y, x = np.mgrid[:height, :width] / 16
    channels = [np.sin(2 * x + y), np.cos(3 * y), np.sin(x) * np.cos(y)]
    noise = np.random.default_rng(1).normal(scale=0.2, size=(3, height, width))
    return (60 * (np.stack(channels) + noise))[None].astype(np.float32)


def ours(network: Network, arrays: Any, x: Array, nodes: Sequence[str]) -> Features:
    """Run the package's chain."""
    import chainer

    from chainer_style import links

    chain = links.NetworkChain(network, arrays)
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        outputs = chain(x, nodes)
    return {name: y.array for name, y in zip(nodes, outputs, strict=True)}


def opencv(prototext: Path, model: Path, x: Array, nodes: Sequence[str]) -> Features:
    """Run OpenCV's ``dnn`` on the CPU, without its faster approximations."""
    import cv2

    net = cv2.dnn.readNetFromCaffe(str(prototext), str(model))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.enableFusion(False)
    net.enableWinograd(False)
    net.setInput(x)
    return dict(zip(nodes, net.forward(list(nodes)), strict=True))


def opencv_runs(network: Network) -> bool:
    """Whether OpenCV reads all that the network says: it takes LRN's k for 1."""
    return all(node.k == 1 for node in network.nodes if isinstance(node, LRN))


def caffe_function_runs(network: Network) -> bool:
    """Whether CaffeFunction reads it: averages are rounded down, maxima up."""
    pools = {(n.kind, n.rounding) for n in network.nodes if isinstance(n, Pool)}
    return pools <= {("average", "floor"), ("max", "ceil")}


def caffe_function(model: Path, x: Array, nodes: Sequence[str]) -> Features:
    """Run Chainer's own reader of Caffe models."""
    import chainer
    from chainer.links.caffe import CaffeFunction

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers that it skips
        function = CaffeFunction(str(model))
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        outputs = function({INPUT: x}, nodes)
    return {name: y.array for name, y in zip(nodes, outputs, strict=True)}


def difference(a: Array, b: Array) -> float:
    """Return the largest difference, relative to the largest feature."""
    assert a.shape == b.shape, f"{a.shape} and {b.shape}"
    return float(np.abs(a.astype(np.float64) - b).max() / np.abs(b).max())


def write(
    folder: Path, network: Network, arrays: Any, form: prototxt.Format, x: Array
) -> tuple[Path, Path]:
    """Write prototxt and model of a network, and return their paths."""
    from chainer.links.caffe.protobuf3 import caffe_pb2

    text, model = folder / "deploy.prototxt", folder / "model.caffemodel"
    text.write_text(prototxt.write(network, form, x.shape[2:]))
    model.write_bytes(prototxt.model(network, arrays, form, caffe_pb2))
    return text, model
