"""Sun mosaic: a style picture of glass pieces set in arcs between dark leads.

Every part of the design (sun disc, its halo, the sky, each scallop) has a centre
about which its pieces are laid in rings, with joints at random angles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from noise import Array, Noise, colour, mix, smoothstep, to_image
from PIL import Image

SUN = (0.60, 0.395)
DISC, HALO = 0.165, 0.375  # radii of the sun and of its rings
SCALLOP = 0.20
RAYS = 14
# Width of a ring in each part: disc, halo, sky, scallops.
WIDTHS = np.array([DISC / 5, (HALO - DISC) / 6, 0.046, SCALLOP / 6], np.float32)

_glass, _pick = Noise(81), Noise(82)

WARM = np.array(
    [
        [1.00, 0.90, 0.42],
        [1.00, 0.74, 0.15],
        [0.98, 0.52, 0.07],
        [0.90, 0.27, 0.06],
        [0.73, 0.08, 0.08],
        [0.46, 0.03, 0.13],
    ]
)
COOL = np.array([[0.03, 0.36, 0.44], [0.05, 0.17, 0.46], [0.10, 0.56, 0.54]])


def _scallops() -> list[tuple[float, float]]:
    """Centres of the scallops, upper rows first: lower ones lie over them."""
    found = []
    for row, y in enumerate(np.arange(0.83, 1.45, SCALLOP / 2)):
        for x in np.arange(-0.4, 1.5, 2 * SCALLOP) + SCALLOP * (row % 2):
            found.append((x, y + 0.035 * np.sin(x * 5)))
    return found


@dataclass(slots=True)
class Pieces:
    """The glass piece at each pixel; all arrays (S, S)."""

    kind: Array  # 0 disc, 1 halo, 2 sky, 3 scallop
    ring: Array  # counted outwards from the centre of its part
    turn: Array  # of its middle, in rotations
    name: Array  # an integer that differs between neighbours
    x: Array  # its middle
    y: Array
    edge: Array  # distance of the pixel to the piece's border


def lay_out(x: Array, y: Array) -> Pieces:
    """Divide the picture into pieces."""
    part, kind, centre_x, centre_y, border = _parts(x, y)
    dx, dy = x - centre_x, y - centre_y
    reach, turn = np.hypot(dx, dy), np.arctan2(dy, dx) / (2 * np.pi) % 1
    start = np.choose(kind, [0, DISC, HALO, 0]).astype(np.float32)
    width = WIDTHS[kind]
    ring = np.floor((reach - start) / width).astype(np.int64)
    middle = start + (ring + 0.5) * width
    across = (reach - start) - ring * width

    rng = np.random.default_rng(83)
    row = (ring * 7 + part * 13) % 128
    ratio = rng.uniform(1.05, 1.35, 128)[row]
    count = np.maximum(np.round(2 * np.pi * middle / (width * ratio)), 4)
    count = np.where((ring == 0) & (start == 0), 1, count).astype(np.int64)
    # Joint k of a ring lies between k and k + 0.4 of an even division.
    late = rng.uniform(0, 0.4, (128, 256)).astype(np.float32)
    place = turn * count + rng.random(128).astype(np.float32)[row]
    k = np.floor(place).astype(np.int64)
    k -= place - k < late[row, k % count % 256]
    first = k + late[row, k % count % 256]
    last = k + 1 + late[row, (k + 1) % count % 256]
    arc = 2 * np.pi * middle / count
    joint = np.minimum(place - first, last - place) * arc
    joint = np.where(count == 1, np.inf, joint)

    inner = np.where(count == 1, np.inf, across)
    radial = np.minimum(np.minimum(inner, width - across), border)
    shift = place - turn * count
    turn = ((first + last) / 2 - shift) / count % 1
    return Pieces(
        kind,
        ring,
        turn,
        (k % count) + 300 * ring + 7001 * part,
        centre_x + np.where(count == 1, 0, middle * np.cos(2 * np.pi * turn)),
        centre_y + np.where(count == 1, 0, middle * np.sin(2 * np.pi * turn)),
        _rounded(radial, joint, 0.009),
    )


def _rounded(a: Array, b: Array, corner: float) -> Array:
    """Distance to the nearer of two borders `a` and `b` away, corners rounded."""
    return corner - np.hypot(np.maximum(corner - a, 0), np.maximum(corner - b, 0))


def _parts(x: Array, y: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Part of the design, its kind and centre, and the distance to the next part."""
    reach = np.hypot(x - SUN[0], y - SUN[1])
    kind = np.where(reach < DISC, 0, np.where(reach < HALO, 1, 2))
    border = np.minimum(np.abs(reach - DISC), np.abs(reach - HALO))
    part, centre_x, centre_y = kind, np.full_like(x, SUN[0]), np.full_like(y, SUN[1])
    for n, (cx, cy) in enumerate(_scallops()):
        away = np.hypot(x - cx, y - cy) - SCALLOP
        inside = away < 0
        part, kind = np.where(inside, 3 + n, part), np.where(inside, 3, kind)
        centre_x = np.where(inside, np.float32(cx), centre_x)
        centre_y = np.where(inside, np.float32(cy), centre_y)
        border = np.where(inside, -away, np.minimum(border, away))
    return part, kind, centre_x, centre_y, border


