"""Weights in memory, with where they come from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from chainer_style.errors import UserError
from chainer_style.networks import Network, ParameterShapes

Array = npt.NDArray[Any]
Arrays = Mapping[str, Mapping[str, Array]]
"""Parameters of a network: layer name -> ``W``/``b`` -> array."""

Kind = Literal["trained", "self-taught", "seeded"]

LABELS: dict[Kind, str] = {
    "trained": "trained weights",
    "self-taught": "self-taught weights (no labels, learned from these pictures)",
    "seeded": "seeded (untrained) weights",
}
"""What records, tables, charts and pictures say of each kind."""


@dataclass(frozen=True)
class Weights:
    """The parameters of one network.

    Attributes
    ----------
    network
        Name of the network they belong to.
    kind
        How they came to be.
    arrays
        Layer name -> ``W``/``b`` -> array of float32, in Caffe's layout: (out,
        in, kernel, kernel) for convolutions, (out, in) for fully connected
        layers; channels in the order blue, green, red.
    source
        The file they were read from, without its folders; or the recipe.
    sha256
        Checksum of the original file, or of the pictures learned from.
    seed
        Of the random generator, where there is one.
    """

    network: str
    kind: Kind
    arrays: Arrays
    source: str
    sha256: str | None = None
    seed: int | None = None

    @property
    def label(self) -> str:
        """What to print beside anything made with these weights."""
        return LABELS[self.kind]

    def as_record(self) -> dict[str, Any]:
        """Where the weights come from, for a record in JSON."""
        return {
            "network": self.network,
            "kind": self.kind,
            "label": self.label,
            "source": self.source,
            "sha256": self.sha256,
            "seed": self.seed,
        }

    def for_network(self, network: Network) -> Weights:
        """Return the layers that a network needs, as float32, shapes checked.

        Raises
        ------
        UserError
            If a layer is missing or has another shape.
        """
        differences = list(compare(network.parameter_shapes(), self.arrays))
        if differences:
            more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
            raise UserError(
                f"{self.source} does not hold the weights of {network.title}: "
                f"{'; '.join(differences[:3])}{more}"
            )
        needed = {
            layer: {
                key: np.asarray(self.arrays[layer][key], np.float32).reshape(shape)
                for key, shape in shapes.items()
            }
            for layer, shapes in network.parameter_shapes().items()
        }
        return replace(self, arrays=needed)


def compare(expected: ParameterShapes, arrays: Arrays) -> Iterator[str]:
    """Yield in words where arrays differ from the shapes a network needs.

    Layers that the network does not need are passed over: a file of the whole
    network serves its lower part. A shape matches without regard to leading
    ones, which old Caffe files put before biases and matrices.
    """
    for layer, shapes in expected.items():
        if layer not in arrays:
            yield f"layer {layer} is missing"
            continue
        for key, shape in shapes.items():
            if key not in arrays[layer]:
                yield f"{layer} has no {'bias' if key == 'b' else 'weights'}"
            elif _significant(found := arrays[layer][key].shape) != _significant(shape):
                yield f"{layer}/{key} has shape {_text(found)}, not {_text(shape)}"


def count(shapes: ParameterShapes) -> int:
    """Return the number of parameters that have these shapes."""
    return sum(math.prod(s) for layer in shapes.values() for s in layer.values())


def printable(name: str) -> str:
    """Return a file's name for something, quoted where it would upset a terminal."""
    return name if name.isprintable() else repr(name)


def _significant(shape: tuple[int, ...]) -> tuple[int, ...]:
    ones = next((i for i, n in enumerate(shape) if n != 1), len(shape))
    return shape[ones:]


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"
