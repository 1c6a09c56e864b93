"""MNIST's four files as they were published: checksums, addresses, licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chainer_style.weights.registry import Mirror, Published

Half = Literal["train", "t10k"]
"""The digits to learn from, and those to test on, by the names of the files."""

HALVES: tuple[Half, ...] = ("train", "t10k")

ADDRESSES = (
    (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "tensorflow/datasets 31f1255, tensorflow_datasets/url_checksums/mnist.txt",
    ),
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "pytorch/vision 01977a1, torchvision/datasets/mnist.py",
    ),
)
"""Where the files lie, and who says so."""


@dataclass(frozen=True, kw_only=True)
class File(Published):
    """One of the four files.

    Attributes
    ----------
    half
        Which digits.
    axes
        3: images; 1: their labels.
    content
        MD5 of the file when unpacked. Who has the digits has often packed them anew.
    """

    half: Half
    axes: Literal[1, 3]
    content: str

    @property
    def unpacked(self) -> str:
        """Its name when unpacked."""
        return self.name.removesuffix(".gz")


def _file(
    half: Half, axes: Literal[1, 3], size: int, sha256: str, md5: str, content: str
) -> File:
    kind = "images-idx3" if axes == 3 else "labels-idx1"
    name = f"{half}-{kind}-ubyte.gz"
    return File(
        half=half,
        axes=axes,
        name=name,
        size=size,
        checksums=(("sha256", sha256), ("md5", md5)),
        content=content,
        source=(
            f"size and sha256: {ADDRESSES[0][1]}; md5: {ADDRESSES[1][1]}; md5 of the "
            "content: pralab/secml 08522a7, src/secml/data/loader/c_dataloader_mnist.py"
        ),
        licence="CC BY-SA 3.0",
        licence_source="keras-team/keras 0c07bd6, keras/src/datasets/mnist.py",
        mirrors=tuple(Mirror(f"{url}{name}", source) for url, source in ADDRESSES),
    )


FILES: tuple[File, ...] = (
    _file(
        "train",
        3,
        9912422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "6bbc9ace898e44ae57da46a324031adb",
    ),
    _file(
        "train",
        1,
        28881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "a25bea736e30d166cdddb491f175f624",
    ),
    _file(
        "t10k",
        3,
        1648877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "9fb629c4189551a2d022fa330f9573f3",
        "2646ac647ad5339dbf082846283269ea",
    ),
    _file(
        "t10k",
        1,
        4542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ec29112dd5afa0611ce80d1b7f02629c",
        "27ae3e4e09519cfbb04c329615203637",
    ),
)
"""Images and labels to learn from, then those to test on.

The MD5 of the unpacked test files was compared with the files themselves.
"""


def of(half: Half) -> tuple[File, File]:
    """Return the images and the labels of one half."""
    images, labels = (file for file in FILES if file.half == half)
    return images, labels
