"""The lighthouse: a content picture with depth, light, crisp edges and soft tones."""

from __future__ import annotations

import numpy as np
from noise import Array, Noise, colour, mix, smoothstep, to_image
from objects import Canvas, boat, fence, gulls, house, meadow
from PIL import Image
from sky import HAZE, SKYLIGHT, SUNLIGHT, far_hills, sea, sky
from terrain import (
    SUN,
    TOWER,
    Ground,
    View,
    bushes,
    inland,
    look,
    path_distance,
    sunlit,
)
from tower import tower

_stain, _blade = Noise(31), Noise(32)


def material(ground: Ground, land: Array) -> Array:
    """Reflectance (N, 3) of the land pixels: grass, bush, path, rock or wet sand."""
    x, y, z = ground.x[land], ground.y[land], ground.z[land]
    steep = ground.normal[land][:, 2]
    fine = smoothstep(60, 8, y)
    patch = _stain.octaves(x / 11, y / 11, 4)
    tuft = _blade.octaves(x / 0.35, y / 0.5, 3, 0.6)
    grass = mix(
        colour(0.105, 0.165, 0.030),
        colour(0.27, 0.26, 0.060),
        smoothstep(-0.5, 0.7, patch),
    )
    grass = grass * (1 + (0.25 + 0.30 * fine) * tuft)[:, None]
    bush = bushes(x, y) * smoothstep(8, 14, inland(x, y)) * smoothstep(14, 30, y)
    leaf = _blade.octaves((x + 0.7 * z) / 0.45, (y + 0.7 * z) / 0.45, 3, 0.7)
    green = colour(0.050, 0.085, 0.022) * (1 + 0.6 * leaf)[:, None]
    gorse = smoothstep(0.35, 0.6, leaf + 0.3 * patch)
    grass = mix(
        grass,
        mix(green, colour(0.62, 0.45, 0.05), 0.8 * gorse),
        smoothstep(0.02, 0.12, bush),
    )

    layer = _stain.octaves(x / 14, z / 0.9 + 0.15 * x, 4, 0.6)
    rock = mix(
        colour(0.15, 0.125, 0.10),
        colour(0.40, 0.335, 0.255),
        smoothstep(-0.7, 0.8, layer),
    )
    crack = smoothstep(0.10, 0.0, np.abs(_stain.octaves(x / 2.6, z / 3.5 + y / 6, 3)))
    rock = rock * (1 - 0.45 * crack)[:, None]
    wet = smoothstep(1.6, 0.5, z + 0.5 * layer)
    rock = rock * (1 - 0.6 * wet)[:, None]

    off = path_distance(x, y) + 0.16 * _blade.octaves(x / 0.5, y / 0.8, 3)
    pebble = _blade.octaves(x / 0.12, y / 0.25, 4, 0.75)
    earth = colour(0.46, 0.36, 0.245) * (1 + 0.22 * pebble + 0.12 * patch)[:, None]
    earth = mix(earth, earth * 0.62, smoothstep(0.18, 0.0, np.abs(off - 0.42)))
    grass = mix(grass, earth, smoothstep(1.02, 0.78, off))
    bare = smoothstep(0.74, 0.56, steep + 0.10 * layer) + smoothstep(
        3.2, 1.6, z + layer
    )
    bare = np.clip(bare, 0, 1) * smoothstep(0.06, 0.0, bush)
    return mix(grass, rock, bare)


def column_shadow(
    x: Array, y: Array, z: Array, place: tuple[float, float], radius: float, top: float
) -> Array:
    """Sunlight, 0 to 1, past an upright cylinder that stands at `place`."""
    flat = SUN[:2] / np.hypot(*SUN[:2])
    dx, dy = place[0] - x, place[1] - y
    along = dx * flat[0] + dy * flat[1]
    across = np.abs(dx * flat[1] - dy * flat[0])
    ray = z + along * SUN[2] / np.hypot(*SUN[:2])
    blur = 0.15 + 0.012 * np.abs(along)
    inside = smoothstep(1, -1, (across - radius) / blur) * smoothstep(
        1, -1, (ray - top) / blur
    )
    return 1 - inside * (along > 0)


def land_colour(ground: Ground, land: Array) -> Array:
    """Light that the land pixels send to the eye, (N, 3)."""
    x, y, z = ground.x[land], ground.y[land], ground.z[land]
    normal = ground.normal[land]
    sun = np.clip(normal @ SUN.astype(np.float32), 0, 1) * sunlit(x, y, z)
    for dx, dy, radius, top in ((0, 0, 3.6, 52), (11, -3, 4, 22.5), (21, 1, 4, 22)):
        sun *= column_shadow(x, y, z, (TOWER[0] + dx, TOWER[1] + dy), radius, top)
    open_sky = (0.6 + 0.4 * normal[:, 2]) * np.clip(
        1 - 0.55 * ground.hollow[land], 0.25, 1.15
    )
    light = sun[:, None] * SUNLIGHT * 1.15 + open_sky[:, None] * SKYLIGHT
    rgb = material(ground, land) * light
    return mix(rgb, HAZE, 0.8 * (1 - np.exp(-np.maximum(y - 15, 0) / 750)))


def tone(rgb: Array) -> Array:
    """Linear light to display values, with a soft shoulder for the brightest."""
    rgb = np.maximum(rgb, 0) * 1.02
    rgb = rgb * (1 + rgb / 7.0) / (1 + rgb * 0.62)
    rgb = np.clip(rgb, 0, 1) ** (1 / 2.2)
    grey = rgb.mean(-1, keepdims=True)
    rgb = grey + 1.12 * (rgb - grey)
    return rgb + 0.35 * rgb * (1 - rgb) * (2 * rgb - 1)


def lighthouse(size: tuple[int, int] = (480, 360), supersample: int = 2) -> Image.Image:
    """Draw the lighthouse at `size` (width, height)."""
    view = View(size[0] * supersample, size[1] * supersample)
    u, v = np.meshgrid(view.u, view.v)
    above = view.v >= 0
    rgb, depth = np.empty((*u.shape, 3), np.float32), np.full_like(u, np.inf)
    rgb[above] = far_hills(sky(u[above], v[above]), u[above], v[above])
    rgb[~above], depth[~above] = sea(view)
    ground = look(view)
    land = ground.y < depth
    rgb[land] = land_colour(ground, land)
    depth[land] = ground.y[land]
    canvas = Canvas(rgb, depth, view)
    gulls(canvas)
    boat(canvas, -31, 205, 1.75)
    house(canvas, (41, 129, 17.6), (10, 6, 3.1), colour(0.20, 0.21, 0.24))
    tower(canvas)
    house(canvas, (31, 125, 17.0), (9, 5.5, 2.9), colour(0.42, 0.16, 0.09))
    fence(canvas)
    meadow(canvas)
    return to_image(tone(rgb), size)
