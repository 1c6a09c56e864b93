from __future__ import annotations

import os
from pathlib import Path

import caffe_files as encode
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainer_style.errors import UserError
from chainer_style.weights.wire import Field, Message, Wire, WireError, map_file, pieces

FIXED = {Wire.FIXED32: 4, Wire.FIXED64: 8}
FIELD_NUMBERS = st.sampled_from([1, 2, 15, 16, 2047, 2048, 2**29 - 1])


def message(data: bytes) -> Message:
    return Message("file", memoryview(data), 0, len(data))


@st.composite
def encoded_fields(draw: st.DrawFn) -> list[tuple[int, Wire, int | bytes]]:
    fields = []
    for _ in range(draw(st.integers(0, 8))):
        number, wire = draw(FIELD_NUMBERS), draw(st.sampled_from(Wire))
        if wire is Wire.VARINT:
            payload = draw(st.integers(0, 2**64 - 1))
        elif wire is Wire.BYTES:
            payload = draw(st.binary(max_size=300))
        else:
            payload = draw(st.binary(min_size=FIXED[wire], max_size=FIXED[wire]))
        repeat = draw(st.sampled_from([1, 1, 2, 40])) if wire in FIXED else 1
        fields += [(number, wire, payload)] * repeat
    return fields


def written(number: int, wire: Wire, payload: int | bytes) -> bytes:
    if isinstance(payload, int):
        return encode.number(number, payload)
    if wire is Wire.BYTES:
        return encode.chunk(number, payload)
    return encode.key(number, wire) + payload


def taken_apart(data: bytes) -> list[tuple[int, Wire, int | bytes]]:
    """Read all fields, those that were taken together one by one."""
    whole, fields = message(data), []
    for field in whole:
        if field.wire is Wire.VARINT:
            fields.append((field.number, field.wire, field.value))
        elif field.wire is Wire.BYTES:
            payload = data[field.start : field.end]
            fields.append((field.number, field.wire, payload))
        else:
            values = whole.array(field, f"V{FIXED[field.wire]}")
            fields += [(field.number, field.wire, v.tobytes()) for v in values]
    return fields


@given(encoded_fields())
def test_reads_what_was_written(fields: list[tuple[int, Wire, int | bytes]]) -> None:
    data = b"".join(written(*field) for field in fields)
    assert taken_apart(data) == fields


@given(st.binary(max_size=200))
def test_stays_within_any_bytes(data: bytes) -> None:
    end, damage = 0, None
    try:
        for field in message(data):
            assert end < field.start <= field.end <= len(data)
            end = field.end
    except WireError as error:
        damage = error.offset
    assert end == len(data) if damage is None else end <= damage <= len(data)


@pytest.mark.parametrize(
    ("data", "offset", "reason"),
    [
        (b"\x08\x01\x80", 2, "a number that is cut off"),
        (b"\x08" + b"\xff" * 9, 1, "a number that is cut off"),
        (b"\x08" + b"\xff" * 10 + b"\x01", 1, "a number of over 10 bytes"),
        (b"\x0a\x05abcd", 0, "a field of 5 bytes where 4 are left"),
        (b"\x08\x01\x0a", 3, "a number that is cut off"),
        (b"\x0a" + encode.varint(2**63), 0, "a field of 9223372036854775808 bytes"),
        (b"\x0d\0\0\0", 0, "a field of 4 bytes where 3 are left"),
        (b"\x0d\0\0\0\0\x0d\0\0", 5, "a field of 4 bytes where 2 are left"),
        (b"\x09\0\0\0\0\0\0\0", 0, "a field of 8 bytes where 7 are left"),
        (b"\x0b", 0, "unknown wire type 3"),
        (b"\x0c", 0, "unknown wire type 4"),
        (b"\x0e", 0, "unknown wire type 6"),
        (b"\x08\x01\x0f", 2, "unknown wire type 7"),
        (b"\x00\x00", 0, "impossible field number 0"),
        (encode.key(2**29, 0) + b"\0", 0, "impossible field number 536870912"),
    ],
)
def test_names_the_damage_and_its_place(data: bytes, offset: int, reason: str) -> None:
    with pytest.raises(WireError) as caught:
        list(message(data))
    assert caught.value.offset == offset
    assert f"file is no Caffe model, or is damaged: {reason}" in str(caught.value)
    assert f" at byte {offset};" in str(caught.value)
    assert isinstance(caught.value, UserError)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 18, 50, 5000])
