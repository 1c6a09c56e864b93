"""The matrices of Winograd's minimal filtering, from points by Toom and Cook."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

POINTS: dict[int, tuple[int | Fraction, ...]] = {
    4: (0, 1, -1),
    # Half the error of 0, 1, -1, 2, -2, in a third more multiplications.
    6: (0, Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2)),
    8: (0, 1, -1, 2, -2, Fraction(1, 2), Fraction(-1, 2)),
    # Of all eighths the least error, five or six times that of 8 inputs.
    10: (0, *(Fraction(sign * n, 8) for n in (3, 7, 10, 18) for sign in (1, -1))),
}
"""By the inputs that a tile sees along an axis, where polynomials are evaluated;
infinity is one more. Pairs of opposite sign share half of their additions."""


class Matrices(NamedTuple):
    r"""Transforms along one axis: :math:`y = A^T [(G g) \odot (B^T d)]`.

    In the words of Lavin and Gray 2015, arXiv 1509.09308, section 4.1.

    Attributes
    ----------
    into
        :math:`B^T`, of the input: shape (seen, seen).
    filters
        :math:`G`: shape (seen, kernel).
    back
        :math:`A^T`, of the products: shape (made, seen).
    """

    into: Matrix
    filters: Matrix
    back: Matrix


@functools.cache
def matrices(made: int, kernel: int = 3) -> Matrices:
    """Return the matrices of F(made, kernel).

    Parameters
    ----------
    made
        Outputs of a tile along an axis.
    kernel
        Extent of the filters. A tile sees ``made + kernel - 1`` inputs, for which
        there must be `POINTS`.
    """
    points = [Fraction(point) for point in POINTS[made + kernel - 1]]
    into, filters, back = [], [], []
    for i, point in enumerate(points):
        others = points[:i] + points[i + 1 :]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        into.append([*_product(others), Fraction(0)])
        filters.append([point**power / scale for power in range(kernel)])
        back.append([point**power for power in range(made)])
    into.append(_product(points))
    filters.append([Fraction(power == kernel - 1) for power in range(kernel)])
    back.append([Fraction(power == made - 1) for power in range(made)])
    return Matrices(
        np.array(into, float), np.array(filters, float), np.array(back, float).T
    )


@functools.cache
def folded(made: int, kernel: int = 3) -> Matrices:
    """Return the same with the factors of the filters' rows in those of the input.

    What is left for the filters is the value of a polynomial at each point.
    """
    into, filters, back = matrices(made, kernel)
    factors = [row[np.flatnonzero(row)[0]] for row in filters]
    factor = np.array(factors)[:, None]
    return Matrices(into * factor, filters / factor, back)


def _product(roots: list[Fraction]) -> list[Fraction]:
    """Return the coefficients of the monic polynomial with some roots, from 1 up."""
    found = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *found]
        found = [
            s - root * f for s, f in zip(shifted, [*found, Fraction(0)], strict=True)
        ]
    return found
