from __future__ import annotations

import warnings

import numpy as np
import pytest
from PIL import Image

from chainer_style import reading
from chainer_style.errors import UserError


def checkers(width, height, mode="RGB"):
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "CMYK", "YCbCr", "LA", "RGBA", "I", "F"]
)
def test_any_mode_is_read(mode):
    image = checkers(9, 7, "L").convert(mode)
    found = reading.read(image)
    assert (found.mode, found.size) == ("RGB", (9, 7))
    if mode not in ("1", "YCbCr"):
        np.testing.assert_allclose(found, checkers(9, 7, "L").convert("RGB"), atol=1)


def test_sixteen_bits_are_scaled():
    values = np.array([[0, 257, 65535, 32896]], np.uint16)
    found = np.asarray(reading.read(Image.fromarray(values)))[0, :, 0]
    assert list(found) == [0, 1, 255, 128]


def test_sixteen_bit_png(tmp_path):
    values = (np.arange(12, dtype=np.uint16) * 5000).reshape(3, 4)
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = np.asarray(reading.read(tmp_path / "deep.png"))[..., 1]
    np.testing.assert_allclose(found, values / 257, atol=0.5)


def test_floats_of_0_to_1_are_scaled():
    values = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert list(np.asarray(reading.read(Image.fromarray(values)))[0, :, 2]) == [
        0,
        128,
        255,
    ]


def test_transparency():
    image = Image.new("RGBA", (2, 1), (200, 100, 0, 255))
    image.putpixel((0, 0), (200, 100, 0, 0))
    assert reading.read(image).getpixel((0, 0)) == (255, 255, 255)
    assert reading.read(image, matte=False).getpixel((0, 0)) == (200, 100, 0)
    assert reading.read(image).getpixel((1, 0)) == (200, 100, 0)


def test_a_palette_with_transparency(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png", transparency=0)
    found = reading.read(tmp_path / "p.png")
    assert [found.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]


def test_exif_orientation(tmp_path):
    image = checkers(6, 4)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    assert reading.read(tmp_path / "turned.png").size == (4, 6)
    assert reading.read(tmp_path / "turned.png", orient=False).size == (6, 4)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff"])
def test_the_size_is_known_before_the_pixels(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    checkers(6, 4).save(path, exif=exif)
    for orient in (True, False):
        expected = reading.read(path, orient=orient).size
        assert reading.size(path, orient=orient) == expected
    assert reading.size(checkers(6, 4)) == (6, 4)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".gif", ".tiff", ".webp"])
def test_common_formats(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    Image.new("RGB", (8, 8), (90, 90, 90)).save(path)
    np.testing.assert_allclose(reading.read(path), 90, atol=3)


def test_unusable_files_are_named(tmp_path):
    broken = tmp_path / "broken.png"
    checkers(40, 40).save(broken)
    broken.write_bytes(broken.read_bytes()[:1500])
    text = tmp_path / "text.png"
    text.write_text("no picture")
    for path, reason in [
        (broken, "cannot read the picture"),
        (text, "is not a picture"),
        (tmp_path, "is a folder"),
        (tmp_path / "none.png", "no such picture"),
    ]:
        with pytest.raises(UserError, match=reason) as caught:
            reading.read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


MODES = ["1", "L", "P", "CMYK", "YCbCr", "LA", "RGBA", "I", "I;16", "F", "RGB"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("matte", [True, False])
def test_bands_do_not_show(mode, matte, monkeypatch):
    if mode == "I;16":
        values = np.random.RandomState(0).randint(0, 2**16, (40, 30))
        image = Image.fromarray(values.astype(np.uint16))
    else:
        image = checkers(30, 40, "L" if mode in ("I", "F") else "RGB").convert(mode)
    if mode == "RGBA":
        image.putalpha(checkers(30, 40, "L"))
    if mode == "I":
        # Its few large values are at one end: the range is that of the whole.
        image.putpixel((3, 39), 60000)
    if mode == "P":
        image.info["transparency"] = 5
    whole = reading.read(image, matte=matte)
    monkeypatch.setattr(reading, "BAND", 90)
    found = reading.read(image, matte=matte)
    np.testing.assert_array_equal(found, whole)
    assert len(np.unique(np.asarray(whole))) > 1


def test_what_is_given_is_not_changed_nor_given_back():
    image = checkers(4, 4)
    for orient in (True, False):
        assert reading.read(image, orient=orient) is not image


def test_pictures_of_16k_are_read_without_a_warning(tmp_path, monkeypatch):
    """Pillow warns of such as have more pixels than its limit."""
    path = tmp_path / "large.png"
    checkers(150, 100).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reading.read(path).size == (150, 100)
    monkeypatch.undo()
    assert 2 * Image.MAX_IMAGE_PIXELS > 15360 * 8640


def test_larger_ones_are_refused_in_one_line(tmp_path, monkeypatch):
    path = tmp_path / "huge.png"
    checkers(150, 140).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10000)
    with pytest.raises(UserError, match=r"too large.*Make it smaller") as said:
        reading.read(path)
    assert "\n" not in str(said.value)
