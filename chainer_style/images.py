"""From picture files to what a network sees, and back.

A network sees an array of shape (1, 3, height, width), float32, channels blue,
green, red, in grey levels 0..255 minus a mean: *network units*.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from chainer_style.errors import UserError
from chainer_style.files import replacing
from chainer_style.networks import Network
from chainer_style.protocols import Protocol

Array = npt.NDArray[np.float32]
Mean = tuple[float, float, float]
Source = str | os.PathLike[str] | Image.Image

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}


@dataclass(frozen=True)
class Canvas:
    """How a picture lies within the array that a network sees.

    Attributes
    ----------
    height, width
        Extent of the array in pixels.
    top, left
        Where the picture begins: not 0 where it is padded to a square. It
        always reaches to the bottom right corner.
    mean
        What was subtracted from the blue, green and red channel.
    """

    height: int
    width: int
    top: int
    left: int
    mean: Mean

    @property
    def bounds(self) -> tuple[Array, Array]:
        """Lowest and highest value of a pixel, shape (1, 3, 1, 1)."""
        mean = np.array(self.mean, np.float32).reshape(1, 3, 1, 1)
        return -mean, WHITE - mean


TURNED = (5, 6, 7, 8)
"""EXIF's orientations that lie on their side."""

WHITE = 256.0
"""Upper bound of the optimiser's clip: 136 + 120 in the 2016 code."""


BAND = 2**18
"""Most pixels that are dealt with at once: some MiB, however large the picture."""


