"""The command ``chainer-style``.

Modules are imported within the commands that use them: ``--help`` answers at
once.
"""

from __future__ import annotations

import click

import chainer_style
from chainer_style.cli.convert import convert
from chainer_style.cli.doctor import doctor
from chainer_style.cli.plan import plan
from chainer_style.cli.reproduce import report, reproduce
from chainer_style.cli.run import run
from chainer_style.cli.weights import weights
from chainer_style.errors import UserError


class _Refusal(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """A group that tells a `UserError` in one line and exits with code 2."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _Refusal(str(error)) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(chainer_style.__version__)
def main() -> None:
    """Paint one picture in the style of another, as in 2016 or as today."""


for command in (run, plan, convert, reproduce, report, weights, doctor):
    main.add_command(command)
