"""A network's graph in Caffe's own words: prototxt, and a model with its layers.

Written from caffe.proto, so that other readers of Caffe's files can run what the
package declares. Nodes are named like their outputs; nothing is done in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import caffe_files
from caffe_files import Blob

from chainer_style.networks import INPUT, Network
from chainer_style.networks.nodes import (
    LRN,
    Concat,
    Conv,
    Dropout,
    Linear,
    Node,
    Pool,
    ReLU,
    Sigmoid,
    Softmax,
)

Format = Literal["V1", "V2"]

TYPES: dict[type[Node], tuple[str, str]] = {
    LRN: ("LRN", "LRN"),
    Concat: ("CONCAT", "Concat"),
    Conv: ("CONVOLUTION", "Convolution"),
    Dropout: ("DROPOUT", "Dropout"),
    Linear: ("INNER_PRODUCT", "InnerProduct"),
    Pool: ("POOLING", "Pooling"),
    ReLU: ("RELU", "ReLU"),
    Sigmoid: ("SIGMOID", "Sigmoid"),
    Softmax: ("SOFTMAX", "Softmax"),
}


def write(network: Network, form: Format, size: tuple[int, int] | None = None) -> str:
    """Return a network as prototxt; with an input if its height and width are given.

    ``ceil_mode`` is OpenCV's own addition to Caffe's format, and written only where
    it differs from what Caffe does.
    """
    lines = [f'name: "{network.title}"']
    if size:
        lines.append(f'input: "{INPUT}"')
        extents = (1, network.channels, *size)
        lines += [f"input_dim: {extent}" for extent in extents]
    return "\n".join([*lines, *(_layer(node, form) for node in network.nodes), ""])


def _layer(node: Node, form: Format) -> str:
    v1, v2 = TYPES[type(node)]
    word, kind = ("layers", v1) if form == "V1" else ("layer", f'"{v2}"')
    bottoms = "".join(f' bottom: "{name}"' for name in node.inputs)
    parameters = " ".join(_parameters(node))
    return (
        f'{word} {{ name: "{node.name}" type: {kind}{bottoms} top: "{node.name}" '
        f"{parameters} }}"
    )


def _parameters(node: Node) -> Iterator[str]:
    match node:
        case Conv():
            yield (
                f"convolution_param {{ num_output: {node.channels} group: "
                f"{node.groups} {_window(node)} }}"
            )
        case Linear():
            yield f"inner_product_param {{ num_output: {node.channels} }}"
        case Pool():
            kind = {"max": "MAX", "average": "AVE"}[node.kind]
            ceil = "" if node.rounding == "ceil" else "ceil_mode: false"
            yield f"pooling_param {{ pool: {kind} {_window(node)} {ceil} }}"
        case LRN():
            yield (
                f"lrn_param {{ local_size: {node.local_size} alpha: {node.alpha} "
                f"beta: {node.beta} k: {node.k} }}"
            )


def _window(node: Conv | Pool) -> str:
    return f"kernel_size: {node.kernel} stride: {node.stride} pad: {node.pad}"


def model(network: Network, arrays: Any, form: Format, messages: Any) -> bytes:
    """Return a network with its weights as a ``.caffemodel``.

    The layers are encoded by protobuf, and the blobs, as another part of the same
    messages, by `caffe_files`: one by one protobuf would take seconds for them.

    Parameters
    ----------
    network
        The graph.
    arrays
        Layer name -> ``W``/``b`` -> array.
    form
        V1 has shapes of four axes and numbered types.
    messages
        Protobuf's ``caffe_pb2``.
    """
    from google.protobuf import text_format

    text = write(network, form).replace("ceil_mode: false", "")
    net = text_format.Parse(text, messages.NetParameter())
    v1 = form == "V1"
    number, blob_number = (2, 6) if v1 else (100, 7)
    parts = [caffe_files.chunk(1, net.name)]
    for layer in net.layers if v1 else net.layer:
        blobs = (
            Blob(array, shape="legacy" if v1 else "packed").encode()
            for array in arrays.get(layer.name, {}).values()
        )
        encoded = b"".join(caffe_files.chunk(blob_number, blob) for blob in blobs)
        parts.append(caffe_files.chunk(number, layer.SerializeToString() + encoded))
    return b"".join(parts)
