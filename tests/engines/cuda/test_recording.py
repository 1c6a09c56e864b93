"""Work recorded as CUDA graphs, and timed, on a stand-in for CuPy."""

from __future__ import annotations

import fake_cupy
import pytest

from chainer_style.engines.cuda import recording


@pytest.fixture
def cupy():
    return fake_cupy.Cupy()


@pytest.mark.parametrize(
    ("milliseconds", "in_a_row"), [(5.0, 1), (0.05, 4), (1e-4, recording.MOST)]
)
def test_what_is_short_is_timed_in_a_row(cupy, monkeypatch, milliseconds, in_a_row):
    stream = cupy.cuda.Stream(non_blocking=True)
    done, begun = [], []
    event = cupy.cuda.Event()

    def record(stream):
        begun.append(len(done))

    monkeypatch.setattr(event, "record", record)
    monkeypatch.setattr(cupy.cuda, "Event", lambda: event)
    elapsed = lambda *_: milliseconds * (begun[-1] - begun[-2])  # noqa: E731
    monkeypatch.setattr(cupy.cuda, "get_elapsed_time", elapsed)
    run = lambda: cupy.do(lambda: done.append(1))  # noqa: E731
    found = recording.seconds(cupy.cuda, stream, run)
    assert found == pytest.approx(milliseconds / 1000)
    assert len(done) == 2 + in_a_row * recording.TIMES


def test_a_stream_is_of_use_after_what_could_not_be_recorded(cupy):
    stream = cupy.cuda.Stream(non_blocking=True)

    def fail():
        raise RuntimeError("not in a capture")

    with pytest.raises(RuntimeError, match="not in a capture"):
        recording.recorded(stream, fail)
    stream.synchronize()
    done = []
    recording.recorded(stream, lambda: cupy.do(lambda: done.append(1))).launch(stream)
    assert done == [1]
