"""What a program is made of: steps, each with the numbers that its kernel needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

KINDS = (
    "winograd2",
    "winograd4",
    "winograd6",
    "winograd8",
    "winograd4of5",  # of filters 5x5
    "winograd6of5",
    "winograd4fresh",  # of filters as they are
    "winograd2half",  # in bfloat16
    "winograd4half",
    "windows",
    "direct",
    "gather",
    "to_space",
    "pool",
    "unpool",
    "rectify",
    "copy",
    "crop",
    "paste",
    "normalise",
    "unnormalise",
    "panel",
    "gram",
    "compare",
    "aim",
    "style",
    "style_few",
    "variation",
    "adam",
    "clip",
)
"""Names of the kernels; a step holds the number of one."""

WORDS = (
    "kind",
    "units",  # of work, any of which may be done by any thread
    "beside",  # whether it runs at the same time as the step before
    # Addresses.
    "x",
    "y",
    "weights",
    "bias",
    "floor",  # see `results.forward`
    "mask",  # bits that are read
    "signs",  # bits that are written
    "target",
    "partial",  # one sum of losses per unit
    "source",  # of a backward step: what the forward one read,
    "result",  # and wrote
    "choice",  # bytes: which position of its window a maximum had
    "ones",  # the bits of a position, all set
    "zeros",  # a position of zeros
    # Extents; channels as they lie in memory.
    "height",
    "width",
    "channels",
    "y_height",
    "y_width",
    "y_channels",
    # Geometry of the window, and of what it makes: a square of results.
    "kernel",
    "stride",
    "pad",  # rows before the first one
    "pad_across",  # columns before the first one
    "pad_end",  # of a pooling, or of the picture: behind the last ones
    "square",
    "groups",
    "count",  # channels that count, without those that only fill up
    # Division of the work.
    "positions",  # per unit, at most
    "shares",  # of the panels
    "panels",
    "add",
    "backward",
    "offset",  # of channels
    "mode",  # which of the ways that a kernel has
    "rectified",  # whether x is to be read through a ReLU
)
NUMBERS = ("scale", "second_scale", "third_scale")

STEP = np.dtype(
    [(name, np.int64) for name in WORDS] + [(name, np.float64) for name in NUMBERS]
)

Program = npt.NDArray[Any]
"""Steps, in the order in which they run: an array of `STEP`."""


def step(kind: str, units: int, **values: float) -> Program:
    """Return a program of one step; what is not given is zero."""
    found = np.zeros(1, STEP)
    found["kind"], found["units"] = KINDS.index(kind), units
    for name, value in values.items():
        found[name] = value
    return found
