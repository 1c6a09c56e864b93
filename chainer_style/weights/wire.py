"""Protobuf's wire format, read in place.

Nothing is copied and no schema is needed: a message is a span of a
memory-mapped file, and going through it yields where its fields lie.
Everything in the file is treated as possibly damaged; no length found in it is
trusted before it was compared with what is there.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from chainer_style.errors import UserError
from chainer_style.weights.disk import existing_file

MAX_VARINT_BYTES = 10
MAX_FIELD_NUMBER = (1 << 29) - 1

MAX_FIELDS = 1 << 18
"""Most fields that are read of a file, all its messages taken together.

The largest networks have some thousands. It bounds time and memory for a file
that is nothing but the tiniest fields, each of which costs more than its bytes.
"""

MAX_TEXT = 1 << 16
"""Longest name, in bytes."""


class WireError(UserError):
    """A message is damaged, or the file never was one.

    Attributes
    ----------
    offset
        Where in the file, in bytes, reading stopped.
    """

    def __init__(self, name: str, offset: int, reason: str) -> None:
        super().__init__(
            f"{name} is no Caffe model, or is damaged: {reason} at byte {offset}; "
            "fetch the file again"
        )
        self.offset = offset


class Wire(IntEnum):
    """How a field's payload is encoded. Groups (3, 4) are out of use."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


WIDTHS = {Wire.FIXED64: 8, Wire.FIXED32: 4}
"""Bytes of a payload of fixed width."""


class Field(NamedTuple):
    """Where one field of a message lies.

    Fields of fixed width that follow one another under the same number, as the
    elements of an unpacked array do, are taken together as one `Field`.

    Attributes
    ----------
    number
        Of the field, as in the message's declaration.
    wire
        Encoding of the payload.
    start, end
        Offsets of the payload's first byte and of the byte after the last.
    value
        The number itself (unsigned, 64 bits) if it is a varint.
    times
        How many fields were taken together.
    """

    number: int
    wire: Wire
    start: int
    end: int
    value: int = 0
    times: int = 1


