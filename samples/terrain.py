"""The headland of the lighthouse picture: camera, relief, and what each pixel sees.

Metres: x to the right, y away from the camera, z up, the sea at z = 0. The camera
looks along y with a shifted lens: world verticals stay vertical, so that all pixels
of one column lie over one line on the map and the relief is found by a running
maximum along it, with no ray marching.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from noise import Array, Noise, smoothstep, spline

EYE = 18.0  # height of the camera
FOCAL = 1.43  # focal length in picture heights
HORIZON = 0.55  # its place in the picture, from the top
TOWER = (20.0, 128.0)  # where the lighthouse stands
SUN = np.array([-0.808, -0.354, 0.471], np.float32)  # unit vector towards the light

COAST = [(-10, -16), (10, -13), (30, -9.5), (48, -6), (66, 0), (84, 7), (100, 4),
         (112, -5), (126, -9), (140, -3), (165, 14), (200, 50), (260, 130)]  # fmt: skip
PLATEAU = [(-10, 15.9), (8, 15.3), (30, 11.5), (60, 7.6), (80, 7.4), (100, 12),
           (122, 17.0), (140, 17), (180, 15), (300, 20)]  # fmt: skip
PATH = [(0, -0.6), (8, 0.9), (20, 3.0), (32, 3.0), (46, 4.5), (62, 11.5), (80, 18),
        (96, 18), (110, 15), (120, 18.5), (126, 20)]  # fmt: skip

_coarse, _fine, _rock = Noise(11), Noise(12), Noise(13)


@dataclass(frozen=True, slots=True)
class View:
    """The pixel grid, `width` by `height`."""

    width: int
    height: int

    @property
    def u(self) -> Array:
        """Slope x / y (W,) of the rays of each column."""
        column = np.arange(self.width, dtype=np.float32) + 0.5
        return (column - self.width / 2) / (self.height * FOCAL)

    @property
    def v(self) -> Array:
        """Slope (z - EYE) / y (H,) of the rays of each row."""
        row = np.arange(self.height, dtype=np.float32) + 0.5
        return (HORIZON - row / self.height) / FOCAL

    def project(self, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Pixel coordinates (column, row) of world points."""
        column = x / y * self.height * FOCAL + self.width / 2
        row = (HORIZON - (z - EYE) / y * FOCAL) * self.height
        return column, row


def path_distance(x: Array, y: Array) -> Array:
    """Metres, across, from the middle of the path to points on the map."""
    return np.abs(x - spline(PATH, y) - 0.5 * _fine(x * 0 + 3, y / 7))


def inland(x: Array, y: Array) -> Array:
    """Metres from the shore line, positive on land."""
    warp = 4.0 * _coarse.octaves(x / 17, y / 17, 3) * smoothstep(20, 70, y)
    return x - spline(COAST, y) + warp


def bushes(x: Array, y: Array) -> Array:
    """How much of a bush stands at each point, 0 to 1."""
    patch = _coarse(x / 9 + 40, y / 13 + 7)
    clump = _fine.octaves(x / 2.3 + 9, y / 2.3, 2)
    off_path = smoothstep(2.2, 5.0, path_distance(x, y))
    return smoothstep(0.12, 0.55, patch * 0.9 + clump * 0.55) * off_path


