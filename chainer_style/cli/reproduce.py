"""``chainer-style reproduce`` and ``report``: the paper's experiments."""

from __future__ import annotations

from pathlib import Path

import click

from chainer_style.paper import RATE_TABLES

RESULTS = click.option(
    "--results",
    default="results",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the records, one folder per machine below it.",
)


@click.command()
@click.option(
    "--table",
    "numbers",
    multiple=True,
    type=click.Choice([str(number) for number in RATE_TABLES]),
    help="Table of the paper; may be repeated.  [default: all]",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60,
    show_default=True,
    help="How long each cell iterates.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="The same in minutes; the paper's protocol is 5.",
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
    default="seeded",
    show_default=True,
    help="seeded, seeded:SEED, caffe (trained; fetched if they are not here), or a "
    "file (.h5 or .caffemodel).",
)
@RESULTS
@click.option("-q", "--quiet", is_flag=True, help="No progress bars.")
def reproduce(
    *,
    numbers: tuple[str, ...],
    seconds: float,
    minutes: float | None,
    content: Path,
    style: Path,
    weights: str,
    results: Path,
    quiet: bool,
) -> None:
    """Run the paper's experiments and write the report.

    Records are saved cell by cell; what was measured before an interruption
    stays.
    """
    from chainer_style.experiments import rates

    tables = [RATE_TABLES[int(number)] for number in numbers or RATE_TABLES]
    plan = rates.Plan(
        seconds=60 * minutes if minutes else seconds,
        content=content,
        style=style,
        weights=weights,
        results=results,
        quiet=quiet,
    )
    if weights == "caffe":
        rates.check(plan)
        cells = [cell for table in tables for cell in table.cells]
        _fetch_missing({cell.network for cell in cells}, quiet)
    records = list(rates.run(tables, plan))
    for line in rates.summary(records):
        click.echo(line)
    click.echo(f"\nrecords: {results / records[0].environment['machine']}")
    _report(results)


@click.command()
@RESULTS
def report(results: Path) -> None:
    """Write the report from the records, without running anything."""
    _report(results)


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
