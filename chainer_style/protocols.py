"""The two ways to run style transfer, and the one home of every default.

``2016`` does what the paper's code most likely did, to the letter, waste
included. ``modern`` is what one wants today. Whatever differs between them is a
field of `Protocol`; no other module asks which protocol it is in.

The 2016 values were seen in mattya/chainer-gogh, commit 4aaa123 (2015-11-30,
Chainer 1.5), file ``chainer-gogh.py`` unless a comment says otherwise.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, Self

from chainer_style.errors import UserError
from chainer_style.networks.nodes import POOL_KINDS, PoolKind, Rounding


@dataclass(frozen=True)
class Protocol:
    """Settings of a transfer; the defaults are those of 2016.

    Change single values with `with_options`. Pictures are in network units:
    grey levels 0..255 minus the mean, channels blue, green, red.
    """

    name: str = "2016"

    # What a user chooses (argparse defaults of the 2016 script).
    model: str = "nin"
    """Network: a key of `chainer_style.networks.NETWORKS`."""
    weights: str = "seeded"
    """Where the network's weights come from, see `chainer_style.weights.load`. The
    script read trained files, which this package does not bring; ``auto`` takes them
    where they were fetched, and self-taught ones elsewhere."""
    width: int = 435
    """Side, in pixels, of the square that the picture must fit into."""
    iterations: int = 5000
    """Number of optimisation steps; at every scale but the first, half of them."""
    scales: int = 1
    """From coarse to fine: paint at 1/2^(n-1) of the width first, ..., 1/2, 1."""
    learning_rate: float = 4.0
    """Adam's alpha, in grey levels."""
    content_weight: float = 0.005
    """Weight of the content loss against the style loss: lambda, ``--lam``."""
    tv_weight: float = 0.0
    """Weight of the total variation, per squared grey level."""
    init: str = "noise"
    """Start from ``noise``, from the ``content``, or from a file."""

    # Files (save_image and the main loop).
    snapshot_every: int = 50
    """Save a picture after iterations 0, 50, 100, ..."""

    # From file to network units (image_resize, subtract_mean).
    square: bool = True
    """Paste the picture to the bottom right of a square of zeros."""
    resample: Literal["nearest", "lanczos"] = "nearest"
    """Filter for resizing: Pillow's default was NEAREST until 7.0 (2020)."""
    mean: float | None = 120.0
    """Subtracted from each channel; None: the network's own training mean."""
    orient: bool = False
    """Turn the picture as its EXIF orientation says; it was ignored."""
    matte: bool = False
    """Blend transparency over white; ``[:,:,:3]`` dropped the alpha channel."""

    # The network (models.py).
    pooling: PoolKind = "average"
    """Kind of every pooling layer: average, max or l2, the root of the mean square.
    The Caffe files say max."""
    pooling_rounding: Rounding = "floor"
    """Chainer's default; Caffe itself rounds up."""
    taps_after_relu: bool = False
    """Read features behind the ReLU, where there is one, instead of before it."""
    chainer_normalisation: bool = True
    """Normalise responses with Chainer's constants instead of the Caffe file's."""

    # The losses (generate_image).
    relative_losses: bool = False
    """Divide each term by its target's energy, so that scales do not matter."""
    equal_taps: bool = False
    """Weigh all taps with a weight alike; GoogLeNet's and Illustration2Vec's alpha
    and beta (models.py) make up for the scales of their features."""
    zero_weight_terms: bool = True
    """Compute content terms whose weight is zero, and their gradient."""
    weight_gradients: bool = True
    """Compute the gradient of the filters, which nobody reads."""

    cpu_type_check: bool = True
    """Check types and shapes at every call; on the GPU it was switched off."""

    holds_graph: bool = True
    """Keep an iteration's graph until the next one's features are computed, as the
    loop's variables did: memory for two."""

    # The optimiser (generate_image).
    noise_range: float = 20.0
    """Noise starts from uniform(-20, 20)."""
    final_learning_rate: float = 1.0
    """Share of the learning rate left at the last iteration, falling linearly."""
    epsilon_falls: bool = False
    """Let Adam's epsilon fall with the number of pixels, as gradients of means do; by
    Chainer's constant a picture of some thousand pixels hardly moves."""
    pixelwise_clip: bool = True
    """On the CPU, clip by a Python call per pixel (np.vectorize)."""

    @property
    def title(self) -> str:
        """The protocol's name in a sentence."""
        return f"protocol {self.name!r}"

    def with_options(self, **options: Any) -> Self:
        """Return the protocol with some values replaced, checked.

        Options that are None keep the protocol's value.

        Raises
        ------
        UserError
            If a value is out of range.
        """
        given = {key: value for key, value in options.items() if value is not None}
        changed = dataclasses.replace(self, **given)
        changed.check()
        return changed

    def check(self) -> None:
        """Refuse values that no transfer can run with.

        Raises
        ------
        UserError
            Naming the first value that is out of range.
        """
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not value >= least or value == float("inf"):
                raise UserError(
                    f"{name.replace('_', ' ')} must be {_at_least(least)}, not {value}"
                )
        if self.pooling not in POOL_KINDS:
            raise UserError(
                f"unknown pooling {self.pooling!r}; choose one of: "
                f"{', '.join(POOL_KINDS)}"
            )
        if self.pixelwise_clip and self.mean is None:
            raise UserError("the clip by pixel needs one mean for all channels")


_LEAST: dict[str, float] = {
    "width": 1,
    "iterations": 1,
    "scales": 1,
    "learning_rate": 0,
    "content_weight": 0,
    "tv_weight": 0,
    "snapshot_every": 0,
}


def _at_least(least: float) -> str:
    return "a finite number, 0 or more" if least == 0 else f"{least} or more"


MODERN = Protocol(
    name="modern",
    model="vgg16",
    weights="auto",
    width=256,
    iterations=300,
    learning_rate=4.0,
    content_weight=0.2,
    tv_weight=2e-5,
    init="content",
    square=False,
    resample="lanczos",
    mean=None,
    orient=True,
    matte=True,
    taps_after_relu=True,
    chainer_normalisation=False,
    relative_losses=True,
    equal_taps=True,
    zero_weight_terms=False,
    weight_gradients=False,
    cpu_type_check=False,
    holds_graph=False,
    final_learning_rate=0.1,
    epsilon_falls=True,
    pixelwise_clip=False,
)

PROTOCOLS = {protocol.name: protocol for protocol in (Protocol(), MODERN)}
"""The protocols, by name."""


def get(name: str) -> Protocol:
    """Return the protocol of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    if name not in PROTOCOLS:
        raise UserError(
            f"unknown protocol {name!r}; choose one of: {', '.join(PROTOCOLS)}"
        )
    return PROTOCOLS[name]