def bands(height: int, width: int) -> Iterator[slice]:
    """Yield the rows of a picture, few at a time."""
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def mean_of(protocol: Protocol, network: Network) -> Mean:
    """Return the mean that a protocol subtracts for a network (B, G, R)."""
    if protocol.mean is None:
        return network.mean
    return (protocol.mean,) * 3


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
        return _to_rgb(source, orient, matte)
    with _opened(Path(source)) as image:
        image.load()
        return _to_rgb(image, orient, matte)


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
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise UserError(f"no such picture: {path}") from None
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture that Pillow can read") from None
    except Image.DecompressionBombError as error:
        raise UserError(f"{path} is too large a picture: {error}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"cannot read the picture {path}: {error}") from None


def _to_rgb(image: Image.Image, orient: bool, matte: bool) -> Image.Image:
    if orient:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = _to_8_bits(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    if not matte:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Bring a one-channel picture of 16, 32 bits or floats to 8 bits."""
    values = np.asarray(image, np.float64)
    if image.mode == "F":
        # Floats have no fixed range: 0..1 by custom, else 0..255.
        values = values * 255 if values.max(initial=0) <= 1 else values
    elif image.mode != "I" or values.max(initial=0) > 255:
        values = values / 257  # 65535 / 255
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


def fitted_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the (width, height) that fits a picture into a square.

    The longer side becomes `side`, the other is rounded down, as ``image_resize``
    of the 2016 code did with Python 2's division.

    Raises
    ------
    UserError
        If nothing would be left of the shorter side.
    """
    if width > height:
        size = side, side * height // width
    else:
        size = side * width // height, side
    if min(size) < 1:
        raise UserError(
            f"a picture of {width}×{height} pixels cannot be fitted into {side} "
            "pixels: nothing would be left of its shorter side; choose a larger --width"
        )
    return size


def extent(size: tuple[int, int], protocol: Protocol) -> tuple[int, int]:
    """Return (height, width) of the array that `prepare` makes.

    Parameters
    ----------
    size
        (width, height) of the picture.
    protocol
        Says the width and the padding.

    Raises
    ------
    UserError
        If nothing would be left of the picture.
    """
    width, height = fitted_size(*size, protocol.width)
    return (protocol.width,) * 2 if protocol.square else (height, width)


def prepare(
    source: Source, protocol: Protocol, network: Network
) -> tuple[Array, Canvas]:
    """Bring a picture into network units, as a protocol says.

    Parameters
    ----------
    source
        A file, or a Pillow image.
    protocol
        Says the size, the resize filter, the padding and the mean.
    network
        Gives its own mean where the protocol does not set one.

    Returns
    -------
    array
        Shape (1, 3, height, width), float32. Padding is 0 minus the mean.
    canvas
        Where the picture lies within the array; `to_image` needs it.

    Raises
    ------
    UserError
        If the picture cannot be read or fitted.
    """
    image = read(source, orient=protocol.orient, matte=protocol.matte)
    rows, columns = extent(image.size, protocol)
    width, height = fitted_size(*image.size, protocol.width)
    image = image.resize((width, height), RESAMPLING[protocol.resample])
    canvas = Canvas(
        height=rows,
        width=columns,
        top=rows - height,
        left=columns - width,
        mean=mean_of(protocol, network),
    )
    array = np.zeros((1, 3, rows, columns), np.float32)
    pixels = np.asarray(image, np.float32)
    array[0, :, canvas.top :, canvas.left :] = pixels.transpose(2, 0, 1)[::-1]
    array -= np.array(canvas.mean, np.float32).reshape(1, 3, 1, 1)
    return array, canvas


def prepare_start(
    source: Source, protocol: Protocol, canvas: Canvas, content: Array
) -> Array:
    """Bring a picture to start from into the shape of the content.

    Parameters
    ----------
    source
        A picture, or a NumPy file (``.npy``) of shape (1, 3, height, width) in
        network units.
    protocol, canvas, content
        As given to, and returned by, `prepare` for the content.

    Raises
    ------
    UserError
        If it cannot be read, or the array has another shape.
    """
    if not isinstance(source, Image.Image) and Path(source).suffix == ".npy":
        return _load_start(Path(source), content.shape)
    image = read(source, orient=protocol.orient, matte=protocol.matte)
    size = canvas.width - canvas.left, canvas.height - canvas.top
    pixels = np.asarray(image.resize(size, RESAMPLING[protocol.resample]), np.float32)
    start = content.copy()
    start[0, :, canvas.top :, canvas.left :] = pixels.transpose(2, 0, 1)[::-1]
    start[:, :, canvas.top :, canvas.left :] += canvas.bounds[0]
    return start


def _load_start(path: Path, shape: tuple[int, ...]) -> Array:
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"no such file to start from: {path}") from None
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"cannot read the array {path}: {error}") from None
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise UserError(
            f"{path} holds {array.dtype} of shape {array.shape}; to start from it, "
            f"it must be numbers of shape {shape}, like the content"
        )
    if not np.isfinite(array).all():
        raise UserError(f"{path} holds values that are not finite numbers")
    return np.asarray(array, np.float32)


def to_image(array: npt.NDArray[Any], canvas: Canvas) -> Image.Image:
    """Turn an array in network units back into a picture, without its padding.

    Parameters
    ----------
    array
        Shape (1, 3, height, width).
    canvas
        As `prepare` returned it for the content picture.
    """
    mean = np.array(canvas.mean, array.dtype).reshape(3, 1, 1)
    levels = array[0, :, canvas.top :, canvas.left :] + mean
    # Cut off, not rounded: ``astype(np.uint8)`` in the 2016 code.
    pixels = np.clip(levels, 0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0)))


def save(image: Image.Image, path: Path, caption: str) -> None:
    """Write a picture, whole or not at all; the suffix says the format.

    Parameters
    ----------
    image
        The picture.
    path
        The file.
    caption
        Kept within PNG files as their ``Description``.

    Raises
    ------
    UserError
        If the file cannot be written, or the suffix is of no known format.
    """
    check_suffix(path)
    description = PngInfo()
    description.add_itxt("Description", caption)
    with replacing(path) as temporary:
        image.save(temporary, pnginfo=description)


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix is of no format that Pillow can write.

    Raises
    ------
    UserError
        Naming the suffix.
    """
    extensions = Image.registered_extensions()
    if extensions.get(path.suffix.lower()) not in Image.SAVE:
        raise UserError(
            f"cannot tell the picture format of {path} from its suffix "
            f"{path.suffix!r}; try .png or .jpg"
        )
