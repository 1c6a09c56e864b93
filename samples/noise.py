"""Smooth noise and the few array helpers that every sample picture needs."""

from __future__ import annotations

import numpy as np
from PIL import Image

Array = np.ndarray


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Cubic ramp from 0 at `low` to 1 at `high`; `low` may exceed `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Array, b: Array, weight: Array) -> Array:
    """Blend `a` into `b`; `weight` of shape (...) broadcasts over channels (..., 3)."""
    return a + (b - a) * np.asarray(weight)[..., None]


def colour(red: float, green: float, blue: float) -> Array:
    """One colour as a float32 array of shape (3,)."""
    return np.array([red, green, blue], np.float32)


def spline(points: list[tuple[float, float]], x: Array) -> Array:
    """Catmull-Rom curve through `points` (sorted by abscissa), evaluated at `x`."""
    knots, values = np.array(points, np.float64).T
    slopes = np.gradient(values, knots)
    x = np.clip(x, knots[0], knots[-1])
    k = np.clip(np.searchsorted(knots, x) - 1, 0, len(knots) - 2)
    width = knots[k + 1] - knots[k]
    t = (x - knots[k]) / width
    return (
        values[k] * (1 + 2 * t) * (1 - t) ** 2
        + slopes[k] * width * t * (1 - t) ** 2
        + values[k + 1] * t * t * (3 - 2 * t)
        + slopes[k + 1] * width * t * t * (t - 1)
    ).astype(np.float32)


class Noise:
    """Perlin gradient noise over the plane, about in [-1, 1], fixed by a seed.

    Its value depends on the coordinates alone, so a picture keeps its features
    when it is drawn at another size.
    """

    def __init__(self, seed: int) -> None:
        angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, 256 * 256)
        self._cos = np.cos(angle).astype(np.float32)
        self._sin = np.sin(angle).astype(np.float32)

    def __call__(self, x: Array, y: Array) -> Array:
        """Noise at points (x, y); one feature per unit."""
        x, y = np.broadcast_arrays(np.float32(x), np.float32(y))
        flat_x, flat_y = x.reshape(-1), y.reshape(-1)
        value = np.empty(x.size, np.float32)
        for start in range(0, x.size, 1 << 14):  # blocks that stay in cache
            block = slice(start, start + (1 << 14))
            value[block] = self._block(flat_x[block], flat_y[block])
        return value.reshape(x.shape)

    def _block(self, x: Array, y: Array) -> Array:
        fx, fy = np.floor(x), np.floor(y)
        dx, dy = x - fx, y - fy
        left, top = fx.astype(np.int64) & 255, (fy.astype(np.int64) & 255) << 8
        right, low = (left + 1) & 255, (top + 256) & 0xFF00

        def corner(index: Array, ex: Array, ey: Array) -> Array:
            return self._cos.take(index) * ex + self._sin.take(index) * ey

        wx = dx * dx * dx * (dx * (dx * 6 - 15) + 10)
        wy = dy * dy * dy * (dy * (dy * 6 - 15) + 10)
        a, b = corner(top + left, dx, dy), corner(top + right, dx - 1, dy)
        c, d = corner(low + left, dx, dy - 1), corner(low + right, dx - 1, dy - 1)
        a += wx * (b - a)
        c += wx * (d - c)
        return (a + wy * (c - a)) * np.float32(1.5)

    def octaves(self, x: Array, y: Array, count: int, gain: float = 0.5) -> Array:
        """Sum of `count` octaves, each twice as fine and `gain` times as strong."""
        total, strength = np.zeros(np.broadcast(x, y).shape, np.float32), 1.0
        for _ in range(count):
            total += strength * self(x, y)
            # Turning each octave hides the lattice that all of them share.
            x, y = 1.6 * x - 1.2 * y + 17.3, 1.2 * x + 1.6 * y + 5.1
            strength *= gain
        return total


def to_image(rgb: Array, size: tuple[int, int]) -> Image.Image:
    """8-bit picture of `size` (width, height) from display values in [0, 1]."""
    eight_bit = np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(eight_bit).resize(size, Image.Resampling.LANCZOS)
