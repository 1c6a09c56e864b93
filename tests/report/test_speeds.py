from __future__ import annotations

import contests
import pytest

from chainer_style import themes
from chainer_style.report import contest, speeds


@pytest.fixture
def drawn(tmp_path):
    """A chart of two networks, PyTorch missing at one size."""
    gone = {"torch": "gone", "torch-compile": "gone"}
    folder = contests.write(
        tmp_path,
        contests.document(size=64, reasons=gone),
        contests.document(size=128),
        contests.document("nin", 128, 2),
    )
    return speeds.draw(contest.groups(contest.read(folder)[0]), themes.LIGHT)


def test_a_panel_for_each_network_and_number_of_threads(drawn):
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    assert titles == ["VGG-16, one thread: GFLOP/s", "NIN, 2 threads: GFLOP/s"]


def test_curves_are_of_the_fastest_of_their_kind(drawn):
    panel = drawn.axes[0]
    ceiling, own, pytorch, chainer, loop = panel.lines
    assert ceiling.get_ydata()[0] == pytest.approx(100)
    assert list(own.get_xdata()) == [64, 128]
    assert list(pytorch.get_xdata()) == [128]
    rate = own.get_ydata()[1]
    assert rate * 0.2 / 0.5 == pytest.approx(pytorch.get_ydata()[0])
    assert rate * 0.2 / 0.8 == pytest.approx(chainer.get_ydata()[1])
    assert rate * 0.2 / 1.2 == pytest.approx(loop.get_ydata()[1])
    names = [text.get_text() for text in panel.texts]
    assert names[0] == "sgemm, 100"
    assert names[1].startswith("this package, ")
