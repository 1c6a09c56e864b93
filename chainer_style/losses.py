"""Content, Gram style and total-variation losses on Chainer variables.

Features have shape (1, channels, height, width). Gatys, Ecker and Bethge 2015,
arXiv 1508.06576; normalisations after mattya/chainer-gogh 4aaa123.
"""

from __future__ import annotations

from typing import Any

import chainer.functions as F

Variable = Any  # chainer.Variable, which carries no types


def gram_matrix(features: Variable) -> Variable:
    r"""Correlations of the channels: :math:`G = F F^T / (C H W)`.

    The 2016 code divides by C W², which is the same on its square pictures.

    Parameters
    ----------
    features
        Shape (1, C, H, W).

    Returns
    -------
    chainer.Variable
        Shape (C, C).
    """
    _, channels, height, width = features.shape
    flat = F.reshape(features, (channels, height * width))
    product = F.matmul(flat, flat, transb=True)
    return product / features.dtype.type(channels * height * width)


def content_loss(features: Variable, target: Variable) -> Variable:
    """Mean squared difference of two feature maps of the same shape."""
    return F.mean_squared_error(features, target)


def style_loss(gram: Variable, target: Variable) -> Variable:
    """Mean squared difference of two Gram matrices."""
    return F.mean_squared_error(gram, target)


def total_variation(image: Variable) -> Variable:
    """Mean squared difference of neighbouring pixels, down plus across.

    Parameters
    ----------
    image
        Shape (1, 3, height, width), each side at least 2.
    """
    down = F.mean(F.square(image[:, :, 1:, :] - image[:, :, :-1, :]))
    across = F.mean(F.square(image[:, :, :, 1:] - image[:, :, :, :-1]))
    return down + across


def energy(target: Any) -> Any:
    """Mean square of a target array: what a relative loss is divided by."""
    return (target * target).mean()
