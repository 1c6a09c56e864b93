"""Draw the sample pictures: ``python samples/draw.py [--output DIR] [NAME ...]``.

They need NumPy and Pillow alone, come out the same each time, and are small enough
to be kept in the repository beside this script. ``--scale`` draws larger ones, with
more to see in them, elsewhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ink import ink
from mosaic import mosaic
from PIL import Image
from scene import lighthouse
from swirls import swirls

JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture: how it is drawn, and the (width, height) of the one we keep."""

    draw: Callable[[tuple[int, int]], Image.Image]
    size: tuple[int, int]


SAMPLES = {
    "lighthouse": Sample(lighthouse, (480, 360)),
    "swirls": Sample(swirls, (400, 400)),
    "mosaic": Sample(mosaic, (400, 400)),
    "ink": Sample(ink, (400, 400)),
}


def save(picture: Image.Image, path: Path) -> None:
    """Write `picture` as JPEG; `path` holds the old file or the new, never a part."""
    part = path.with_name(path.name + ".part")
    picture.save(part, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    part.replace(path)


def main(arguments: list[str] | None = None) -> None:
    """Draw the pictures that the command line names, all of them by default."""
    parser = argparse.ArgumentParser(description="Draw the sample pictures.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SAMPLES))
    here = Path(__file__).resolve().parent
    parser.add_argument("--output", type=Path, default=here, help="folder to draw into")
    parser.add_argument(
        "--scale", type=int, default=1, help="times the size of the kept pictures"
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(SAMPLES))
    if unknown:
        parser.error(
            f"no sample named {unknown[0]!r}; choose from {', '.join(SAMPLES)}"
        )
    if options.scale < 1:
        parser.error(f"--scale is {options.scale}; give a whole number from 1 on")
    if options.scale > 1 and options.output.resolve() == here:
        parser.error("--scale needs --output: the pictures kept here stay small")
    options.output.mkdir(parents=True, exist_ok=True)
    for name in options.names or SAMPLES:
        path = options.output / f"{name}.jpg"
        width, height = SAMPLES[name].size
        size = width * options.scale, height * options.scale
        save(SAMPLES[name].draw(size), path)
        print(path)


if __name__ == "__main__":
    main()
