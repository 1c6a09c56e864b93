from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import published
import pytest
from http_server import Server, serving
from published import Notes

from chainer_style.networks import INPUT, NETWORKS, Network, Tap
from chainer_style.networks.nodes import Conv, Linear, ReLU, sequential
from chainer_style.weights import registry
from chainer_style.weights.download import Patience
from chainer_style.weights.fetch import Wish, fetch


@pytest.fixture(scope="session")
def network() -> Network:
    """A network of two convolutions and a matrix; slashes as in GoogLeNet."""
    return Network(
        name="tiny",
        title="Tiny",
        nodes=sequential(
            Conv("conv1/3x3_s2", channels=4, kernel=3, stride=2),
            ReLU("conv1/relu"),
            Conv("mixed/1x1", channels=5),
            ReLU("mixed/relu"),
            Linear("fc", channels=6),
            start=INPUT,
        ),
        taps=(Tap("mixed", "mixed/relu", content=1, style=1),),
        mean=(1.0, 2.0, 3.0),
        input_size=9,
        source="made for the tests",
    )


Arrays = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="session")
def random_arrays() -> Callable[[Network], Arrays]:
    def make(network: Network) -> Arrays:
        random = np.random.default_rng(0)
        return {
            layer: {
                key: random.standard_normal(shape, np.float32)
                for key, shape in shapes.items()
            }
            for layer, shapes in network.parameter_shapes().items()
        }

    return make


@pytest.fixture(scope="session")
def arrays(network: Network, random_arrays: Callable[[Network], Arrays]) -> Arrays:
    return random_arrays(network)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to overwrite again and again, for the examples of Hypothesis."""
    return tmp_path_factory.mktemp("scratch") / "model.caffemodel"


# -- fetching -------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch):
    """Replace the registry, and let the small network be one of the package's."""
    monkeypatch.setitem(NETWORKS, "small", published.NETWORK)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def publish(*originals: registry.Original) -> None:
        monkeypatch.setattr(registry, "ORIGINALS", originals)

    return publish


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder that `get` fetches to."""
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.fixture
def get(home: Path, notes: Notes):
    """Fetch with little patience."""
    patience = Patience(connect=2, read=0.3, attempts=2, pause=0.01)

    def get(name: str = "small", **wish) -> Path:
        return fetch(name, Wish(patience=patience, **wish), home, notes)

    return get
