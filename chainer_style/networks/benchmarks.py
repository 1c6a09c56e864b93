"""The networks that convnet-benchmarks trained: those of the paper's Table 1.

Each as the Chainer scripts of soumith/convnet-benchmarks had it at commit 1f09e1e
(2016-01-26), which is not always as it was published. They have no taps, because no
picture is painted with them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from chainer_style.networks.googlenet import GOOGLENET
from chainer_style.networks.graph import Network
from chainer_style.networks.nodes import (
    Conv,
    Linear,
    Node,
    Pool,
    ReLU,
    sequential,
)

SCRIPTS = "soumith/convnet-benchmarks 1f09e1e, chainer"


class Head(NamedTuple):
    """A classifier that is trained.

    Attributes
    ----------
    node
        Its logits.
    weight
        Of its loss in the sum that is minimised.
    """

    node: str
    weight: float


@dataclass(frozen=True)
class Benchmark:
    """A network with what is minimised when it is trained.

    Attributes
    ----------
    network
        The graph, up to the logits.
    heads
        Classifiers; the main one is the first.
    batch
        Pictures per iteration in the benchmark.
    """

    network: Network
    heads: tuple[Head, ...]
    batch: int

    def training_flops(self) -> int:
        """Floating-point operations of one picture, there and back.

        Three times the forward pass: every layer computes its output, the gradient
        of its input and that of its filters, which take the same arithmetic. The
        2016 scripts asked for the gradient of the pictures too.
        """
        size = self.network.input_size
        return 3 * self.network.flops(size, size)


def _untapped(name: str, title: str, size: int, source: str, *nodes: Node) -> Network:
    return Network(
        name=name,
        title=title,
        nodes=sequential(*nodes),
        taps=(),
        mean=(0.0, 0.0, 0.0),
        input_size=size,
        source=source,
    )


def _conv(
    layer: str, channels: int, kernel: int, stride: int = 1, pad: int = 0
) -> tuple[Node, ...]:
    """Return a convolution and its ReLU."""
    return (
        Conv(f"conv{layer}", channels=channels, kernel=kernel, stride=stride, pad=pad),
        ReLU(f"relu{layer}"),
    )


def _classifier(*channels: int) -> tuple[Node, ...]:
    """Return fc6, fc7 and fc8, without dropout: the scripts had none."""
    six, seven, eight = channels
    return (
        *(Linear("fc6", channels=six), ReLU("relu6")),
        *(Linear("fc7", channels=seven), ReLU("relu7")),
        Linear("fc8", channels=eight),
    )


ALEXNET_OWT = Benchmark(
    _untapped(
        "alexnet_owt",
        "AlexNet (one weird trick)",
        224,
        f"Krizhevsky 2014, arXiv 1404.5997; {SCRIPTS}/alex.py",
        *_conv("1", 64, kernel=11, stride=4, pad=2),
        Pool("pool1", kernel=3, stride=2),
        *_conv("2", 192, kernel=5, pad=2),
        Pool("pool2", kernel=3, stride=2),
        *_conv("3", 384, kernel=3, pad=1),
        *_conv("4", 256, kernel=3, pad=1),
        *_conv("5", 256, kernel=3, pad=1),
        Pool("pool5", kernel=3, stride=2),
        *_classifier(4096, 4096, 1000),
    ),
    heads=(Head("fc8", 1),),
    batch=128,
)

OVERFEAT = Benchmark(
    _untapped(
        "overfeat",
        "OverFeat [fast]",
        231,
        f"Sermanet and others 2013, arXiv 1312.6229, table 1; {SCRIPTS}/overfeat.py",
        *_conv("1", 96, kernel=11, stride=4),
        Pool("pool1", kernel=2, stride=2),
        *_conv("2", 256, kernel=5),
        Pool("pool2", kernel=2, stride=2),
        *_conv("3", 512, kernel=3, pad=1),
        *_conv("4", 1024, kernel=3, pad=1),
        *_conv("5", 1024, kernel=3, pad=1),
        # 2 in the publication; the size is the same.
        Pool("pool5", kernel=3, stride=2),
        *_classifier(3072, 4096, 1000),
    ),
    heads=(Head("fc8", 1),),
    batch=128,
)

VGG_A = Benchmark(
    _untapped(
        "vgg_a",
        "OxfordNet [Model-A]",
        224,
        "Simonyan and Zisserman 2014, arXiv 1409.1556, configuration A; "
        f"{SCRIPTS}/vgga.py",
        *_conv("1_1", 64, kernel=3, pad=1),
        Pool("pool1", kernel=2, stride=2),
        *_conv("2_1", 128, kernel=3, pad=1),
        Pool("pool2", kernel=2, stride=2),
        *_conv("3_1", 256, kernel=3, pad=1),
        *_conv("3_2", 256, kernel=3, pad=1),
        Pool("pool3", kernel=2, stride=2),
        *_conv("4_1", 512, kernel=3, pad=1),
        *_conv("4_2", 512, kernel=3, pad=1),
        Pool("pool4", kernel=2, stride=2),
        *_conv("5_1", 512, kernel=3, pad=1),
        *_conv("5_2", 512, kernel=3, pad=1),
        Pool("pool5", kernel=2, stride=2),
        *_classifier(4096, 4096, 1000),
    ),
    heads=(Head("fc8", 1),),
    batch=64,
)


def _side_classifier(name: str, below: str) -> tuple[Node, ...]:
    """Return one of the two classifiers that only training has."""
    return sequential(
        Pool(f"{name}/ave_pool", kernel=5, stride=3, kind="average"),
        Conv(f"{name}/conv", channels=128),
        ReLU(f"{name}/relu_conv"),
        Linear(f"{name}/fc", channels=1024),
        ReLU(f"{name}/relu_fc"),
        Linear(f"{name}/classifier", channels=1000),
        start=below,
    )


def _with_side_classifiers() -> Network:
    """Return GoogLeNet as it is trained, normalised as Chainer does by default."""
    trunk = GOOGLENET.with_chainer_normalisation().upto("loss3/classifier")
    nodes = (
        *trunk.nodes,
        *_side_classifier("loss1", "inception_4a/relu_output"),
        *_side_classifier("loss2", "inception_4d/relu_output"),
    )
    return replace(
        trunk,
        name="googlenet_v1",
        title="GoogLeNet v1",
        nodes=tuple(_as_chainer(node) for node in nodes),
        taps=(),
        unread=(),
        source=f"Szegedy and others 2014, arXiv 1409.4842; {SCRIPTS}/googlenet.py",
    )


def _as_chainer(node: Node) -> Node:
    """Let averages round down, as Chainer's do; at 224 px no size depends on it."""
    if isinstance(node, Pool) and node.kind == "average":
        return replace(node, rounding="floor")
    return node


GOOGLENET_V1 = Benchmark(
    _with_side_classifiers(),
    heads=(
        Head("loss3/classifier", 1),
        Head("loss1/classifier", 0.3),
        Head("loss2/classifier", 0.3),
    ),
    batch=128,
)

BENCHMARKS = {
    benchmark.network.name: benchmark
    for benchmark in (ALEXNET_OWT, OVERFEAT, VGG_A, GOOGLENET_V1)
}
"""What convnet-benchmarks trained, by the network's name, in Table 1's order."""
