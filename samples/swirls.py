"""Night of swirls: a style picture of thick brush strokes along a flow.

Strokes are laid coarse to fine, as a painter works (Hertzmann, "Painterly rendering
with curved brush strokes of multiple sizes", 1998). Each follows the flow, carries
the streaks of its bristles, and leaves a relief that is lit from the upper left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from noise import Array, Noise, colour, mix, smoothstep, to_image
from PIL import Image

# Whirls (x, y, reach, turn) and lights (x, y, radius); the picture is 1 by 1.
WHIRLS = [
    (0.37, 0.37, 0.150, 1.35),
    (0.63, 0.475, 0.105, -1.25),
    (0.08, 0.60, 0.09, 0.7),
]
LIGHTS = [(0.835, 0.155, 0.075), (0.125, 0.135, 0.046), (0.465, 0.115, 0.034),
          (0.135, 0.425, 0.030), (0.655, 0.255, 0.030), (0.885, 0.435, 0.040),
          (0.295, 0.600, 0.026), (0.560, 0.640, 0.022)]  # fmt: skip

# Width, length and spacing of each brush, and the range of brightness over which its
# use grows: the dark keeps broad strokes, the lights get the finest.
BRUSHES = [
    (0.0440, 0.22, 0.0300, -1.00, 0.00),
    (0.0260, 0.15, 0.0195, -0.30, 0.25),
    (0.0165, 0.09, 0.0140, -0.05, 0.55),
    (0.0115, 0.05, 0.0090, 0.30, 0.75),
]

_bend, _tint, _hill = Noise(61), Noise(62), Noise(63)


def _hills(x: Array) -> tuple[Array, Array]:
    """Height of the far and the near ridge at `x`, as y in the picture."""
    flat = 0 * x
    far = 0.765 + 0.055 * _hill(x * 2.6, flat) - 0.05 * np.sin(x * 3.4 + 0.4)
    near = 0.875 + 0.045 * _hill(x * 2.3 + 7, flat) + 0.05 * np.sin(x * 4.2 + 2.6)
    return far, near


def flow(x: Array, y: Array) -> Array:
    """Find the brush's unit direction (..., 2) at points of the picture."""
    along = 1.0 + 0 * x
    up = 0.35 * np.sin(5 * x + 3 * y) + 1.1 * _bend.octaves(x * 2.6, y * 2.6, 2)
    for cx, cy, reach, turn in WHIRLS + [(a, b, 1.15 * r, 1.1) for a, b, r in LIGHTS]:
        dx, dy = x - cx, y - cy
        near = np.hypot(dx, dy) / reach
        pull = turn * 5.5 * np.exp(-((near / 1.15) ** 2))
        # Slightly inwards, so that strokes wind up into a spiral.
        spin_x, spin_y = -dy - 0.12 * dx, dx - 0.12 * dy
        scale = 1 / np.maximum(np.hypot(spin_x, spin_y), 1e-6)
        along, up = along + pull * spin_x * scale, up + pull * spin_y * scale
    # Below the skyline strokes follow the ridges.
    far, near = _hills(x)
    step = 1e-3
    far_next, near_next = _hills(x + step)
    ground = smoothstep(-0.01, 0.02, y - far)
    ridge = np.where(y > near, near_next - near, far_next - far) / step
    ridge = 1.3 * ridge + 0.25 * np.sin(x * 40 + y * 30)
    along, up = along + (1 - along) * ground, up + (ridge - up) * ground
    length = np.maximum(np.hypot(along, up), 1e-6)
    return np.stack([along / length, up / length], -1)


