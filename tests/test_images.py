from __future__ import annotations

import sys

import children
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chainer_style import images, networks, protocols, reading
from chainer_style.errors import UserError
from chainer_style.protocols import MODERN

OLD = protocols.get("2016")


def checkers(width, height, mode="RGB"):
    random = np.random.RandomState(0)
    pixels = random.randint(0, 256, (height, width, 3)).astype(np.uint8)
    return Image.fromarray(pixels).convert(mode)


def as_the_2016_script_did(image, width):
    """``image_resize`` of the 2016 script, retold for Python 3."""
    original_width, original_height = image.size
    if original_width > original_height:
        new = width, width * original_height // original_width
    else:
        new = width * original_width // original_height, width
    small = np.asarray(image.resize(new, Image.Resampling.NEAREST))
    square = np.zeros((1, 3, width, width), np.float32)
    for channel, colour in enumerate((2, 1, 0)):
        square[0, channel, width - new[1] :, width - new[0] :] = small[:, :, colour]
    return square - 120


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (33, 33), (100, 7)])
@pytest.mark.parametrize("width", [16, 50])
def test_2016_resizes_pads_and_subtracts_as_the_script(size, width):
    image = checkers(*size)
    array, canvas = images.prepare(image, OLD.with_options(width=width), networks.NIN)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, as_the_2016_script_did(image, width))
    assert (canvas.top, canvas.left) == (
        (width - width * size[1] // size[0], 0)
        if size[0] > size[1]
        else (0, width - width * size[0] // size[1])
    )


def test_padding_is_black_minus_the_mean():
    array, _ = images.prepare(
        checkers(40, 20), OLD.with_options(width=40), networks.NIN
    )
    assert (array[:, :, :20] == -120).all()


@given(width=st.integers(1, 60), height=st.integers(1, 60), side=st.integers(60, 90))
def test_there_and_back(width, height, side):
    """Without a resize, a picture comes back as it was."""
    side = max(width, height)
    image = checkers(width, height)
    for protocol in (OLD, MODERN):
        array, canvas = images.prepare(
            image, protocol.with_options(width=side), networks.VGG16
        )
        # The network's own mean is no whole number: a hair below is cut off.
        back = np.asarray(images.to_image(array + 1e-3, canvas))
        np.testing.assert_array_equal(back, np.asarray(image))


def test_modern_keeps_the_shape_and_uses_the_networks_mean():
    array, canvas = images.prepare(
        Image.new("RGB", (80, 40), (10, 20, 30)),
        MODERN.with_options(width=40),
        networks.VGG16,
    )
    assert array.shape == (1, 3, 20, 40)
    assert (canvas.top, canvas.left) == (0, 0)
    blue_green_red = array[0, :, 5, 5] + networks.VGG16.mean
    np.testing.assert_allclose(blue_green_red, (30, 20, 10), atol=1e-4)


def test_values_outside_are_cut_off_on_the_way_back():
    canvas = images.Canvas(1, 3, 0, 0, (120.0, 120.0, 120.0))
    array = np.array([-500.0, 0.9, 136.0], np.float32) * np.ones((1, 3, 1, 1), "f")
    assert [p[0] for p in np.asarray(images.to_image(array, canvas))[0]] == [
        0,
        120,
        255,
    ]


def test_2016_does_not_turn_pictures(tmp_path):
    image = checkers(6, 4)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    array, _ = images.prepare(
        tmp_path / "turned.png", OLD.with_options(width=6), networks.NIN
    )
    np.testing.assert_array_equal(array, as_the_2016_script_did(image, 6))


def test_nothing_left_of_a_side_is_refused():
    with pytest.raises(UserError, match="nothing would be left"):
        images.fitted_size(1000, 2, 100)


class TestStart:
    def prepare(self, protocol=OLD, width=20):
        protocol = protocol.with_options(width=width)
        return protocol, *images.prepare(checkers(40, 30), protocol, networks.NIN)

    def test_from_a_picture(self):
        protocol, content, canvas = self.prepare()
        start = images.prepare_start(checkers(40, 30), protocol, canvas, content)
        np.testing.assert_array_equal(start, content)

    def test_from_an_array(self, tmp_path):
        protocol, content, canvas = self.prepare()
        np.save(tmp_path / "x.npy", content[:, ::-1].astype(np.float64))
        start = images.prepare_start(tmp_path / "x.npy", protocol, canvas, content)
        np.testing.assert_array_equal(start, content[:, ::-1])
        assert start.dtype == np.float32

    @pytest.mark.parametrize(
        ("array", "reason"),
        [
            (np.zeros((3, 20, 20)), "shape"),
            (np.full((1, 3, 20, 20), np.nan), "not finite"),
            (np.full((1, 3, 20, 20), "a"), "must be numbers"),
        ],
    )
    def test_unusable_arrays(self, tmp_path, array, reason):
        protocol, content, canvas = self.prepare()
        np.save(tmp_path / "x.npy", array)
        with pytest.raises(UserError, match=reason):
            images.prepare_start(tmp_path / "x.npy", protocol, canvas, content)

    def test_unusable_files(self, tmp_path):
        protocol, content, canvas = self.prepare()
        (tmp_path / "y.npy").write_bytes(b"\x93NUMPY no more")
        np.save(tmp_path / "z.npy", np.array([{}], object), allow_pickle=True)
        for name in "xyz":
            path = tmp_path / f"{name}.npy"
            with pytest.raises(UserError, match=f"{name}.npy"):
                images.prepare_start(path, protocol, canvas, content)


class TestSave:
    def test_caption_is_kept(self, tmp_path):
        images.save(checkers(4, 4), tmp_path / "a.png", "seeded × weights")
        with Image.open(tmp_path / "a.png") as image:
            assert image.text["Description"] == "seeded × weights"
        assert [p.name for p in tmp_path.iterdir()] == ["a.png"]

    def test_unknown_suffix(self, tmp_path):
        with pytest.raises(UserError, match=r"\.xyz"):
            images.save(checkers(4, 4), tmp_path / "a.xyz", "")

    def test_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(UserError, match=r"cannot write .*none/a\.png"):
            images.save(checkers(4, 4), tmp_path / "none" / "a.png", "")

    def test_a_failure_leaves_the_old_file(self, tmp_path, monkeypatch):
        path = tmp_path / "a.png"
        path.write_bytes(b"old")

        def fail(self, file, **_):
            file.write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Image.Image, "save", fail)
        with pytest.raises(UserError, match="No space left"):
            images.save(checkers(4, 4), path, "")
        assert path.read_bytes() == b"old"
        assert len(list(tmp_path.iterdir())) == 1


def as_one_formula(image, canvas):
    """What `images.prepare` does without a resize, all at once."""
    array = np.zeros((1, 3, canvas.height, canvas.width), np.float32)
    pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[::-1]
    array[0, :, canvas.top :, canvas.left :] = pixels
    return array - np.array(canvas.mean, np.float32).reshape(1, 3, 1, 1)


@pytest.mark.parametrize("protocol", [OLD, MODERN], ids=str)
def test_bands_do_not_show(protocol, monkeypatch, random):
    monkeypatch.setattr(reading, "BAND", 100)
    image = checkers(40, 31)
    settings = protocol.with_options(width=40)
    array, canvas = images.prepare(image, settings, networks.VGG16)
    np.testing.assert_array_equal(array, as_one_formula(image, canvas))
    np.testing.assert_array_equal(
        images.prepare_start(image, settings, canvas, array), array
    )
    array += random.uniform(-50, 50, array.shape).astype(np.float32)
    levels = array[0, :, canvas.top :, canvas.left :] + np.array(
        canvas.mean, np.float32
    ).reshape(3, 1, 1)
    expected = np.clip(levels, 0, 255).astype(np.uint8)[::-1].transpose(1, 2, 0)
    np.testing.assert_array_equal(images.to_image(array, canvas), expected)


MEASURE = """
import sys

import children
import numpy as np
from PIL import Image
from chainer_style import images, memory, networks, protocols

def rise(before):
    return (memory.peak() - before) / 2**20

def begin():
    memory.trim()
    memory.forget_peak()
    return memory.resident()

memory.return_at_once()
protocol = protocols.get({protocol!r}).with_options(width=2400)
small, _ = images.prepare(Image.new("RGB", (96, 64)), protocol, networks.VGG16)
del small
before = begin()
array, canvas = images.prepare({path!r}, protocol, networks.VGG16)
print(rise(before) - array.nbytes / 2**20 - PIXEL * 2400 * 1600 / 2**20)
before = begin()
images.to_image(array, canvas)
print(rise(before) - PIXEL * 2400 * 1600 / 2**20)
""".replace("PIXEL", "4")  # bytes of RGB in Pillow


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can forget a peak")
@pytest.mark.parametrize("protocol", ["2016", "modern"])
@pytest.mark.parametrize("mode", ["RGB", "I;16"])
def test_little_memory_is_taken_beside_the_picture(tmp_path, protocol, mode):
    """One more copy in single precision would be 44 MiB."""
    path = tmp_path / "large.png"
    image = Image.radial_gradient("L").resize((2400, 1600))
    if mode == "I;16":
        Image.fromarray(np.asarray(image, np.uint16) * 257).save(path)
    else:
        image.convert(mode).save(path)
    said = children.run(MEASURE.format(protocol=protocol, path=str(path)))
    reading_it, showing_it = map(float, said.split())
    assert reading_it < 20
    assert showing_it < 20