@pytest.mark.parametrize("number", [5, 16, 3000])
def test_takes_equal_fields_together(count: int, number: int) -> None:
    values = np.arange(count, dtype="<f4")
    elements = b"".join(encode.key(number, 5) + v.tobytes() for v in values)
    data = encode.number(1, 7) + elements + encode.key(number + 1, 5) + b"abcd"
    first, run, last = message(data)
    assert (first.number, first.value) == (1, 7)
    assert (run.number, run.times) == (number, count)
    assert (last.number, last.times) == (number + 1, 1)
    np.testing.assert_array_equal(message(data).array(run, "<f4"), values)


def test_arrays_are_read_only_views() -> None:
    buffer = bytearray(encode.chunk(5, np.arange(3, dtype="<f4").tobytes()))
    whole = Message("file", memoryview(buffer).toreadonly(), 0, len(buffer))
    (field,) = whole
    array = whole.array(field, "<f4")
    buffer[-4:] = np.float32(9).tobytes()
    np.testing.assert_array_equal(array, [0, 1, 9])
    assert not array.flags.writeable


def test_an_array_may_be_empty_at_the_very_end() -> None:
    data = encode.chunk(5, b"")
    (field,) = message(data)
    assert message(data).array(field, "<f4").shape == (0,)


def test_refuses_half_an_element() -> None:
    data = encode.chunk(5, b"abcdef")
    (field,) = message(data)
    with pytest.raises(WireError, match="an array of 6 bytes at byte 2"):
        message(data).array(field, "<f4")


@given(st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_varints_packed(values: list[int]) -> None:
    data = encode.chunk(1, b"".join(map(encode.varint, values)))
    (field,) = message(data)
    assert list(message(data).varints(field)) == values


def test_varints_do_not_run_out_of_their_field() -> None:
    data = encode.chunk(1, b"\x01\x80") + encode.number(2, 5)
    first, _ = message(data)
    with pytest.raises(WireError, match="cut off at byte 3"):
        list(message(data).varints(first))


@given(st.text(max_size=20))
def test_text(text: str) -> None:
    data = encode.chunk(3, encode.chunk(1, text))
    (outer,) = message(data)
    inner = message(data).message(outer)
    (field,) = inner
    assert inner.text(field) == text


def test_refuses_text_that_is_not_utf8() -> None:
    data = encode.chunk(1, b"caf\xe9")
    (field,) = message(data)
    with pytest.raises(WireError, match="not UTF-8 at byte 2"):
        message(data).text(field)


def test_map_file(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    path.write_bytes(encode.number(1, 300))
    assert list(map_file(path)) == [Field(1, Wire.VARINT, 1, 3, 300)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no file"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.touch(), "is empty"),
        (os.mkfifo, "is not a regular file"),
    ],
    ids=["missing", "folder", "empty", "pipe"],
)
def test_map_file_refuses(tmp_path: Path, make, message: str) -> None:
    path = tmp_path / "m.bin"
    make(path)
    with pytest.raises(UserError, match=message) as caught:
        map_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("data", ["packed", "unpacked"])
def test_pieces(tmp_path: Path, data: str) -> None:
    values = np.arange(1000, dtype=np.float32).reshape(10, 100)
    blob = encode.Blob(values, data=data)
    path = tmp_path / "m.bin"
    path.write_bytes(blob.encode())
    whole = map_file(path)
    array = next(
        whole.array(field, "<f4") for field in whole if field.number == 5
    ).reshape(10, 100)
    for _ in range(2):  # pages that were given back are read again
        found = list(pieces(array, 333))
        assert [len(piece) for piece in found] == [333, 333, 333, 1]
        assert all(piece.base is not None for piece in found)
        np.testing.assert_array_equal(np.concatenate(found), values.ravel())
    assert list(pieces(np.empty((0, 3)))) == []


def test_pieces_of_an_array_in_memory_stay() -> None:
    array = np.ones((3, 4))
    for piece in pieces(array, 5):
        piece += 1
    assert (array == 2).all()
