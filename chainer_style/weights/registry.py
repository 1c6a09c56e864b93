"""The published files of trained weights: sizes, checksums, addresses, licences.

Nothing here was measured by us: each entry says where its size and checksums were
published, and each address where it was seen. Whether a server still answers is
another matter; that is why there are several, and why a file is judged by its
checksum and never by where it came from.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from chainer_style.errors import UserError
from chainer_style.networks import ALIASES

Layout = Literal["keras", "caffe"]
"""Who wrote a file: Keras' HDF5 or a ``.caffemodel``."""

LAYOUTS: tuple[Layout, ...] = ("keras", "caffe")


@dataclass(frozen=True)
class Mirror:
    """An address of a file.

    Attributes
    ----------
    url
        The address.
    source
        Who published it.
    """

    url: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file as its makers published it.

    Attributes
    ----------
    name
        The file's name.
    size
        Its bytes; roughly, or at most, where `is_size_exact` is false.
    checksums
        Pairs of algorithm and hexadecimal digest. Empty where none is published
        that could be trusted.
    source
        Where size and checksums were published.
    licence
        Its name.
    licence_source
        Where it was stated.
    mirrors
        Addresses, in the order in which to try them.
    is_size_exact
        Whether the size is known to the byte.
    """

    name: str
    size: int
    checksums: tuple[tuple[str, str], ...]
    source: str
    licence: str
    licence_source: str
    mirrors: tuple[Mirror, ...]
    is_size_exact: bool = True


@dataclass(frozen=True, kw_only=True)
class Original(Published):
    """A file of trained weights.

    Attributes
    ----------
    network
        Name of the network it holds.
    layout
        Who wrote it.
    """

    network: str
    layout: Layout

    @property
    def suffix(self) -> str:
        """Ending of the file's name, with the dot."""
        return self.name[self.name.rindex(".") :]


_KERAS = "keras-team/keras 51d7e77, keras/src/applications"
_KERAS_OLD = "fchollet/deep-learning-models 13d7762, vgg16.py and vgg19.py"
_KERAS_SIZE = "file size as Keras' own download prints it"
_ZOO = "openvinotoolkit/open_model_zoo 00a4830, models/public"
_ZOO_OLD = "openvinotoolkit/open_model_zoo 1a48e6d, models/public"
_CAFFE = "BVLC/caffe 9b89154, models"
_MXNET = "apache/mxnet 1100eca, tools/caffe_converter/convert_caffe_modelzoo.py"
_MXNET_OLD = "apache/mxnet cd28642, tools/caffe_converter/convert_caffe_modelzoo.py"
_NVIDIA = "dusty-nv/jetson-inference 1d5704e, tools/download-models.sh"

_OXFORD = "http://www.robots.ox.ac.uk/~vgg/software/very_deep/caffe/"
_BERKELEY = "http://dl.caffe.berkeleyvision.org/"
_APACHE = "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/caffe/models/"
_APACHE_OLD = "http://data.mxnet.io/models/imagenet/test/caffe/"
_GOOGLE = "https://storage.googleapis.com/tensorflow/keras-applications/"
_RELEASE = "https://github.com/fchollet/deep-learning-models/releases/download/v0.1/"

_VGG_LICENCE = "CC BY 4.0"
_KERAS_LICENCE = "fchollet/deep-learning-models 0296f3f, README.md"