def palette(x: Array, y: Array) -> Array:
    """Colour that the painter sees at each point, display values (..., 3)."""
    deep, blue = colour(0.045, 0.075, 0.30), colour(0.10, 0.24, 0.60)
    pale, violet = colour(0.42, 0.64, 0.84), colour(0.33, 0.19, 0.56)
    fx, fy = np.moveaxis(flow(x, y), -1, 0)
    bands = _tint.octaves(x * 3 + 0.35 * fy, y * 6 - 0.35 * fx, 3)
    sky = mix(deep, blue, smoothstep(-0.55, 0.30, bands + 0.35 * (y - 0.3)))
    sky = mix(sky, violet, 0.85 * smoothstep(0.10, 0.55, _tint(x * 3.1 + 30, y * 4.4)))
    sky = mix(
        sky,
        colour(0.16, 0.50, 0.56),
        0.7 * smoothstep(0.25, 0.6, _tint(x * 3.7 + 60, y * 5)),
    )
    for cx, cy, reach, turn in WHIRLS:
        dx, dy = x - cx, y - cy
        near = np.hypot(dx, dy) / reach
        arm = np.sin(2 * np.arctan2(dy, dx) * np.sign(turn) - 5.5 * np.log(near + 0.25))
        sky = mix(
            sky, pale, smoothstep(-0.1, 0.9, arm) * np.exp(-((near / 1.25) ** 4)) * 0.95
        )
        sky = mix(sky, colour(0.93, 0.90, 0.72), 0.9 * smoothstep(0.35, 0.15, near))
    glow = smoothstep(0.17, 0.0, np.abs(y - 0.70 - 0.03 * np.sin(7 * x)))
    sky = mix(sky, colour(0.62, 0.66, 0.70), 0.62 * glow * (0.7 + 0.5 * bands))
    for cx, cy, radius in LIGHTS:
        near = np.hypot(x - cx, y - cy) / radius
        ring = 0.5 + 0.5 * np.cos(near * 5.2)
        sky = mix(
            sky,
            colour(0.50, 0.66, 0.62),
            0.85 * smoothstep(2.3, 1.3, near) * (0.45 + 0.55 * ring),
        )
        sky = mix(
            sky,
            colour(0.96, 0.72, 0.16),
            smoothstep(1.75, 0.85, near) * (0.55 + 0.45 * ring),
        )
        sky = mix(sky, colour(0.99, 0.52, 0.10), smoothstep(1.05, 0.75, near))
        sky = mix(sky, colour(1.0, 0.93, 0.52), smoothstep(0.72, 0.40, near))
    return _landscape(sky, x, y)


def _landscape(sky: Array, x: Array, y: Array) -> Array:
    """Hills with a few lit windows in front of the sky."""
    far, near = _hills(x)
    shade = _tint.octaves(x * 9, y * 14, 2)
    back = mix(
        colour(0.10, 0.13, 0.36), colour(0.24, 0.26, 0.56), smoothstep(-0.5, 0.5, shade)
    )
    back = mix(
        back, colour(0.16, 0.36, 0.46), smoothstep(0.1, 0.5, _tint(x * 6, y * 9 + 5))
    )
    front = mix(
        colour(0.045, 0.075, 0.24),
        colour(0.10, 0.29, 0.36),
        smoothstep(-0.4, 0.5, shade),
    )
    front = mix(
        front, colour(0.30, 0.16, 0.46), smoothstep(0.15, 0.5, _tint(x * 7 + 9, y * 11))
    )
    rgb = mix(sky, back, (y > far) * 1.0)
    rim = smoothstep(0.012, 0.004, np.abs(y - far - 0.006))
    rgb = mix(rgb, colour(0.34, 0.42, 0.66), 0.7 * rim)
    rgb = mix(rgb, front, (y > near) * 1.0)
    rng = np.random.default_rng(64)
    for cx, drop in zip(
        rng.uniform(0.05, 0.95, 13), rng.uniform(0.02, 0.075, 13), strict=True
    ):
        cy = _hills(np.float32(cx))[0] + drop
        near_light = np.hypot(x - cx, (y - cy) * 0.8)
        warm = colour(1.0, 0.62, 0.13) * (0.9 + 0.1 * np.float32(drop > 0.04))
        rgb = mix(rgb, warm, smoothstep(0.0125, 0.008, near_light) * (y < near))
    return rgb


class Chart:
    """A function of the picture's plane, tabulated once and looked up by points."""

    def __init__(self, function: Callable[[Array, Array], Array], count: int = 450):
        self._count = count
        axis = (np.arange(count, dtype=np.float32) + 0.5) / count * 1.4 - 0.2
        self._table = function(*np.meshgrid(axis, axis)).reshape(count * count, -1)

    def __call__(self, x: Array, y: Array) -> Array:
        """Values (..., channels) at points of [-0.2, 1.2] squared."""
        column, row = (
            np.clip((a + 0.2) / 1.4 * self._count, 0, self._count - 1).astype(np.int64)
            for a in (x, y)
        )
        return self._table[row * self._count + column]


