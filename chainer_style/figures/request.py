"""What a figure is made from, and what they all do alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from chainer_style import images, protocols, transfer
from chainer_style.files import replacing
from chainer_style.networks import Network
from chainer_style.protocols import Protocol
from chainer_style.weights import Weights
from chainer_style.weights import load as load_weights

Progress = Callable[[float, str], None]
"""Called with the share that is done, 0 to 1, and a word on how it goes."""

SIZE = 128
"""Side of the pictures where a figure has no size of its own: the paper's Table 4."""

SIZES = {"nin": 224}
"""The same by network; of 128 pixels hardly any are left at NIN's last tap."""

QUALITY = 90
"""Of the JPEG files."""


@dataclass(frozen=True)
class Request:
    """What a user wants the figures to be made from.

    Attributes
    ----------
    content, style
        Picture files.
    weights
        See `chainer_style.weights.load`.
    full
        More and longer: every network, every picture, whole runs.
    size
        Side of the square that pictures must fit into, in pixels; None: the figure's.
    iterations
        How many for each painted picture; None: the figure's.
    """

    content: Path
    style: Path
    weights: str
    full: bool = False
    size: int | None = None
    iterations: int | None = None


@dataclass(frozen=True)
class Setting:
    """A network ready to look at pictures.

    Attributes
    ----------
    protocol
        Every setting.
    network
        As the protocol has it, up to its last tap.
    weights
        Its parameters.
    """

    protocol: Protocol
    network: Network
    weights: Weights

    def array(self, picture: Path) -> images.Array:
        """Return a picture in network units."""
        return images.prepare(picture, self.protocol, self.network)[0]

    def record(self, *pictures: Path) -> dict[str, Any]:
        """Say what was used, for a record."""
        return {
            "protocol": dataclasses.asdict(self.protocol),
            "weights": self.weights.as_record(),
            "size": self.protocol.width,
            "iterations": self.protocol.iterations,
            "sources": [picture.name for picture in pictures],
        }


def setting(
    protocol: str,
    network: str,
    request: Request,
    pictures: Sequence[Path],
    **own: Any,
) -> Setting:
    """Return a network with its weights.

    Parameters
    ----------
    protocol
        Its name.
    network
        Name of the network.
    request
        Says the weights, and size and iterations where it has any.
    pictures
        What self-taught weights are learned from.
    **own
        Fields of the protocol that the figure replaces.

    Raises
    ------
    UserError
        If a picture or the weights cannot be used.
    """
    settings = protocols.get(protocol).with_options(
        model=network,
        weights=request.weights,
        **{"width": SIZES.get(network, SIZE), **own},
    )
    settings = settings.with_options(width=request.size, iterations=request.iterations)
    graph = transfer.network_for(settings)
    arrays = []
    for picture in pictures:
        array, canvas = images.prepare(picture, settings, graph)
        graph.check_size(canvas.height, canvas.width)
        arrays.append(array)
    weights = load_weights(settings.weights, graph, arrays)
    return Setting(settings, graph, weights)


def save_tile(image: Image.Image, folder: Path, name: str, label: str) -> str:
    """Save a picture as JPEG and return its name; the label goes into the file."""
    path = folder / f"{name}.jpg"
    with replacing(path) as temporary:
        image.convert("RGB").save(
            temporary, quality=QUALITY, subsampling=0, optimize=True, comment=label
        )
    return path.name
