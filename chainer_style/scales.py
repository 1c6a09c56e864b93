"""Coarse to fine: a picture is painted small first, then larger and larger.

Each scale begins with the picture of the last one and with what Adam knew of it, so
that a large picture needs few iterations of its own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from PIL import Image

from chainer_style import images, reading
from chainer_style.engines.base import State
from chainer_style.errors import UserError
from chainer_style.images import Array, Canvas, Source
from chainer_style.networks import Network
from chainer_style.protocols import Protocol

LEARNED = 512
"""Longest side, in pixels, of the pictures that self-taught weights are learned from
where there are several scales.

Every layer learns from the same number of patches, however many there are to choose
from, while all features of a picture are in memory meanwhile. Of pictures a few pixels
wide there are too few patches. So the finest scale up to here serves all.
"""

LARGEST = 1024
"""Longest side, in pixels, of what they are learned from where there is one scale, for
the same reason."""


def plan(
    settings: Protocol, sources: Sequence[Source], network: Network
) -> tuple[Protocol, ...]:
    """Return the settings of every scale, from coarse to fine.

    Each is half as wide as the next. The first has as many iterations as `settings`
    say, every other one half of them. Scales at which a picture is too small for the
    network are left out, but never the last.

    Parameters
    ----------
    settings
        Say the number of scales, and the width of the last.
    sources
        The pictures, of which only the sizes are read.
    network
        Says how small they may be.

    Raises
    ------
    UserError
        If a picture cannot be read.
    """
    if settings.scales == 1:
        return (settings,)
    sizes = [reading.size(source, orient=settings.orient) for source in sources]
    least = network.minimum_size()
    found = [settings]
    for halvings in range(1, settings.scales):
        width = round(settings.width / 2**halvings)
        smaller = dataclasses.replace(settings, width=width)
        if not all(_fits(size, smaller, least) for size in sizes):
            break
        finer = max(1, settings.iterations // 2)
        found[0] = dataclasses.replace(found[0], iterations=finer)
        found.insert(0, smaller)
    return tuple(found)


def _fits(size: tuple[int, int], settings: Protocol, least: int) -> bool:
    try:
        return min(images.extent(size, settings)) >= least
    except UserError:  # nothing would be left of it
        return False


def learned_at(scales: Sequence[Protocol]) -> int:
    """Return the number of the scale that self-taught weights are learned at."""
    small = [i for i, scale in enumerate(scales) if scale.width <= LEARNED]
    return max(small, default=0)


def enlarged(state: State, canvas: Canvas) -> State:
    """Return what the next scale begins with.

    Losses are means, so that a pixel's gradient falls as the number of pixels grows:
    the moments are scaled by their ratio, and its square. The learning rate begins
    anew.

    Parameters
    ----------
    state
        Of the last scale.
    canvas
        Of the next one.
    """
    height, width = state.image.shape[2:]
    share = height * width / (canvas.height * canvas.width)
    image = resized(state.image, canvas, Image.Resampling.LANCZOS)
    for channel, low, high in zip(image[0], *map(np.ravel, canvas.bounds), strict=True):
        np.clip(channel, low, high, out=channel)  # Lanczos goes beyond
    # Between two values that are not negative, a straight line never is.
    first = resized(state.first, canvas, Image.Resampling.BILINEAR)
    second = resized(state.second, canvas, Image.Resampling.BILINEAR)
    first *= np.float32(share)
    second *= np.float32(share**2)
    return State(image, first, second, done=state.done, scheduled=0)


def resized(array: Array, canvas: Canvas, filter: Image.Resampling) -> Array:
    """Return an array, (1, channels, height, width), in a canvas' size, float32."""
    height, width = canvas.height, canvas.width
    found = np.empty((*array.shape[:2], height, width), np.float32)
    scale = array.shape[2] / height
    for channel, result in zip(array[0], found[0], strict=True):
        image = Image.fromarray(np.ascontiguousarray(channel, np.float32))
        for rows in reading.bands(height, width):
            box = (0, rows.start * scale, image.width, rows.stop * scale)
            size = width, rows.stop - rows.start
            # The filter reads beyond the box where there is something to read.
            result[rows] = image.resize(size, filter, box=box)
    return found
