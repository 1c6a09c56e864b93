from __future__ import annotations

from pathlib import Path

import published
import pytest

from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS
from chainer_style.weights import pins, registry, verify
from chainer_style.weights.convert import convert

CAFFE = published.caffemodel()
NAME = "small_layers.caffemodel"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "small", published.NETWORK)
    monkeypatch.setattr(registry, "ORIGINALS", (published.original(CAFFE),))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CAFFE)
    return path


@pytest.fixture
def target(source: Path) -> Path:
    path = source.with_name("small.h5")
    convert(source, path)
    return path


def flip(path: Path, place: int = -1) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_good_files(source: Path, target: Path, tmp_path: Path) -> None:
    found = list(verify.of_name("small", tmp_path))
    assert [(v.path, v.is_good) for v in found] == [(target, True), (source, True)]
    assert found[0].text == f"Small, trained weights, from {NAME}: shapes and CRC-32"
    assert found[1].text == "size, sha256 and sha1"
    assert list(verify.everything(tmp_path)) == found


def test_nothing_there(tmp_path: Path) -> None:
    (verdict,) = verify.of_name("small", tmp_path)
    assert not verdict.is_good
    assert "chainer-style weights fetch small" in verdict.text
    assert list(verify.everything(tmp_path)) == []
    assert list(verify.everything(tmp_path / "missing")) == []


def test_a_flipped_bit(source: Path, target: Path, tmp_path: Path) -> None:
    flip(source, 1000)
    flip(target)
    texts = [v.text for v in verify.everything(tmp_path) if not v.is_good]
    assert texts[0].startswith("is damaged: the checksum of '/conv1_2/W' differs")
    assert texts[1].startswith("has the sha256 ")


def test_a_weaker_checksum_counts_too(source: Path, tmp_path: Path) -> None:
    original = published.original(CAFFE)
    strong, (name, digest) = original.checksums
    wrong = published.original(CAFFE, checksums=())
    object.__setattr__(wrong, "checksums", (strong, (name, digest[::-1])))
    verdict = verify.of_original(source, wrong, tmp_path)
    assert verdict.text.startswith("has the sha1 ")


def test_a_truncated_file(source: Path) -> None:
    source.write_bytes(CAFFE[:-1])
    verdict = verify.of_file(source)
    assert verdict.text == f"has {len(CAFFE) - 1:,} bytes, not {len(CAFFE):,}"


def test_a_store_made_from_another_file(source: Path, target: Path) -> None:
    source.write_bytes(published.caffemodel(seed=1))
    convert(source, target)
    verdict = verify.of_file(target)
    assert verdict.text.startswith(f"was made from another {NAME} than the published")


def test_pins(source: Path, tmp_path: Path, monkeypatch) -> None:
    bare = published.original(CAFFE, checksums=())
    monkeypatch.setattr(registry, "ORIGINALS", (bare,))
    assert "parameters in their shapes" in verify.of_file(source).text
    pins.pin(NAME, "0" * 64, tmp_path)
    verdict = verify.of_file(source)
    assert verdict.is_changed
    assert "is not the file first seen here" in verdict.text


def test_a_file_of_another_name(source: Path, tmp_path: Path) -> None:
    other = source.rename(tmp_path / "mine.caffemodel")
    verdict = verify.of_file(other)
    sha256 = dict(published.original(CAFFE).checksums)["sha256"]
    assert verdict.text == (
        "Small by its shapes; no checksum of this name is published, its sha256 is "
        + sha256
    )
    other.write_bytes(b"text")
    assert not verify.of_file(other).is_good
    with pytest.raises(UserError, match="there is no file"):
        verify.of_file(tmp_path / "none.h5")


def test_stores_of_untrained_weights_are_verified_too(tmp_path, weights_of) -> None:
    from chainer_style.weights import store

    store.save(weights_of("nin"), tmp_path / "mine.h5")
    (verdict,) = verify.everything(tmp_path)
    assert verdict.is_good
    assert "seeded (untrained) weights" in verdict.text
