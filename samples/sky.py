"""Sky and sea of the lighthouse picture, in linear light."""

from __future__ import annotations

import numpy as np
from noise import Array, Noise, colour, mix, smoothstep
from terrain import EYE, FOCAL, View, elevation

SUN_AT = (-0.315, 0.150)  # where the sun stands in the picture, as (u, v)
SUNLIGHT = colour(2.75, 2.05, 1.30)
SKYLIGHT = colour(0.30, 0.40, 0.58)
HAZE = colour(0.86, 0.70, 0.62)

_cloud, _wave = Noise(21), Noise(22)


def clear_sky(u: Array, v: Array) -> Array:
    """Cloudless sky towards (u, 1, v): deep blue above, warm at the horizon."""
    zenith, middle = colour(0.10, 0.24, 0.56), colour(0.34, 0.52, 0.78)
    low = mix(
        colour(1.02, 0.72, 0.50), colour(0.62, 0.64, 0.74), smoothstep(-0.5, 0.6, u)
    )
    sky = mix(low, middle, smoothstep(-0.01, 0.15, v))
    sky = mix(sky, zenith, smoothstep(0.10, 0.46, v))
    away = np.hypot(u - SUN_AT[0], v - SUN_AT[1])
    glow = 0.55 * np.exp(-away / 0.13) + 0.9 * np.exp(-((away / 0.045) ** 2))
    return sky + glow[..., None] * colour(1.25, 0.82, 0.42)


def _cover(u: Array, v: Array, octaves: int) -> Array:
    """Thickness of the clouds, clear below 0: heaps that flatten to the horizon."""
    depth = 1 / (np.maximum(v, 0) + 0.13)
    x, y = u * depth * 0.75 + 3.1, depth * 0.62
    x = x + 0.22 * _cloud.octaves(x * 1.7 + 9, y * 1.7, 2)
    heaps = _cloud.octaves(x, y * 1.25, octaves, 0.5)
    # Rounded tops: the fold of a noise has creases below and domes above.
    puffs = 0.5 - np.abs(_cloud.octaves(x * 2.3 + 20, y * 2.6, octaves - 1, 0.5))
    return heaps + 0.45 * puffs - 0.05 - 0.7 * smoothstep(0.22, 0.36, v)


def sky(u: Array, v: Array) -> Array:
    """Sky with clouds and the sun's disc."""
    rgb = clear_sky(u, v)
    away = np.hypot(u - SUN_AT[0], v - SUN_AT[1])
    rgb += smoothstep(0.0245, 0.0225, away)[..., None] * colour(3.2, 2.6, 1.6)
    thick = _cover(u, v, 6)
    # Light comes in where the cover gets thinner towards the sun, and from above.
    step = 0.020 / np.maximum(away, 0.08)
    aim = u + (SUN_AT[0] - u) * step, v + (SUN_AT[1] + 0.16 - v) * step
    light = 0.60 + 1.9 * (thick - _cover(*aim, 5)) - 0.55 * np.maximum(thick, 0)
    near = np.exp(-away / 0.20)[..., None]
    bright = colour(1.30, 1.14, 1.02) + near * colour(0.75, 0.42, 0.10)
    shade = colour(0.42, 0.44, 0.60) + near * colour(0.40, 0.20, 0.07)
    body = mix(shade, bright, smoothstep(-0.05, 1.05, light))
    body = mix(body, rgb, 0.55 * smoothstep(0.09, 0.0, v))
    opaque = smoothstep(-0.04, 0.34, thick) * smoothstep(0, 0.03, v)
    return mix(rgb, body, 0.94 * opaque * (1 - 0.85 * np.exp(-((away / 0.05) ** 2))))


def far_hills(rgb: Array, u: Array, v: Array) -> Array:
    """Two ranges across the bay, paler the further they are."""
    ridge = Noise(23)
    for offset, height, start, tint in (
        (0.0, 0.030, -0.02, colour(0.50, 0.52, 0.66)),
        (7.0, 0.017, -0.20, colour(0.34, 0.39, 0.52)),
    ):
        top = height * smoothstep(start - 0.22, start + 0.20, u)
        top = top * (1 + 0.55 * ridge.octaves(u * 9 + offset, 0 * u + offset, 4))
        mask = smoothstep(0.0012, -0.0012, v - top) * (v > 0)
        rgb = mix(rgb, mix(tint, HAZE, 0.55 * smoothstep(0.02, 0, v)), mask)
    return rgb


