"""``chainer-style reproduce`` and ``report``: the paper's experiments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

RESULTS = click.option(
    "--results",
    default="results",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the records, one folder per machine below it.",
)

FEW = 3
"""So many cells without a measurement are named; of more, the number is told."""

SECONDS, WHOLE_SECONDS = 30.0, 300.0
"""How long a cell iterates by default, and by the paper's protocol."""


class _Part(click.ParamType):  # type: ignore[type-arg]
    """A part of the paper, by name; the names load with the experiments."""

    name = "part"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Refuse a name that there is not."""
        from chainer_style.experiments.catalogue import NAMES

        if value not in NAMES:
            self.fail(f"{value!r} is none of: {', '.join(NAMES)}", param, ctx)
        return value


@click.command()
@click.argument("parts", nargs=-1, type=_Part(), metavar="[PART]...")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="How long each cell of Tables 4 and 5 iterates.  [default: 30; with --full, "
    "the paper's 300]",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="The same in minutes.",
)
@click.option(
    "--full",
    is_flag=True,
    help="Whole protocols: 5 minutes per cell, the batches of 2016, all digits, all "
    "sizes up to 8K.",
)
@click.option(
    "-i",
    "--content",
    type=click.Path(path_type=Path),
    default="samples/lighthouse.jpg",
    show_default=True,
    help="Picture to paint.",
)
@click.option(
    "-s",
    "--style",
    type=click.Path(path_type=Path),
    default="samples/swirls.jpg",
    show_default=True,
    help="Picture whose style to take.",
)
@click.option(
    "--weights",
    help="seeded, seeded:SEED, self-taught, caffe (trained; fetched if they are not "
    "here), or a file (.h5 or .caffemodel).  [default: seeded where only time is "
    "measured; for figures trained where they are, else self-taught]",
)
@click.option(
    "--mnist",
    type=click.Path(path_type=Path),
    help="Folder of MNIST's files (idx, .gz or not); fetched if they are not in "
    "models/mnist.",
)
@RESULTS
@click.option(
    "--afresh", is_flag=True, help="Do not go on where an interrupted run stopped."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bars.")
def reproduce(
    *,
    parts: tuple[str, ...],
    seconds: float | None,
    minutes: float | None,
    full: bool,
    results: Path,
    afresh: bool,
    quiet: bool,
    **chosen: Any,
) -> None:
    """Run the paper's experiments and write the report.

    PART is table1, table4, figure6 and so on; without, everything. Records are saved
    cell by cell, and a run that was interrupted goes on where it stopped.
    """
    from chainer_style.experiments import runner
    from chainer_style.experiments.catalogue import Options, experiments_of

    lasting = 60 * minutes if minutes else seconds
    lasting = lasting or (WHOLE_SECONDS if full else SECONDS)
    options = Options(seconds=lasting, full=full, **chosen)
    experiments = experiments_of(parts, options)
    runner.check(experiments, results)
    if options.weights == "caffe":
        _fetch_missing({n for e in experiments for n in e.networks()}, quiet)
    found: list[tuple[Any, Any]] = []
    try:
        found.extend(runner.run(experiments, results, quiet=quiet, afresh=afresh))
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        raise SystemExit(130) from None
    for line in _summary(found):
        click.echo(line)
    click.echo(f"\nrecords: {results / found[0][1].machine}")
    _report(results)


@click.command()
@RESULTS
def report(results: Path) -> None:
    """Write the report from the records, without running anything."""
    _report(results)


def _summary(found: list[tuple[Any, Any]]) -> Iterator[str]:
    """Yield a line per measured record, and one per reason of the others."""
    width = max(len(job.title) for job, _ in found)
    reasons: dict[str, list[str]] = {}
    for job, record in found:
        if record.measured:
            yield f"{job.title:<{width}}  {job.experiment.summary(record)}"
        else:
            reasons.setdefault(record.reason, []).append(job.title)
    for reason, titles in reasons.items():
        named = "; ".join(titles) if len(titles) <= FEW else f"{len(titles)} cells"
        yield f"not measured, {reason}: {named}"


def _fetch_missing(names: set[str], quiet: bool) -> None:
    """Fetch the trained weights that are not here, before anything is measured."""
    from chainer_style.cli.fetching import Terminal
    from chainer_style.weights import folder
    from chainer_style.weights.fetch import fetch

    for name in sorted(names):
        if folder.trained(name) is None:
            fetch(name, watch=Terminal(quiet=quiet))


def _report(results: Path) -> None:
    from chainer_style import report
    from chainer_style.provenance import machine_name

    page = report.build(results, results / "report", machine_name())
    click.echo(f"report:  {page}")
