from __future__ import annotations

import contextlib
import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from idx_files import packed

from chainer_style.digits import idx
from chainer_style.errors import UserError

ARRAYS = arrays.arrays(np.uint8, arrays.array_shapes(max_dims=3, max_side=5))


def parse(content: bytes, axes: int) -> np.ndarray:
    return idx.parse(io.BytesIO(content), axes, "digits")


@given(ARRAYS)
def test_what_is_written_is_read(array: np.ndarray) -> None:
    np.testing.assert_array_equal(parse(packed(array), array.ndim), array)


@given(ARRAYS, st.data())
def test_every_truncation_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    whole = packed(array)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(UserError, match=r"^digits "):
        parse(whole[:cut], array.ndim)


@given(ARRAYS, st.binary(min_size=1, max_size=3))
def test_whatever_follows_is_refused(array: np.ndarray, more: bytes) -> None:
    with pytest.raises(UserError, match=r"goes on behind its [\d,]+ elements"):
        parse(packed(array) + more, array.ndim)


@given(st.binary(max_size=40), st.sampled_from([1, 3]), st.booleans())
def test_anything_is_an_array_or_a_line(content: bytes, axes: int, idx_like) -> None:
    if idx_like:
        content = bytes([0, 0, 8, axes]) + content
    with contextlib.suppress(UserError):
        assert packed(parse(content, axes)) == content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not an idx file: it begins with ''"),
        (b"\x89PNG\r\n", "is not an idx file: it begins with '89 50 4e 47'"),
        (b"\0\0\x07\x01", "is not an idx file"),
        (b"\0\1\x08\x01", "is not an idx file"),
        (b"\0\0\x0d\x01\0\0\0\1" + bytes(4), "holds 32-bit floats, not unsigned bytes"),
        (b"\0\0\x08\x03" + bytes(12), "has 3 axes, not 1"),
        (b"\0\0\x08\x01\0\0", "ends within its header"),
        (b"\0\0\x08\x01" + bytes(4), "announces 0 elements"),
        (b"\0\0\x08\x01" + struct.pack(">I", 2**32 - 1), "announces 4294967295"),
        (b"\0\0\x08\x01\0\0\0\5abc", "ends after 3 of 5 elements"),
    ],
)
def test_what_is_wrong_is_named(content: bytes, words: str) -> None:
    with pytest.raises(UserError) as error:
        parse(content, 1)
    assert words in str(error.value)


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_files_packed_or_not(tmp_path: Path, pack) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    path = tmp_path / "digits"  # no ending that would tell
    path.write_bytes(pack(packed(array)))
    np.testing.assert_array_equal(idx.read(path, 3), array)


def test_every_damage_to_a_packed_file_is_refused_or_harmless(tmp_path: Path) -> None:
    """Its checksum finds all but changes of name, date and system in the header."""
    array = np.arange(60, dtype=np.uint8)
    whole = gzip.compress(packed(array), mtime=0)
    path = tmp_path / "digits.gz"
    refused = 0
    for i in range(len(whole)):
        for content in (
            whole[:i],
            whole[:i] + bytes([whole[i] ^ 0x41]) + whole[i + 1 :],
        ):
            path.write_bytes(content)
            try:
                read = idx.read(path, 1)
            except UserError:
                refused += 1
            else:
                np.testing.assert_array_equal(read, array)
    assert refused > 1.8 * len(whole)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none: No such file"):
        idx.read(tmp_path / "none", 1)
