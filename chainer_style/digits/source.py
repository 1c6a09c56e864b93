"""Which digits to learn and to test on: MNIST's if they can be had, else others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from chainer_style.digits import fetch, folder
from chainer_style.digits.folder import CLASSES, Digits
from chainer_style.digits.published import HALVES
from chainer_style.errors import UserError
from chainer_style.weights.folder import shown
from chainer_style.weights.obtain import Watch

MNIST = "MNIST"
UNKNOWN = "digits of files that are not those of MNIST"
SKLEARN = "scikit-learn's digits (1797, 8×8), not MNIST"

HELD_OUT = 5
"""Where there is one set of digits only, every so many-th is held out."""

BATCH = 500
"""Digits tested at once. Chainer's Evaluator takes the mean of its batches, whatever
their sizes, so more digits than this are tested in whole batches only."""

SPLIT_AS_PUBLISHED = "as published: 60,000 to learn, 10,000 to test"
SPLIT_BY_US = "drawn by seed: four fifths to learn, a fifth to test"


class NoDigitsError(Exception):
    """There are no digits here at all; the message says why."""


@dataclass(frozen=True)
class Limit:
    """How many digits to use at most."""

    learned: int
    tested: int


@dataclass(frozen=True)
class Source:
    """Digits to learn and to test on.

    Attributes
    ----------
    learned, tested
        The digits.
    name
        What they are: `MNIST`, `UNKNOWN` or `SKLEARN`.
    split
        Who told the ones from the others.
    there
        How many there were of either, before a limit was kept.
    files
        What is known of the files.
    why
        Why they are not MNIST's.
    """

    learned: Digits
    tested: Digits
    name: str
    split: str
    there: tuple[int, int] = (0, 0)
    files: tuple[folder.FileFacts, ...] = field(default=())
    why: str | None = None

    def as_record(self) -> dict[str, Any]:
        """Return what they are, for a record."""
        height, width = self.learned.images.shape[2:]
        return {
            "name": self.name,
            "split": self.split,
            "learned": len(self.learned),
            "tested": len(self.tested),
            "there": list(self.there),
            "height": height,
            "width": width,
            "files": [file.as_record() for file in self.files],
            "why": self.why,
        }


def load(
    chosen: Path | None,
    limit: Limit | None,
    seed: int = 0,
    watch: Watch = Watch(),  # noqa: B008 - has no state
) -> Source:
    """Return digits: those of a folder, else fetched ones, else scikit-learn's.

    Nothing is fetched where there are digits.

    Parameters
    ----------
    chosen
        Folder of idx files; by default `chainer_style.digits.folder.home`, to which
        MNIST is fetched if nothing is there.
    limit
        How many to use; all without.
    seed
        Of what is drawn: the digits within the limit, and those that are held out
        where there is one set only.
    watch
        Told what is fetched.

    Raises
    ------
    UserError
        If the folder has no digits, or a file of it is damaged.
    NoDigitsError
        If there are none of any kind.
    """
    home = chosen or folder.home()
    why = None
    if chosen is None and not folder.halves(home):
        try:
            fetch.fetch(home, watch)
        except UserError as error:
            why = str(error)
    found = from_folder(home, seed) if why is None else from_sklearn(seed, why)
    learned, tested = there = len(found.learned), len(found.tested)
    if limit is not None:
        learned, tested = min(learned, limit.learned), min(tested, limit.tested)
    if tested > BATCH:
        tested -= tested % BATCH
    random = np.random.RandomState(seed)
    return replace(
        found,
        learned=_some(found.learned, learned, random),
        tested=_some(found.tested, tested, random),
        there=there,
    )


def from_folder(home: Path, seed: int) -> Source:
    """Return the digits of a folder, all of them.

    Raises
    ------
    UserError
        If there are none, or a file is damaged.
    """
    read = {half: folder.read(half, home) for half in folder.halves(home)}
    if not read:
        raise UserError(
            f"there are no digits in {shown(home)}: expected are images and labels, "
            "such as t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, packed (.gz) "
            "or not"
        )
    files = tuple(facts for _, own in read.values() for facts in own)
    name = MNIST if all(file.is_published for file in files) else UNKNOWN
    if len(read) == len(HALVES):
        learned, tested = (read[half][0] for half in HALVES)
        if learned.images.shape[1:] != tested.images.shape[1:]:
            raise UserError(f"the images in {shown(home)} are of two sizes")
        split = SPLIT_AS_PUBLISHED if name == MNIST else "that of the files"
    else:
        ((only, (digits, _)),) = read.items()
        learned, tested = _split(digits, seed)
        which = "test" if only == "t10k" else "training"
        split = f"only the {which} digits were there; {SPLIT_BY_US}"
    return Source(learned, tested, name, split, files=files)


def from_sklearn(seed: int, why: str) -> Source:
    """Return the digits that scikit-learn ships.

    Raises
    ------
    NoDigitsError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise NoDigitsError(
            f"no digits: {why}, and scikit-learn, which ships some, is not installed"
        ) from None
    bunch = load_digits()
    images = (bunch.images[:, np.newaxis] / bunch.images.max()).astype(np.float32)
    learned, tested = _split(Digits(images, bunch.target.astype(np.int32)), seed)
    return Source(learned, tested, SKLEARN, SPLIT_BY_US, why=why)


def _split(digits: Digits, seed: int) -> tuple[Digits, Digits]:
    """Hold a part out, drawn: MNIST's first 5,000 test digits are the easier ones."""
    if len(digits) < HELD_OUT * CLASSES:
        raise UserError(
            f"{len(digits)} digits are too few; {HELD_OUT * CLASSES} are the least"
        )
    order = np.random.RandomState(seed).permutation(len(digits))
    held_out = len(digits) // HELD_OUT
    return digits.take(order[held_out:]), digits.take(order[:held_out])


def _some(digits: Digits, count: int, random: np.random.RandomState) -> Digits:
    if count == len(digits):
        return digits
    return digits.take(np.sort(random.permutation(len(digits))[:count]))
