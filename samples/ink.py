"""Waves in ink: a style picture like a woodcut, in black, cream and one red."""

from __future__ import annotations

import numpy as np
from noise import Array, Noise, colour, mix, smoothstep, to_image
from PIL import Image

CREAM, BLACK, RED = (
    colour(0.955, 0.915, 0.82),
    colour(0.07, 0.06, 0.07),
    colour(0.80, 0.13, 0.09),
)
SUN, SUN_RADIUS = (0.655, 0.275), 0.150
# Rows of waves, far ones first: level, height and length of a wave, place of a crest.
WAVES = [
    (0.520, 0.060, 0.23, 0.05),
    (0.610, 0.105, 0.37, 0.83),
    (0.735, 0.260, 0.78, 0.26),
    (0.850, 0.125, 0.47, 0.66),
    (0.985, 0.125, 0.56, 0.12),
]

_wobble, _cut = Noise(91), Noise(92)


def _lines(phase: Array, ink: Array, pixel: Array) -> Array:
    """Cover, 0 to 1, of lines at whole `phase` that fill the share `ink` of it.

    `pixel` is the width of a pixel in units of phase.
    """
    away = np.abs(phase - np.round(phase)) * 2
    return smoothstep(2 * pixel, -2 * pixel, away - ink)


def _curl(
    x: Array, y: Array, wave: tuple[float, float, float, float]
) -> tuple[Array, Array]:
    """Wind the plane round a point under each crest, so that the crests break."""
    level, tall, length, crest = wave
    for n in range(-2, 3):
        cx, cy = crest + n * length + 0.16 * length, level - 0.80 * tall
        dx, dy = x - cx, y - cy
        reach = 0.62 * tall
        angle = -2.3 * np.exp(-((dx * dx + dy * dy) / reach**2))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = cx + cos * dx - sin * dy, cy + sin * dx + cos * dy
    return x, y


def _depth(x: Array, y: Array, wave: tuple[float, float, float, float]) -> Array:
    """Distance below the surface of a row of waves, positive in the water."""
    level, tall, length, crest = wave
    turn = (x - crest) / length
    steep = np.abs(np.sin(np.pi * turn)) ** 1.15
    surface = level - tall * (1 - steep) + 0.010 * _wobble(x * 7, level + 0 * x)
    return y - surface


def _water(
    rgb: Array,
    x: Array,
    y: Array,
    wave: tuple[float, float, float, float],
    pixel: float,
) -> Array:
    """Print one row of waves over `rgb`."""
    level, tall, _, _ = wave
    bent_x, bent_y = _curl(x, y, wave)
    below = _depth(bent_x, bent_y, wave)
    slope_y, slope_x = np.gradient(below, pixel)
    steep = np.maximum(np.hypot(slope_x, slope_y), 0.6)
    near = below / steep  # distance to the surface, about
    cover = smoothstep(-pixel, pixel, near)

    pitch = 0.0125 + 0.012 * tall
    sway = 0.5 * _wobble.octaves(bent_x * 6, bent_y * 6 + level * 9, 2)
    phase = below / pitch * 0.62 + sway
    grain = _cut.octaves(bent_x * 25, below * 120, 2)
    tone = smoothstep(0.0, 1.25 * tall + 0.05, below)
    ink = 0.16 + 0.62 * tone + 0.16 * grain + 0.22 * _wobble(bent_x * 4 + 9, bent_y * 4)
    print_ = _lines(phase, np.clip(ink, 0, 1), 0.62 * pixel * steep / pitch)
    # Cross cuts open the darkest water again.
    cross = _lines((x * 0.8 - y * 0.6) / 0.014 + sway, 0.22 * tone, pixel / 0.014)
    print_ = print_ * (1 - cross * smoothstep(0.5, 0.8, ink))
    # Foam: bare paper in fingers below the crest, then the outline.
    finger = np.abs(np.sin(bent_x * 60 / (0.5 + 2.2 * tall) + 2 * sway))
    foam_depth = (0.010 + 0.085 * tall) * (0.45 + 0.8 * finger)
    foam = smoothstep(pixel, -pixel, near - foam_depth)
    rim = smoothstep(1.3, 0.4, np.abs(near - foam_depth) / (0.0019 + pixel * 0.3))
    print_ = np.maximum(print_ * (1 - foam), rim)
    outline = smoothstep(1.3, 0.5, np.abs(near - 0.002) / (0.0030 + 0.004 * tall))
    print_ = np.maximum(print_, outline)
    rgb = mix(rgb, CREAM, cover)
    return mix(rgb, BLACK, print_ * cover)


def _sky(x: Array, y: Array, pixel: float) -> Array:
    """Cream sky under ruled lines, with bands of cloud and the red sun."""
    sway = 0.8 * _wobble.octaves(x * 2.2, y * 3.5, 2)
    grain = _cut.octaves(x * 9, y * 120, 2)
    billow = _wobble.octaves(x * 1.6 + 5, y * 6 + 2, 3)
    cloud = smoothstep(0.20, 0.36, billow)
    ink = 0.13 + 0.50 * smoothstep(0.42, 0.0, y) + 0.14 * grain
    fade = 1 - cloud
    ruled = _lines(y / 0.0135 + sway, np.clip(ink, 0, 1) * fade, pixel / 0.0135)
    ruled *= smoothstep(0.0, 0.08, ink * fade)
    # Inside a cloud the cuts follow its billows.
    slope_y, slope_x = np.gradient(billow, pixel)
    steep = 11 * np.hypot(slope_x, slope_y)
    contour = _lines(11 * billow, 0.20 + 0.15 * grain, np.minimum(steep * pixel, 0.2))
    ruled = np.maximum(ruled, contour * cloud)
    away = np.hypot(x - SUN[0], y - SUN[1])
    rays = np.arctan2(y - SUN[1], x - SUN[0]) / (2 * np.pi) * 72
    wedge = _lines(rays, 0.42 + 0.2 * grain, pixel / (2 * np.pi * away + 1e-3) * 72)
    halo = smoothstep(0.30, 0.285, away + 0.012 * sway)
    ring = smoothstep(pixel, -pixel, 0.012 - (away - SUN_RADIUS))
    print_ = np.where(halo > 0.5, wedge * ring, ruled)
    rgb = mix(np.broadcast_to(CREAM, (*x.shape, 3)), BLACK, print_)
    worn = _lines(
        y / 0.0185 + 0.5 * sway,
        0.16 + 0.25 * smoothstep(SUN[1], SUN[1] + SUN_RADIUS, y) + 0.1 * grain,
        pixel / 0.0185,
    )
    disc = smoothstep(pixel, -pixel, away - SUN_RADIUS)
    return mix(rgb, mix(RED, CREAM, worn * (y > SUN[1] - 0.02)), disc)


def ink(size: tuple[int, int] = (400, 400), supersample: int = 2) -> Image.Image:
    """Print the waves at `size` (width, height), a square."""
    side = max(size) * supersample
    middle = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(middle, middle)
    rgb = _sky(x, y, 1 / side)
    for wave in WAVES:
        rgb = _water(rgb, x, y, wave, 1 / side)
    paper = 1 + 0.03 * _cut.octaves(x * 60, y * 60, 3)
    # Ink takes unevenly on the paper's grain.
    dark = 1 - rgb.mean(-1)
    rgb = (
        rgb
        + (0.05 * dark * smoothstep(0.1, 0.7, _cut.octaves(x * 130, y * 130, 2)))[
            ..., None
        ]
    )
    return to_image(rgb * paper[..., None], size)
