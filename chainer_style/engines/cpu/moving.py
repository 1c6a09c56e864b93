"""What the picture itself goes through: total variation, Adam, clip."""

from __future__ import annotations

from chainer_style.engines.cpu import division
from chainer_style.engines.cpu.draft import FLOAT, Draft, Map
from chainer_style.engines.cpu.kernels.picture import RUN
from chainer_style.engines.cpu.losses import DOUBLE
from chainer_style.engines.steps import BETA1, BETA2

VARIATION = "variation"
"""Buffer of the partial sums of the total variation."""


def vary(
    draft: Draft,
    rows: Map,
    height: int,
    weight: float,
    gradient: str,
    above: bool = False,
    below: bool = False,
) -> None:
    """Draft that the total variation adds to the gradient of some rows.

    Parameters
    ----------
    draft
        To which a step is added.
    rows
        Of the picture, those that are meant.
    height
        Of the whole picture.
    weight
        Of the total variation among the losses.
    gradient
        Buffer, or name, of the rows' gradient.
    above, below
        Whether in memory there is another row before them, and behind.
    """
    block = max(1, division.summed(rows) // rows.width)
    units = -(-rows.height // block)
    partial = draft.buffer(VARIATION, DOUBLE * units, kept=True)
    # Twice the weight of a squared difference, downwards and across.
    weight = 2 * weight / rows.channels
    draft.add(
        "total variation",
        "variation",
        units,
        {"x": "picture", "y": gradient, "partial": partial},
        positions=block,
        scale=weight / max((height - 1) * rows.width, 1),
        second_scale=weight / max(height * (rows.width - 1), 1),
        pad=above,
        pad_end=below,
        **rows.read(),
    )


def move(
    draft: Draft,
    rows: Map,
    threads: int,
    epsilon: float,
    gradient: str,
    *,
    by_pixel: bool,
) -> None:
    """Draft Adam and the clip of some rows.

    Parameters
    ----------
    draft
        To which steps are added.
    rows
        Of the picture, those that are meant.
    threads
        That will run it.
    epsilon
        Adam's; see `steps.epsilon`.
    gradient
        Buffer, or name, of the rows' gradient.
    by_pixel
        Whether to clip as the program of 2016 did, which asks for the whole picture.
    """
    block = division.rows(rows, threads) * rows.width
    uses = {
        "x": "picture",
        "y": gradient,
        "source": "first moment",
        "result": "second moment",
        "weights": "rate",
        "bias": "bounds",
    }
    draft.add(
        "Adam and clip",
        "adam",
        -(-rows.positions // block),
        uses,
        space=2 * FLOAT * RUN * rows.channels,
        positions=block,
        scale=BETA1,
        second_scale=BETA2,
        third_scale=epsilon,
        mode=by_pixel,
        **rows.read(),
    )
    if by_pixel:
        uses = {"x": "picture", "bias": "bounds"}
        draft.add("Adam and clip", "clip", 1, uses, **rows.read())
