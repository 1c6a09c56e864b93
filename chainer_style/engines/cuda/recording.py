"""Work recorded as CUDA graphs: asked for at once, and timed without gaps."""

from __future__ import annotations

import contextlib
import statistics
from typing import Any

from chainer_style.engines.cuda.machine import Run

TIMES = 5
"""How often something is timed; the median counts."""

ROW, MOST = 2e-4, 20
"""Seconds of what is timed in a row, roughly, and how often that is at most."""


def recorded(stream: Any, run: Run) -> Any:
    """Return a CUDA graph of what something asks a stream for, on the device.

    Parameters
    ----------
    stream
        Of CuPy, the current one.
    run
        Has run before: what its first run loads cannot be loaded meanwhile.
    """
    stream.begin_capture()
    try:
        run()
    except BaseException:
        with contextlib.suppress(Exception):  # the stream is to be of use again
            stream.end_capture()
        raise
    graph = stream.end_capture()
    graph.upload(stream)
    return graph


def seconds(cuda: Any, stream: Any, run: Run) -> float:
    """Return the seconds that a device takes for something.

    It is done some times in a row, as one graph. Otherwise a kernel of some
    microseconds would be over before the next was asked for, and Python be timed.

    Parameters
    ----------
    cuda
        ``cupy.cuda``.
    stream
        The current one.
    run
        Asks for it.
    """

    def timed(run: Run) -> float:
        begin, end = cuda.Event(), cuda.Event()
        begin.record(stream)
        run()
        end.record(stream)
        end.synchronize()
        return float(cuda.get_elapsed_time(begin, end)) / 1000

    run()  # what it loads or compiles at its first run is no matter
    count = max(1, min(round(ROW / max(timed(run), 1e-9)), MOST))

    def row() -> None:
        for _ in range(count):
            run()

    graph = recorded(stream, row)
    return statistics.median(
        timed(lambda: graph.launch(stream)) / count for _ in range(TIMES)
    )
