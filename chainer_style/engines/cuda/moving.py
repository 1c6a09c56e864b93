"""The picture's own steps: its total variation, Adam, the clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_style.engines.cuda.steps import Launch
from chainer_style.engines.steps import BETA1, BETA2
from chainer_style.images import Canvas


def variation(
    weight: float, planes: int, height: int, width: int
) -> tuple[float, float]:
    """Return the weight of a step down, and of one to the right, in the variation."""
    # A picture of one row, or of one column, has no differences there.
    down = weight / max(planes * (height - 1) * width, 1)
    right = weight / max(planes * height * (width - 1), 1)
    return down, right


def moving(planes: int, pixels: int, epsilon: float, *, by_pixel: bool) -> list[Launch]:
    """Return the steps that let Adam follow the gradient, and clip.

    Parameters
    ----------
    planes, pixels
        Of the picture.
    epsilon
        Of Adam.
    by_pixel
        Whether to clip as the program of 2016 did.
    """
    moments = ("picture", "first", "second", "slope")
    corner = "corner" if by_pixel else None
    given = (*moments, "bounds", "rates", "counter", corner, pixels, planes)
    count = planes * pixels
    steps = [Launch("move", (*given, BETA1, BETA2, epsilon), count)]
    if by_pixel:
        ends = ("picture", "corner", "bounds", planes, count)
        steps.append(Launch("to_integers", ends, count))
    return steps


def bounds(canvas: Canvas, planes: int, *, by_pixel: bool) -> npt.NDArray[Any]:
    """Return the lowest value of each plane, and the highest, as `moving` takes them.

    Parameters
    ----------
    canvas
        Says them.
    planes, by_pixel
        See `moving`.
    """
    found = np.stack([np.ravel(bound)[:planes] for bound in canvas.bounds])
    if by_pixel:  # one pair of integers for all
        found[:] = np.trunc(found[:, :1])
    return found.astype(np.float32)