def elevation(x: Array, y: Array) -> Array:
    """Height of the ground above the sea."""
    shore = inland(x, y)
    top = spline(PLATEAU, y) + 1.0 * _coarse.octaves(x / 26 + 5, y / 26, 3)
    # Hills behind, to the right, and level ground round the tower.
    top += 9 * smoothstep(34, 95, x) * smoothstep(60, 170, y)
    near = np.hypot(x - TOWER[0] - 8, y - TOWER[1])
    top += (17.2 - top) * smoothstep(34, 12, near)
    rise = np.clip(shore / 8.0, 0, 1)
    rough = _rock.octaves(x / 7, y / 7, 5, 0.55)
    face = rise**0.55 * (1 - rise) * 2.2  # strongest on the cliff
    strata = 0.035 * np.sin(rise * 30 + 2 * rough)
    slope = np.clip(rise**0.62 + strata * (face > 0.02), 0, 1)
    land = top * slope + 2.5 * rough * face
    land += 0.10 * _fine.octaves(x / 1.4, y / 1.4, 3) * smoothstep(4, 9, shore)
    dome = np.sqrt(bushes(x, y)) * (1.5 + 0.5 * _fine.octaves(x / 0.7, y / 0.7, 3))
    land += dome * smoothstep(8, 14, shore) * smoothstep(14, 30, y)
    land -= 0.22 * smoothstep(1.3, 0.5, path_distance(x, y))
    reef = np.maximum(_rock.octaves(x / 4.5 + 31, y / 4.5, 3) - 0.25, 0) * 5
    bed = -1.1 + 0.22 * shore + reef * smoothstep(-13, -1, shore)
    return np.where(shore > 0, np.maximum(land, bed), bed)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the pixels see of the ground; all arrays (H, W), y infinite where none."""

    x: Array
    y: Array
    z: Array
    normal: Array  # (H, W, 3), unit length
    hollow: Array  # metres below the mean height around


def _blur(a: Array, radius: int) -> Array:
    """Box mean over 2 * radius + 1 along both axes, edges repeated."""
    for axis in (0, 1):
        pad = [(0, 0), (0, 0)]
        pad[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(a, pad, mode="edge"), axis=axis, dtype=np.float64)
        n = 2 * radius + 1
        high = np.take(total, range(n, total.shape[axis]), axis)
        low = np.take(total, range(total.shape[axis] - n), axis)
        a = ((high - low) / n).astype(np.float32)
    return a


def look(view: View) -> Ground:
    """Find the ground point behind every pixel."""
    u, v = view.u, view.v
    depths = np.geomspace(5, 420, max(200, view.height)).astype(np.float32)
    y = np.broadcast_to(depths[:, None], (len(depths), len(u)))
    z = elevation(u * y, y)
    skyline = np.maximum.accumulate((z - EYE) / y, axis=0)
    before = np.empty((len(v), len(u)), np.int64)
    for column in range(len(u)):
        before[:, column] = np.searchsorted(skyline[:, column], v)
    seen = (before > 0) & (before < len(depths))
    after = np.clip(before, 1, len(depths) - 1)
    columns = np.arange(len(u))[None, :]

    low, high = skyline[after - 1, columns], skyline[after, columns]
    part = np.clip((v[:, None] - low) / np.maximum(high - low, 1e-7), 0, 1)

    def at(grid: Array) -> Array:
        a, b = grid[after - 1, columns], grid[after, columns]
        return a + (b - a) * part

    across, along = np.gradient(z, u, axis=1), np.gradient(z, depths, axis=0)
    slope_x = across / y
    slope_y = along - u / y * across
    normal = np.stack([-at(slope_x), -at(slope_y), np.ones_like(part)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    distance = at(y)
    hollow = at(_blur(z, max(2, view.height // 60)) - z)
    return Ground(
        x=u * distance,
        y=np.where(seen, distance, np.inf),
        z=at(z),
        normal=normal,
        hollow=hollow,
    )


def sunlit(x: Array, y: Array, z: Array) -> Array:
    """Share of sunlight, 0 to 1, that the relief lets through to points of (N,)."""
    step = 0.5
    map_x = np.arange(-60, 200, step, dtype=np.float32)
    map_y = np.arange(0, 330, step, dtype=np.float32)
    heights = elevation(map_x[None, :], map_y[:, None])
    light = np.ones_like(z)
    for reach in np.geomspace(0.8, 60, 22):
        px, py = x + reach * SUN[0], y + reach * SUN[1]
        ix = np.clip((px - map_x[0]) / step, 0, len(map_x) - 1).astype(np.int32)
        iy = np.clip((py - map_y[0]) / step, 0, len(map_y) - 1).astype(np.int32)
        over = heights[iy, ix] - (z + reach * SUN[2])
        light = np.minimum(light, 1 - smoothstep(-0.05, 0.08, over / reach))
    return light
