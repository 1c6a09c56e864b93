"""Picture files of any common format, brought to 8 bits, red, green, blue.

Beside the picture itself, some MiB are enough, however large it is.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from chainer_style.errors import UserError

Source = str | os.PathLike[str] | Image.Image

TURNED = (5, 6, 7, 8)
"""EXIF's orientations that lie on their side."""

BAND = 2**18
"""Most pixels that are dealt with at once: some MiB, however large the picture."""


def bands(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of a picture, few at a time."""
    rows = max(1, BAND // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def read(source: Source, *, orient: bool = True, matte: bool = True) -> Image.Image:
    """Open a picture of any common format as RGB.

    Greyscale, palette, CMYK, 1-bit, 16-bit and floating-point pictures are
    brought to 8 bits per channel.

    Parameters
    ----------
    source
        A file, or a Pillow image.
    orient
        Turn the picture as its EXIF orientation says.
    matte
        Blend transparency over white; otherwise the alpha channel is dropped.

    Raises
    ------
    UserError
        If there is no such file, or it is no picture that Pillow can read.
    """
    if isinstance(source, Image.Image):
        image = ImageOps.exif_transpose(source) if orient else source.copy()
        return _to_rgb(image, matte)
    with _opened(Path(source)) as image:
        image.load()
        if orient:
            ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image, matte)


def size(source: Source, *, orient: bool = True) -> tuple[int, int]:
    """Return the (width, height) that `read` finds, without reading the pixels.

    Raises
    ------
    UserError
        If there is no such file, or it is no picture that Pillow can read.
    """
    if isinstance(source, Image.Image):
        return _turned(source, orient)
    with _opened(Path(source)) as image:
        return _turned(image, orient)


def _turned(image: Image.Image, orient: bool) -> tuple[int, int]:
    if image.format == "TIFF":  # Pillow turns them by itself, some versions when loaded
        image.load()
        return image.size
    turned = orient and image.getexif().get(ExifTags.Base.Orientation) in TURNED
    return image.size[::-1] if turned else image.size


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture; whatever is wrong with it is a `UserError`."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; expected a picture file")
    try:
        with warnings.catch_warnings():
            # Of pictures half as large as those that it refuses: 16K is one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            yield image
    except FileNotFoundError:
        raise UserError(f"no such picture: {path}") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture that Pillow can read") from None
    except Image.DecompressionBombError as error:
        raise UserError(
            f"{path} is too large a picture: {error} Make it smaller first"
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot read the picture {path}: {error}") from None


def _to_rgb(image: Image.Image, matte: bool) -> Image.Image:
    """Return the picture itself where it is RGB, else a new one."""
    transparent = image.has_transparency_data
    if image.mode == "RGB" and not transparent:
        return image
    many, few = _range(image) if image.mode.startswith(("I", "F")) else (1, 0)
    rgb = Image.new("RGB", image.size)
    for top, band in bands_of(image):
        if few:
            band = _to_8_bits(band, many, few)
        elif transparent:
            band = band.convert("RGBA")
            if matte:
                white = Image.new("RGBA", band.size, "white")
                band = Image.alpha_composite(white, band)
        rgb.paste(band.convert("RGB"), (0, top))
    return rgb


def bands_of(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield a picture band by band, each with its first row's number."""
    for rows in bands(image.height, image.width):
        yield rows.start, image.crop((0, rows.start, image.width, rows.stop))


def _range(image: Image.Image) -> tuple[int, int]:
    """Return what brings 16, 32 bits or floats to 0..255: a factor and a divisor."""
    most = [np.asarray(band).max(initial=0) for _, band in bands_of(image)]
    if image.mode == "F":
        # Floats have no fixed range: 0..1 by custom, else 0..255.
        return (255, 1) if np.max(most) <= 1 else (1, 1)
    if image.mode != "I" or np.max(most) > 255:
        return 1, 257  # 65535 / 255
    return 1, 1


def _to_8_bits(image: Image.Image, many: int, few: int) -> Image.Image:
    """Bring a one-channel picture of 16, 32 bits or floats to 8 bits."""
    values = np.asarray(image, np.float64) * many / few
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
