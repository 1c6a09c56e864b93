"""What this machine has and lacks: today's counterpart of the paper's Tables 2 and 3.

Made for broken installations: whatever fails to load, or to be read, becomes a
finding with the command that mends it, and the examination goes on.
"""

from __future__ import annotations

import warnings

from chainer_style.doctor import cards, cuda, libraries, machine, trained
from chainer_style.doctor.findings import Finding, guarded

__all__ = ["Finding", "examine", "works"]


def examine() -> list[Finding]:
    """Return everything that is found on this machine, section by section."""
    seen = cards.nvidia()
    with warnings.catch_warnings():
        # What CuPy and Chainer warn of is found here, and told in full.
        warnings.simplefilter("ignore")
        return [
            *guarded("Machine", lambda: machine.findings(seen)),
            *guarded("Libraries", libraries.needed),
            *guarded("CUDA", lambda: cuda.findings(seen)),
            *guarded("Trained weights", trained.findings),
            *guarded("Optional", libraries.optional),
        ]


def works(findings: list[Finding]) -> bool:
    """Return whether nothing is missing that a run on the CPU needs."""
    return not any(f.needed and f.state == "missing" for f in findings)
