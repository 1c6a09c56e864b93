from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from chainer_style import images, protocols, transfer
from chainer_style.engines.base import Problem

SCRIPTS = Path(__file__).parents[2] / "benchmarks"
# Processes that a test starts find the modules, too.
sys.path.append(str(SCRIPTS))


@pytest.fixture(scope="session")
def scripts():
    """Folder of the scripts."""
    return SCRIPTS


@pytest.fixture(scope="session")
def posed(weights_of):
    """Return what poses a problem of noise, the style of another size."""

    def noise(height, width, seed):
        random = np.random.RandomState(seed)
        return random.uniform(-120, 136, (1, 3, height, width)).astype(np.float32)

    def pose(name, size, **options):
        protocol = protocols.get("2016").with_options(
            model=name, width=size, pixelwise_clip=False, **options
        )
        network = transfer.network_for(protocol)
        canvas = images.Canvas(size, size, 0, 0, images.mean_of(protocol, network))
        return Problem(
            network=network,
            weights=weights_of(name).for_network(network),
            protocol=protocol,
            content=noise(size, size, 1),
            style=noise(size + 5, size + 2, 2),
            start=noise(size, size, 3),
            canvas=canvas,
        )

    return pose
