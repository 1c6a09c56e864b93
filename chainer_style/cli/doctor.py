"""``chainer-style doctor``: what this machine has, what it lacks, and what to do."""

from __future__ import annotations

import dataclasses
import json

import click

LACKING = 1
"""Exit code where something is missing that every run needs."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def doctor(*, as_json: bool) -> None:
    """Examine this machine: libraries, CUDA, GPUs, trained weights.

    Whatever is missing comes with the command that mends it. The exit code is 0 if
    a run on the CPU works, 1 if something is missing that it needs.
    """
    from chainer_style.doctor import examine, printed, works

    findings = examine()
    if as_json:
        listing = [dataclasses.asdict(finding) for finding in findings]
        document = {"works": works(findings), "findings": listing}
        click.echo(json.dumps(document, indent=2))
    else:
        for line in printed.lines(findings):
            click.echo(line)
    if not works(findings):
        raise click.exceptions.Exit(LACKING)