@dataclass(slots=True)
class Panel:
    """Wet paint: display rgb (S, S, 3), its thickness (S, S), what to paint."""

    rgb: Array
    relief: Array
    flow: Chart
    colours: Chart


def _trace(flow: Chart, centre: Array, length: float, steps: int) -> Array:
    """Paths (2, N, steps) of `length` through the flow, about the points (2, N)."""
    half, stride = steps // 2, length / (steps - 1)
    path = np.empty((*centre.shape, steps), np.float32)
    for sign in (1, -1):
        point = centre
        for k in range(half + 1):
            path[:, :, half + sign * k] = point
            middle = point + sign * stride / 2 * flow(*point).T
            point = point + sign * stride * flow(*middle).T
    return path


def _resample(values: Array, count: int) -> Array:
    """Linear interpolation along the last axis to `count` samples."""
    at = np.linspace(0, values.shape[-1] - 1.001, count).astype(np.float32)
    k = at.astype(np.int32)
    part = at - k.astype(np.float32)
    return values[..., k] * (1 - part) + values[..., k + 1] * part


@dataclass(frozen=True, slots=True)
class Brush:
    """One brush: sizes as shares of the picture, and how its bristles streak."""

    width: float
    length: float
    streaks: Array  # (along, many), about in [-1, 1]; a stroke uses some columns

    @classmethod
    def make(cls, width: float, length: float, side: int, seed: int) -> Brush:
        """Cut a brush for a panel `side` pixels wide."""
        along = max(int(length * side * 1.3), 24)
        across = max(int(width * side * 1.45), 4)
        s = np.linspace(0, 1.6, along, dtype=np.float32)[:, None]
        t = np.arange(across * 90, dtype=np.float32) * (6.4 / across)
        return cls(width, length, Noise(seed).octaves(t, s, 3, 0.65))

    @property
    def across(self) -> int:
        """Samples across a stroke."""
        return self.streaks.shape[1] // 90


@dataclass(frozen=True, slots=True)
class Strokes:
    """Where to paint, and what chance gave each stroke."""

    place: Array  # (N, 2), the middle of each
    stretch: Array  # (N, 1), shares of the brush's length
    spread: Array  # (N, 1), shares of its width
    bristle: Array  # (N, 1), which part of its streaks, in [0, 1)
    bright: Array  # (N, 1), factor of the colour
    tint: Array  # (N, 3), added to the colour
    second: Array  # (N, 2), from where the brush picked up its second colour

    @classmethod
    def draw(cls, rng: np.random.Generator, place: Array) -> Strokes:
        """Chance for strokes at `place`; the same whatever the picture's size."""
        n = len(place)
        stretch = rng.uniform(0.65, 1.15, (n, 1))
        spread = rng.uniform(0.7, 1.15, (n, 1))
        bristle, bright = rng.random((n, 1)), rng.uniform(0.78, 1.28, (n, 1))
        tint, second = rng.normal(0, 0.03, (n, 3)), place + rng.normal(0, 0.02, (n, 2))
        parts = (place, stretch, spread, bristle, bright, tint, second)
        return cls(*(part.astype(np.float32) for part in parts))

    def __getitem__(self, part: slice) -> Strokes:
        return Strokes(*(getattr(self, f.name)[part] for f in fields(self)))


