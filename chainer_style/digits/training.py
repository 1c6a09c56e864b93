"""Learning digits as Chainer's own examples do: iterators, an updater, a trainer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chainer
import chainer.links as L
import numpy as np
from chainer import datasets, iterators, optimizers, training
from chainer.training import extensions

from chainer_style.digits.folder import Digits
from chainer_style.digits.network import SCORES, small_cnn
from chainer_style.digits.source import BATCH
from chainer_style.errors import UserError
from chainer_style.links import NetworkChain

if TYPE_CHECKING:
    from chainer_style.engines.base import Device

PLOTS = {
    "accuracy": ("main/accuracy", "validation/main/accuracy"),
    "loss": ("main/loss", "validation/main/loss"),
}
"""Charts that Chainer's PlotReport draws, and what is on them."""


@dataclass(frozen=True)
class Settings:
    """How to learn.

    Attributes
    ----------
    epochs
        How often every digit is seen.
    batch
        Digits per update.
    learning_rate
        Of Adam; its other values are Chainer's defaults.
    seed
        Of the filters, and of the order of the digits.
    """

    epochs: int = 5
    batch: int = 128
    learning_rate: float = 0.001
    seed: int = 0


@dataclass(frozen=True)
class Session:
    """A trainer that is ready to run, and what it will have measured.

    Attributes
    ----------
    trainer
        Chainer's trainer. The pictures of `PLOTS` come into its folder.
    log
        Its LogReport.
    updater
        Its updater, which times.
    """

    trainer: Any
    log: Any
    updater: TimedUpdater

    @property
    def seconds(self) -> list[float]:
        """Seconds of each epoch; see `TimedUpdater`."""
        return self.updater.seconds

    def column(self, name: str) -> list[float]:
        """Return a value of the log, epoch by epoch."""
        return [float(entry[name]) for entry in self.log.log]


class TimedUpdater(training.StandardUpdater):  # type: ignore[misc]
    """Chainer's updater, with the seconds that each epoch took.

    From the start of its first update to the end of its last: the test that follows is
    not part of it. On a GPU an epoch ends when the device has done its work.
    """

    def __init__(self, iterator: Any, optimizer: Any, device: Any) -> None:
        super().__init__(iterator, optimizer, device=device)
        self.seconds: list[float] = []
        self._start: float | None = None

    def update(self) -> None:
        """Do one update."""
        if self._start is None:
            self._start = time.perf_counter()
        super().update()
        if self.is_new_epoch:
            if self.device.xp is not np:
                self.device.device.synchronize()
            self.seconds.append(time.perf_counter() - self._start)
            self._start = None


class _Scores(chainer.Chain):  # type: ignore[misc]
    """The network up to the scores, as Chainer's Classifier wants it."""

    def __init__(self, side: int) -> None:
        super().__init__()
        with self.init_scope():
            self.network = NetworkChain(small_cnn(side))

    def __call__(self, x: Any) -> Any:
        (scores,) = self.network(x, [SCORES])
        return scores


def side_of(digits: Digits) -> int:
    """Return the side of the pictures in pixels.

    Raises
    ------
    UserError
        If they are not square.
    """
    height, width = digits.images.shape[2:]
    if height != width:
        raise UserError(f"the digits are {width}×{height} pixels; they must be square")
    return int(height)


def prepare(
    learned: Digits,
    tested: Digits,
    device: Device,
    out: Path,
    settings: Settings = Settings(),
    more: Sequence[Any] = (),
) -> Session:
    """Make a trainer.

    Parameters
    ----------
    learned, tested
        The digits.
    device
        Where to compute; give the same to `run`.
    out
        Folder for what the extensions write.
    settings
        How to learn.
    more
        Further extensions.

    Raises
    ------
    UserError
        If the device is not there, or the pictures are not square.
    """
    from chainer_style.engines.define_by_run import chainer_device

    backend = chainer_device(device)
    # Chainer draws filters and orders from NumPy's global generator.
    np.random.seed(settings.seed)
    model = L.Classifier(_Scores(side_of(learned)))
    model.to_device(backend)
    optimizer = optimizers.Adam(alpha=settings.learning_rate)
    optimizer.setup(model)
    train = iterators.SerialIterator(_dataset(learned), settings.batch)
    test = iterators.SerialIterator(
        _dataset(tested), min(BATCH, len(tested)), repeat=False, shuffle=False
    )
    updater = TimedUpdater(train, optimizer, backend)
    trainer = training.Trainer(updater, (settings.epochs, "epoch"), out=str(out))
    trainer.extend(extensions.Evaluator(test, model, device=backend))
    log = extensions.LogReport()
    trainer.extend(log)
    for name, keys in PLOTS.items():
        plot = extensions.PlotReport(keys, "epoch", filename=f"{name}.png")
        trainer.extend(plot, name=f"plot {name}")
    for extension in more:
        trainer.extend(extension)
    return Session(trainer, log, updater)


def run(session: Session, device: Device) -> None:
    """Run a session's trainer to its end, with or without cuDNN."""
    with (
        chainer.using_device(session.updater.device),
        chainer.using_config("use_cudnn", "auto" if device.cudnn else "never"),
    ):
        session.trainer.run()


def _dataset(digits: Digits) -> Any:
    return datasets.TupleDataset(digits.images, digits.labels)
