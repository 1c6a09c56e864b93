"""The companion document's experiment: a small network learns MNIST's digits."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chainer_style.digits import folder, source
from chainer_style.digits.network import small_cnn, training_flops
from chainer_style.digits.source import Limit, NoDigitsError, Source
from chainer_style.experiments.base import Experiment, Progress
from chainer_style.experiments.rates import device_of
from chainer_style.experiments.records import TimedRecord
from chainer_style.files import replacing
from chainer_style.paper import COLUMNS, Column
from chainer_style.weights.obtain import Watch

FEW = Limit(learned=1_500, tested=1_000)
"""Digits of a short run."""

DROPPED = 1
"""First epochs left out of the median: they fill caches, and compile for a GPU."""


@dataclass(frozen=True)
class DigitsCell:
    """One kind of device.

    Attributes
    ----------
    column
        CPU; GPU without cuDNN; or GPU with cuDNN.
    """

    column: Column

    @property
    def key(self) -> str:
        """Name of the cell in file names."""
        return self.column.lower()


@dataclass(frozen=True, kw_only=True)
class DigitsRecord(TimedRecord[DigitsCell]):
    """What a network learned in some epochs, and how long each of them took.

    Attributes
    ----------
    seconds
        Of every epoch, without the test that follows it.
    accuracy, loss
        After every epoch, on digits that were held out.
    learned_accuracy, learned_loss
        Mean over every epoch, on the digits that it learned from.
    """

    experiment = "mnist"
    cell_type = DigitsCell

    accuracy: Sequence[float] = ()
    loss: Sequence[float] = ()
    learned_accuracy: Sequence[float] = ()
    learned_loss: Sequence[float] = ()

    @property
    def digits(self) -> dict[str, Any]:
        """What was learned; see `chainer_style.digits.source.Source.as_record`."""
        return dict(self.settings["digits"])

    @property
    def rate(self) -> float:
        """Digits learned per second, from the median epoch."""
        return float(self.digits["learned"]) / self.median

    @property
    def flops_per_second(self) -> float:
        """Floating-point operations of learning, per second of the median epoch."""
        return training_flops(small_cnn(self.digits["height"])) * self.rate

    def check(self) -> None:
        """Refuse a measured record that lacks epochs, or what was learned."""
        super().check()
        if not self.measured:
            return
        columns = (self.accuracy, self.loss, self.learned_accuracy, self.learned_loss)
        if {len(column) for column in columns} != {len(self.seconds)}:
            raise ValueError("its epochs are not complete")
        if "learned" not in self.settings.get("digits", ()):
            raise ValueError("it lacks the digits that were learned")


@dataclass(frozen=True)
class Learning(Experiment[DigitsCell]):
    """Five epochs of Chainer's trainer on each kind of device.

    Attributes
    ----------
    mnist
        Folder of MNIST's files; by default they are looked for, fetched, or replaced,
        see `chainer_style.digits.source.load`.
    limit
        How many digits; all without.
    """

    record = DigitsRecord

    mnist: Path | None = None
    limit: Limit | None = FEW

    def cells(self) -> tuple[DigitsCell, ...]:
        """Return the three kinds of devices."""
        return tuple(DigitsCell(column) for column in COLUMNS)

    def title(self, cell: DigitsCell) -> str:
        """Return a cell's name to print."""
        return f"MNIST {cell.column}"

    def estimate(self, cell: DigitsCell) -> float:
        """Return the seconds of two slow cores, or of any GPU."""
        if cell.column != "CPU":
            return 20
        return 50 if self.limit else 1200

    def obstacle(self, cell: DigitsCell) -> str | None:
        """Return what of the device is missing."""
        from chainer_style.engines import devices

        missing = devices.obstacle(device_of(cell.column))
        return None if missing is None else missing.reason

    def check(self) -> None:
        """Refuse files that cannot be read, before anything is measured."""
        home = self.mnist or folder.home()
        if self.mnist or folder.halves(home):
            source.from_folder(home, seed=0)

    def measure(
        self, cell: DigitsCell, folder: Path, progress: Progress
    ) -> DigitsRecord:
        """Learn, and leave the charts that Chainer's PlotReport drew."""
        try:
            found = source.load(self.mnist, self.limit, watch=_Words(progress))
        except NoDigitsError as error:
            unmeasured: DigitsRecord = self.result(cell, reason=str(error))
            return unmeasured
        with tempfile.TemporaryDirectory(prefix="chainer-style-") as out:
            record = self._learn(cell, found, Path(out), progress)
            for name in record.settings["pictures"].values():
                chart = Path(out) / name.removeprefix(f"{cell.key}-")
                with replacing(folder / name) as temporary:
                    temporary.write_bytes(chart.read_bytes())
        return record

    def _learn(
        self, cell: DigitsCell, found: Source, out: Path, progress: Progress
    ) -> DigitsRecord:
        import matplotlib

        # Not the screen, even where there is one.
        matplotlib.use("Agg")
        from chainer_style import memory
        from chainer_style.digits import training

        device, settings = device_of(cell.column), training.Settings()
        memory.forget_peak()
        session = training.prepare(
            found.learned,
            found.tested,
            device,
            out,
            settings,
            more=[_telling(progress, settings.epochs)],
        )
        training.run(session, device)
        held_out = "validation/main"
        record: DigitsRecord = self.result(
            cell,
            seconds=session.seconds,
            dropped=DROPPED,
            peak_memory_bytes=memory.peak_on(device.is_gpu),
            accuracy=session.column(f"{held_out}/accuracy"),
            loss=session.column(f"{held_out}/loss"),
            learned_accuracy=session.column("main/accuracy"),
            learned_loss=session.column("main/loss"),
            settings={
                **asdict(settings),
                "optimizer": "Adam",
                "digits": found.as_record(),
                "whole": self.limit is None,
                "pictures": {name: f"{cell.key}-{name}.png" for name in training.PLOTS},
            },
        )
        return record

    def summary(self, record: DigitsRecord) -> str:
        """Return seconds per epoch, accuracy, and what was learned."""
        digits = record.digits
        return (
            f"{record.median:10.2f} s per epoch of {digits['learned']:,} digits, "
            f"{record.accuracy[-1]:.2%} of {digits['tested']:,} right after "
            f"{len(record.accuracy)} ({digits['name']})"
        )


def _telling(progress: Progress, epochs: int) -> Any:
    """Return an extension that tells the runner's bar how far it is."""
    from chainer.training import make_extension

    @make_extension(trigger=(1, "iteration"))  # type: ignore[untyped-decorator]
    def tell(trainer: Any) -> None:
        # The last batch of an epoch reaches into the next one.
        gone = min(trainer.updater.epoch_detail, epochs)
        number = min(int(gone) + 1, epochs)
        progress(gone / epochs, f"epoch {number} of {epochs}")

    return tell


class _Words(Watch):
    """Tells the runner's bar what is fetched."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def progress(self, name: str, done: int, total: int | None) -> None:
        """Say how much of a file there is."""
        share = f" {done / total:.0%}" if total else ""
        self._progress(0, f"fetching {name}{share}")