def _ribbon(brush: Brush, path: Array, strokes: Strokes) -> Array:
    """Positions (2, N, along, across) of the samples of strokes along `path`."""
    along = len(brush.streaks)
    centre = path[:, :, path.shape[2] // 2, None]
    path = centre + (path - centre) * strokes.stretch
    side = np.stack([-np.gradient(path[1], axis=1), np.gradient(path[0], axis=1)])
    side /= np.maximum(np.hypot(*side), 1e-9)
    # Round at its start, drawn out at its end.
    s = np.linspace(0, 1, along, dtype=np.float32)
    taper = np.sqrt(np.clip(s / 0.10, 0, 1)) * np.clip((1.02 - s) / 0.30, 0, 1) ** 0.6
    half = brush.width / 2 * strokes.spread * taper
    t = np.linspace(-1, 1, brush.across, dtype=np.float32)
    reach = _resample(side, along) * half
    return _resample(path, along)[..., None] + reach[..., None] * t


def _thickness(bristle: Array) -> Array:
    """Height of the paint across strokes (N, along, across), in brush widths."""
    t = np.linspace(-1, 1, bristle.shape[2], dtype=np.float32)
    s = np.linspace(0, 1, bristle.shape[1], dtype=np.float32)[:, None]
    wall = 0.30 * np.exp(-(((np.abs(t) - 0.78) / 0.16) ** 2))
    start = 0.75 + 0.5 * np.exp(-(((s - 0.08) / 0.10) ** 2))
    return ((1 - t**4) * (0.65 + 0.55 * bristle) + wall) * start


def lay(panel: Panel, everything: Strokes, brush: Brush) -> None:
    """Paint strokes, later ones over earlier ones."""
    side = len(panel.relief)
    along, columns = brush.streaks.shape
    worn = 1.1 * smoothstep(0.55, 1.0, np.linspace(0, 1, along, dtype=np.float32))
    batch = max(1, 600_000 // (along * brush.across))
    for start in range(0, len(everything.place), batch):
        strokes = everything[start : start + batch]
        path = _trace(panel.flow, strokes.place.T, brush.length, 15)
        column, row = np.floor(_ribbon(brush, path, strokes) * side).astype(np.int32)
        first = (strokes.bristle * (columns - brush.across)).astype(np.int64)
        bristle = brush.streaks[:, first + np.arange(brush.across)].transpose(1, 0, 2)
        kept = (column >= 0) & (column < side) & (row >= 0) & (row < side)
        kept &= bristle > (worn - 0.9)[:, None]
        pixel, streak = (row * side + column)[kept], bristle[kept][:, None]

        base = (panel.colours(*strokes.place.T) + strokes.tint) * strokes.bright
        other = panel.colours(*strokes.second.T) - base
        plain, vary = base + 0.5 * other, 0.16 * base + 0.6 * other
        owner = np.nonzero(kept)[0]
        panel.rgb.reshape(-1, 3)[pixel] = plain[owner] + vary[owner] * streak
        panel.relief.reshape(-1)[pixel] = _thickness(bristle)[kept] * brush.width


def _places(rng: np.random.Generator, spacing: float) -> Array:
    """Jittered grid over the picture and a margin, in random order."""
    count = int(1.16 / spacing)
    grid = np.stack(np.meshgrid(*[np.arange(count)] * 2), -1).reshape(-1, 2)
    points = (grid + rng.uniform(-0.15, 1.15, grid.shape)) * spacing - 0.08
    return rng.permutation(points)


def light(panel: Panel) -> Array:
    """Shade the relief of the paint, with a wet gloss, to display values."""
    size = len(panel.relief)
    slope_y, slope_x = np.gradient(panel.relief * size)
    normal = np.stack([-slope_x, -slope_y, np.full_like(slope_x, 1.1)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.45, -0.55, 0.70], np.float32)
    facing = normal @ lamp
    gloss = np.clip(normal @ np.array([-0.27, -0.33, 0.905], np.float32), 0, 1) ** 26
    rgb = panel.rgb * (0.72 + 0.50 * facing)[..., None]
    return rgb + 0.12 * gloss[..., None] * np.clip((0.4 + facing), 0, 1)[..., None]


def swirls(size: tuple[int, int] = (400, 400), supersample: int = 2) -> Image.Image:
    """Paint the night at `size` (width, height), a square."""
    side = max(size) * supersample
    ground, colours = (0.05, 0.07, 0.22), Chart(palette)
    panel = Panel(
        np.full((side, side, 3), ground, np.float32),
        np.zeros((side, side), np.float32),
        Chart(flow),
        colours,
    )
    rng = np.random.default_rng(65)
    for layer, (width, length, spacing, low, high) in enumerate(BRUSHES):
        brush = Brush.make(width, length, side, 66 + layer)
        places = _places(rng, spacing)
        bright = colours(*places.T).mean(-1)
        chosen = rng.random(len(places)) < smoothstep(low, high, bright)
        lay(panel, Strokes.draw(rng, places[chosen]), brush)
    return to_image(light(panel), size)
