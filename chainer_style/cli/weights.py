"""``chainer-style weights``: trained weights, from the net to a file that is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chainer_style.cli.convert import convert
from chainer_style.cli.info import info
from chainer_style.errors import UserError
from chainer_style.networks import NETWORKS
from chainer_style.text import aligned, size

if TYPE_CHECKING:
    from chainer_style.weights.folder import State
    from chainer_style.weights.registry import Layout
    from chainer_style.weights.verify import Verdict

WRONG = 1
"""Exit code of ``verify`` if something is wrong."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@click.group()
def weights() -> None:
    """Trained weights: list, fetch, verify, convert, look into.

    They lie in the folder models of the checkout, or of the user for an installed
    package; $CHAINER_STYLE_MODELS names another one.
    """


weights.add_command(convert)
weights.add_command(info)


@weights.command("list")
def list_() -> None:
    """List the weights that can be fetched, and what of them is here."""
    from chainer_style.weights import folder, registry

    home = folder.models()
    head = ("name", "network", "source", "download", "here", "licence")
    rows = [
        (
            original.network,
            NETWORKS[original.network].title if original.network in NETWORKS else "-",
            original.layout,
            ("" if original.is_size_exact else "~") + size(original.size),
            _state(folder.state(original, home), original.size),
            original.licence,
        )
        for original in registry.ORIGINALS
    ]
    for line in aligned([head, *rows]):
        click.echo(line)
    click.echo(f"\nfolder: {folder.shown(home)}")


@weights.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every network in the list.")
@click.option(
    "--source",
    type=click.Choice(["keras", "caffe"]),
    help="Whose file: Keras' small conversion of the VGG networks without their top, "
    "or Caffe's whole original.  [default: the first in the list that can be had]",
)
@click.option(
    "--from", "url", metavar="URL", help="Another address; checked just the same."
)
@click.option(
    "--keep", is_flag=True, help="Keep the original beside the converted file."
)
@click.option(
    "--accept",
    is_flag=True,
    help="Where no checksum is published: take another file than the one first seen.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def fetch(
    *,
    names: tuple[str, ...],
    every: bool,
    source: Layout | None,
    url: str | None,
    keep: bool,
    accept: bool,
    quiet: bool,
) -> None:
    """Fetch trained weights, check them and convert them.

    A download that was interrupted goes on where it stopped. The original is
    dropped once it is converted, unless you say --keep.

    \b
    chainer-style weights fetch vgg16
    chainer-style weights fetch vgg19 --source caffe --keep
    """  # noqa: D301 - click reads the escape
    from chainer_style.cli.fetching import Terminal
    from chainer_style.weights import registry
    from chainer_style.weights.fetch import Wish
    from chainer_style.weights.fetch import fetch as fetch_file

    if bool(names) == every:
        known = ", ".join(registry.names())
        raise click.UsageError(f"Name one or more of {known}; or say --all.")
    if url and len(names) != 1:
        raise click.UsageError("--from goes with exactly one NAME.")
    for name in names:  # before the first is fetched
        registry.find(name, source)
    wish = Wish(source, url, keep, accept)
    watch = Terminal(quiet=quiet)
    problems = []
    try:
        for name in names or registry.names(source):
            try:
                fetch_file(name, wish, watch=watch)
            except UserError as error:
                problems.append(str(error))
    except KeyboardInterrupt:
        watch.say("stopped; the same command goes on from here")
        raise click.exceptions.Exit(INTERRUPTED) from None
    if problems:
        raise UserError("; ".join(problems))


@weights.command()
@click.argument("items", metavar="[NAME|FILE]...", nargs=-1)
def verify(items: tuple[str, ...]) -> None:
    """Check that weights are what they should be.

    Originals: size and published checksums. Converted files: the CRC-32 of every
    array, and all shapes. Without a name: whatever is in the folder. The exit code
    is 1 if something is wrong.
    """
    from chainer_style.weights import folder

    found = list(_verdicts(items))
    for verdict in found:
        mark = "ok   " if verdict.is_good else "WRONG"
        click.echo(f"{mark} {folder.shown(verdict.path)}: {verdict.text}")
    if not found:
        click.echo(f"no weights in {folder.shown(folder.models())}")
    if not all(verdict.is_good for verdict in found):
        raise click.exceptions.Exit(WRONG)


def _verdicts(items: Iterable[str]) -> Iterator[Verdict]:
    from chainer_style.weights import folder
    from chainer_style.weights import verify as checks

    home = folder.models()
    if not items:
        yield from checks.everything(home)
    for item in items:
        path = Path(item)
        if path.exists() or len(path.parts) > 1:
            yield checks.of_file(path)
        else:
            yield from checks.of_name(item, home)


def _state(state: State, whole: int) -> str:
    match state.kind:
        case "absent":
            return "not there"
        case "partial":
            return f"partial, {100 * state.size // whole} %"
    return f"{state.kind}, {size(state.size)}"
