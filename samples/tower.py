"""The tower of the lighthouse picture: a body of revolution, shaded round."""

from __future__ import annotations

import numpy as np
from noise import Array, Noise, colour, mix, smoothstep
from objects import RED, WHITE, Canvas, lit
from sky import HAZE
from terrain import EYE, FOCAL, TOWER

FOOT = 17.0  # metres above the sea

# Outline: (metres above the foot, radius), and how much the wall looks up there.
PROFILE = [
    (-2.0, 4.9), (0.9, 4.9), (0.95, 4.35), (24.5, 2.75), (25.2, 2.85), (25.9, 3.6),
    (26.3, 3.75), (26.35, 2.0), (30.2, 2.0), (30.25, 2.75), (30.5, 2.7), (31.4, 2.2),
    (32.3, 1.35), (32.9, 0.45), (33.2, 0.38), (33.6, 0.38), (33.7, 0.07), (36.0, 0.05),
]  # fmt: skip
TILT = [(0, 0), (0.94, 0), (0.96, 0.07), (24.5, 0.07), (25.9, -0.9), (26.3, 0),
        (30.2, 0), (30.5, 0.5), (33, 1.2)]  # fmt: skip

_stain = Noise(51)


def tower(canvas: Canvas) -> None:
    """Draw the tower: banded wall, gallery, lantern room and dome."""
    view, (x, y) = canvas.view, TOWER
    columns, rows = view.project(
        np.array([x - 6, x + 6]), np.full(2, y), np.array([FOOT + 38, FOOT - 3])
    )
    window = np.s_[int(rows[0]) : int(rows[1]), int(columns[0]) : int(columns[1])]
    u, v = np.meshgrid(view.u[window[1]], view.v[window[0]])
    across = u * y - x
    radius = np.interp(EYE + v * y - FOOT, *np.array(PROFILE).T).astype(np.float32)
    turn = np.clip(across / radius, -1, 1)
    front = np.sqrt(1 - turn * turn)
    # Seen from below the front is nearer, so that rings bow upwards.
    z = EYE + v * (y - radius * front) - FOOT
    pixel = y / (FOCAL * view.height)
    cover = smoothstep(0.7, -0.7, (np.abs(across) - radius) / pixel)

    normal = np.stack([turn, -front, np.interp(z, *np.array(TILT).T)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    rgb = lit(_paint(turn, z), normal)
    rgb *= (1 - 0.45 * smoothstep(0.15, 1.0, turn))[..., None]
    # The gallery and the dome's brim throw a shadow on the wall below them.
    for edge, reach in ((25.2, 2.0), (30.2, 0.7)):
        drop = reach * (0.55 + 0.45 * turn)
        under = smoothstep(0.0, -0.15, z - edge) * smoothstep(
            -drop - 0.3, -drop, z - edge
        )
        rgb *= (1 - 0.55 * under)[..., None]
    rgb = mix(_lantern(rgb, turn, z), HAZE, np.float32(0.05))
    visible = canvas.depth[window] > y - 5
    canvas.rgb[window] = mix(canvas.rgb[window], rgb, cover * visible)
    _railing(canvas)


def _paint(turn: Array, z: Array) -> Array:
    """Red and white bands, weather stains, door and windows."""
    band = np.sin((z - 0.95) / 23.6 * 5 * np.pi)
    paint = mix(WHITE, RED, smoothstep(0.04, -0.04, band))
    angle = np.arcsin(turn)
    stain = 0.16 * _stain.octaves(angle * 5, z / 5, 4)
    paint = paint * (1 + stain + 0.05 * _stain.octaves(angle * 12, z * 2, 2))[..., None]
    paint = mix(paint, colour(0.36, 0.33, 0.29), smoothstep(0.95, 0.85, z))
    aside = np.abs(angle + 0.25)
    for low, high in ((5.2, 6.8), (13.0, 14.6), (20.6, 22.0)):
        frame = (aside < 0.21) & (z > low - 0.3) & (z < high + 0.35)
        pane = (aside < 0.13) & (z > low) & (z < high)
        paint = mix(mix(paint, WHITE * 0.7, frame), colour(0.03, 0.045, 0.06), pane)
    door = (aside < 0.20) & (z > 0) & (z < 2.6)
    paint = mix(paint, colour(0.05, 0.10, 0.12), door)
    metal = smoothstep(25.85, 25.95, z) * smoothstep(30.3, 30.2, z)
    paint = mix(paint, colour(0.16, 0.16, 0.17), metal)
    return mix(paint, RED * 0.85, smoothstep(30.15, 30.25, z))


def _lantern(rgb: Array, turn: Array, z: Array) -> Array:
    """Glass of the lantern room with its glazing bars and the lamp behind."""
    glass = smoothstep(26.9, 27.0, z) * smoothstep(30.1, 30.0, z)
    bars = np.abs(((np.arcsin(turn) / np.pi * 6 + 0.5) % 1) - 0.5) < 0.09
    bars |= np.abs(z - 28.5) < 0.10
    lamp = np.exp(-((turn / 0.35) ** 2) - ((z - 28.4) / 0.8) ** 2)
    sheen = smoothstep(0.1, -1, turn)
    pane = mix(colour(0.20, 0.27, 0.34), colour(0.95, 0.80, 0.62), sheen)
    pane = pane + lamp[..., None] * colour(2.2, 1.5, 0.6)
    return mix(rgb, pane, glass * ~bars)


def _railing(canvas: Canvas) -> None:
    """Set posts and rails round the gallery."""
    (x, y), z, iron = TOWER, FOOT + 26.3, colour(0.10, 0.10, 0.11)
    for at in x + 3.65 * np.sin(np.linspace(-1.45, 1.45, 13)):
        canvas.wall((at - 0.05, at + 0.05), y - 3, (z, z + 1.15), iron)
    for rail in (0.55, 1.15):
        height = (z + rail - 0.05, z + rail + 0.06)
        canvas.wall((x - 3.65, x + 3.65), y - 3, height, iron)
