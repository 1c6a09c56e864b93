"""From picture files to what a network sees, and back.

A network sees an array of shape (1, 3, height, width), float32, channels blue,
green, red, in grey levels 0..255 minus a mean: *network units*.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from chainer_style.errors import UserError
from chainer_style.files import replacing
from chainer_style.networks import Network
from chainer_style.protocols import Protocol
from chainer_style.reading import Source as Source
from chainer_style.reading import bands, bands_of
from chainer_style.reading import read as read

Array = npt.NDArray[np.float32]
Mean = tuple[float, float, float]

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


WHITE = 256.0
"""Upper bound of the optimiser's clip: 136 + 120 in the 2016 code."""


def mean_of(protocol: Protocol, network: Network) -> Mean:
    """Return the mean that a protocol subtracts for a network (B, G, R)."""
    if protocol.mean is None:
        return network.mean
    return (protocol.mean,) * 3


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
    image = _resized(image, (width, height), protocol)
    canvas = Canvas(
        height=rows,
        width=columns,
        top=rows - height,
        left=columns - width,
        mean=mean_of(protocol, network),
    )
    array = np.empty((1, 3, rows, columns), np.float32)
    array[:] = canvas.bounds[0]  # black
    _pour(image, array, canvas)
    return array, canvas


def _resized(
    image: Image.Image, size: tuple[int, int], protocol: Protocol
) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, RESAMPLING[protocol.resample])


def _pour(image: Image.Image, array: Array, canvas: Canvas) -> None:
    """Write a picture where it lies within an array, in network units."""
    room = array[0, :, canvas.top :, canvas.left :]
    mean = np.array(canvas.mean, np.float32).reshape(3, 1, 1)
    for top, band in bands_of(image):
        pixels = np.asarray(band, np.float32).transpose(2, 0, 1)[::-1]
        np.subtract(pixels, mean, out=room[:, top : top + band.height])


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
    start = content.copy()
    _pour(_resized(image, size, protocol), start, canvas)
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
    shown = array[0, :, canvas.top :, canvas.left :]
    _, height, width = shown.shape
    image = Image.new("RGB", (width, height))
    for rows in bands(height, width):
        levels = shown[:, rows] + mean
        # Cut off, not rounded: ``astype(np.uint8)`` in the 2016 code.
        pixels = np.clip(levels, 0, 255, out=levels).astype(np.uint8)
        band = np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
        image.paste(Image.fromarray(band), (0, rows.start))
    return image


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