def _wave_slopes(x: Array, y: Array, footprint: Array) -> tuple[Array, Array]:
    """Slopes of the water along x and y; waves finer than two pixels are left out."""
    slope_x, slope_y = np.zeros_like(x), np.zeros_like(x)
    for length, steep in (
        (19, 0.05),
        (8, 0.07),
        (3.4, 0.075),
        (1.5, 0.07),
        (0.7, 0.06),
    ):
        kept = smoothstep(0.9, 0.3, footprint / length)
        px, py = x / (1.5 * length), y / length
        slope_y += steep * kept * _wave.octaves(px + length, py, 2)
        slope_x += 0.7 * steep * kept * _wave(px + 50, py + length)
    return slope_x, slope_y


def sea(view: View) -> tuple[Array, Array]:
    """Water in the rows below the horizon: its rgb (h, W, 3) and distance (h, W)."""
    u, v = np.meshgrid(view.u, view.v[view.v < 0])
    y = EYE / np.maximum(-v, 1e-4)
    x = u * y
    footprint = y * y / (EYE * FOCAL * view.height)
    slope_x, slope_y = _wave_slopes(x, y, footprint)

    normal = np.stack([-slope_x, -slope_y, np.ones_like(x)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    ray = np.stack([u, np.ones_like(u), v], -1)
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    facing = np.sum(ray * normal, -1)
    mirror = ray - 2 * facing[..., None] * normal
    up = np.abs(mirror[..., 2]) / mirror[..., 1]
    fresnel = 0.03 + 0.97 * (1 - np.clip(-facing, 0, 1)) ** 5
    reflected = clear_sky(mirror[..., 0] / mirror[..., 1], up)

    near = y < 420
    depth = np.full_like(x, 12)
    depth[near] = -elevation(x[near], y[near])
    body = mix(
        colour(0.10, 0.36, 0.36), colour(0.015, 0.10, 0.17), smoothstep(0, 5, depth)
    )
    rgb = mix(body, reflected, np.clip(fresnel, 0.05, 0.75))

    # Glitter: a wave sends the sun to the eye if its slope is near the one needed.
    needed_x = (u - SUN_AT[0]) / (up + SUN_AT[1])
    track = np.exp(-((u - SUN_AT[0]) ** 2) / (2 * (0.035 + 0.10 * (-v)) ** 2))
    sparkle = smoothstep(0.25, 0.9, _wave.octaves(x / 2.2 + 3, y / 1.1 * 0.9, 2))
    far_sparkle = smoothstep(0.05, 0.75, _wave.octaves(u * 160, np.log(y) * 120, 2))
    sparkle = np.maximum(sparkle * smoothstep(3, 0.4, footprint), far_sparkle)
    glint = track * (0.10 + 1.5 * sparkle) * np.exp(-np.abs(needed_x) * 0.3)
    rgb += glint[..., None] * SUNLIGHT * 0.62
    rgb = _foam(rgb, x, y, depth)
    haze = 1 - np.exp(-np.maximum(y - 150, 0) / 4200)
    return mix(rgb, HAZE, 0.75 * haze), y


def _foam(rgb: Array, x: Array, y: Array, depth: Array) -> Array:
    """Surf on the rocks, and a few white caps further out."""
    lace = _wave.octaves(x / 3.1, y / 3.1, 4, 0.6)
    surf = smoothstep(1.5, 0.1, depth + 0.9 * lace) * smoothstep(
        -0.5, 0.35, lace + 0.25
    )
    line = smoothstep(0.35, 0.0, np.abs(depth - 2.1 + 0.8 * lace)) * 0.5
    caps = smoothstep(0.72, 0.95, _wave.octaves(x / 9 + 8, y / 2.6, 3)) * 0.5
    caps *= smoothstep(420, 120, y)
    return mix(rgb, colour(0.98, 0.93, 0.88), np.clip(surf + line + caps, 0, 0.92))
