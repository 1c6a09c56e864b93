"""Fence, boat, birds, cottages and grass of the lighthouse picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from noise import Array, Noise, colour, mix
from PIL import Image, ImageDraw
from sky import HAZE, SKYLIGHT, SUNLIGHT
from terrain import EYE, PATH, SUN, View, elevation, path_distance, spline

WHITE, RED = colour(0.80, 0.77, 0.71), colour(0.52, 0.055, 0.040)

_sway = Noise(41)

Point = tuple[float, float, float]


def lit(tint: Array, normal: Array) -> Array:
    """Colour of a plain wall that faces `normal` (..., 3)."""
    normal = np.asarray(normal, np.float32)
    sun = np.clip(normal @ SUN, 0, 1)[..., None]
    ambient = (0.62 + 0.38 * normal[..., 2:]) * SKYLIGHT + colour(0.10, 0.08, 0.04)
    return tint * (sun * SUNLIGHT * 1.05 + ambient)


@dataclass(slots=True)
class Canvas:
    """The picture so far: linear rgb (H, W, 3) and distance (H, W) of each pixel."""

    rgb: Array
    depth: Array
    view: View

    def polygon(self, points: list[Point], tint: Array, haze: float = 0.0) -> None:
        """Fill a flat polygon of world points where nothing stands nearer."""
        x, y, z = np.array(points, np.float64).T
        column, row = self.view.project(x, y, z)
        self.outline(column, row, float(y.mean()), mix(tint, HAZE, haze))

    def wall(
        self,
        across: tuple[float, float],
        y: float,
        upright: tuple[float, float],
        tint: Array,
        haze: float = 0.0,
    ) -> None:
        """Fill a rectangle that faces the camera, from x to x and from z to z."""
        (left, right), (low, high) = across, upright
        corners = [(left, low), (right, low), (right, high), (left, high)]
        self.polygon([(x, y, z) for x, z in corners], tint, haze)

    def outline(self, column: Array, row: Array, distance: float, tint: Array) -> None:
        """Fill a polygon given in pixels, `distance` metres away."""
        left, top = int(max(column.min(), 0)), int(max(row.min(), 0))
        right = int(min(column.max() + 2, self.view.width))
        low = int(min(row.max() + 2, self.view.height))
        if right <= left or low <= top:
            return
        # Four times finer than the pixels, for thin things seen at small sizes.
        mask = Image.new("L", ((right - left) * 4, (low - top) * 4))
        corners = list(zip(4 * (column - left), 4 * (row - top), strict=True))
        ImageDraw.Draw(mask).polygon(corners, fill=255)
        cover = mask.resize((right - left, low - top), Image.Resampling.BOX)
        window = np.s_[top:low, left:right]
        visible = self.depth[window] > distance - 0.6
        cover = np.asarray(cover, np.float32) / 255 * visible
        self.rgb[window] = mix(self.rgb[window], tint, cover)


def house(canvas: Canvas, foot: Point, size: Point, roof: Array) -> None:
    """Gabled cottage with its ridge along x.

    `foot` is the middle of its front wall, `size` its width, depth and wall height.
    """
    (cx, y, z), (width, deep, tall), fog = foot, size, 0.08
    left, right, back, mid = cx - width / 2, cx + width / 2, y + deep, y + deep / 2
    eave, ridge, front = z + tall, z + tall + deep / 2, lit(WHITE, (0, -1, 0))
    gable = [(y, z - 2), (back, z - 2), (back, eave), (mid, ridge), (y, eave)]
    canvas.polygon([(left, *p) for p in gable], lit(WHITE, (-1, 0, 0)), fog)
    canvas.wall((left, right), y, (z - 2, eave), front, fog)
    canvas.wall((left, right), y, (eave - 0.6, eave), front * 0.6, fog)

    count = int(width // 2.6)
    for n in range(count):
        at = left + (n + 0.5) * width / count
        door = n == count // 2
        low, half = (z, 0.5) if door else (z + 1.0, 0.48)
        trim = (at - half - 0.14, at + half + 0.14)
        canvas.wall(trim, y, (low - 0.12, z + 2.4), front * 1.15, fog)
        tint = colour(0.10, 0.22, 0.26) if door else colour(0.05, 0.07, 0.10)
        canvas.wall((at - half, at + half), y, (low, z + 2.26), tint, fog)

    wide, slope = (left - 0.35, right + 0.35), (0, -0.70, 0.71)
    low, out = eave - 0.25, y - 0.4
    pitch = [(wide[0], out, low), (wide[1], out, low), (wide[1], mid, ridge)]
    canvas.polygon([*pitch, (wide[0], mid, ridge)], lit(roof, slope), fog)
    for part in np.arange(1, 7) / 7:  # courses of slates
        course = low + part * (ridge - low)
        line, dark = (course, course + 0.09), lit(roof * 0.72, slope)
        canvas.wall(wide, out + part * (mid - out), line, dark, fog)
    for at in (left + 0.9, right - 1.6):
        for across, normal in (
            ((at, at + 0.8), (0, -1, 0)),
            ((at - 0.35, at), (-1, 0, 0)),
        ):
            brick = lit(colour(0.50, 0.30, 0.22), normal)
            canvas.wall(across, mid, (ridge - 0.5, ridge + 1.2), brick, fog)


def fence(canvas: Canvas) -> None:
    """Set posts and two rails along the seaward side of the path."""
    y = np.concatenate([np.arange(9.0, 38, 2.6), np.arange(40, 122, 3.2)])
    x = spline(PATH, y) - 2.3 + 0.1 * _sway(y * 3.1, 0 * y)
    z = elevation(x, y)
    tall = 1.12 + 0.12 * _sway(y * 1.7, 0 * y + 4)
    lean = 0.05 * _sway(y * 5, 0 * y)
    wood, shade = colour(0.60, 0.49, 0.36), colour(0.26, 0.21, 0.17)
    for n in range(len(y) - 1, -1, -1):
        fog = min(0.10, y[n] / 1200)
        for part in (0.45, 0.86) if n + 1 < len(y) else ():
            a, b = z[n : n + 2] + part * tall[n : n + 2]
            here, there = (x[n], y[n]), (x[n + 1], y[n + 1])
            low = [(*here, a), (*there, b)]
            high = [(*there, b + 0.09), (*here, a + 0.09)]
            canvas.polygon(low + high, wood * 0.8, fog)
        for side, tint in ((-0.07, wood * 1.5), (0.07, shade)):
            edges = [(x[n], z[n] - 0.2), (x[n] + side, z[n] - 0.2)]
            edges += [(a + lean[n], z[n] + tall[n]) for a, _ in edges[::-1]]
            canvas.polygon([(a, y[n] - 0.1, b) for a, b in edges], tint, fog)


def _leech(a: tuple[float, float], b: tuple[float, float], belly: float) -> list:
    """Edge of a sail from `a` to `b`, bulging to the right by `belly`."""
    t = np.linspace(0, 1, 12)
    x = a[0] + (b[0] - a[0]) * t + belly * np.sin(np.pi * t)
    return list(zip(x, a[1] + (b[1] - a[1]) * t, strict=True))


def boat(canvas: Canvas, x: float, y: float, scale: float) -> None:
    """Small sailing boat and its reflection, upright at (x, y) on the water."""

    def draw(points: list, red: float, green: float, blue: float) -> None:
        a, b = np.array(points).T * scale
        column, row = canvas.view.project(x + a, np.full_like(a, y), b)
        # The water that mirrors the boat lies nearer than the boat itself.
        distance = y if b.max() > 0 else 0.0
        canvas.outline(column, row, distance, mix(colour(red, green, blue), HAZE, 0.1))

    mast, top = 0.2, 9.4
    for step in range(40):  # ripples break the reflection into bars
        z = step * 0.24
        wide = np.interp(z, [0, 1, 1.6, 9.4], [2.6, 2.9, 2.6, 0.3])
        wide *= 0.95 + 0.35 * float(_sway(np.float32(z * 2.7), np.float32(9.5)))
        shift = 0.5 * float(_sway(np.float32(z * 1.9), np.float32(0.5)))
        left, right = shift - wide, shift + wide * 0.85
        low = -0.8 * z
        bar = [(left, low), (right, low - 0.06), (right, low - 0.14), (left, low - 0.1)]
        draw(bar, *((0.16, 0.07, 0.06) if z < 1 else (0.95, 0.84, 0.74)))
    draw([(-2.6, 0), (2.1, 0), (3.1, 1), (0, 0.8), (-2.8, 0.95)], 0.30, 0.05, 0.04)
    rail = [(-2.75, 0.72), (2.85, 0.78), (3.1, 1.0), (0, 0.82), (-2.8, 0.95)]
    draw(rail, 0.95, 0.88, 0.78)
    draw([(mast, 1.6), *_leech((mast, top), (-3, 1.6), -0.55)], 1.45, 1.25, 1.02)
    draw([(mast, 1.6), *_leech((mast, top), (-1.2, 1.6), -0.3)], 1.05, 0.88, 0.74)
    draw([*_leech((0.45, 8), (2.95, 1.3), 0.15), (0.7, 1.7)], 1.60, 1.42, 1.20)
    draw([(mast, 0.8), (0.36, 0.8), (0.32, 9.9), (0.22, 9.9)], 0.16, 0.11, 0.08)
    draw([(0.3, 9.9), (0.3, 9.5), (-0.6, 9.7)], *(RED * 1.6))


def gulls(canvas: Canvas) -> None:
    """Draw a few birds on the wind."""
    birds = ((0.02, 0.205, 0.013, 0.15), (0.05, 0.222, 0.010, -0.1),
             (-0.025, 0.238, 0.008, 0.1), (0.085, 0.192, 0.006, 0.2))  # fmt: skip
    t = np.linspace(-1, 1, 25)
    arch = 0.42 * np.abs(t) ** 0.55 - 0.30 * np.abs(t) ** 2.2
    thick = 0.085 * (1 - np.abs(t) ** 1.5) + 0.012
    for u, v, span, tilt in birds:
        lift = arch + tilt * t
        across = np.concatenate([t, t[::-1]]) * span + u
        up = np.concatenate([lift + thick, (lift - thick)[::-1]]) * span + v
        column, row = canvas.view.project(across, np.ones(50), up + EYE)
        canvas.outline(column, row, 1.0, colour(0.16, 0.16, 0.20))


def _strew(count: int, rng: np.random.Generator, keep_path: bool) -> Array:
    """Random places (3, N) near the camera that it can see, on or off the path."""
    y = np.sort(1 / rng.uniform(1 / 30.0, 1 / 5.0, count))[::-1]
    x = rng.uniform(-0.5, 0.5, count) * y
    off = path_distance(x, y)
    if keep_path:
        keep = off < 0.9
    else:
        clump = 0.55 + 0.9 * _sway(x / 1.5, y / 2.5)
        keep = (off > 0.9) & (rng.random(count) < clump)
    x, y = x[keep], y[keep]
    return np.stack([x, y, elevation(x, y)])


def meadow(canvas: Canvas, count: int = 15000, seed: int = 42) -> None:
    """Stones on the path, blades of grass and wild flowers, far ones first."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, 9)[:-1]
    ring = np.stack([np.cos(turn), np.sin(turn)])
    pebbles = _strew(count // 40, rng, keep_path=True)
    for (x, y, z), size in zip(
        pebbles.T, rng.gamma(2, 0.017, len(pebbles.T)), strict=True
    ):
        for rise, shrink, shade in ((0.0, 1.0, 0.35), (0.35, 0.85, 1.15)):
            a, b = ring * size * shrink
            stone = list(zip(x + a, 0 * a + y, z + 0.55 * b + rise * size, strict=True))
            canvas.polygon(stone, colour(0.52, 0.46, 0.40) * shade)

    roots = _strew(count, rng, keep_path=False)
    total = roots.shape[1]
    tall = rng.gamma(5, 0.022, total) + 0.04
    bend = rng.normal(0.35, 0.35, total) * tall
    pale, petals = rng.random(total), rng.random(total) < 0.022
    tints = (colour(1.5, 1.35, 1.2), colour(1.5, 0.95, 0.10), colour(1.1, 0.10, 0.08))
    for n, (x, y, z) in enumerate(roots.T):
        wide = 0.006 + 0.009 * pale[n]
        tint = mix(colour(0.10, 0.16, 0.025), colour(0.60, 0.58, 0.18), pale[n] ** 1.8)
        bow, half = x + 0.35 * bend[n], z + 0.6 * tall[n]
        tip = (x + bend[n], z + tall[n])
        blade = [(x - wide, z - 0.05), (x + wide, z - 0.05), (bow + wide * 0.8, half)]
        blade += [tip, (bow - wide * 0.8, half)]
        canvas.polygon([(a, y, b) for a, b in blade], tint)
        if petals[n]:
            a, b = ring * (0.026 + 0.016 * pale[n])
            flower = zip(tip[0] + a, 0 * a + y, tip[1] + 0.7 * b, strict=True)
            canvas.polygon(list(flower), tints[n % 3])
