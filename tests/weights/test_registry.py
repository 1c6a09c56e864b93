from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS, NIN, VGG16
from chainer_style.weights import registry
from chainer_style.weights.collection import count
from chainer_style.weights.registry import ORIGINALS, find

LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha384": 96}

every = pytest.mark.parametrize("original", ORIGINALS, ids=lambda o: o.name)


@every
def test_entries_are_sound(original) -> None:
    for algorithm, digest in original.checksums:
        assert re.fullmatch(rf"[0-9a-f]{{{LENGTHS[algorithm]}}}", digest)
    assert original.mirrors
    for mirror in original.mirrors:
        parts = urlsplit(mirror.url)
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert mirror.source
    assert original.source
    assert original.licence
    assert original.licence_source
    assert original.suffix == {"keras": ".h5", "caffe": ".caffemodel"}[original.layout]


@every
def test_a_file_without_encryption_has_a_strong_checksum(original) -> None:
    algorithms = {algorithm for algorithm, _ in original.checksums}
    if any(m.url.startswith("http:") for m in original.mirrors):
        assert algorithms & {"sha256", "sha384"}


@every
def test_mirrors_lead_to_that_file(original) -> None:
    """Where the address shows a name, it is the file's."""
    for mirror in original.mirrors:
        name = urlsplit(mirror.url).path.rpartition("/")[2]
        if name and "box.com" not in mirror.url:
            assert name == original.name


@every
def test_sizes_fit_the_graphs(original) -> None:
    """Four bytes per parameter, and little besides where nothing is unread."""
    network = NETWORKS.get(original.network)
    if network is None:
        pytest.skip(f"no graph of {original.network} here")
    shapes = network.parameter_shapes()
    if original.layout == "keras":
        shapes = {k: v for k, v in shapes.items() if k.startswith("conv")}
    numbers = 4 * count(shapes)
    assert numbers <= original.size * (1 if original.is_size_exact else 1.02)
    if original.is_size_exact and not network.unread:
        assert original.size < 1.01 * numbers


def test_each_file_is_there_once() -> None:
    names = [original.name for original in ORIGINALS]
    urls = [mirror.url for original in ORIGINALS for mirror in original.mirrors]
    assert len(set(names)) == len(names)
    assert len(set(urls)) == len(urls)


def test_the_papers_networks_are_published() -> None:
    assert {VGG16.name, NIN.name} <= set(registry.names())


@pytest.mark.parametrize(
    "name", ["vgg16", "VGG16", "vgg", "vgg_ilsvrc_16_layers.caffemodel"]
)
def test_find(name: str) -> None:
    assert {original.network for original in find(name)} == {"vgg16"}


def test_find_prefers_the_small_file() -> None:
    sizes = [original.size for original in find("vgg19")]
    assert sizes == sorted(sizes)
    (caffe,) = find("vgg19", "caffe")
    assert caffe.name == "VGG_ILSVRC_19_layers.caffemodel"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("vgg61", "did you mean vgg19 or vgg16?"),
        ("googlnet", "did you mean googlenet?"),
        ("VGG_ILSVRC_16_layer.caffemodel", "VGG_ILSVRC_16_layers.caffemodel"),
        ("resnet50", "choose from: vgg16, vgg19, nin"),
        ("", "choose from"),
    ],
)
def test_unknown_names(name: str, reason: str) -> None:
    with pytest.raises(UserError, match=re.escape(reason)):
        find(name)


def test_no_such_source() -> None:
    with pytest.raises(UserError, match="nin is not published by keras"):
        find("nin", "keras")


def test_names_of_a_source() -> None:
    assert registry.names("keras") == ("vgg16", "vgg19")
    assert set(registry.names("keras")) < set(registry.names())


def test_by_file() -> None:
    assert registry.by_file("nin_imagenet.caffemodel").network == "nin"
    assert registry.by_file("nin") is None