@dataclass(frozen=True)
class Message:
    """A message within a file; iterating yields its fields in order.

    Attributes
    ----------
    name
        What error messages call the file.
    data
        The bytes of the whole file.
    start, end
        Offsets of the message's first byte and of the byte after the last.
    fields
        Counts the fields read so far; messages of one file share it.
    """

    name: str
    data: memoryview
    start: int
    end: int
    fields: Iterator[int] = field(
        default_factory=itertools.count, repr=False, compare=False
    )

    def __iter__(self) -> Iterator[Field]:
        position = self.start
        while position < self.end:
            if next(self.fields) >= MAX_FIELDS:
                raise self.error(position, f"more than {MAX_FIELDS} fields")
            field = self._field(position)
            yield field
            position = field.end

    def error(self, offset: int, reason: str) -> WireError:
        """Return the error that tells what is wrong, and where."""
        return WireError(self.name, offset, reason)

    # -- payloads ---------------------------------------------------------

    def message(self, field: Field) -> Message:
        """Return the message that a field of bytes holds."""
        return replace(self, start=field.start, end=field.end)

    def text(self, field: Field) -> str:
        """Return the text that a field of bytes holds."""
        if (length := field.end - field.start) > MAX_TEXT:
            raise self.error(field.start, f"a name of {length} bytes")
        try:
            return bytes(self.data[field.start : field.end]).decode()
        except UnicodeDecodeError:
            raise self.error(field.start, "a name that is not UTF-8") from None

    def varints(self, field: Field) -> Iterator[int]:
        """Yield the numbers of a repeated varint, packed or not."""
        if field.wire is Wire.VARINT:
            yield field.value
            return
        position = field.start
        while position < field.end:
            value, position = self._varint(position, field.end)
            yield value

    def array(self, field: Field, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Return a repeated fixed-width field, packed or not, as a view.

        Parameters
        ----------
        field
            Packed bytes, or fields of the width of `dtype`.
        dtype
            Of the elements, little-endian.
        """
        dtype = np.dtype(dtype)
        length = field.end - field.start
        if field.wire is Wire.BYTES:
            count, stride = length // dtype.itemsize, dtype.itemsize
            if length % dtype.itemsize:
                raise self.error(field.start, f"an array of {length} bytes")
        else:
            count = field.times
            stride = (length - dtype.itemsize) // max(count - 1, 1)
        return np.ndarray((count,), dtype, self.data, field.start, (stride,))

    # -- parsing ----------------------------------------------------------

    def _field(self, position: int) -> Field:
        """Parse the field that begins at a position."""
        key, start = self._varint(position, self.end)
        number, code = key >> 3, key & 7
        if not 0 < number <= MAX_FIELD_NUMBER:
            raise self.error(position, f"impossible field number {number}")
        if code == Wire.VARINT:
            value, end = self._varint(start, self.end)
            return Field(number, Wire.VARINT, start, end, value)
        if code == Wire.BYTES:
            length, start = self._varint(start, self.end)
        elif code in (Wire.FIXED32, Wire.FIXED64):
            length = WIDTHS[Wire(code)]
        else:
            raise self.error(position, f"unknown wire type {code}")
        end = start + length
        if end > self.end:
            raise self.error(
                position,
                f"a field of {length} bytes where {self.end - start} are left",
            )
        if code == Wire.BYTES:
            return Field(number, Wire.BYTES, start, end)
        times = self._run(position, start - position, end - position)
        end += (times - 1) * (end - position)
        return Field(number, Wire(code), start, end, times=times)

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        """Return the varint at a position, and the position after it."""
        value = 0
        for i in range(min(MAX_VARINT_BYTES, end - position)):
            byte = self.data[position + i]
            value |= (byte & 0x7F) << 7 * i
            if byte < 0x80:
                return value & 0xFFFF_FFFF_FFFF_FFFF, position + i + 1
        if end - position < MAX_VARINT_BYTES:
            raise self.error(position, "a number that is cut off")
        raise self.error(position, f"a number of over {MAX_VARINT_BYTES} bytes")

    def _run(self, position: int, key_size: int, size: int) -> int:
        """Count the fields in a row that have the same key and size.

        One by one, the 138 million floats of an unpacked VGG-16 would take
        minutes.
        """
        shape = ((self.end - position) // size, key_size)
        keys = np.ndarray(shape, np.uint8, self.data, position, (size, 1))
        count, block = 1, 16
        # Growing blocks: the effort stays in proportion to the run, which may
        # be much shorter than the message, and memory stays bounded.
        while count < len(keys):
            same = (keys[count : count + block] == keys[0]).all(axis=1)
            if not same.all():
                return count + int(same.argmin())
            count += len(same)
            block = min(2 * block, 1 << 16)
        return count


def map_file(path: str | os.PathLike[str]) -> Message:
    """Map a file into memory, read-only, as one message.

    Raises
    ------
    UserError
        If there is no such file, or it cannot be read, or it is empty.
    """
    path = existing_file(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not size:
                raise UserError(f"{path} is empty; fetch the file again")
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    return Message(str(path), memoryview(mapped), 0, size)


def pieces(array: npt.NDArray[Any], size: int = 1 << 22) -> Iterator[npt.NDArray[Any]]:
    """Yield an array's elements piece by piece, as flat views.

    If it is a view of a mapped file, the system may take back the pages of each
    piece before the next: memory stays small however large the array.

    Parameters
    ----------
    array
        Of one piece of memory, or elements at equal distances.
    size
        Elements of a piece.
    """
    flat = array.reshape(-1)
    for start in range(0, flat.size, size):
        yield flat[start : start + size]
        _release(flat)


def _release(array: npt.NDArray[Any]) -> None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
