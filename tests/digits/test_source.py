from __future__ import annotations

import sys
from pathlib import Path

import idx_files
import numpy as np
import pytest

from chainer_style.digits import fetch, folder, source
from chainer_style.digits.source import Limit, NoDigitsError
from chainer_style.errors import UserError


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list[Path]:
    """The folders to which MNIST was to be fetched; nothing ever comes."""
    monkeypatch.setenv(folder.VARIABLE, str(tmp_path / "home"))
    asked = []

    def refuse(home, *_, **__):
        asked.append(home)
        raise UserError("train-images-idx3-ubyte.gz cannot be fetched (nowhere)")

    monkeypatch.setattr(fetch, "fetch", refuse)
    return asked


def rows(digits: folder.Digits) -> set[bytes]:
    return {image.tobytes() for image in digits.images}


def test_both_halves_as_they_are(tmp_path, asked) -> None:
    idx_files.write(tmp_path, train=70, t10k=30)
    found = source.load(tmp_path, None)
    assert (len(found.learned), len(found.tested)) == found.there == (70, 30)
    np.testing.assert_array_equal(found.learned.labels, idx_files.draw(70)[1])
    about = found.as_record()
    assert about["name"] == source.UNKNOWN
    assert [file["is_published"] for file in about["files"]] == 4 * [False]
    assert (about["height"], about["width"], about["why"]) == (12, 12, None)
    assert asked == []


@pytest.mark.parametrize("half", ["train", "t10k"])
def test_one_half_is_split_without_overlap(tmp_path, half) -> None:
    idx_files.write(tmp_path, **{half: 103})
    found = source.load(tmp_path, None, seed=3)
    assert found.there == (83, 20)
    assert rows(found.learned).isdisjoint(rows(found.tested))
    whole, _ = folder.read(half, tmp_path)
    assert rows(found.learned) | rows(found.tested) == rows(whole)
    which = {"train": "training", "t10k": "test"}[half]
    assert found.split.startswith(f"only the {which} digits were there; drawn by seed")
    again = source.load(tmp_path, None, seed=3)
    np.testing.assert_array_equal(again.tested.images, found.tested.images)
    other = source.load(tmp_path, None, seed=4)
    assert rows(other.tested) != rows(found.tested)


def test_images_keep_their_labels(tmp_path) -> None:
    idx_files.write(tmp_path, t10k=80)
    images, labels = idx_files.draw(80, seed=1)
    label_of = {
        (image / np.float32(255)).astype(np.float32).tobytes(): label
        for image, label in zip(images, labels, strict=True)
    }
    found = source.load(tmp_path, Limit(20, 10))
    assert (len(found.learned), len(found.tested)) == (20, 10)
    for digits in (found.learned, found.tested):
        for image, label in zip(digits.images, digits.labels, strict=True):
            assert label_of[image.tobytes()] == label


def test_more_than_a_batch_is_tested_in_whole_batches(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(source, "BATCH", 8)
    idx_files.write(tmp_path, train=10, t10k=30)
    assert len(source.load(tmp_path, None).tested) == 24
    assert len(source.load(tmp_path, Limit(5, 7)).tested) == 7


def test_a_chosen_folder_without_digits(tmp_path, asked) -> None:
    with pytest.raises(UserError, match=r"no digits in .*t10k-images-idx3-ubyte"):
        source.load(tmp_path, None)
    idx_files.write(tmp_path, t10k=9)
    with pytest.raises(UserError, match="9 digits are too few"):
        source.load(tmp_path, None)
    assert asked == []


def test_images_of_two_sizes(tmp_path) -> None:
    idx_files.write(tmp_path, train=20)
    idx_files.write(tmp_path, t10k=20, side=14)
    with pytest.raises(UserError, match="are of two sizes"):
        source.load(tmp_path, None)


def test_files_in_the_usual_folder_are_not_fetched(tmp_path, asked) -> None:
    idx_files.write(tmp_path / "home", t10k=60)
    assert len(source.load(None, None).learned) == 48
    assert asked == []


def test_what_is_fetched_is_used(tmp_path, asked, monkeypatch) -> None:
    monkeypatch.setattr(
        fetch, "fetch", lambda home, _: idx_files.write(home, train=40, t10k=20)
    )
    assert source.load(None, None).there == (40, 20)


def test_scikit_learns_digits_say_what_they_are(asked, tmp_path) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    found = source.load(None, None)
    assert asked == [tmp_path / "home"]
    assert found.name == "scikit-learn's digits (1797, 8×8), not MNIST"
    assert found.there == (1438, 359)
    assert "cannot be fetched (nowhere)" in found.as_record()["why"]
    both = np.concatenate([found.learned.images, found.tested.images])
    assert both.shape == (1797, 1, 8, 8)
    assert (both.min(), both.max()) == (0, 1)
    assert 16 * both.sum(dtype=float) == datasets.load_digits().images.sum()


def test_no_digits_at_all(asked, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(NoDigitsError, match=r"\(nowhere\), and scikit-learn.* is not"):
        source.load(None, None)
