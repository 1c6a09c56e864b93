"""A process under a limit of memory, and what a transfer takes there by prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainer_style import memory

if TYPE_CHECKING:
    from chainer_style.engines.base import Device, Engine, Problem


def confine(budget: int, device: Device) -> int:
    """Let the process hold so many bytes in all, and return what it holds already.

    Libraries, kernels and threads come first: each reserves more than it uses.
    """
    # Chainer keeps the errors of what it looks for in vain, and with them all that the
    # callers of its first import knew: no picture may be among that.
    import chainer  # noqa: F401
    import numpy as np

    from chainer_style.engines.cpu import compiled
    from chainer_style.engines.cpu.team import team
    from chainer_style.tiling import create, kernels  # noqa: F401 - loads what they do

    memory.return_at_once()
    compiled.load()
    team(device.cores)
    # BLAS takes its buffers at the first product.
    np.ones((64, 64), np.float32) @ np.ones((64, 64), np.float32)
    memory.trim()
    before = memory.resident()
    memory.limit(budget - before)
    return before


def described(engine: Engine, problem: Problem, device: Device) -> dict[str, Any]:
    """Return how a picture is cut, and the bytes that were predicted for it.

    Returns
    -------
    dict
        ``tiles``, their ``side`` in pixels, the taps ``kept`` between both passes,
        whether content features are ``on_disk``, and ``bytes``.
    """
    from chainer_style.engines.cpu.footprint import Footprint
    from chainer_style.tiling.engine import TiledEngine

    taps = [tap.node for tap in problem.network.taps]
    if isinstance(engine, TiledEngine) and engine.cut:
        layout = engine.cut.layout
        return {
            "tiles": len(engine.grid.tiles),
            "side": layout.side,
            "kept": taps[layout.again :],
            "on_disk": layout.on_disk,
            "bytes": engine.cut.total - engine.cut.running.program,
        }
    whole = Footprint.of(
        problem.network,
        problem.protocol,
        problem.content.shape[2:],
        problem.style.shape[2:],
        device.cores,
    )
    pictures = problem.content, problem.style, problem.start
    given = sum(picture.nbytes for picture in pictures)
    return {
        "tiles": 1,
        "side": max(problem.content.shape[2:]),
        "kept": taps,
        "on_disk": False,
        "bytes": whole.total + given,
    }