ORIGINALS: tuple[Original, ...] = (
    Original(
        network="vgg16",
        layout="keras",
        name="vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        size=58889256,
        checksums=(("md5", "6d6bbae143d832006294945121d1f1fc"),),
        source=f"{_KERAS}/vgg16.py; {_KERAS_SIZE}",
        licence=_VGG_LICENCE,
        licence_source=_KERAS_LICENCE,
        mirrors=(
            Mirror(
                f"{_GOOGLE}vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                f"{_KERAS}/vgg16.py",
            ),
            Mirror(
                f"{_RELEASE}vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                _KERAS_OLD,
            ),
        ),
    ),
    Original(
        network="vgg16",
        layout="caffe",
        name="VGG_ILSVRC_16_layers.caffemodel",
        size=553432081,
        checksums=(
            (
                "sha256",
                "a6196bc498e45ea4cb2637114ae8db9410cf1556fd60a55ae93272371beba197",
            ),
            ("sha1", "9363e1f6d65f7dba68c4f27a1e62105cdf6c4e24"),
        ),
        source=f"{_ZOO}/vgg16/model.yml; SHA-1: {_MXNET}",
        licence=_VGG_LICENCE,
        licence_source=f"{_ZOO}/vgg16/model.yml",
        mirrors=(
            Mirror(
                f"{_OXFORD}VGG_ILSVRC_16_layers.caffemodel",
                "its makers, gist ksimonyan/211839e770f7b538e2d8",
            ),
            Mirror(f"{_APACHE}vgg/VGG_ILSVRC_16_layers.caffemodel", _MXNET),
            Mirror(f"{_APACHE_OLD}VGG_ILSVRC_16_layers.caffemodel", _MXNET_OLD),
        ),
    ),
    Original(
        network="vgg19",
        layout="keras",
        name="vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        size=80134624,
        checksums=(("md5", "253f8cb515780f3b799900260a226db6"),),
        source=f"{_KERAS}/vgg19.py; {_KERAS_SIZE}",
        licence=_VGG_LICENCE,
        licence_source=_KERAS_LICENCE,
        mirrors=(
            Mirror(
                f"{_GOOGLE}vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                f"{_KERAS}/vgg19.py",
            ),
            Mirror(
                f"{_RELEASE}vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
                _KERAS_OLD,
            ),
        ),
    ),
    Original(
        network="vgg19",
        layout="caffe",
        name="VGG_ILSVRC_19_layers.caffemodel",
        size=574671192,
        checksums=(
            (
                "sha384",
                "86b83739d448a81ddc927922d4d7581e06113478106b59480097b02cc63ff51c"
                "9da7c3cd8a865b08946d07d0281d5b2e",
            ),
            ("sha1", "239785e7862442717d831f682bb824055e51e9ba"),
        ),
        source=f"{_ZOO_OLD}/vgg19/model.yml; SHA-1: {_MXNET}",
        licence=_VGG_LICENCE,
        licence_source=f"{_ZOO_OLD}/vgg19/model.yml",
        mirrors=(
            Mirror(
                f"{_OXFORD}VGG_ILSVRC_19_layers.caffemodel",
                "its makers, gist ksimonyan/3785162f95cd2d5fee77",
            ),
            Mirror(f"{_APACHE}vgg/VGG_ILSVRC_19_layers.caffemodel", _MXNET),
            Mirror(f"{_APACHE_OLD}VGG_ILSVRC_19_layers.caffemodel", _MXNET_OLD),
            Mirror(
                "https://worksheets.codalab.org/rest/bundles/"
                "0x54101cad2a56410c843b14153371aa5c/contents/blob/",
                "jcjohnson/neural-style, issue 202",
            ),
        ),
    ),
    Original(
        network="nin",
        layout="caffe",
        name="nin_imagenet.caffemodel",
        size=30400000,
        is_size_exact=False,
        checksums=(),
        source="gist mavenlin/d802a5849de39225bcc6, which has no checksum",
        licence="BSD",
        licence_source=(
            "gist mavenlin/d802a5849de39225bcc6; copies of its text say "
            "non-commercial, as ImageNet's own terms do"
        ),
        mirrors=(
            Mirror(
                "https://www.dropbox.com/s/0cidxafrb2wuwxw/nin_imagenet.caffemodel?dl=1",
                "its maker, gist mavenlin/d802a5849de39225bcc6",
            ),
        ),
    ),
    Original(
        network="googlenet",
        layout="caffe",
        name="bvlc_googlenet.caffemodel",
        size=53533754,
        checksums=(
            (
                "sha256",
                "6f7101e3a2183738a7125a0c5021ba82a1feb4228c5ca0924d991b6daf6f6fad",
            ),
            ("sha1", "405fc5acd08a3bb12de8ee5e23a96bec22f08204"),
        ),
        source=(
            f"{_ZOO}/googlenet-v1/model.yml; SHA-1: {_CAFFE}/bvlc_googlenet/readme.md"
        ),
        licence="unrestricted",
        licence_source=f"{_CAFFE}/bvlc_googlenet/readme.md",
        mirrors=(
            Mirror(
                f"{_BERKELEY}bvlc_googlenet.caffemodel",
                f"its makers, {_CAFFE}/bvlc_googlenet/readme.md",
            ),
            Mirror(f"{_APACHE}bvlc_googlenet/bvlc_googlenet.caffemodel", _MXNET),
            Mirror(
                "https://nvidia.box.com/shared/static/"
                "at8b1105ww1c5h7p30j5ko8qfnxrs0eg.caffemodel",
                _NVIDIA,
            ),
        ),
    ),
    Original(
        network="alexnet",
        layout="caffe",
        name="bvlc_alexnet.caffemodel",
        size=243862414,
        checksums=(
            (
                "sha256",
                "4bff209a9837298157915ef50a4831a59636a6ca1a6b8ebacd990c3a5f3053e0",
            ),
            ("sha1", "9116a64c0fbe4459d18f4bb6b56d647b63920377"),
        ),
        source=(
            "openvinotoolkit/open_model_zoo 07893b0, models/public/alexnet/model.yml; "
            f"SHA-1: {_CAFFE}/bvlc_alexnet/readme.md"
        ),
        licence="unrestricted",
        licence_source=f"{_CAFFE}/bvlc_alexnet/readme.md",
        mirrors=(
            Mirror(
                f"{_BERKELEY}bvlc_alexnet.caffemodel",
                f"its makers, {_CAFFE}/bvlc_alexnet/readme.md",
            ),
            Mirror(f"{_APACHE}bvlc_alexnet/bvlc_alexnet.caffemodel", _MXNET),
            Mirror(
                "https://nvidia.box.com/shared/static/"
                "5j264j7mky11q8emy4q14w3r8hl5v6zh.caffemodel",
                _NVIDIA,
            ),
        ),
    ),
    Original(
        network="illust2vec",
        layout="caffe",
        name="illust2vec_tag_ver200.caffemodel",
        size=900000000,
        is_size_exact=False,
        checksums=(
            (
                "sha256",
                "a942bd80db6f46db7277c493f84b8a2f0a421f64bec12107dda112f73f26fdb1",
            ),
        ),
        source=(
            'checksum of a user and "up to 900 MB": rezoo/illustration2vec, issue 10'
        ),
        licence="MIT",
        licence_source="rezoo/illustration2vec 00dd6d1, README.md",
        mirrors=(
            Mirror(
                "https://github.com/rezoo/illustration2vec/releases/download/v2.0.0/"
                "illust2vec_tag_ver200.caffemodel",
                "its makers, rezoo/illustration2vec 00dd6d1, get_models.sh",
            ),
        ),
    ),
)
"""Every file; of one network, in the order in which to prefer them."""


