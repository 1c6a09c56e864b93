"""Fetching MNIST's files: patient with a slow line, quick where there is none."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from chainer_style.digits.folder import path_of
from chainer_style.digits.published import FILES, File
from chainer_style.errors import UserError
from chainer_style.files import make_folder
from chainer_style.weights.download import Patience
from chainer_style.weights.obtain import NoAddress, Watch, alone, obtain
from chainer_style.weights.verify import Verdict, of_published

QUICK = Patience(connect=3, read=15, attempts=2, pause=0.5)
"""An experiment that can do without does not wait long."""


def fetch(
    home: Path,
    watch: Watch = Watch(),  # noqa: B008 - has no state
    patience: Patience = QUICK,
    files: tuple[File, ...] = FILES,
) -> None:
    """Fetch the files that are not there, each checked by its checksums.

    Parameters
    ----------
    home
        Where to put them.
    watch
        Told what happens.
    patience
        How long to wait for servers.
    files
        Which ones.

    Raises
    ------
    UserError
        If no address gives one of them, or it cannot be written.
    """
    make_folder(home)
    with alone(home, "mnist", watch):
        for file in files:
            if path_of(file, home) is None:
                _fetch(file, home, watch, patience)


def _fetch(file: File, home: Path, watch: Watch, patience: Patience) -> None:
    judge = partial(_judge, file=file)
    try:
        obtain(file, home / file.name, judge, patience, watch)
    except NoAddress as error:
        why = "; ".join(f"{host}: {reason}" for host, reason in error.problems)
        raise UserError(f"{file.name} cannot be fetched ({why})") from None
    finally:
        watch.pause()


def _judge(path: Path, file: File) -> Verdict:
    return of_published(path, file)
