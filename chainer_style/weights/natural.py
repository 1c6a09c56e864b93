"""Random pictures with the statistics of natural ones.

Occluding discs of all sizes ("dead leaves") have the edges, the 1/f² power
spectrum and the scale invariance of photographs. Lee, Mumford and Huang 2001,
"Occlusion models for natural images", Int. J. Computer Vision 41.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MEAN_LEVEL = 115.0
CONTRAST = 60.0
"""Mean and standard deviation of a picture's grey levels, of 0..255."""

COLOUR_AXES = np.array([[1, 1, 1], [-1, 0, 1], [-1, 2, -1]], float)
"""Brightness, blue-red and green-magenta: the principal axes of colour in
natural pictures (Ruderman, Cronin and Chiao 1998), rows in the order B, G, R."""

COLOUR_DEVIATIONS = np.array([1.0, 0.35, 0.1])
"""Relative standard deviation along each axis."""


def dead_leaves(
    random: np.random.RandomState, size: int, leaves: int = 1500
) -> npt.NDArray[np.float32]:
    """Draw one picture.

    Parameters
    ----------
    random
        The source of chance.
    size
        Height and width in pixels.
    leaves
        Number of discs, the first at the bottom.

    Returns
    -------
    ndarray
        Shape (1, 3, size, size), float32: blue, green, red in 0..255.
    """
    least, most = 1.5, size / 2
    # Radii with density r**-3, which makes the picture scale invariant.
    share = random.uniform(size=leaves)
    radii = (least**-2 + share * (most**-2 - least**-2)) ** -0.5
    centres = random.uniform(-0.1 * size, 1.1 * size, (leaves, 2))
    axes = COLOUR_AXES / np.linalg.norm(COLOUR_AXES, axis=1, keepdims=True)
    colours = (random.normal(size=(leaves, 3)) * COLOUR_DEVIATIONS) @ axes
    slopes = random.normal(size=(leaves, 2)) * 0.7 / radii[:, None]

    picture = np.zeros((size, size, 3))
    for radius, centre, colour, slope in zip(
        radii, centres, colours, slopes, strict=True
    ):
        low = np.clip(np.floor(centre - radius), 0, size).astype(int)
        high = np.clip(np.ceil(centre + radius) + 1, 0, size).astype(int)
        y, x = np.ogrid[low[0] : high[0], low[1] : high[1]]
        y, x = y - centre[0], x - centre[1]
        inside = y**2 + x**2 <= radius**2
        shading = 0.15 * (slope[0] * y + slope[1] * x)
        leaf = colour + shading[..., None]
        np.copyto(
            picture[low[0] : high[0], low[1] : high[1]], leaf, where=inside[..., None]
        )
    picture += random.normal(size=picture.shape) * 0.02
    picture = (picture - picture.mean()) * (CONTRAST / picture.std()) + MEAN_LEVEL
    levels = np.clip(picture, 0, 255).astype(np.float32)
    return np.ascontiguousarray(levels.transpose(2, 0, 1)[None])
