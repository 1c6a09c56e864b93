"""The package, OpenCV and Chainer's CaffeFunction on the same files and picture."""

from __future__ import annotations

from pathlib import Path

import peers
import pytest

from chainer_style import networks, transfer
from chainer_style.networks import Network
from chainer_style.protocols import PROTOCOLS
from chainer_style.weights import caffe, store

RTOL = 1e-4

CASES = [
    pytest.param("vgg16", "V1"),
    pytest.param("nin", "V1"),
    pytest.param("googlenet", "V2"),
    pytest.param("vgg16", "V2", marks=pytest.mark.slow),
    pytest.param("nin", "V2", marks=pytest.mark.slow),
    pytest.param("googlenet", "V1", marks=pytest.mark.slow),
]

SIZE = (69, 82)
"""Odd and even, so that pooling has to round, down and up, in either direction."""


@pytest.fixture(scope="module", autouse=True)
def _opencv() -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip(f"OpenCV {cv2.__version__} does not read Caffe's files any more")


class Files:
    """A network's files, a picture, and what this package makes of them."""

    def __init__(self, folder: Path, network: Network, form: str, size=SIZE) -> None:
        self.x = peers.picture(*size)
        self.nodes = [tap.node for tap in network.taps]
        written = peers.weights(network)
        self.text, self.model = peers.write(folder, network, written, form, self.x)
        weights = caffe.load(self.model, network)
        store.save(weights, folder / "w.h5")
        arrays = store.load(folder / "w.h5", network).arrays
        self.ours = peers.ours(network, arrays, self.x, self.nodes)

    def check(self, theirs: peers.Features) -> None:
        assert set(theirs) == set(self.nodes)
        for node, features in theirs.items():
            assert features.std() > 1
            assert peers.difference(self.ours[node], features) <= RTOL, node


@pytest.mark.parametrize(("name", "form"), CASES)
def test_every_tap_agrees(tmp_path: Path, name: str, form: str) -> None:
    network = networks.get(name).upto_taps().with_pooling("max", "ceil")
    files = Files(tmp_path, network, form)
    files.check(peers.opencv(files.text, files.model, files.x, files.nodes))
    files.check(peers.caffe_function(files.model, files.x, files.nodes))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "name", ["nin", "googlenet", pytest.param("vgg16", marks=pytest.mark.slow)]
)
def test_so_it_does_as_the_protocols_pool(tmp_path: Path, name, protocol) -> None:
    settings = PROTOCOLS[protocol].with_options(model=name)
    network = transfer.network_for(settings)
    files = Files(tmp_path, network, "V1")
    if peers.opencv_runs(network):
        files.check(peers.opencv(files.text, files.model, files.x, files.nodes))
    if peers.caffe_function_runs(network):
        files.check(peers.caffe_function(files.model, files.x, files.nodes))


@pytest.mark.parametrize("kind", ["average", "max"])
@pytest.mark.parametrize("rounding", ["floor", "ceil"])
def test_every_way_to_pool(tmp_path: Path, kind, rounding) -> None:
    network = networks.NIN.upto_taps().with_pooling(kind, rounding)
    files = Files(tmp_path, network, "V2")
    files.check(peers.opencv(files.text, files.model, files.x, files.nodes))


def test_rounding_is_not_a_matter_of_indifference(tmp_path: Path) -> None:
    ceil = networks.NIN.upto_taps().with_pooling("max", "ceil")
    files = Files(tmp_path, ceil, "V2")
    floor = Files(tmp_path, ceil.with_pooling("max", "floor"), "V2")
    with pytest.raises(AssertionError, match=r"\(1, 1024,"):
        peers.difference(
            *(x.ours[ceil.taps[-1].node] for x in (files, floor)),
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg16", "nin", "googlenet"])
def test_at_full_size(tmp_path: Path, name: str) -> None:
    network = networks.get(name).upto_taps().with_pooling("max", "ceil")
    size = network.input_size, network.input_size
    files = Files(tmp_path, network, "V1", size)
    files.check(peers.opencv(files.text, files.model, files.x, files.nodes))
    files.check(peers.caffe_function(files.model, files.x, files.nodes))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nin", "googlenet"])
def test_up_to_the_classes(tmp_path: Path, name: str) -> None:
    network = networks.get(name)
    files = Files(tmp_path, network, "V2", (network.input_size,) * 2)
    last = network.nodes[-1].name
    arrays = caffe.load(files.model, network).arrays
    (expected,) = peers.ours(network, arrays, files.x, [last]).values()
    found = peers.opencv(files.text, files.model, files.x, [last])[last]
    assert expected.std() > 0
    assert peers.difference(expected.reshape(found.shape), found) <= RTOL
