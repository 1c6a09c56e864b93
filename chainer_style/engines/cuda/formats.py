"""Precisions of engine ``cuda``: how features are stored, and how multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Format:
    """What a precision means on the device; sums are always in single precision.

    Attributes
    ----------
    name
        The precision.
    feature
        What the kernels call the numbers of a map: 32 float, 16 half, 17 bfloat16.
    bytes
        Of such a number.
    tensor_cores
        Whether matrix units multiply, which take 11 (half, and float as TF32) or 8
        (bfloat16) bits of every factor.
    scaled
        Whether gradients would be too small for these numbers as they are.
    """

    name: Literal["float32", "tf32", "bf16", "fp16"]
    feature: Literal[16, 17, 32]
    bytes: int
    tensor_cores: bool
    scaled: bool = False

    def encode(self, array: Array) -> Array:
        """Return numbers as they lie in memory, rounded to the nearest."""
        single = np.ascontiguousarray(array, np.float32)
        if self.feature == 32:
            return single
        if self.feature == 16:
            with np.errstate(over="ignore"):  # which is infinite, as on the device
                return single.astype(np.float16)
        bits = single.view(np.uint32)
        rounded = bits + (0x7FFF + (bits >> 16 & 1)).astype(np.uint32)
        return (rounded >> 16).astype(np.uint16)

    def decode(self, array: Array) -> Array:
        """Return float32 of what `encode` returned."""
        if self.feature == 17:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float32)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the arrays that hold them."""
        names = {32: np.float32, 16: np.float16, 17: np.uint16}
        return np.dtype(names[self.feature])


FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("float32", 32, 4, tensor_cores=False),
        Format("tf32", 32, 4, tensor_cores=True),
        Format("bf16", 17, 2, tensor_cores=True),
        Format("fp16", 16, 2, tensor_cores=True, scaled=True),
    )
}
"""All of them, by name."""