def names(layout: Layout | None = None) -> tuple[str, ...]:
    """Return the networks that have published weights, in the registry's order.

    Parameters
    ----------
    layout
        Only those that it wrote a file of.
    """
    fitting = (o.network for o in ORIGINALS if layout in (None, o.layout))
    return tuple(dict.fromkeys(fitting))


def find(name: str, layout: Layout | None = None) -> tuple[Original, ...]:
    """Return the files of a network, the one to prefer first.

    Parameters
    ----------
    name
        A network's name, or the name of a file.
    layout
        Only those that it wrote.

    Raises
    ------
    UserError
        If there are none; the message suggests a name that is close.
    """
    wanted = ALIASES.get(name.lower(), name.lower())
    found = [o for o in ORIGINALS if wanted in (o.network, o.name.lower())]
    if not found:
        raise UserError(f"no weights are called {name!r}; {_suggestion(wanted)}")
    fitting = tuple(o for o in found if layout in (None, o.layout))
    if not fitting:
        raise UserError(
            f"{found[0].network} is not published by {layout}; leave --source away, "
            f"or choose from: {', '.join(o.layout for o in found)}"
        )
    return fitting


def by_file(name: str) -> Original | None:
    """Return the file of that name, or None."""
    return next((o for o in ORIGINALS if o.name == name), None)


def _suggestion(name: str) -> str:
    known = dict(_known())
    close = difflib.get_close_matches(name, known, n=2)
    if close:
        return f"did you mean {' or '.join(known[match] for match in close)}?"
    return f"choose from: {', '.join(names())}"


def _known() -> Iterator[tuple[str, str]]:
    """Yield every name that is understood, and what it stands for."""
    for original in ORIGINALS:
        yield original.network, original.network
        yield original.name.lower(), original.name
    yield from ALIASES.items()