def stain(pieces: Pieces) -> Array:
    """Colour of the glass at each pixel, display values (S, S, 3)."""
    kind, ring = pieces.kind, pieces.ring
    draw = np.random.default_rng(84).random((4, 4096))[:, pieces.name % 4096]
    ray = np.abs((pieces.turn * RAYS) % 1 - 0.5) * 2  # 1 in the middle of a ray
    petal = ray > 0.5
    drift = _pick(pieces.x * 4, pieces.y * 4)
    shade = np.choose(
        kind,
        [
            0.45 * ring,
            np.where(petal, 0.7 + 0.30 * ring, 3.3 + 0.15 * ring),
            np.where(petal, 2.4 + 0.22 * ring, 4.2 + 0.5 * drift),
            np.where(ring == 5, 0.9, 4.1 - 0.55 * ring + 0.5 * drift),
        ],
    )
    shade = np.clip(shade + 0.7 * (draw[0] - 0.5), 0, 4.999)
    k = shade.astype(np.int64)
    rgb = mix(WARM[k], WARM[k + 1], shade - k)
    cool = (kind == 1) & ((ring == 3) & ~petal | (ring == 5) & petal)
    cool |= (kind == 3) & (ring == 4) | (kind == 2) & (ray < 0.20)
    cool |= (kind == 0) & (ring == 3) & petal
    cool |= (kind > 0) & (ring > 0) & (draw[1] < 0.025)
    pool = COOL[np.minimum((draw[2] * 2.2 + 0.5 * drift + 0.3), 2.99).astype(np.int64)]
    rgb = np.where(cool[..., None], pool, rgb)
    return (rgb * (0.86 + 0.26 * draw[3])[..., None]).astype(np.float32)


def fire(x: Array, y: Array, pieces: Pieces) -> Array:
    """Light the glass: streaks, rounded edges, gloss; then the leads around it."""
    border = _parts(x, y)[-1]
    line = np.minimum(pieces.edge - 0.0026, border - 0.0052)
    inside = np.maximum(line, 0)
    from_x, from_y = x - pieces.x, y - pieces.y
    streak = _glass.octaves(x * 30 + 40 * pieces.y, y * 11 + 40 * pieces.x, 3)
    grain = _glass.octaves(x * 90, y * 90, 2)
    rgb = stain(pieces) * (1 + 0.20 * streak + 0.07 * grain)[..., None]
    rgb = rgb * (0.62 + 0.50 * smoothstep(0, 0.011, inside))[..., None]
    # A domed piece is brighter towards the light, at the upper left, and glints.
    dome = np.sqrt(np.clip(inside / 0.010, 0, 1))
    slope_y, slope_x = np.gradient(dome, y[:, 0], x[0])
    facing = np.clip(0.004 * (0.6 * slope_x + 0.8 * slope_y), -1, 1)
    rgb = rgb * (1 + 0.45 * facing)[..., None]
    along, across = 0.55 * from_x + 0.83 * from_y, 0.83 * from_x - 0.55 * from_y
    glint = np.exp(-(((along + 0.0065) / 0.0026) ** 2) - (across / 0.0075) ** 2)
    glint *= smoothstep(0.001, 0.004, line)
    rgb = rgb + 0.45 * glint[..., None] * (0.55 + 0.45 * rgb)
    sheen = smoothstep(0.1, 0.9, _glass.octaves(x * 3 + 9, y * 3, 2))
    rgb = rgb + 0.10 * sheen[..., None]
    metal = 0.05 + 0.07 * smoothstep(-0.0012, -0.0045, line) + 0.02 * grain
    lead = smoothstep(0.0014, -0.0014, line)
    return mix(rgb, metal[..., None] * colour(1.05, 0.95, 0.92), lead)


def mosaic(size: tuple[int, int] = (400, 400), supersample: int = 2) -> Image.Image:
    """Set the mosaic at `size` (width, height), a square."""
    side = max(size) * supersample
    middle = (np.arange(side, dtype=np.float32) + 0.5) / side
    x, y = np.meshgrid(middle, middle)
    # Cut by hand: no line is quite true.
    bent_x = x + 0.0045 * _glass.octaves(x * 13, y * 13, 2)
    bent_y = y + 0.0045 * _glass.octaves(x * 13 + 50, y * 13, 2)
    pieces = lay_out(bent_x, bent_y)
    return to_image(fire(bent_x, bent_y, pieces), size)
